"""Whether a model explains a row, and if not, why."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

from tests.truth.chances import could_be
from tests.truth.rows import Row, address_of, case_of, name_of, sender_of

from postroad.simulation import Case, Example, Sender, forecast
from postroad.simulation.paths import every_way
from postroad.words.facts import Found, HostFacts, NoData, Snapshot
from postroad.words.faults import Mode
from postroad.words.outcome import Result

_RETRIED = {
    "haraka": "a second and third attempt fell into the window: their first contacts are as the first attempt's",
    "opensmtpd": "it begins again at addresses whose rest of 15 s is over, without end; the model ends after one round",
}
_REUSED = "connections are reused: shares follow connections, which only trials can tell"
_LIMITED = "routes in use and rate limits decide, which only trials can tell"
_UNEXPLAINED = {
    ("dma", "faults", "close"): "a race of its own: a reset bounces (as modelled), an end of file loops without end",
    ("opensmtpd", "memory", "r450"): "after a 450 it holds back what follows for the domain: not modelled",
}


@dataclass(frozen=True)
class Judgement:
    """Whether a row holds; why not, or what was left aside. `known`: it is told why the model does not explain it."""

    row: Row
    holds: bool
    why: str = ""
    known: bool = False


def judge(row: Row) -> Judgement:
    """Hold the model of a row's sender against it."""
    judgement = _JUDGES.get(row.file, _faults)(row)
    fault = row.data["fault"]
    reason = _UNEXPLAINED.get((row.data["sender"], row.file, fault["mode"])) if fault else None
    if judgement.holds or not reason:
        return judgement
    return replace(judgement, why=reason, known=True)


def _shares(row: Row) -> Judgement:
    data, sender = row.data, sender_of(row)
    told = forecast(case_of(row), sender, examples=0)
    if told.unable or not told.first:
        return Judgement(row, not data["first"], "" if not data["first"] else "the model makes no contact")
    first = {name_of(address): share for address, share in told.first.items()}
    impossible = [name for name in data["first"] if not first.get(name)]
    if not impossible and _one_for_all(row):
        return Judgement(row, len(data["first"]) == 1, "one pick for the whole queue run: which, is a draw of one")
    if data["msgs_per_conn_max"] > 1 and len(first) + len(data["first"]) > 2:
        return Judgement(row, holds=False, why=_REUSED, known=True)
    if data["how"] == "fresh":
        return Judgement(row, holds=False, why=_LIMITED, known=True)
    why = could_be(data["first"], first) or _questions(row, sender)
    return Judgement(row, not why, why)


def _one_for_all(row: Row) -> bool:
    return row.data["config"] == "queued"


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


def _faults(row: Row) -> Judgement:
    sender, case = sender_of(row), case_of(row)
    if row.data["config"] == "retry2s":
        return _by_attempts(row)
    ways = [_Told.of(way) for way in every_way(case, sender)]
    chances: dict[str, Fraction] = defaultdict(Fraction)
    for way in ways:
        chances[way.text] += way.chance
    counts, cut = _as_told(row, chances)
    why = could_be(counts, chances) or could_be(_firsts(counts), _firsts(chances)) or _wait(row, ways, cut=cut)
    return Judgement(row, not why, why or (_RETRIED.get(sender.name, "") if cut else ""))


def _as_told(row: Row, chances: Mapping[str, Fraction]) -> tuple[dict[str, int], bool]:
    """The sequences seen, and whether some were cut to one attempt: in a long window there is time for a second."""
    counts: dict[str, int] = defaultdict(int)
    cut = False
    for seen, count in row.data["sequences"].items():
        steps, outcome = seen.split(" => ")
        shorter = [told for told in chances if outcome == "deferred" and _begins(steps, told)]
        cut = cut or (seen not in chances and bool(shorter))
        counts[seen if seen in chances or not shorter else shorter[0]] += count
    return counts, cut


def _begins(steps: str, told: str) -> bool:
    first_attempt, outcome = told.split(" => ")
    return outcome == "deferred" and steps.startswith(first_attempt + ">")


