"""Whether a model explains a row, and if not, why."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from fractions import Fraction
from itertools import pairwise

from tests.truth.attempts import Window, window_of
from tests.truth.bursts import is_no_queue_run, strays_too_far
from tests.truth.chances import could_be
from tests.truth.routes import shares
from tests.truth.rows import MIX, Row, address_of, case_of, name_of, sender_of

from postroad.models import Sender
from postroad.simulation import Case, DnsOrder, forecast
from postroad.simulation.paths import every_way
from postroad.simulation.recipients import Fates, Mixed, every_fate
from postroad.words.facts import Found, HostFacts, NoData
from postroad.words.faults import Mode
from postroad.words.outcome import Result
from postroad.words.phrasebook import listing
from postroad.words.snapshot import Snapshot

_REFUSED_MOST = 10
_REPLIES = {"a": 250, "d": 450, "r": 550}
_ENDINGS = {Result.FAILED: "bounced", Result.DEFERRED: "deferred"}


class Verdict(Enum):
    """What became of a row."""

    HELD = "held"
    ASIDE = "aside"  # something of it was left aside: it is neither held nor missed
    MISSED = "missed"


@dataclass(frozen=True)
class Judgement:
    """What became of a row; why it was missed, or what was left aside."""

    row: Row
    verdict: Verdict
    why: str = ""


def judge(row: Row, *, tries: bool = False) -> Judgement:
    """Hold the model of a row's sender against it. `tries`: also what only many trials can tell."""
    if row.recipients:
        return _judged(row, _recipients(row))
    if row.kind == "shares":
        return _shares(row, tries=tries)
    if row.kind == "memory":
        return _memory(row)
    if row.data["config"] in {"retry2s", "tls-retry"}:
        return _judged(row, _RETRIES[row.data["config"]](row))
    return _sequences(row)


def _judged(row: Row, why: str) -> Judgement:
    return Judgement(row, Verdict.MISSED if why else Verdict.HELD, why)


def _sequences(row: Row) -> Judgement:
    window = window_of(row)
    why = window.explains(row)
    if why.startswith("waits") and "broken-starttls" in row.faults.values():
        return Judgement(row, Verdict.ASIDE, "the wait is the peer's: it closes after two silent seconds")
    return _judged(row, why)


def _shares(row: Row, *, tries: bool) -> Judgement:
    """First contacts: drawn for each message, or by what the file says of a draw that reaches further."""
    data, sender = row.data, sender_of(row)
    told = forecast(case_of(row), sender, examples=0)
    if told.unable or not told.first:
        return _judged(row, "the model makes no contact" if data["first"] else "")
    first = {name_of(address): share for address, share in told.first.items() if share}
    if sender.picks.rests and not _is_idle(row):
        order = replace(case_of(row), dns_order=DnsOrder.RANDOM)
        first = {name_of(address): share for address, share in forecast(order, sender, examples=0).first.items()}
    impossible = [name for name in data["first"] if name not in first]
    if impossible:
        return _judged(row, f"not possible in the model: {impossible[0]}")
    if len(first) == len(data["first"]) == 1:
        return _judged(row, _questions(row, sender))
    if data["config"] == "queued":
        if tries:
            return _judged(row, is_no_queue_run(row))
        return _judged(row, "" if sender.picks.queue_run and len(data["first"]) == 1 else "not one pick for all")
    if data["how"] == "fresh":
        return _judged(row, _in_turn(data["first"], first))
    if data["msgs_per_conn_max"] > 1:
        return _kept(row, sender, tries=tries)
    return _judged(row, could_be(data["first"], first) or _questions(row, sender))


def _is_idle(row: Row) -> bool:
    """Whether nothing is under way when a message comes, nor is anything remembered."""
    return row.data["how"] == "isolated"


def _in_turn(seen: Mapping[str, int], first: Mapping[str, Fraction]) -> str:
    """Each route is connected to as soon as it has rested: all of them as often, but for one."""
    uneven = set(seen) != set(first) or max(seen.values()) - min(seen.values()) > 1
    return f"routes do not rest as long: {seen}" if uneven else ""


