"""A simulation, section by section: sentences, tables, and its pictures between them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from postroad.planning import Conditions, Goal, Scorecard, numbers, part_delivered
from postroad.simulation.trials import Trials
from postroad.views.pictures import labels
from postroad.views.pictures.picture import Picture
from postroad.views.text.enforced import enforced
from postroad.views.text.left_out import left_out
from postroad.views.text.recipients import RecipientFares, recipients
from postroad.views.text.sections import HEADLINE, AnswerSection, NamedPicture, Part, Sentences, ZoneLines
from postroad.views.text.trials import trials
from postroad.words.faults import Mode
from postroad.words.phrasebook import counted, listing, seconds

MOST_DOWN = 4  # addresses that the headline names
MOST_LOST = 6  # machines that a sentence names


def summary(card: Scorecard, view: Conditions) -> str:
    """Everything in one sentence."""
    busiest, domain, whole = card.busiest, card.records.snapshot.domain, card.whole
    who = f"the mix {view.mix.name}" if view.mix.name else listing(view.mix.senders)
    if busiest is None:
        return f"{domain}: no machine takes its mail"
    stopped = stopped_in(card)
    count = f"{counted(len(card.records.machines), 'machine')}{_down(view)}"
    parts = (
        f"{domain}: {count}; of {who} {card.load_told()} go to {busiest}",
        _through(card, view),
        f"none of {listing(stopped)}" if stopped and whole.delivered else "",
    )
    return ", ".join(part for part in parts if part)


def _down(view: Conditions) -> str:
    """What is down, those alike together, and only how many where they are many."""
    by: dict[Mode, list[str]] = {}
    for address, mode in view.down.items():
        if mode is not Mode.ACCEPT:
            by.setdefault(mode, []).append(str(address))
    told = (
        f"{listing(which) if len(which) <= MOST_DOWN else counted(len(which), 'address', 'es')} down ({mode})"
        for mode, which in by.items()
    )
    return f", {listing(told)}" if by else ""


def _through(card: Scorecard, view: Conditions) -> str:
    """How much mail gets through, and how long that takes where it is worth a word."""
    whole = card.whole
    if not whole.delivered:
        return "no mail gets through in the first attempt"
    told = f"{view.mix.told(whole.delivered_by)} of mail gets through in the first attempt"
    if (taken := whole.mix.taken) and taken.worst_s >= 1:
        return f"{told}, after {seconds(taken.mean_s)} on average, {seconds(taken.worst_s)} at worst"
    return told


def stopped_in(card: Scorecard) -> list[str]:
    """The senders none of whose mail gets through."""
    return [name for name, each in card.whole.by.items() if not part_delivered(each)]


@dataclass(frozen=True, slots=True)
class Simulated:
    """All that a simulation has to show: the figures, and what was asked for beside them."""

    card: Scorecard
    view: Conditions
    picture: Picture
    tried: Mapping[str, Trials] = field(default_factory=dict)
    recipients: RecipientFares | None = None


@dataclass(frozen=True, slots=True)
class _Kind:
    """A section that an answer may have: its title, and what it is made of."""

    title: str
    parts: Callable[[Simulated], Iterator[Part]]
    is_titled: bool = False
    follows: bool = False
    is_for_pages: bool = False


def sections(found: Simulated) -> Iterator[AnswerSection]:
    """The whole answer: of each kind of section that which has something to say."""
    for name, kind in KINDS.items():
        if parts := tuple(kind.parts(found)):
            yield AnswerSection(
                name, kind.title, parts, is_titled=kind.is_titled, follows=kind.follows, is_for_pages=kind.is_for_pages
            )


def _summed(found: Simulated) -> Iterator[Part]:
    yield found.picture.summary, HEADLINE
    if not found.card.records.machines:
        yield from _no_way(found.card)


def _drawn(name: str) -> Callable[[Simulated], Iterator[Part]]:
    """A section of a picture."""

    def parts(found: Simulated) -> Iterator[Part]:
        if found.card.records.machines and name in found.picture.names:
            yield NamedPicture(name, found.picture)

    return parts


def _tried(found: Simulated) -> Iterator[Part]:
    return trials(found.card, found.tried) if found.tried else iter(())


def _answered(found: Simulated) -> Iterator[Part]:
    return recipients(found.recipients) if found.recipients else iter(())


def _records(found: Simulated) -> Iterator[Part]:
    if found.picture.records:
        yield ZoneLines(found.picture.records)


def _no_way(card: Scorecard) -> Iterator[Part]:
    """What each sender makes of records without a machine."""
    by: dict[str, list[str]] = {}
    for name, each in card.whole.by.items():
        by.setdefault(each.unable or listing(result.value for result, part in each.outcome.items() if part), []).append(
            name
        )
    yield Sentences((*left_out(card.records), *(f"{listing(names)}: {result}" for result, names in by.items())))


def _told(sentences: Callable[[Scorecard, Conditions], Iterator[str]]) -> Callable[[Simulated], Iterator[Part]]:
    """A section of sentences on records that somebody can use."""

    def parts(found: Simulated) -> Iterator[Part]:
        if found.card.records.machines and (told := tuple(sentences(found.card, found.view))):
            yield Sentences(told)

    return parts


def _stops(card: Scorecard, view: Conditions) -> Iterator[str]:
    """What stops mail, what delays it, and what falls together."""
    for loss in card.losses:
        lost = [str(machine) for machine in card.records.machines if machine in loss.machines]
        machines = counted(len(lost), "machine") if len(lost) > MOST_LOST else listing(lost)
        are = {1: "is", 2: "are both"}.get(len(lost), "are all")
        yield f"Mail stops when {machines} {are} lost: {view.mix.whom(loss.senders)}."
    if trusting := [each.sender for each in card.survivals if each.unstoppable]:
        yield (
            f"Nothing stops the mail of {view.mix.whom(trusting)}: such a sender counts mail as delivered that no "
            "machine took."
        )
    yield from _waiting(card, view)
    yield from (fate.text for fate in card.fates)


def _refused(card: Scorecard, view: Conditions) -> Iterator[str]:
    """Who enforces what the domain publishes of TLS, and whose mail waits for that."""
    yield from enforced(card)
    yield from (each.told(card.mix) for each in card.refusals)
    published = card.records.snapshot.published
    if published is None and Mode.TLS_MISMATCH in view.down.values():
        yield (
            "Nothing published is known that makes a sender look at a certificate: give the MTA-STS policy with "
            "--sts-policy."
        )


def _asked(card: Scorecard, _view: Conditions) -> Iterator[str]:
    yield f"DNS: {numbers(Goal.DNS_COST, card)}."


def _rests_on(card: Scorecard, view: Conditions) -> Iterator[str]:
    yield from labels.sampled(card.whole.by.items())
    yield from _turning(card, view)
    yield from left_out(card.records)
    yield from card.caveats
    if view.mix.basis:
        yield f"{view.mix.basis}."


def _turning(card: Scorecard, view: Conditions) -> Iterator[str]:
    """Why figures of ours are not those of `postroad route`: one host with several addresses of a family is enough."""
    ours = [name for name, each in view.mix.senders.items() if each.ours]
    names = Counter((place.exchange, place.address.version) for place in card.records.places)
    if ours and any(count > 1 for count in names.values()):
        yield (
            f"{listing(ours)} as a relay uses the addresses of a name in turn, from message to message, and the shares "
            "are of many messages; a single `postroad send`, as `postroad route` shows it, begins with the first."
        )


def _waiting(card: Scorecard, view: Conditions) -> Iterator[str]:
    """Whose mail does not get through as things are, and from how many lost machines on some of the rest waits."""
    short = [name for name, each in card.whole.by.items() if part_delivered(each) < 1]
    if short and not any(map(part_delivered, card.whole.by.values())):
        yield "No mail gets through as things are."
        return
    if len(short) == len(card.whole.by):
        yield "Some mail of every sender does not get through as things are."
    elif short:
        yield f"Some mail does not get through as things are: {view.mix.whom(short)}."
    by: dict[tuple[int, bool], list[str]] = {}
    for each in card.survivals:
        if each.sender not in short and (each.unstoppable or len(each.waits) < len(each.stops)) and each.waits:
            by.setdefault((len(each.waits), each.surely), []).append(each.sender)
    for (count, surely), names in sorted(by.items()):
        fewer = "" if surely else ", or fewer"
        down = f"{counted(count, 'machine')} {'is' if count == 1 else 'are'} down"
        yield f"Some mail waits once {down}{fewer}: {view.mix.whom(names)}."
    if by or not card.losses:
        return
    if len(card.losses) == 1:
        yield f"Losing fewer servers delays no {'other ' if short else ''}mail."
    else:
        yield f"No {'other ' if short else ''}sender's mail waits until all of it stops."


KINDS: Mapping[str, _Kind] = {
    "summary": _Kind("", _summed),
    "first": _Kind("", _drawn("heat_map")),
    "faults": _Kind("", _drawn("fault_bars")),
    "delivery": _Kind("", _drawn("timeline")),
    "trials": _Kind("Trials", _tried),
    "stops": _Kind("What stops mail", _told(_stops)),
    "tls": _Kind("Who refuses for lack of TLS", _told(_refused), follows=True),
    "dns": _Kind("What is asked of DNS", _told(_asked), follows=True),
    "basis": _Kind("What the figures rest on", _told(_rests_on), follows=True),
    "recipients": _Kind("Recipients of one message", _answered, is_titled=True),
    "records": _Kind("Records", _records, is_for_pages=True),
}
"""Every section that the answer may have, in its order. A picture brings its own title."""