def _firsts(sequences: Mapping[str, Fraction]) -> dict[str, Fraction]:
    firsts: dict[str, Fraction] = defaultdict(Fraction)
    for text, number in sequences.items():
        firsts[text.split(" => ")[0].split(">")[0]] += number
    return firsts


def _wait(row: Row, ways: list["_Told"], *, cut: bool) -> str:
    measured = row.data["time_first_syn_to_end"]
    seen = row.data["sequences"]
    if cut or not measured or any(text.endswith("bounced") for text in seen):
        return ""  # a bounce ends when it is sent, which takes its own time
    most = max(way.seconds for way in ways if way.text in seen)
    if abs(most - measured["max"]) <= max(0.1 * most, 1.1):
        return ""
    return f"waits {measured['max']} s instead of {most:.1f} s"


@dataclass(frozen=True)
class _Told:
    """A way as the rows write it, with its seconds."""

    text: str
    chance: Fraction
    seconds: float

    @classmethod
    def of(cls, way: Example) -> "_Told":
        last = way.steps[-1] if way.steps else None
        endings = {Result.FAILED: "bounced", Result.DEFERRED: "deferred"}
        outcome = endings.get(way.result) or f"delivered@{name_of(last.address)}"
        seconds = last.at_s + (last.waited_s if way.result is Result.DELIVERED else 0) if last else 0.0
        return cls(f"{'>'.join(name_of(step.address) for step in way.steps)} => {outcome}", way.chance, seconds)


def _by_attempts(row: Row) -> Judgement:
    """The n-th attempt takes the n-th record: what a queue of slimta adds to its first attempt."""
    names = [".11", ".12"]
    wrong = [
        text
        for text in row.data["sequences"]
        if any(step != names[place % 2] for place, step in enumerate(text.split(" => ")[0].split(">")))
    ]
    return Judgement(row, not wrong, f"not in turn: {wrong[0]}" if wrong else "")


def _memory(row: Row) -> Judgement:
    """While the fault lasts messages go as in a first attempt, or past what is remembered; then as if all were well."""
    sender, heal = sender_of(row), row.data["heal_after"]
    mode = Mode(row.data["fault"]["mode"])
    messages = [text.split("=>") for text in row.data["per_message"]]
    remembered = mode in sender.memory.modes
    ill = [text for text, _outcome in messages[:heal] if row.data["fault"]["addresses"][0] in text]
    if remembered and len(ill) > 1:
        return Judgement(row, holds=False, why=f"asked {len(ill)} times, though it is remembered")
    if remembered:
        ways = [*every_way(case_of(row), sender), *every_way(_without_ill(row), sender)]
        possible = {_Told.of(way).text.split(" => ")[1] for way in ways}
        wrong = [outcome for _text, outcome in messages if outcome not in possible]
        return Judgement(row, not wrong, f"not possible: {wrong[0]}" if wrong else "")
    return _forgetful(row, sender, messages, heal)


def _forgetful(row: Row, sender: Sender, messages: list[list[str]], heal: int) -> Judgement:
    well = case_of(row, down={"mode": "accept", "addresses": []})
    for part, case in ((messages[:heal], case_of(row)), (messages[heal:], well)):
        chances: dict[str, Fraction] = defaultdict(Fraction)
        for way in (_Told.of(way) for way in every_way(case, sender)):
            chances[way.text] += way.chance
        counts: dict[str, int] = defaultdict(int)
        for text, outcome in part:
            counts[f"{text} => {outcome}"] += 1
        why = could_be(counts, chances)
        if why:
            return Judgement(row, holds=False, why=why)
    return Judgement(row, holds=True)


def _without_ill(row: Row) -> Case:
    case = case_of(row)
    ill = {address_of(name) for name in row.data["fault"]["addresses"]}
    hosts = {name: HostFacts(_without(host, ill), host.aaaa) for name, host in case.snapshot.hosts.items()}
    snapshot: Snapshot = replace(case.snapshot, hosts=hosts)
    return replace(case, snapshot=snapshot)


def _without(host: HostFacts, ill: set[object]) -> Found | NoData:
    assert isinstance(host.a, Found)
    left = tuple(address for address in host.a.records if address not in ill)
    return replace(host.a, records=left) if left else NoData()


_JUDGES = {"shares": _shares, "memory": _memory}
