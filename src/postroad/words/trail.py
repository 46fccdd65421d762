"""Where an attempt went: every address contacted, as data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from postroad.words.light import light
from postroad.words.names import Address, Destination
from postroad.words.outcome import Outcome, Phase, Result
from postroad.words.tls import OPPORTUNISTIC, Demand, Proof


def labelled(exchange: str, *addresses: str) -> str:
    """A server in words: its name and its addresses; the address alone where an MX record names that as its host."""
    return exchange if addresses == (exchange,) else f"{exchange} [{', '.join(addresses)}]"


@dataclass(frozen=True, slots=True)
class Target:
    """One address of one exchanger: what a connection is opened to, and what that connection has to be."""

    exchange: str
    address: Address
    preference: int
    port: int | None = None  # None: the usual one
    demand: Demand = field(default=OPPORTUNISTIC, repr=False)
    where: str = field(init=False, compare=False, repr=False)  # the address as text: an address takes long to hash

    def __post_init__(self) -> None:
        object.__setattr__(self, "where", str(self.address))

    @property
    def is_nameless(self) -> bool:
        """Whether an MX record names the address in place of a host: who uses it so asks DNS for nothing."""
        return self.exchange == self.where

    def __str__(self) -> str:
        is_literal = not self.exchange or self.exchange.startswith("[")
        return f"[{self.where}]" if is_literal else labelled(self.exchange, self.where)


_GRAVITY = (Result.FAILED, Result.DEFERRED, Result.DELIVERED)  # the worst for the sender first


@light(frozen=True, slots=True)
class Contact:
    """One connection to a target, and what it meant for each recipient.

    `recipients` has an outcome for each recipient that was asked for, or would have been if the host had not failed
    first: answers stand nowhere else, so that none can be taken for the answer to another recipient.
    `host` is set if the contact failed as a whole. Neither: another contact won the race, and this one was not used.
    Times are milliseconds since the attempt began.
    """

    target: Target
    started_ms: float
    ended_ms: float
    phase: Phase
    host: Outcome | None
    recipients: Mapping[int, Outcome]  # index of the recipient in the attempt -> what this contact meant for it
    tls: str | None = None  # protocol and cipher, None in the clear
    clear_again: bool = False  # the second contact with this address, after its TLS failed
    reused: bool = False  # on a connection kept from an earlier message
    dsn_over: bool = False  # the host took over what the sender wants to be told (RFC 3461 section 5.2)
    proof: Proof | None = None  # what the connection was shown to be; None if it did not get that far
    helo: str = ""  # the name by which the host answered EHLO before TLS

    @property
    def is_unused(self) -> bool:
        """Whether another contact won the race, so that nobody was asked for here."""
        return self.host is None and not self.recipients

    @property
    def word(self) -> str:
        """How it ended, in one word: the result that is worst for the sender, or `unused` if the race was lost."""
        if self.is_unused:
            return "unused"
        return _worst([self.host] if self.host else self.recipients.values()).value

    @property
    def answers(self) -> dict[Outcome, list[int]]:
        """Each different answer with the recipients it is for: none of them if the host failed when none was left."""
        answers: dict[Outcome, list[int]] = {self.host: []} if self.host else {}
        for index, outcome in self.recipients.items():
            answers.setdefault(outcome, []).append(index)
        return answers

    def phase_of(self, outcome: Outcome | None) -> Phase:
        """How far it came for those whom this outcome is for: one is refused at RCPT, and another at the final dot."""
        return (outcome and outcome.phase) or self.phase

    @property
    def said(self) -> str:
        """All answers in a line: one as it is; of several, how many recipients each is for."""
        answers = self.answers
        if len(answers) < 2:
            return next((outcome.text for outcome in answers), "another exchanger greeted first")
        return "; ".join(f"{len(indices)} {outcome.result}: {outcome.text}" for outcome, indices in answers.items())


@light(frozen=True, slots=True)
class Attempt:
    """One walk: a message to the exchangers of one destination, once."""

    destination: Destination
    outcomes: tuple[Outcome, ...]  # one for each recipient, in the order given
    contacts: tuple[Contact, ...]
    seed: int | None
    elapsed_ms: float

    @property
    def result(self) -> Result:
        """The worst for the sender: failed if any failed, else deferred if any is, else delivered."""
        return _worst(self.outcomes)

    def story_of(self, index: int) -> tuple[tuple[Contact, Outcome], ...]:
        """Every contact that concerned one recipient, with what it meant for that recipient."""
        return tuple((contact, contact.recipients[index]) for contact in self.contacts if index in contact.recipients)

    def source_of(self, index: int) -> Contact | None:
        """The contact whose answer is the outcome of a recipient; None if no host was asked for it."""
        outcome = self.outcomes[index]
        for contact in reversed(self.contacts):
            said = contact.recipients.get(index)
            if said is outcome or (said and _rests_on(outcome, said)):
                return contact
        return None


def _rests_on(outcome: Outcome, said: Outcome) -> bool:
    """Whether an outcome is what was said; its text may go on with what that came to."""
    return (outcome.reply, outcome.phase) == (said.reply, said.phase) and outcome.text.startswith(said.text)


def _worst(outcomes: Iterable[Outcome]) -> Result:
    return min((outcome.result for outcome in outcomes), key=_GRAVITY.index, default=Result.DELIVERED)