def _kept(row: Row, sender: Sender, *, tries: bool) -> Judgement:
    """Mail over connections that are kept: one for all, or as trials have it."""
    if sender.reuse.messages is None and sender.picks.for_s and row.data["msgs_per_conn_max"] == row.data["sent"]:
        one = len(row.data["first"]) == 1
        return _judged(row, "" if one else "more than one server over one connection")
    how = row.data["how"]
    if sender.picks.rests:
        return _by_routes(row, sender)
    if tries and sender.reuse.busy_only and how == "burst":
        return _judged(row, strays_too_far(row))
    return Judgement(row, Verdict.ASIDE, "shares follow connections that are kept: only their places are judged")


def _by_routes(row: Row, sender: Sender) -> Judgement:
    """Where a stream goes depends on times that the row lacks: it is not to be judged, but to be possible."""
    case = case_of(row)
    answers = (answer for host in case.snapshot.hosts.values() for answer in (host.a, host.aaaa))
    every = [each for answer in answers if isinstance(answer, Found) for each in answer.records]
    (way,) = every_way(replace(case, down=dict.fromkeys(every, Mode.REFUSE)), sender)
    best = min(step.preference for step in way.steps)
    order = tuple(name_of(step.address) for step in way.steps if step.preference == best)
    told, seen = shares(order, row.data["sent"]), row.data["first"]
    bounds = {name: (min(each[name] for each in told), max(each[name] for each in told)) for name in order}
    if any(not low <= seen.get(name, 0) <= high for name, (low, high) in bounds.items()):
        return _judged(row, f"routes that rest give {bounds}")
    nearest = min(told, key=lambda each: sum(abs(each[name] - seen.get(name, 0)) for name in order))
    ranges = ", ".join(f"{name} {low} to {high}" for name, (low, high) in bounds.items())
    likest = "/".join(str(nearest[name]) for name in sorted(seen))
    why = f"routes rest for seconds, and the row has no times: from 10 to 300 ms a message {ranges} (likest: {likest})"
    return Judgement(row, Verdict.ASIDE, why)


def _questions(row: Row, sender: Sender) -> str:
    asked = row.data["dns_per_msg"]
    told = forecast(case_of(row), sender, examples=0).questions
    if row.data["msgs_per_conn_max"] > 1 or asked.get("MX", 0) < 0.95 * told.mx:
        return ""  # what is cached in the process is not asked again
    wrong = [
        f"{kind} {asked.get(kind, 0)} instead of {float(number):.2f}"
        for kind, number in (("MX", told.mx), ("A", told.a), ("AAAA", told.aaaa))
        if abs(asked.get(kind, 0) - float(number)) > 0.1 * max(float(number), 1)
    ]
    return f"DNS questions: {', '.join(wrong)}" if wrong else ""


def _recipients(row: Row) -> str:
    """Contacts as often as seen, in any order (each recipient may have connections of its own), and each one's end."""
    mixed = frozenset(address_of(name) for name, mode in row.faults.items() if mode == MIX)
    question = Mixed(case_of(row), mixed, tuple(_REPLIES[name[0]] for name in row.recipients))
    possible = {_fates(fates, row.recipients) for fates in every_fate(question, sender_of(row))}
    for text in row.data["sequences"]:
        steps, ends = text.split(" => ")
        if (_counted(steps.split(">")), ends) not in possible:
            return f"not possible in the model: {text}"
    return ""


def _counted(names: list[str]) -> frozenset[tuple[str, int]]:
    return frozenset(Counter(names).items())


def _fates(fates: Fates, recipients: list[str]) -> tuple[frozenset[tuple[str, int]], str]:
    ends = [
        f"{name}:{_ENDINGS.get(result) or f'delivered@{name_of(taker)}'}"
        for name, result, taker in zip(recipients, fates.results, fates.taken, strict=True)
    ]
    return _counted([name_of(step.address) for step in fates.steps]), " ".join(ends)


def _by_attempts(row: Row) -> str:
    """A queue that tries every two seconds: the n-th attempt takes the n-th record of the answer."""
    names = [name_of(address) for address in _in_answer(case_of(row).snapshot)]
    wrong = [
        text
        for text in row.data["sequences"]
        if any(step != names[place % len(names)] for place, step in enumerate(text.split(" => ")[0].split(">")))
    ]
    return f"not in turn: {wrong[0]}" if wrong else ""


def _in_answer(snapshot: Snapshot) -> list[object]:
    """The first address of each exchanger, in the order of the MX answer."""
    assert isinstance(snapshot.mx, Found)
    hosts = [snapshot.hosts[record.exchange].a for record in snapshot.mx.records]
    return [host.records[0] for host in hosts if isinstance(host, Found)]


