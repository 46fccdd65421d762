"""What a spool promises, and the types it uses. The states and crash guarantees are in docs/design/spool.md."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

from postroad.words.light import light
from postroad.words.mail import Envelope, Recipient, domain_of

NODE = "relay"
"""The name of a node that has its spool to itself."""

LEASE_S = 60.0
"""A node that has not renewed for this long is taken for dead, and its claims are released."""

PARCELS = 1 << 20
"""Parcel numbers for each message: more destinations than any server takes recipients."""

REROUTED = PARCELS // 2
"""The first parcel number of a message for recipients that take another route."""

PIECE = 256 * 1024
"""Octets of a body kept and handed out at a time: what bounds memory, however large the message."""


class Trouble(StrEnum):
    """The kinds of trouble with a spool, for programs."""

    FULL = "full"
    READ_ONLY = "read-only"
    LOCKED = "locked"
    CORRUPT = "corrupt"
    NEWER = "newer"
    FAILING = "failing"
    MISSING = "missing"
    GONE = "gone"
    CLOSED = "closed"


class SpoolError(Exception):
    """The error that the spool could not do a call; nothing of it was done.

    `why` says for people what, where, and how to fix it.
    """

    def __init__(self, kind: Trouble, why: str) -> None:
        super().__init__(why)
        self.kind = kind
        self.why = why

    @property
    def is_passing(self) -> bool:
        """Whether waiting may bring back what could not be read."""
        return self.kind not in (Trouble.MISSING, Trouble.CORRUPT)


@light(frozen=True, slots=True)
class StoredMail:
    """A message as accepted, with its envelope but without its body.

    `id` is unique, sorts by time and is safe in file names; `seed` decides every draw for it.

    In a Parcel the envelope has that parcel's open recipients only.
    """

    id: str
    envelope: Envelope
    received_at: float
    seed: int
    size: int  # octets of the body
    origin: str = ""  # who handed it over, for people: "192.0.2.7 (client.example) by ESMTPS as user"
    release_at: float | None = None  # its sender wants it delivered no earlier; None: at once


@light(frozen=True, slots=True)
class Parcel:
    """The part of a message that goes to one destination: the unit of claim and settlement.

    `number` is the message's times PARCELS, plus which of its parcels it is: one for each destination, and one more
    each time that recipients take another route.

    `routes` are those of the settings that this mail has been refused on, as far as they have names, and last the one
    it takes now. Without any it goes as the settings have it for its destination.
    """

    number: int
    destination: str  # canonical domain, or an address literal in brackets
    mail: StoredMail
    due_at: float
    attempts: int = 0  # made so far
    warned: bool = False  # the sender was told of the delay
    routes: tuple[str, ...] = ()

    @property
    def route(self) -> str:
        """The name of the route that it takes, if that is decided; else empty."""
        return self.routes[-1] if self.routes else ""

    @property
    def is_fresh(self) -> bool:
        """Whether it is the first of its message, and never was settled: true once in the life of a message."""
        return (
            self.number % PARCELS == 0
            and self.attempts == 0
            and self.due_at == (self.mail.release_at or self.mail.received_at)
        )


@light(frozen=True, slots=True)
class Reroute:
    """Recipients of a settled parcel that take another route, from now: a parcel of their own from that commit on.

    `routes` are that parcel's, `said` is what sends them another way, for the queue list.
    """

    recipients: tuple[Recipient, ...]
    routes: tuple[str, ...]
    said: str = ""


@light(frozen=True, slots=True)
class Settlement:
    """The result of one claimed parcel, committed as a whole.

    `left` are the recipients still open; none: the parcel is gone. `record` is the attempt as a JSON text, "" for none.
    `counts`: whether it was an attempt. `waits_for_host`: no host could be reached, so one that answers again hastens
    it. `said` is the attempt in a line, for the queue list. `reports` are messages (notifications) that enter the spool
    with this commit, each with its whole body. `reroute` is a part that is neither left nor gone.
    """

    parcel: Parcel
    left: tuple[Recipient, ...] = ()
    due_at: float | None = None  # wanted exactly if recipients are left
    record: str = ""
    counts: bool = True
    warned: bool = False
    waits_for_host: bool = False
    said: str = ""
    reports: tuple[tuple[StoredMail, bytes], ...] = ()
    reroute: Reroute | None = None

    def __post_init__(self) -> None:
        if self.left and self.due_at is None:
            raise ValueError("recipients are left, so a time to retry them is required")
        if self.reroute and not self.record:  # whoever reads of the second route has to find the first
            raise ValueError("recipients take another route, so the record of the attempt that sends them is required")


class State(StrEnum):
    """The states of a parcel that has a row."""

    WAITING = "waiting"
    CLAIMED = "claimed"
    HELD = "held"


@dataclass(frozen=True, slots=True)
class Listed:
    """A parcel as the queue shows it. `said` is its last attempt in a line, "" before the first."""

    parcel: Parcel
    state: State
    node: str = ""
    said: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """The stored text of one attempt: its destination, when it was settled, the JSON, and which node made it.

    `node` is "" in what an older version wrote.
    """

    destination: str
    at: float
    text: str
    node: str = ""


@dataclass(frozen=True, slots=True)
class Node:
    """A relay that works from a spool: its name, and when it last renewed its lease."""

    name: str
    renewed_at: float


@dataclass(frozen=True, slots=True)
class Story:
    """The whole history of one message: its parcels (none once it is finished) and its records in order of time."""

    mail: StoredMail  # with all its recipients
    parcels: tuple[Listed, ...]
    records: tuple[Record, ...]
    finished_at: float | None = None


@dataclass(frozen=True, slots=True)
class Selection:
    """A choice of parcels: every condition given must hold; none given is all of them."""

    ids: tuple[str, ...] = ()  # of messages
    destination: str = ""
    sender: str = ""  # the reverse-path as text; "<>" for the null one
    state: State | None = None
    due_before: float | None = None
    due_after: float | None = None
    released_by: float | None = None  # none that its sender holds beyond this time


@dataclass(frozen=True, slots=True)
class Stats:
    """The numbers of a spool. `destinations`: (destination, waiting parcels), most of them first, at most 20.

    `messages`, and `octets` of their bodies, are those not finished; `oldest_at` is when the first accepted of them was
    received.
    """

    messages: int
    octets: int
    waiting: int
    due: int
    claimed: int
    held: int
    finished: int
    oldest_at: float | None
    destinations: tuple[tuple[str, int], ...] = ()


@light(frozen=True, slots=True)
class Lesson:
    """Something the relay has learned that is no mail: of a kind, under a key, a text or a count, and when."""

    kind: str
    key: str
    text: str = ""
    count: int = 0
    at: float = 0.0


class Learned(Protocol):
    """The part of a spool that keeps what the relay has learned. What is said of Spool holds for it.

    Nothing of mail depends on it: who meets a SpoolError here goes on without.
    """

    def learn(self, lessons: Collection[Lesson]) -> Awaitable[None]:
        """Keep each under its kind and key: text and time replace what is there, the count is added to it."""
        ...

    async def recall(self, kind: str, begin: str = "") -> tuple[Lesson, ...]:
        """The lessons of a kind whose keys begin so, in order of key. What cannot be read is not among them."""
        ...

    async def forget(self, kind: str, keys: Collection[str]) -> int:
        """Delete those of a kind that have these keys; how many there were."""
        ...


class Claims(Learned, Protocol):
    """The part of a spool that delivery needs: it claims, reads and settles. What is said of Spool holds for it."""

    async def claim(self, now: float, most: int, *, each: int, skip: Collection[str] = ()) -> tuple[Parcel, ...]:
        """Take up to `most` parcels that are due, at most `each` of one destination, none of those in `skip`.

        Goes round the destinations, whatever another has waiting: first comes the one that has been due longest
        without being served. What the spool cannot read any more is held, and not among them.
        """
        ...

    def settle(self, settlements: Collection[Settlement], now: float) -> Awaitable[None]:
        """Commit what became of claimed parcels. One that is not claimed by this node any more is passed over."""
        ...

    async def release(self, parcels: Collection[Parcel]) -> None:
        """Give claimed parcels back untouched: due as before. Any not claimed by this node is passed over."""
        ...

    async def retry_stranded(self, destination: str, now: float) -> int:
        """Make parcels due that wait because no host of the destination answered, 1000 at most; how many.

        Who wants all of them goes on until there are none.
        """
        ...

    async def stranded(self, after: str, limit: int) -> tuple[str, ...]:
        """Destinations with parcels that wait because no host answered: those behind `after` in order of name."""
        ...

    async def next_due(self, skip: Collection[str] = ()) -> float | None:
        """When a claim that skips these finds something, a time past for now; None if nothing else waits."""
        ...

    def body(self, mail: StoredMail) -> Body:
        """The body of a message that is kept, read piece by piece."""
        ...

    def at_hand(self, mail: StoredMail) -> bytes | None:
        """The whole body, if it is in memory, so that nothing need be read and nobody waits; else None."""
        ...

    async def piece(self, id_: str, ordinal: int) -> tuple[bytes, bool]:
        """A piece of the body of a message that is kept, and whether more follow.

        It has PIECE octets at most, and the first one what stands in front of it.
        """
        ...

    async def clock_set_back(self, now: float, latest: float) -> int:
        """The clock may have been set back: waiting parcels due after `latest` are due now; how many.

        And no destination waits for a turn that it had in what is the future again.
        """
        ...

    async def story(self, id_: str) -> Story | None:
        """All about one message; None if it is not known, or no more."""
        ...


class Spool(Claims, Protocol):
    """The durable store of accepted mail. Every method may raise SpoolError; then nothing of that call was done.

    Times are wall time in seconds since the epoch, given by the caller: a spool reads no clock. Calls made at the same
    time have no order among them: who wants one awaits the first. A call that is cancelled may be done all the same;
    parcels it claimed are given back.
    """

    async def write(self, id_: str, piece: bytes) -> None:
        """Add a piece to the body of a message that is still arriving, of any size up to PIECE.

        On return it is as durable as mail, and `discard` or `add` must follow; what neither follows is swept up.
        """
        ...

    async def discard(self, id_: str) -> None:
        """Forget a message that was arriving."""
        ...

    def add(
        self, mail: StoredMail, rest: bytes, *, claim: bool = False, front: bytes = b""
    ) -> Awaitable[tuple[Parcel, ...]]:
        """Keep a message: `front`, what was written, and `rest` behind it. Once this is done it is durable.

        One parcel for each destination of the envelope, due at `mail.received_at`, or `mail.release_at` if it has one;
        with `claim` this node has them.

        Raises:
            ValueError: no recipients, an id that is kept already, or a size other than the body has.

        """
        ...

    async def renew(self, now: float) -> int:
        """Renew this node's lease, and release what dead nodes had claimed; how many parcels that freed."""
        ...

    async def nodes(self, now: float) -> tuple[Node, ...]:
        """Who has renewed its lease within LEASE_S, this node included once it has: in order of name."""
        ...

    async def sweep(self, now: float) -> None:
        """Delete finished messages past the history time, and what never finished arriving (a day old).

        And look whether all is in order: a spool that takes no mail because it was moved says so here.
        """
        ...

    async def concerns(self) -> tuple[str, ...]:
        """What others do to the place where the spool is, that harms nothing yet but will: sentences for the log.

        The same sentence, as long as it is the same thing.
        """
        ...

    async def listed(self, selection: Selection, limit: int = 100) -> tuple[Listed, ...]:
        """Parcels in order of acceptance."""
        ...

    async def hold(self, selection: Selection) -> int:
        """Hold waiting parcels; how many.

        This and the three after it go through a long queue in slices, each done or not: mail flows in between.
        """
        ...

    async def unhold(self, selection: Selection) -> int:
        """Let held parcels wait again; how many."""
        ...

    async def retry(self, selection: Selection, now: float) -> int:
        """Make waiting parcels due now, those that were due before as they were; how many.

        None before the time that its sender wants.
        """
        ...

    async def delete(self, selection: Selection, now: float) -> int:
        """Delete waiting and held parcels, telling nobody; how many. Claimed ones stay."""
        ...

    async def overrule(self, settlements: Collection[Settlement], now: float) -> int:
        """Settle waiting and held parcels as a person has decided; how many.

        One that is claimed by now, or was tried since it was read, is passed over. A few at a time: it is one commit.

        Raises:
            ValueError: recipients are left of one; they can only be finished with, or take another route.

        """
        ...

    async def stats(self, now: float) -> Stats:
        """Numbers."""
        ...

    async def close(self) -> None:
        """End; claims are kept for the next start of this node, or free for another one that shares a database."""
        ...


