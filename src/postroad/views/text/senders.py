"""A sender in words: each field of its file that differs from "nothing special", as a postmaster would say it."""

from __future__ import annotations

from collections.abc import Iterator

from postroad.models import (
    EqualsOrder,
    Exhausted,
    Families,
    Inside,
    Later,
    Literals,
    PreferenceUse,
    RefusalNews,
    Schedule,
    Sender,
    Then,
    Unit,
)
from postroad.routing import Status
from postroad.words.faults import Mode
from postroad.words.outcome import Result
from postroad.words.phrasebook import counted, listing, seconds

MOST_WAITS = 8  # of a timetable

EQUALS = {
    EqualsOrder.RANDOM: "in random order",
    EqualsOrder.GIVEN: "in the order of the DNS answer",
    EqualsOrder.FIRST_THEN_REVERSED: "the first record of the answer, then the others backwards",
    EqualsOrder.ONE_SWAP_PASS: (
        "in the order of the answer, each neighbour swapped or not by the toss of a coin, front to back"
    ),
    EqualsOrder.ALPHABETICAL: "by name",
    EqualsOrder.BY_ATTEMPT: "the n-th attempt takes the n-th record, and only that",
}
INSIDE = {
    Inside.GIVEN: "in the order of the DNS answer",
    Inside.RANDOM: "in random order",
}
FAMILIES = {
    Families.V6_FIRST: "IPv6 before IPv4, in each host",
    Families.V4_FIRST: "IPv4 before IPv6, in each host",
    Families.IN_TURN: "IPv6 and IPv4 in turn, in each host",
    Families.ALIKE: "families make no difference",
    Families.V6_LEVEL: "all IPv6 addresses of a preference before its IPv4 ones",
    Families.V6_PASS: (
        "IPv6 before IPv4 in each host; then, in one pass over each preference, an IPv6 address right behind an IPv4 "
        "one swaps places with it"
    ),
    Families.V4_ONLY: "IPv4 only",
    Families.V6_ONLY: "IPv6 only",
}
PREFERENCE = {
    PreferenceUse.ASCENDING: "lowest first",
    PreferenceUse.IGNORED: "ignored",
    PreferenceUse.DESCENDING: "highest first",
}
THENS = {
    Then.ACCEPTED: "the mail is delivered",
    Then.IN_CLEAR: "goes on without TLS in the same session",
    Then.RECONNECT_IN_CLEAR: "connects to the same address again, without TLS",
    Then.NEXT_ADDRESS: "tries the next address",
    Then.NEXT_HOST: "tries the next host",
    Then.DEFER: "defers the mail",
    Then.FAIL: "returns the mail",
}
TOLD = {
    RefusalNews.AT_ONCE: "a refused one is returned at once",
    RefusalNews.AT_THE_END: "a refused one is returned when no other waits",
    RefusalNews.IF_ANY_TAKEN: "a refused one is returned at once if another was accepted, else it waits with them",
}
LATER = {
    Later.NOTHING: "",
    Later.ONE_BEYOND: "; beyond it, one of each further preference",
    Later.ONE_WITHIN: "; one of each further preference within it",
}


def described(sender: Sender) -> Iterator[tuple[str, str]]:
    """What is known of a sender but its reactions: a label and a sentence each."""
    yield "rests on", f"{sender.kind}{f': {sender.version}' if sender.version else ''}"
    yield from (("source", each) for each in sender.sources)
    if sender.ours:
        yield "model", "none: a simulation asks the code that delivers what it does"
        yield from (("also", each) for each in _between(sender))
        yield "retries", _retries(sender)
        return
    yield "preference", PREFERENCE[sender.preference]
    yield "chooses", f"among equal {'hosts' if sender.unit is Unit.HOST else 'addresses'}, {EQUALS[sender.equals]}"
    yield "inside a host", INSIDE[sender.inside]
    yield "families", FAMILIES[sender.families]
    yield "limits", _limits(sender)
    yield "waits", "; ".join(_waits(sender))
    yield "all tried", _exhausted(sender)
    yield "recipients", f"{'each in an attempt of its own; ' if sender.recipients.alone else ''}{_told(sender)}"
    yield "DNS", questions(sender)
    yield "TLS", _enforced(sender)
    yield from (("also", each) for each in _also(sender))
    yield "retries", _retries(sender)


def reactions(sender: Sender) -> Iterator[tuple[str, str]]:
    """What it does after each fault of the lab; nothing of ours, which has no table of them."""
    if sender.ours:
        return
    for mode in Mode:
        is_seen = mode is not Mode.TLS_MISMATCH or sender.sts or sender.dane
        if mode in {Mode.ACCEPT, Mode.SLOW, Mode.TARPIT, Mode.NO_STARTTLS} or not is_seen:
            continue
        other = sender.races.get(mode)
        yield mode.value, THENS[sender.after(mode)] + (f", or {THENS[other]}: as packets come" if other else "")


def enforced(sender: Sender) -> str:
    """What of that which domains publish on TLS a sender enforces; "" for nothing."""
    return " and ".join(name for name, is_so in (("MTA-STS", sender.sts), ("DANE", sender.dane)) if is_so)


def _enforced(sender: Sender) -> str:
    return f"enforces {enforced(sender)}" if enforced(sender) else "enforces no policy of the receiving domain"


def _told(sender: Sender) -> str:
    return TOLD[sender.recipients.told]


