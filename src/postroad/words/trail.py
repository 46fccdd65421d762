"""Where an attempt went: every address contacted, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from postroad.words.names import Address, Destination
from postroad.words.outcome import Outcome, Phase, Result


@dataclass(frozen=True, slots=True)
class Target:
    """One address of one exchanger: what a connection is opened to."""

    exchange: str
    address: Address
    preference: int
    port: int | None = None  # None: the usual one

    def __str__(self) -> str:
        return f"{self.exchange} [{self.address}]"


@dataclass(frozen=True, slots=True)
class Contact:
    """One address contacted in an attempt, and how it ended.

    `ending` is an Outcome of host scope if the contact failed as a whole, a delivered/deferred/failed one after a
    session, or None if another contact won the race first. Times are milliseconds since the attempt began.
    """

    target: Target
    started_ms: float
    ended_ms: float
    phase: Phase
    ending: Outcome | None
    recipients: Mapping[int, Outcome]  # index of the recipient in the attempt -> what this contact said
    tls: str | None = None  # protocol and cipher, None in the clear
    clear_again: bool = False  # the second contact with this address, after its TLS failed
    reused: bool = False  # on a connection kept from an earlier message
    dsn_over: bool = False  # the host took over what the sender wants to be told (RFC 3461 section 5.2)

    @property
    def word(self) -> str:
        """How it ended, in one word: the result, or `unused` if the race was lost."""
        return self.ending.result.value if self.ending else "unused"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt at the exchangers of one destination: what each recipient got, and the contacts in order of start."""

    destination: Destination
    outcomes: tuple[Outcome, ...]  # one for each recipient, in the order given
    contacts: tuple[Contact, ...]
    seed: int | None
    elapsed_ms: float

    @property
    def result(self) -> Result:
        """The worst for the sender: failed if any failed, else deferred if any is, else delivered."""
        results = {outcome.result for outcome in self.outcomes}
        for worst in (Result.FAILED, Result.DEFERRED):
            if worst in results:
                return worst
        return Result.DELIVERED
