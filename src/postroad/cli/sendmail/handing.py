"""Puts a message into the relay's spool or, for a user who may not write there, sends it to the relay's port."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import TYPE_CHECKING

from postroad.spool import SpoolError, StoredMail, Trouble
from postroad.spool.sqlite import keep_one
from postroad.words.names import Address

if TYPE_CHECKING:
    from postroad.config import Brief
    from postroad.words.outcome import Outcome
    from postroad.words.trail import Target

_NOT_FOR_US = {Trouble.MISSING, Trouble.READ_ONLY}
_QUEUED = re.compile(r"queued as (\w+)")  # as the receiving side has it
_NAME = "localhost"
_LOOPBACK = {4: ip_address("127.0.0.1"), 6: ip_address("::1")}


@dataclass(frozen=True, slots=True)
class Deposited:
    """The result of handing a message to the relay: the id by which it is queued, the recipients it refused, and why.

    `instead` says why a port of the relay was asked instead of the spool, if it was.
    """

    id: str
    refused: tuple[tuple[str, Outcome], ...] = ()
    instead: str = ""

    @property
    def is_for_good(self) -> bool:
        """Whether trying again is no use."""
        return any(outcome.result == "failed" for _mailbox, outcome in self.refused)


def hand_over(mail: StoredMail, octets: bytes, config: Brief) -> Deposited:
    """Hand a message to the relay; on return it is durable.

    Raises:
        SpoolError: the spool cannot take it now, or is not for this user and no port of the relay is for them either.

    """
    trouble = _kept(mail, octets, config)
    if trouble is None:
        return Deposited(mail.id)
    target = _port(config)
    if target is None:
        raise trouble
    answers = _by_smtp(mail, octets, target)
    refused = tuple((mailbox, said) for mailbox, said in answers if said.result != "delivered")
    if refused and all(outcome.phase == "connect" for _mailbox, outcome in refused):
        raise SpoolError(trouble.kind, _nobody_home(target, refused[0][1], trouble))
    return Deposited(_id_in(answers) or mail.id, refused, trouble.why)


def _kept(mail: StoredMail, octets: bytes, config: Brief) -> SpoolError | None:
    """Put it into the spool's folder, unless that is not for this user: why not."""
    if isinstance(config.spool, str):  # so that users need no password of it
        return SpoolError(Trouble.MISSING, "the spool is a database, which only the relay uses")
    try:
        keep_one(config.spool, mail, octets, reserve=config.reserve)  # refused as by the relay
    except SpoolError as problem:
        if problem.kind not in _NOT_FOR_US:
            raise
        return problem
    return None


def _by_smtp(mail: StoredMail, octets: bytes, target: Target) -> tuple[tuple[str, Outcome], ...]:
    """What the relay said of each recipient."""
    import asyncio  # an eighth of a second with what follows, for few

    from postroad.deliver import DeliverSettings, Job, attempt  # as above
    from postroad.dialogue import Message  # as above
    from postroad.routing import Plan  # as above

    envelope = replace(mail.envelope, release_at=mail.release_at)
    job = Job(Message(envelope, octets), target.exchange, Plan((target,)))
    # By the relay's own name, its greeting would look like a loop
    done = asyncio.run(attempt(job, DeliverSettings(hostname=_NAME)))
    outcomes = zip(mail.envelope.recipients, done.outcomes, strict=True)
    return tuple((str(to.mailbox), said) for to, said in outcomes)


def _id_in(answers: Iterable[tuple[str, Outcome]]) -> str:
    """The id that the relay gave it: the log and the queue know it by that."""
    found = [_QUEUED.search(said.text) for _mailbox, said in answers if said.result == "delivered"]
    return found[0][1] if found and found[0] else ""


def _nobody_home(target: Target, said: Outcome, trouble: SpoolError) -> str:
    where = f"{target.address} port {target.port}"
    return f"the message was not accepted: no relay answers at {where} ({said.text}), and {trouble.why}; try later"


def _port(config: Brief) -> Target | None:
    """The first port of the relay that takes mail from this machine in the clear."""
    from postroad.words.trail import Target  # for few

    for port in config.listen:
        address: Address = _LOOPBACK[port.address.version] if port.address.is_unspecified else port.address
        if address.is_loopback and port.tls != "implicit":
            return Target(_NAME, address, 0, port.port)
    return None