def _clear_later(row: Row) -> str:
    """A queue that tries every second or so: whether a later attempt goes without TLS, and then delivers."""
    sender = sender_of(row)
    (mode,) = case_of(row).down.values()
    told = {text for each in window_of(row).told for text in [each.text] if text.count(">") == 1}  # of " => " alone
    for text in row.data["sequences"]:
        steps, outcome = text.split(" => ")
        later = ">" in steps
        if later and ("delivered" in outcome) != (mode in sender.clear_later.modes):
            return f"in clear in a later attempt: {text}"
        if not later and text not in told:
            return f"not possible in the model: {text}"
    return ""


_RETRIES = {"retry2s": _by_attempts, "tls-retry": _clear_later}


def _memory(row: Row) -> Judgement:
    """While the fault lasts messages go as in a first attempt, or past what is remembered; then as if all were well."""
    sender, heal = sender_of(row), row.data["heal_after"]
    ((ill, _word),) = row.faults.items()
    remembered = set(case_of(row).down.values()) <= sender.memory.modes
    messages = [text.split("=>") for text in row.data["per_message"]]
    asked = [text for text, _end in messages[:heal] if ill in text]
    if remembered and len(asked) > 1:
        return _judged(row, f"asked {len(asked)} times, though it is remembered")
    if remembered:
        ways = [*every_way(case_of(row), sender), *every_way(_without_ill(row), sender)]
        possible = {_outcome(way.result, way.steps[-1].address if way.steps else None) for way in ways}
        wrong = [outcome for _text, outcome in messages if outcome not in possible]
        return _judged(row, f"not possible: {wrong[0]}" if wrong else "")
    if sender.picks.rests and any(not text for text, _end in messages):
        return _refused_over_kept(row, sender, messages)
    return _judged(row, _forgetful(row, sender, messages, heal))


def _refused_over_kept(row: Row, sender: Sender, messages: list[list[str]]) -> Judgement:
    """A connection is kept though the mail is refused: for ten messages (smtpd/mta_session.c: MAX_TRYBEFOREDISABLE).

    The next one waits until the route has rested. Mail that waits, and mail refused over a kept connection, look alike.
    """
    told = {each.text for each in Window(case_of(row), sender, 0.0).told}
    begins = [place for place, (text, _outcome) in enumerate(messages) if text]
    wrong = [" => ".join(messages[place]) for place in begins if " => ".join(messages[place]) not in told]
    wrong += [outcome for _text, outcome in messages if outcome != "deferred"]
    spans = [after - before for before, after in pairwise(begins)]
    if wrong or begins[:1] != [0] or any(span < _REFUSED_MOST for span in spans):
        return _judged(row, f"not possible: {wrong or spans}")
    why = (
        f"connections for {listing(map(str, spans))} messages and the last: ten are refused over each, the others wait "
        f"{sender.picks.closed_rest_s:g} s for the route; what the last one said after the fault is not in the row"
    )
    return Judgement(row, Verdict.ASIDE, why)


def _outcome(result: Result, taker: object) -> str:
    return _ENDINGS.get(result) or f"delivered@{name_of(taker)}"


def _forgetful(row: Row, sender: Sender, messages: list[list[str]], heal: int) -> str:
    for part, down in ((messages[:heal], None), (messages[heal:], {})):
        chances: dict[str, Fraction] = defaultdict(Fraction)
        for told in Window(case_of(row, down), sender, 0.0).told:
            chances[told.text] += told.chance
        counts = Counter(f"{text} => {outcome}" for text, outcome in part)
        why = could_be(counts, chances)
        if why:
            return why
    return ""


def _without_ill(row: Row) -> Case:
    case = case_of(row)
    ill = {address_of(name) for name in row.faults}
    hosts = {name: HostFacts(_without(host, ill), host.aaaa) for name, host in case.snapshot.hosts.items()}
    snapshot: Snapshot = replace(case.snapshot, hosts=hosts)
    return replace(case, snapshot=snapshot)


def _without(host: HostFacts, ill: set[object]) -> Found | NoData:
    assert isinstance(host.a, Found)
    left = tuple(address for address in host.a.records if address not in ill)
    return replace(host.a, records=left) if left else NoData()
