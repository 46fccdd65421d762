"""From what a sender did to the fields of its file: each is that value under which what was seen is likeliest.

The simulation is asked what a sender with a value would do, so that a file says what it would be read as.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from types import MappingProxyType

from postroad.models import (
    PHASES,
    SENDERS,
    Asks,
    AttemptLimits,
    Basis,
    EqualsOrder,
    Exhausted,
    Families,
    FaultPhase,
    Inside,
    Later,
    PreferenceUse,
    Sender,
    Then,
    Unit,
    Waits,
    sender_file,
)
from postroad.routing import Status
from postroad.scenarios.situations import SITUATIONS, V6, Situation
from postroad.scenarios.trying import HOSTS, Tried, TrySeen
from postroad.simulation import Case, MadeExchangers, every_way, exchanges, forecast
from postroad.words.faults import Mode
from postroad.words.outcome import Result

IMPOSSIBLE = 1e-4  # the chance of what a model has not: one odd packet must not decide
EXACT = 1e-9  # as likely: the values mean the same there
SURE = math.log(100)  # how much likelier the best value has to be than the next
COUNTED = ("many-addresses", "many-hosts", "many-levels", "many-sessions")  # too many orders to list
_ORDERS = [each for each in EqualsOrder if each is not EqualsOrder.BY_ATTEMPT]  # in one attempt, the order given
_FAMILIES = (Families.ALIKE, *(each for each in Families if each is not Families.ALIKE))
BASE = Sender("measured", "measured here", Basis.MEASURED)

Key = tuple[Hashable, ...]


@dataclass(frozen=True, slots=True)
class ModelDifference:
    """What a model would have done otherwise: a situation, what was seen, and what the model does there."""

    situation: str
    seen: str
    model: str


@dataclass(frozen=True, slots=True)
class ModelLikeness:
    """How well the model of a sender explains what was seen: of so many messages so many, and where not."""

    sender: str
    explained: int
    tried: int
    log_likelihood: float
    differences: tuple[ModelDifference, ...]


@dataclass
class Fitted:
    """A sender as it was seen; `unsure` are fields that another value explains as well, and which one."""

    sender: Sender
    known: set[str] = field(default_factory=set)
    unsure: dict[str, str] = field(default_factory=dict)


class SenderEvidence:
    """What was seen, beside what senders would do."""

    def __init__(self, seen: TrySeen) -> None:
        self.seen = seen
        self._counts = {name: Counter(map(_key, seen.of(name))) for name in seen.snapshots}
        self._made: dict[str, MadeExchangers] = {name: {} for name in seen.snapshots}  # hundreds of senders ask there

    def log_likelihood(self, sender: Sender, names: Iterable[str]) -> float:
        """How likely what was seen in these situations is with a sender."""
        return sum(
            count * math.log(max(_chance(chances, key), IMPOSSIBLE))
            for name in names
            if self._counts.get(name)
            for chances in [self.chances(sender, name)]
            for key, count in self._counts[name].items()
        )

    def nothing(self, names: Iterable[str]) -> float:
        """As likely as what no model has: nothing that was seen there is explained."""
        return math.log(IMPOSSIBLE) * sum(self._counts[name].total() for name in names if name in self._counts) + EXACT

    def chances(self, sender: Sender, name: str) -> Mapping[Key, float]:
        """What a sender does in a situation, each with its chance, in the same words as what was seen."""
        situation = next(each for each in SITUATIONS if each.name == name)
        numbers = self.seen.numbers[name]
        down = {address: situation.faults[number] for address, number in numbers.items() if number in situation.faults}
        case = Case(self.seen.snapshots[name], sender.name, down=down)
        found = exchanges(case.snapshot, sender, self._made[name])
        if name in COUNTED:
            told = forecast(case, sender, examples=0, found=found)
            result = next((each for each, chance in told.outcome.items() if chance == 1), None)
            return {((told.attempts_max,), result): 1.0} if not told.unable else {}
        chances: dict[Key, float] = defaultdict(float)
        for way in every_way(case, sender, found):
            steps = [numbers[step.address] for step in way.steps]
            chances[_folded(situation, steps), way.result] += float(way.chance)
        return chances

    def explained(self, sender: Sender) -> ModelLikeness:
        """How well a model explains all that was seen."""
        good, total, score, differences = 0, 0, 0.0, []
        for name, counts in self._counts.items():
            chances = self.chances(sender, name)
            good_here = sum(count for key, count in counts.items() if _chance(chances, key))
            score += sum(count * math.log(max(_chance(chances, key), IMPOSSIBLE)) for key, count in counts.items())
            good, total = good + good_here, total + counts.total()
            if good_here < counts.total():
                odd = next(key for key, _ in counts.most_common() if not _chance(chances, key))
                likely = max(chances, key=lambda key: chances[key]) if chances else ((), None)
                differences.append(ModelDifference(name, described(odd), described(likely)))
        return ModelLikeness(sender.name, good, total, score, tuple(differences))


def _key(tried: Tried) -> Key:
    if tried.situation.name in COUNTED:
        return (len(tried.steps),), tried.result
    return _folded(tried.situation, list(tried.steps)), tried.result


def _chance(chances: Mapping[Key, float], key: Key) -> float:
    """How likely a way is; of one that was not over when we stopped looking, how likely its beginning."""
    steps, result = key
    if result is not None or not isinstance(steps, tuple):
        return chances.get(key, 0.0)
    return sum(chance for (other, _), chance in chances.items() if _begins(other, steps))


def _begins(other: Hashable, steps: Key) -> bool:
    return isinstance(other, tuple) and other[: len(steps)] == steps


def _folded(situation: Situation, steps: list[str]) -> Key:
    """The contacts, where it matters by host only."""
    if not situation.by_host:
        return tuple(steps)
    hosts = {number: name for _, name, numbers in situation.hosts for number in numbers.split()}
    return tuple(hosts[step] for step in steps)


def described(key: Key) -> str:
    """Contacts and an end, in words."""
    steps, result = key
    assert isinstance(steps, tuple)  # noqa: S101  # a key is made above
    is_count = steps and isinstance(steps[0], int)
    told = f"{steps[0]} contacts" if is_count else ", ".join(map(address_text, steps)) or "no contact"
    return f"{told}: {result or 'not over'}"


def address_text(number: object) -> str:
    """The number of an address as people write the end of one; a host's name as it is."""
    text = str(number)
    if not text.isdigit():
        return text
    return f"::{text[1:]}" if text.startswith(V6) and len(text) > 2 else f".{text}"


