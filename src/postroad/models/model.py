"""A sender as data: how it chooses, what makes it move on, how long it waits, and the sources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from postroad.models.bounds import Bounded
from postroad.models.schedule import OURS, Schedule
from postroad.routing import Status
from postroad.words.faults import Mode
from postroad.words.outcome import Result

KERNEL_CONNECT_S = 134.0
"""How long Linux sends SYNs before it gives up: six retransmissions. Measured 133.4 to 135.2 s, where 127 s and the
first timer make 131: the rest is the sender's own."""


class Basis(StrEnum):
    """The basis of a model: an RFC, a measurement, an assumption."""

    OURS = "ours"  # this program
    PROCEDURE = "procedure"  # a text of the RFCs
    MEASURED = "measured"  # a program that was run, every connection counted
    ASSUMED = "assumed"  # a habit that was heard of


class Unit(StrEnum):
    """The unit that is chosen among equals: a name with all its addresses, or each address by itself."""

    HOST = "host"
    ADDRESS = "address"


class EqualsOrder(StrEnum):
    """The order of the units of one preference."""

    RANDOM = "random"  # each order as likely as any other
    GIVEN = "given"  # as the DNS answer had them
    FIRST_THEN_REVERSED = "first-then-reversed"  # the first record of the answer in front, its other equals backwards
    ONE_SWAP_PASS = "one-swap-pass"  # noqa: S105  # no password: neighbours are swapped by a coin, once, front to back
    ALPHABETICAL = "alphabetical"
    BY_ATTEMPT = "by-attempt"  # the n-th attempt takes the n-th record, and only that


class Inside(StrEnum):
    """The order of the addresses of one host, within a family."""

    GIVEN = "given"  # as the DNS answer had them
    RANDOM = "random"


class Families(StrEnum):
    """How IPv6 and IPv4 addresses stand to each other."""

    V6_FIRST = "v6-first"  # in each host
    V4_FIRST = "v4-first"
    IN_TURN = "in-turn"  # v6, v4, v6, v4 in each host (RFC 8305 section 4)
    ALIKE = "alike"  # no difference is made: in the order of the A, then the AAAA records
    V6_LEVEL = "v6-level"  # all v6 addresses of a preference before all its v4 ones
    V6_PASS = "v6-pass"  # noqa: S105  # over a whole preference: a v6 address behind a v4 one changes places, one pass
    V4_ONLY = "v4-only"
    V6_ONLY = "v6-only"


class PreferenceUse(StrEnum):
    """What the preference of an MX record does."""

    ASCENDING = "ascending"
    IGNORED = "ignored"
    DESCENDING = "descending"


class Literals(StrEnum):
    """What becomes of an MX record whose name is an address."""

    USED = "used"  # connected to
    PASSED_OVER = "passed-over"
    FAILED = "failed"  # the mail is returned, whatever other records there are


class RefusalNews(StrEnum):
    """When the recipients that were refused are told so, while others of the message wait."""

    AT_ONCE = "at-once"
    AT_THE_END = "at-the-end"  # when no recipient waits any more
    IF_ANY_TAKEN = "if-any-taken"  # at once if another was taken; else all of them wait together


class Then(StrEnum):
    """The reactions of a sender to a contact."""

    ACCEPTED = "accepted"  # the message is delivered
    IN_CLEAR = "in-clear"  # the same session goes on without TLS, which delivers
    RECONNECT_IN_CLEAR = "reconnect-in-clear"  # the same address over a new connection without TLS, which delivers
    NEXT_ADDRESS = "next-address"
    NEXT_HOST = "next-host"  # the other addresses of this name are not asked
    DEFER = "defer"
    FAIL = "fail"


class FaultPhase(StrEnum):
    """The phases in which a contact can go wrong; a reaction to a phase is that to each mode of it."""

    CONNECT = "connect"
    GREETING = "greeting"
    STARTTLS = "starttls"
    PROOF = "proof"
    NOT_NOW = "not-now"
    NO = "no"


