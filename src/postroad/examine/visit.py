"""One address, one session: connect, greeting, EHLO, STARTTLS, EHLO, QUIT."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field, replace

from postroad.build import opportunistic_tls, system_trust
from postroad.dialogue import ClientSettings, HostError, Session
from postroad.examine.certificate import read_certificate
from postroad.net import NetError, NetErrorKind, connect
from postroad.smtp import Ehlo, Mail, Rcpt, Rset, StartTls, Timeouts, host_outcome
from postroad.tls import Trust, why_untrusted
from postroad.words.mail import Mailbox, Recipient
from postroad.words.names import Address
from postroad.words.outcome import Phase
from postroad.words.sessions import Probe

SMTP_PORT = 25


@dataclass(frozen=True, slots=True)
class ProbeSettings:
    """The settings of a probe: its name, its patience, and whether it may test recipients (`deep`)."""

    hostname: str = "postroad.invalid"
    port: int = SMTP_PORT
    connect_s: float = 10.0
    greeting_s: float = 30.0  # servers make clients wait on purpose: postscreen 6 s, others up to 20 s
    reply_s: float = 20.0
    deep: bool = False
    stranger: str = "example.net"  # a domain that is nobody's here (RFC 2606): who takes mail for it relays for anyone
    unknown: str = "postroad-probe-no-such-mailbox"
    trust: Trust = field(default_factory=system_trust)


@dataclass(frozen=True, slots=True)
class ProbeTarget:
    """The target of a probe: an address, the exchanger's name for it, and the domain whose mail it takes."""

    address: Address
    exchange: str
    domain: str


async def probe(subject: ProbeTarget, settings: ProbeSettings) -> Probe:
    """A session with one address."""
    return await _Visit(subject, settings).run()


class _Visit:
    """One session and what it has seen so far."""

    def __init__(self, subject: ProbeTarget, settings: ProbeSettings) -> None:
        self._subject = subject
        self._settings = settings
        self._seen = Probe(subject.address, "connect", ok=False)

    async def run(self) -> Probe:
        """The session to its end, good or bad."""
        limits, now = self._settings, asyncio.get_running_loop().time
        try:
            stream = await connect(self._subject.address, limits.port, timeout_s=limits.connect_s)
        except NetError as problem:
            return replace(self._seen, why=problem.why, ours=problem.kind is NetErrorKind.LOCAL)
        connected = now()
        session = Session(stream, self._client_settings())
        self._note(phase="greeting")
        try:
            greeting = await session.greet()
            self._note(greeting=greeting.text, greeting_ms=(now() - connected) * 1000)
            await self._talk(session)
        except HostError as problem:
            self._note(why=problem.outcome.text)
            if problem.outcome.reply and self._seen.phase == "greeting":
                self._note(greeting=problem.outcome.reply.text, greeting_ms=(now() - connected) * 1000)
        finally:
            await session.quit()
        return self._seen

    def _client_settings(self) -> ClientSettings:
        reply_s = self._settings.reply_s
        timeouts = Timeouts(
            greeting_s=self._settings.greeting_s,
            ehlo_s=reply_s,
            starttls_s=reply_s,
            mail_s=reply_s,
            rcpt_s=reply_s,
            block_s=reply_s,
            quit_s=reply_s,
        )
        return ClientSettings(hostname=self._settings.hostname, timeouts=timeouts, tls=opportunistic_tls())

    async def _talk(self, session: Session) -> None:
        await self._hello(session)
        if "STARTTLS" in self._seen.capabilities and await self._tls(session):
            await self._hello(session)
        if self._settings.deep:
            await self._deep(session)
        self._note(phase="quit", ok=True)

    async def _hello(self, session: Session) -> None:
        self._note(phase="ehlo")
        reply = await session.ask(Ehlo(self._settings.hostname), self._settings.reply_s, Phase.EHLO)
        if reply.code >= 400:
            raise HostError(Phase.EHLO, host_outcome(reply, Phase.EHLO))
        words = {line.split()[0].upper() for line in reply.lines[1:] if line.split()}
        # What was offered in the clear counts as seen, but STARTTLS is not offered again (RFC 3207 section 4.2)
        starttls = {"STARTTLS"} & self._seen.capabilities
        offered = session.capabilities
        self._note(hello=offered.name.lower(), capabilities=frozenset(words | starttls), size=offered.size)

    async def _tls(self, session: Session) -> bool:
        """Whether the session is under TLS now."""
        self._note(phase="starttls")
        reply = await session.ask(StartTls(), self._settings.reply_s, Phase.STARTTLS)
        if reply.code >= 400:
            self._note(why=f"STARTTLS: {reply}")
            return False
        await session.start_tls(self._subject.exchange)
        self._note(tls=session.tls)
        if shown := session.certificates:
            why_not = why_untrusted(shown, self._settings.trust, time.time())
            self._note(certificate=read_certificate(shown[0], why_not))
        return True

    async def _deep(self, session: Session) -> None:
        """Recipients asked for and taken back: nothing is sent."""
        domain, settings = self._subject.domain, self._settings
        if (await session.ask(Mail(None), settings.reply_s, Phase.MAIL)).code < 400:
            self._note(takes_postmaster=await self._takes(session, "postmaster", domain))
            self._note(takes_unknown=await self._takes(session, settings.unknown, domain))
            self._note(takes_strangers=await self._takes(session, settings.unknown, settings.stranger))
            await session.ask(Rset(), settings.reply_s)

    async def _takes(self, session: Session, local: str, domain: str) -> bool | None:
        """Whether a recipient is taken; None for "not now"."""
        rcpt = Rcpt(Recipient(Mailbox(local, domain)))
        reply = await session.ask(rcpt, self._settings.reply_s, Phase.RCPT)
        return None if reply.is_temporary else reply.code < 400

    def _note(self, **seen: object) -> None:
        self._seen = replace(self._seen, **seen)  # type: ignore[arg-type]  # the fields of Probe