class Fitting:
    """The fields, one group after the other, each with what is known by then."""

    def __init__(self, evidence: SenderEvidence) -> None:
        self.evidence = evidence
        self.fitted = Fitted(BASE)

    def fit(self) -> Fitted:
        """All of them."""
        self._begin()
        self._choose(
            ("unit", "equals", "inside"),
            product(Unit, _ORDERS, Inside),
            ("equals-refuse", "uneven-refuse", "equals"),
        )
        self._choose(("families",), product(_FAMILIES), ("families", "families-equals"))
        if (self.fitted.sender.unit, self.fitted.sender.equals) == (Unit.ADDRESS, EqualsOrder.RANDOM):
            self.fitted.unsure = {}  # of addresses that are all shuffled no order inside a host is left
        self._limits()
        for mode in (*(Mode(each.name[4:]) for each in SITUATIONS if each.name.startswith("met-")),):
            if mode not in (Mode.REFUSE, Mode.R450):
                self._reaction(mode)
        self._endings()
        self._choose(("drops_duplicates",), product((False, True)), ("same-address",), alike=EXACT)
        self._choose(("drops_names",), product((False, True)), ("same-name",), alike=EXACT)
        self._dead()
        self._waits()
        self._asks()
        return self.fitted

    def _begin(self) -> None:
        """Where it begins, and whether it goes on when it is refused: whatever else is asked rests on that."""
        names = ("met-refuse", "preference", "equals-refuse")
        candidates = [
            {"preference": preference, "reactions": {Mode.REFUSE: then}, "limits": AttemptLimits(hosts=hosts), **order}
            for hosts, preference, then in product((None, 1), PreferenceUse, self._thens(Mode.REFUSE))
            for order in ({}, {"equals": EqualsOrder.GIVEN})
        ]
        score = [self.evidence.log_likelihood(self._with(each), names) for each in candidates]
        if not score or max(score) <= self.evidence.nothing(names):
            return
        self._take(candidates[score.index(max(score))])
        self._choose(("preference",), product(PreferenceUse), ("met-refuse", "preference"))

    def _choose(
        self,
        names: tuple[str, ...],
        values: Iterable[tuple[object, ...]],
        situations: tuple[str, ...],
        alike: float = -1.0,
    ) -> None:
        """The likeliest values; those that nothing tells apart from others are not known.

        `alike`: others that are as likely to within this are no others: they mean the same.
        """
        if not any(self.evidence.seen.of(name) for name in situations):
            return
        score = {
            each: self.evidence.log_likelihood(self._with(dict(zip(names, each, strict=True))), situations)
            for each in values
        }
        best = max(score, key=lambda each: score[each])
        if score[best] <= self.evidence.nothing(situations):
            return
        self._take(dict(zip(names, best, strict=True)))
        for place, name in enumerate(names):
            alone = [
                (*best[:place], other, *best[place + 1 :]) for other in dict.fromkeys(each[place] for each in score)
            ]
            others = [each for each in alone if each != best and alike < score[best] - score[each] < SURE]
            if others:
                self.fitted.unsure[name] = _words(max(others, key=lambda each: score[each])[place])

    def _with(self, changes: Mapping[str, object]) -> Sender:
        return replace(self.fitted.sender, **changes)  # type: ignore[arg-type]  # the fields of a sender, by name

    def _take(self, changes: Mapping[str, object]) -> None:
        self.fitted.sender = self._with(changes)
        self.fitted.known |= set(changes)

    def _reaction(self, mode: Mode) -> None:
        """What it does after a mode; where two things happen, the second is a race."""
        name = f"met-{mode}"
        if not self.evidence.seen.of(name):
            return
        before = self.fitted.sender

        def likely(changes: Mapping[str, object]) -> float:
            return self.evidence.log_likelihood(self._with(changes), (name,))

        thens = self._thens(mode)
        score = {then: likely({"reactions": {**before.reactions, mode: then}}) for then in thens}
        best = max(thens, key=lambda then: score[then])
        if score[best] <= self.evidence.nothing((name,)):
            return
        raced = {
            then: likely({"reactions": {**before.reactions, mode: best}, "races": {**before.races, mode: then}})
            for then in thens
            if then is not best
        }
        other = max(raced, key=lambda then: raced[then])
        self._take({"reactions": MappingProxyType({**before.reactions, mode: best})})
        if raced[other] > score[best] + SURE:
            self._take({"races": MappingProxyType({**before.races, mode: other})})
        others = [then for then in thens if then is not best and score[best] - score[then] < SURE]
        if others:
            self.fitted.unsure[f"reactions.{mode}"] = max(others, key=lambda then: score[then]).value

    def _limits(self) -> None:
        """By how many of eight were contacted."""
        goes_on = self.fitted.sender.after(Mode.REFUSE) in (Then.NEXT_ADDRESS, Then.NEXT_HOST)
        if not goes_on or not all(self.evidence.seen.of(name) for name in COUNTED):
            self._reaction(Mode.R450)
            return
        addresses, hosts, levels, sessions = (len(self.evidence.seen.of(name)[0].steps) for name in COUNTED)
        if not min(addresses, hosts, levels, sessions):
            return
        by_address = addresses if addresses < 8 else None
        by_host = hosts if hosts < 8 and by_address is None else self.fitted.sender.limits.hosts
        laters = Later if levels > 1 else (Later.NOTHING,)
        by_session = dict.fromkeys((None, sessions if sessions < 8 else None))
        before = dict(self.fitted.sender.reactions)
        candidates = [
            {
                "limits": AttemptLimits(by_address, by_host, number, later),
                "reactions": MappingProxyType({**before, Mode.R450: then}),
            }
            for number, later, then in product(by_session, laters, self._thens(Mode.R450))
        ]
        names = (*COUNTED, "met-r450")
        self._take(max(candidates, key=lambda each: self.evidence.log_likelihood(self._with(each), names)))

    def _thens(self, mode: Mode) -> tuple[Then, ...]:
        """What may be done after a mode; where all addresses are one list none has others of its host behind it."""
        thens = [Then.NEXT_ADDRESS, Then.NEXT_HOST, Then.DEFER, Then.FAIL, Then.ACCEPTED]
        if self.fitted.sender.unit is Unit.ADDRESS or self.fitted.sender.families is Families.V6_PASS:
            thens.remove(Then.NEXT_HOST)
        if mode in PHASES[FaultPhase.STARTTLS]:
            asks = any(each.asked_tls for each in self.evidence.seen.of(f"met-{mode}"))
            thens[-1:] = [Then.IN_CLEAR, Then.RECONNECT_IN_CLEAR] if asks else [Then.ACCEPTED]
        return tuple(thens)

    def _endings(self) -> None:
        names = [each.name for each in SITUATIONS if each.name.startswith("end-")]
        modes = (frozenset[Mode](), frozenset({Mode.G554}))
        keeps = (frozenset[Mode](), frozenset({Mode.R450}))
        self._choose(("exhausted", "refusals", "keeps"), product(Exhausted, modes, keeps), tuple(names), alike=EXACT)

    def _dead(self) -> None:
        """What becomes of mail for which nobody is contacted."""
        statuses = {Status.NULL_MX: "null-mx", Status.NO_SUCH_DOMAIN: "no-domain", Status.NO_ADDRESS: "no-address"}
        refused: dict[Status, Result] = {}
        for status, name in statuses.items():
            for tried in self.evidence.seen.of(name):
                if tried.result in (Result.DEFERRED, Result.FAILED):
                    refused[status] = tried.result
        self._take({"refused": MappingProxyType(refused)})
        for name, situation, is_so in (
            ("mixed_null_is_null", "null-mixed", lambda each: each.result is not Result.DELIVERED),
            ("implicit_on_nodata", "implicit", lambda each: bool(each.steps)),
            ("empty_name_fails", "one-empty", lambda each: each.result is Result.FAILED),
        ):
            self._seen(name, situation, is_so)

    def _seen(self, name: str, situation: str, is_so: Callable[[Tried], bool]) -> None:
        for tried in self.evidence.seen.of(situation)[:1]:
            self._take({name: is_so(tried)})

    def _waits(self) -> None:
        """How long a silent address keeps the next from being asked."""
        waits = Waits()
        silent = self.evidence.seen.of("silent") or self.evidence.seen.of("met-blackhole")
        mute = self.evidence.seen.of("met-mute")
        for name, rows in (("connect_s", silent), ("greeting_s", mute)):
            gaps = [_round(each.at_s[1] - each.at_s[0]) for each in rows if len(each.at_s) > 1]
            if gaps:
                shortest = min(gaps)
                waits = replace(waits, connect_s=shortest) if rows is silent else replace(waits, greeting_s=shortest)
                self.fitted.known.add(f"waits.{name}")
        pair = [
            each for each in self.evidence.seen.of("met-blackhole") if each.steps[:2] in (("11", "12"), ("12", "11"))
        ]
        if pair and "waits.connect_s" in self.fitted.known:
            first_s = _round(pair[0].at_s[1] - pair[0].at_s[0])
            waits = replace(waits, per_host=first_s < 0.75 * waits.connect_s)
            self.fitted.known.add("waits.per_host")
        self._take({"waits": waits})

    def _asks(self) -> None:
        """The DNS questions of a message to three hosts, of which the first takes it."""
        rows = self.evidence.seen.of("equals")
        if not rows:
            return
        mx, a, aaaa, own_a, own_aaaa, hosts = (
            Counter(each.asked.get(kind, 0) for each in rows).most_common(1)[0][0]
            for kind in ("MX", "A", "AAAA", "domain A", "domain AAAA", HOSTS)
        )
        per = max(hosts, 1)
        self._take({"asks": Asks(mx, own_a, own_aaaa, round(a / per), round(aaaa / per), hosts > 1)})