PHASES: Mapping[FaultPhase, tuple[Mode, ...]] = MappingProxyType(
    {
        FaultPhase.CONNECT: (Mode.REFUSE, Mode.BLACKHOLE),
        FaultPhase.GREETING: (Mode.G421, Mode.G554, Mode.CLOSE, Mode.MUTE),
        FaultPhase.STARTTLS: (
            Mode.STARTTLS_454,
            Mode.STARTTLS_554,
            Mode.STARTTLS_CLOSE,
            Mode.STARTTLS_220_CLOSE,
            Mode.BROKEN_STARTTLS,
        ),
        FaultPhase.PROOF: (Mode.TLS_MISMATCH,),
        FaultPhase.NOT_NOW: (Mode.R450, Mode.D451, Mode.E451, Mode.DROP),
        FaultPhase.NO: (Mode.R550,),
    }
)
"""The modes of each phase: no connection; no greeting, or a wrong one; STARTTLS offered and failing; TLS that proves
too little to a sender that demands more (others do not meet it); "not now" to RCPT, DATA or the final dot (or no word
at all after it); "no, for good" to RCPT."""


class Later(StrEnum):
    """What a limit of addresses leaves of the preferences behind it."""

    NOTHING = "nothing"
    ONE_BEYOND = "one-beyond"  # one address of each, beyond the limit (Exim)
    ONE_WITHIN = "one-within"  # one address of each, kept free within the limit (as routing.draw does)


class Exhausted(StrEnum):
    """How an attempt ends that nobody accepted and nobody ended."""

    DEFER = "defer"
    LAST = "last"  # failed if the very last address on the list refused for good
    ALL = "all"  # failed if all that were asked refused for good


ENDS: Mapping[Then, Result] = MappingProxyType(
    {
        Then.ACCEPTED: Result.DELIVERED,
        Then.IN_CLEAR: Result.DELIVERED,
        Then.RECONNECT_IN_CLEAR: Result.DELIVERED,
        Then.DEFER: Result.DEFERRED,
        Then.FAIL: Result.FAILED,
    }
)
"""How an attempt ends after which reaction; the others go on."""


@dataclass(frozen=True, slots=True)
class AttemptLimits(Bounded):
    """The limits on how much of a list one attempt uses; None: all of it.

    `sessions` counts those that came as far as the recipient. `family_share`: where there are more addresses than the
    limit, neither family takes more than its half of it unless the other has less.
    """

    addresses: int | None = None
    hosts: int | None = None
    sessions: int | None = None
    later: Later = Later.NOTHING
    family_share: bool = False


@dataclass(frozen=True, slots=True)
class Waits(Bounded):
    """The time limits of a sender, in seconds.

    `connect_s`: for an address that does not answer; `greeting_s`: for one that connects and never greets.

    `per_host`: `connect_s` is for all addresses of a host, divided over those left. `fallback_s`: an address of the
    other family of the host is tried after so long, beside the silent one (RFC 8305). `hurry_s`: an address is given up
    after so long while its host has another. `overlap_s`: within a preference the next contact starts after so long,
    beside a silent one, `most_silent` at a time; silent ones are waited for before the next preference.
    `spacing_s`: between any two contacts.
    """

    connect_s: float = KERNEL_CONNECT_S
    greeting_s: float = 300.0  # RFC 5321 section 4.5.3.2
    per_host: bool = False
    fallback_s: float | None = None
    hurry_s: float | None = None
    overlap_s: float | None = None
    most_silent: int | None = None
    spacing_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Memory(Bounded):
    """What is kept of an address that misbehaved: for these modes, this long, later messages pass it over."""

    modes: frozenset[Mode] = frozenset()
    for_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Reuse(Bounded):
    """Connections kept for later messages: at most so many messages, so long in all, and so long idle.

    None: no limit. `busy_only`: only while mail for the same place is waiting, as Postfix does on demand. `drawn`: the
    server is drawn first, and a kept connection used if it leads there; else whatever is kept attracts the mail: the
    connection used last, or `by_server` that to the server which was kept first, and of these the one idle longest.
    """

    messages: int | None = 1
    for_s: float | None = None
    idle_s: float = 0.0
    busy_only: bool = False
    drawn: bool = False
    by_server: bool = False


@dataclass(frozen=True, slots=True)
class Rounds(Bounded):
    """An address that failed may be asked again in the same attempt, after its rest, for as long as others are silent.

    `first_s`: the rest after the first failure, `then_s` after each further one. None: there is one round. `whole_s`:
    where nobody could be reached at all, the whole attempt is made again after so long. A forecast ends with the first
    round, for who is asked again says what he said; trials ask again where something may have changed.
    """

    first_s: float | None = None
    then_s: float | None = None
    whole_s: float | None = None


