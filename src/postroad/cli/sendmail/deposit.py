"""A message into the spool of the relay; or, for a user who may not write there, to the relay's own port."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address

from postroad.config import Config
from postroad.deliver import DeliverSettings, Job, attempt
from postroad.dialogue import Message
from postroad.routing import Plan
from postroad.spool import PIECE, Mail, SpoolError, Trouble
from postroad.spool.sqlite import SqliteSpool
from postroad.words.names import Address
from postroad.words.outcome import Outcome, Phase, Result
from postroad.words.trail import Target

_NOT_FOR_US = {Trouble.MISSING, Trouble.READ_ONLY}
_LOOPBACK = {4: ip_address("127.0.0.1"), 6: ip_address("::1")}


@dataclass(frozen=True, slots=True)
class Deposited:
    """What became of it: nobody refused if the relay has it for all recipients.

    `instead` says why a port of the relay was asked instead of the spool, if it was.
    """

    refused: tuple[tuple[str, Outcome], ...] = ()
    instead: str = ""

    @property
    def is_for_good(self) -> bool:
        """Whether trying again is no use."""
        return any(outcome.result is Result.FAILED for _mailbox, outcome in self.refused)


async def deposit(mail: Mail, octets: bytes, config: Config, hostname: str) -> Deposited:
    """Hand a message to the relay; on return it is durable.

    Raises:
        SpoolError: the spool cannot take it now, or is not for this user and no port of the relay is for them either.

    """
    try:
        await _into_spool(mail, octets, config)
        return Deposited()
    except SpoolError as problem:
        if problem.kind not in _NOT_FOR_US:
            raise
        trouble = problem
    target = _port(config)
    if target is None:
        raise trouble
    refused = await _by_smtp(Message(mail.envelope, octets), target, hostname)
    if refused and all(outcome.phase is Phase.CONNECT for _mailbox, outcome in refused):
        raise SpoolError(trouble.kind, _nobody_home(target, refused[0][1], trouble))
    return Deposited(refused, trouble.why)


async def _into_spool(mail: Mail, octets: bytes, config: Config) -> None:
    spool = await SqliteSpool.open(config.spool.path, node="", reserve=config.spool.reserve)  # refused as by the relay
    try:
        last = max(0, len(octets) - 1) // PIECE * PIECE
        for start in range(0, last, PIECE):
            await spool.write(mail.id, octets[start : start + PIECE])
        await spool.add(mail, octets[last:])
    finally:
        await spool.close()


async def _by_smtp(message: Message, target: Target, hostname: str) -> tuple[tuple[str, Outcome], ...]:
    """Those whom the relay did not take it for, and what it said."""
    plan = Plan((target,))
    done = await attempt(Job(message, target.exchange, plan), DeliverSettings(hostname=hostname))
    outcomes = zip(message.envelope.recipients, done.outcomes, strict=True)
    return tuple((str(to.mailbox), said) for to, said in outcomes if said.result is not Result.DELIVERED)


def _nobody_home(target: Target, said: Outcome, trouble: SpoolError) -> str:
    where = f"{target.address} port {target.port}"
    return f"the message is not kept: no relay answers at {where} ({said.text}), and {trouble.why}; try again later"


def _port(config: Config) -> Target | None:
    """The first port of the relay that takes mail from this machine in the clear."""
    for port in config.listen:
        address: Address = _LOOPBACK[port.address.version] if port.address.is_unspecified else port.address
        if address.is_loopback and port.tls != "implicit":
            return Target("localhost", address, 0, port.port)
    return None