def _words(value: object) -> str:
    """A value as an aside has it."""
    return ", ".join(sorted(map(str, value))) or "none" if isinstance(value, frozenset) else str(value)


def _round(span_s: float) -> float:
    """Seconds as somebody has set them."""
    return round(span_s, 1) if span_s < 5 else float(round(span_s))


def nearest(evidence: SenderEvidence, senders: Iterable[Sender]) -> list[ModelLikeness]:
    """The models that explain what was seen, the best first."""
    told = [evidence.explained(sender) for sender in senders]
    return sorted(told, key=lambda each: (-each.explained, -each.log_likelihood))


@dataclass(frozen=True, slots=True)
class SenderTrial:
    """A sender that was tried: what was seen, the known senders beside it, its own file, and what is not sure in it.

    One that makes no contact, or asks for no MX record, has no file, and no others beside it.
    """

    command: tuple[str, ...]
    seen: TrySeen
    nearest: tuple[ModelLikeness, ...]
    file: str
    unsure: Mapping[str, str]

    @property
    def has_contacts(self) -> bool:
        """Whether any message made one."""
        return any(each.steps for each in self.seen.tried)


def _program(command: Sequence[str]) -> str:
    """The name of what a command runs: what `env` sets before it is none."""
    names = [word.rpartition("/")[2] for word in command if word != "env" and "=" not in word]
    return names[0] if names else command[0]


def describe_sender(seen: TrySeen, command: Sequence[str], title: str) -> SenderTrial:
    """The file of a sender that was tried, and the models beside it; neither for what uses no MX records."""
    if not (any(each.steps for each in seen.tried) and any(each.asked.get("MX") for each in seen.tried)):
        return SenderTrial(tuple(command), seen, (), "", {})
    evidence = SenderEvidence(seen)
    fitted = Fitting(evidence).fit()
    likest = nearest(evidence, SENDERS.values())
    words = " ".join(command)
    about = (
        f"What `postroad lab try` saw of: {words}",
        f"{len(seen.tried)} messages; the nearest known sender, {likest[0].sender}, explains {likest[0].explained}.",
        "What is commented out was not seen: such a field is as in RFC 5321, until somebody writes it.",
    )
    sender = replace(fitted.sender, title=title or _program(command), sources=(f"postroad lab try: {words}",))
    return SenderTrial(
        tuple(command), seen, tuple(likest), sender_file(sender, fitted.known, fitted.unsure, about), fitted.unsure
    )