class Body:
    """The octets of a message, piece by piece; SpoolError if one cannot be read."""

    def __init__(self, mail: StoredMail, piece: Callable[[str, int], Awaitable[tuple[bytes, bool]]]) -> None:
        self._mail = mail
        self._piece = piece

    @property
    def size(self) -> int:
        """Octets in all."""
        return self._mail.size

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """From the beginning each time."""
        ordinal, goes_on = 0, True
        while goes_on:
            piece, goes_on = await self._piece(self._mail.id, ordinal)
            yield piece
            ordinal += 1


def rerouted(settlements: Iterable[tuple[Settlement, float]], records: Mapping[int, int]) -> Iterator[Parcel]:
    """The parcels of those who take another route in one commit: each goes on with the attempts of the one before.

    `records`: how many the messages had before it (none: 0), by number. A parcel is numbered by the attempts of its
    message until then, of which its own is one more: so no parcel of the message ever had that number, and what is
    late for one meets no other.
    """
    attempts = Counter(records)
    for one, now in settlements:
        old, message = one.parcel, one.parcel.number // PARCELS
        if one.reroute:
            number = message * PARCELS + REROUTED + attempts[message]
            mail = replace(old.mail, envelope=replace(old.mail.envelope, recipients=one.reroute.recipients))
            yield Parcel(number, old.destination, mail, now, old.attempts + one.counts, old.warned, one.reroute.routes)
        attempts[message] += bool(one.record)


def as_wholes(settlements: Collection[Settlement]) -> tuple[Settlement, ...]:
    """Settlements of parcels as a whole.

    Raises:
        ValueError: of one that is not.

    """
    if any(one.left for one in settlements):
        raise ValueError("recipients are left of a parcel that a person decides about as a whole")
    return tuple(settlements)


def split(mail: StoredMail) -> list[tuple[str, StoredMail]]:
    """The destinations of a message, each with its part; the mail itself if there is but one."""
    recipients = mail.envelope.recipients
    if len(recipients) == 1:
        return [(domain_of(recipients[0].mailbox), mail)]
    by_destination: dict[str, list[Recipient]] = {}
    for recipient in recipients:
        by_destination.setdefault(domain_of(recipient.mailbox), []).append(recipient)
    if len(by_destination) == 1:
        return [(destination, mail) for destination in by_destination]
    return [
        (destination, replace(mail, envelope=replace(mail.envelope, recipients=tuple(some))))
        for destination, some in by_destination.items()
    ]


class Unshared:
    """The part of a spool whose place no other program uses."""

    async def concerns(self) -> tuple[str, ...]:
        """See Spool."""
        return ()