def _limits(sender: Sender) -> str:
    limits = sender.limits
    counts = ((limits.addresses, "address", "es"), (limits.hosts, "host", "s"), (limits.sessions, "session", "s"))
    texts = [counted(number, noun, plural) for number, noun, plural in counts if number]
    balanced = ", balanced between IPv6 and IPv4" if limits.family_share else ""
    return f"{', '.join(texts)}{LATER[limits.later]}{balanced}" if texts else "none"


def _waits(sender: Sender) -> Iterator[str]:
    waits = sender.waits
    shared = " to a host, shared by its addresses" if waits.per_host else ""
    yield f"{seconds(waits.connect_s)} for a connection{shared}"
    yield f"{seconds(waits.greeting_s)} for a greeting"
    if waits.overlap_s is not None:
        most = f", {waits.most_silent} silent ones at a time" if waits.most_silent else ""
        yield f"the next contact starts after {seconds(waits.overlap_s)}, in parallel with a silent one{most}"
    if waits.fallback_s is not None:
        yield f"the other family of a host after {seconds(waits.fallback_s)}, in parallel"
    if waits.hurry_s is not None:
        yield f"{seconds(waits.hurry_s)} while its host has another address"
    if waits.spacing_s:
        yield f"{seconds(waits.spacing_s)} between two contacts"


def _exhausted(sender: Sender) -> str:
    said, kept = " or ".join(sorted(sender.refusals)), " or ".join(sorted(sender.keeps))
    match sender.exhausted:
        case Exhausted.LAST:
            return f"returned if the last one said {said}{f', unless one said {kept}' if kept else ''}"
        case Exhausted.ALL:
            return f"returned if all of them said {said}"
        case _:
            return "deferred"


def questions(sender: Sender) -> str:
    """What DNS is asked for one message with nothing cached."""
    asks = sender.asks
    whole = [f"{asks.mx} MX", *_asked(asks.domain_a, asks.domain_aaaa)]
    each = listing(_asked(asks.a, asks.aaaa)) or "nothing"
    return f"{listing(whole)} for the domain; {each} for {'every' if asks.eager else 'each tried'} exchanger"


def _asked(a: int, aaaa: int) -> list[str]:
    return [f"{count} {kind}" for count, kind in ((a, "A"), (aaaa, "AAAA")) if count]


def _also(sender: Sender) -> Iterator[str]:
    if sender.drops_duplicates:
        yield "an address met under another name is not tried again"
    if sender.drops_names:
        yield "a name met before is not tried again"
    if sender.literals is Literals.USED:
        yield "connects to an MX that is an IP address"
    if sender.literals is Literals.FAILED:
        yield "returns the mail if one MX is an IP address, whatever the other records are"
    if sender.mixed_null_is_null:
        yield "a null MX among other records makes them all void"
    if sender.empty_name_fails:
        yield "returns the mail if one exchanger has no address, whatever the other records are"
    if sender.fails_on_equals:
        yield "two records of one preference break it"
    if sender.refused.get(Status.NULL_MX) is Result.DEFERRED:
        yield "mail for a null MX is deferred, not returned"
    yield from _between(sender)


def _between(sender: Sender) -> Iterator[str]:
    """What passes from one message to another, or from one attempt to the next."""
    if sender.caches_mx:
        yield "keeps the MX records in the order of their first answer for the TTL"
    if sender.memory.modes:
        met = ", ".join(sorted(sender.memory.modes))
        yield f"passes an address over for {seconds(sender.memory.for_s)} after: {met}"
    if sender.reuse.messages != 1:
        most = f"for up to {counted(sender.reuse.messages, 'message')}, " if sender.reuse.messages else ""
        yield f"keeps connections {most}idle for {seconds(sender.reuse.idle_s)} at most"
    if sender.picks.queue_run:
        yield "one choice holds for all mail of a queue run"
    if sender.picks.for_s:
        yield f"one choice holds for all mail within {seconds(sender.picks.for_s)}"
    if sender.picks.rests:
        made, closed = seconds(sender.picks.connected_rest_s), seconds(sender.picks.closed_rest_s)
        yield f"with mail under way, leaves an address alone for {made} after connecting and {closed} after closing"
    if sender.clear_later.modes:
        faults = ", ".join(sorted(sender.clear_later.modes))
        yield f"goes without TLS once the mail is {seconds(sender.clear_later.after_s)} old, after: {faults}"
    if sender.rounds.first_s is not None:
        yield f"tries a failed address again in the same attempt after {seconds(sender.rounds.first_s)}"
    if sender.rounds.whole_s is not None:
        yield f"begins the whole attempt again after {seconds(sender.rounds.whole_s)} where nobody could be reached"


def _retries(sender: Sender) -> str:
    retry = sender.retry
    if not retry.queues:
        return f"none: {retry.source}"
    if not retry.source:
        return f"{_times(retry)}; gives up after {seconds(retry.expiry_s)}"
    return retry.source if retry.name == sender.name else f"as {retry.name}: {retry.source}"


def _times(retry: Schedule) -> str:
    """The timetable of a file, which says no source: the first waits, and that between all later ones."""
    waits = [seconds(each) for each in retry.intervals_s[:MOST_WAITS]]
    if len(retry.intervals_s) > MOST_WAITS:
        waits.append(f"{len(retry.intervals_s) - MOST_WAITS} more times")
    later = [f"every {seconds(retry.then_s)}"] if retry.then_s is not None else []
    first = [f"after {', '.join(waits)}"] if waits else []
    return ", then ".join(first + later) or "never"
