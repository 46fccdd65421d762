"""What is received goes into the spool first, and into the loop's hands at once if it has room."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from random import Random
from typing import TYPE_CHECKING

from postroad.receive import Arrival, Kept
from postroad.spool import Mail, Parcel, Spool, SpoolError
from postroad.words.mail import domain_of
from postroad.words.trace import Event

if TYPE_CHECKING:
    from postroad.relay.delivery import Delivering

SEED_BITS = 48
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32: no I, L, O, U to misread
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]


class Births:
    """Ids and seeds of messages. Neither is a secret, so the system is asked for chance once, not for each."""

    def __init__(self, wall: Callable[[], float] = time.time) -> None:
        self._wall = wall
        self._rng = Random(secrets.randbits(256))

    def id(self) -> str:
        """An id: 50 bits of milliseconds, so that ids sort by time, and 30 bits of chance."""
        number = int(self._wall() * 1000) << 30 | self._rng.getrandbits(30)
        high, low, pairs = number >> 40, number & (1 << 40) - 1, _PAIRS
        begin = f"{pairs[high >> 30]}{pairs[high >> 20 & 1023]}{pairs[high >> 10 & 1023]}{pairs[high & 1023]}"
        return f"{begin}{pairs[low >> 30]}{pairs[low >> 20 & 1023]}{pairs[low >> 10 & 1023]}{pairs[low & 1023]}"

    def seed(self) -> int:
        """The seed of a message's draws."""
        return self._rng.getrandbits(SEED_BITS)


def sendmail_origin(user: str, uid: int) -> str:
    """The origin of mail that a user of this machine puts into the spool by `postroad sendmail`."""
    return f"user {user} (uid {uid}) by sendmail"


def picked_up(parcels: Iterable[Parcel]) -> Iterator[Event]:
    """What is told of mail by `postroad sendmail` among parcels just claimed: nothing else of us saw it come.

    Once for each message, whichever of its parcels is claimed first and by whichever process; once more only if a relay
    ends before it has tried to deliver it.
    """
    for parcel in parcels:
        mail = parcel.mail
        if parcel.is_fresh and mail.origin.startswith("user ") and mail.origin.endswith(" by sendmail"):
            sender = str(mail.envelope.reverse_path or "<>")
            facts = {"id": mail.id, "sender": sender, "size": mail.size, "origin": mail.origin, "protocol": "sendmail"}
            yield Event("relay.pickup.complete", facts)


class Intake:
    """Keeps what the listeners receive: in the spool first, and in the loop's hands at once if it has room."""

    def __init__(self, spool: Spool, loop: Delivering, births: Births) -> None:
        self._spool = spool
        self._loop = loop
        self._births = births
        self._discards: set[asyncio.Task[None]] = set()

    def begin(self) -> str:
        """A fresh id."""
        return self._births.id()

    async def write(self, id_: str, piece: bytes) -> None:
        """Put a piece of a big message aside."""
        await self._spool.write(id_, piece)

    def discard(self, id_: str) -> None:
        """Forget a message that will not be whole; nobody waits for that."""
        task = asyncio.get_running_loop().create_task(self._discard(id_))
        self._discards.add(task)
        task.add_done_callback(self._discards.discard)

    def keep(self, arrival: Arrival, rest: bytes, kept: Kept) -> None:
        """Keep a message; durable when `kept` is called."""
        id_, envelope, at, size, origin = arrival
        mail = Mail(id_, envelope, at, self._births.seed(), size, origin)
        first, *others = envelope.recipients
        destinations = (
            {domain_of(each.mailbox) for each in envelope.recipients} if others else (domain_of(first.mailbox),)
        )
        claims = self._loop.has_room_for(destinations)
        adding = self._spool.add(mail, rest, claim=claims)
        added = adding if isinstance(adding, asyncio.Future) else asyncio.ensure_future(adding)
        added.add_done_callback(partial(self._added, kept, claims))

    def _added(self, kept: Kept, claims: bool, added: asyncio.Future[tuple[Parcel, ...]]) -> None:  # noqa: FBT001  # a callback's
        """It is in the spool, or not: on with it, and let the client know in step with what is delivered."""
        trouble = turn = None
        try:
            parcels = added.result()
            if claims:
                self._loop.take(parcels)
            else:
                self._loop.look()
            turn = self._loop.pressure.turn()
        except Exception as problem:  # noqa: BLE001  # the client must not wait for ever
            trouble = problem
        if turn is None:
            kept(trouble)
        else:
            turn.add_done_callback(lambda _turn: kept(None))

    async def _discard(self, id_: str) -> None:
        with contextlib.suppress(SpoolError):  # the spool sweeps up what is left over
            await self._spool.discard(id_)