@dataclass(frozen=True, slots=True)
class Picks(Bounded):
    """How long a draw applies. `queue_run`: to all mail of one run over the queue; `for_s`: to all within so long.

    `connected_rest_s`, `closed_rest_s`: with mail under way nothing is drawn: a new connection goes to the first
    address to which none was made, and none used, for so long. 0: each message orders them anew.
    """

    queue_run: bool = False
    for_s: float = 0.0
    connected_rest_s: float = 0.0
    closed_rest_s: float = 0.0

    @property
    def rests(self) -> bool:
        """Whether addresses rest between connections."""
        return bool(self.connected_rest_s or self.closed_rest_s)


@dataclass(frozen=True, slots=True)
class ClearLater(Bounded):
    """A later attempt that meets one of these modes asks the same server again without TLS, once so old."""

    modes: frozenset[Mode] = frozenset()
    after_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Recipients:
    """Several recipients of one message. `alone`: each has an attempt and a connection of its own."""

    alone: bool = False
    told: RefusalNews = RefusalNews.AT_ONCE


@dataclass(frozen=True, slots=True)
class Asks(Bounded):
    """DNS questions for one message with nothing cached: so many for the domain, and so many for each exchanger.

    `eager`: for every exchanger before the first contact; else only for those tried.
    """

    mx: int = 1
    domain_a: int = 0
    domain_aaaa: int = 0
    a: int = 1
    aaaa: int = 1
    eager: bool = True


@dataclass(frozen=True, slots=True)
class Sender:
    """One kind of mail software and how it treats MX records, as data, one file each; `sources` say how we know.

    Pure data; `sources` say where it is known from.

    `reactions` has a Then for each Mode; what is missing is accepted. `races`: what may as well happen instead, as
    packets come. `refusals` are the modes that count as "no, for good" when an attempt is exhausted, `keeps` those
    which, met anywhere, keep the message all the same. `refused` has the results for domains without a way, by the
    status of `routing`; what is missing is as `routing` decides.
    """

    name: str
    title: str
    kind: Basis = Basis.ASSUMED
    version: str = ""  # what was measured
    sources: tuple[str, ...] = ()
    unit: Unit = Unit.HOST
    equals: EqualsOrder = EqualsOrder.RANDOM
    inside: Inside = Inside.GIVEN
    families: Families = Families.V6_FIRST
    preference: PreferenceUse = PreferenceUse.ASCENDING
    limits: AttemptLimits = AttemptLimits()
    reactions: Mapping[Mode, Then] = field(default_factory=lambda: MappingProxyType({}))
    races: Mapping[Mode, Then] = field(default_factory=lambda: MappingProxyType({}))
    refusals: frozenset[Mode] = frozenset()
    keeps: frozenset[Mode] = frozenset()
    exhausted: Exhausted = Exhausted.DEFER
    waits: Waits = Waits()
    rounds: Rounds = Rounds()
    clear_later: ClearLater = ClearLater()
    drops_duplicates: bool = False  # an address already tried under another name is passed over
    drops_names: bool = False  # of several records with one name the first counts
    memory: Memory = Memory()
    reuse: Reuse = Reuse()
    picks: Picks = Picks()
    recipients: Recipients = Recipients()
    asks: Asks = Asks()
    caches_mx: bool = False  # keeps the MX set in the order of its first answer for the TTL, in the process
    implicit_on_nodata: bool = True  # no MX: the domain's own address is used (RFC 5321 section 5.1)
    implicit_on_nxdomain: bool = True
    literals: Literals = Literals.PASSED_OVER
    mixed_null_is_null: bool = False  # a null MX beside other records makes them all void
    empty_name_fails: bool = False  # one name without any address returns the mail, whatever other records there are
    refused: Mapping[Status, Result] = field(default_factory=lambda: MappingProxyType({}))
    sts: bool = False  # enforces the MTA-STS policy of a domain (RFC 8461); False also where nobody says so
    dane: bool = False  # enforces DANE where DNSSEC vouches for it (RFC 7672), behind a validating resolver; as above
    fails_on_equals: bool = False  # two records of one preference break it
    retry: Schedule = OURS

    @property
    def ours(self) -> bool:
        """Whether it is this program: `simulation.own` asks `routing` what it does, and nothing here describes it."""
        return self.kind is Basis.OURS

    @property
    def source(self) -> str:
        """Where the model is known from, in one line."""
        return "; ".join((f"measured, 2026: {self.version}", *self.sources) if self.version else self.sources)

    def after(self, mode: Mode) -> Then:
        """What it does after meeting this."""
        return self.reactions.get(mode, Then.ACCEPTED)
