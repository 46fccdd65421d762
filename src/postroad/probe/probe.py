"""One address, one session: connect, greeting, EHLO, STARTTLS, EHLO, QUIT."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass, replace

from postroad.checks.nouns import Probe
from postroad.net import Kind, NetError, connect
from postroad.probe.certificate import believing, doubting, read_certificate
from postroad.probe.talk import Talk, TalkError
from postroad.smtp import Capabilities, Ehlo, Mail, Rcpt, Rset, StartTls
from postroad.words.mail import Mailbox, Recipient
from postroad.words.names import Address
from postroad.words.reply import Reply

SMTP_PORT = 25


@dataclass(frozen=True, slots=True)
class ProbeSettings:
    """How a probe presents itself, how patient it is, and whether it may ask for recipients (`deep`)."""

    hostname: str = "postroad.invalid"
    port: int = SMTP_PORT
    connect_s: float = 10.0
    greeting_s: float = 30.0  # servers make clients wait on purpose: postscreen 6 s, others up to 20 s
    reply_s: float = 20.0
    deep: bool = False
    stranger: str = "example.net"  # a domain that is nobody's here (RFC 2606): who takes mail for it relays for anyone
    unknown: str = "postroad-probe-no-such-mailbox"
    trusting: Callable[[], ssl.SSLContext] = believing


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom to probe: an address, the exchanger's name for it, and the domain whose mail it takes."""

    address: Address
    exchange: str
    domain: str


async def probe(subject: Subject, settings: ProbeSettings) -> Probe:
    """A session with one address. Where its certificate is not trusted, a second one, to read it."""
    first = _Visit(subject, settings, settings.trusting())
    seen = await first.run()
    if not first.untrusted:
        return seen
    return await _Visit(subject, settings, doubting(), first.untrusted).run()


class _Visit:
    """One session and what it has seen so far."""

    def __init__(self, subject: Subject, settings: ProbeSettings, context: ssl.SSLContext, why_not: str = "") -> None:
        self.untrusted = ""  # why the handshake failed, if it was for the certificate
        self._subject = subject
        self._settings = settings
        self._context = context
        self._why_not = why_not
        self._seen = Probe(subject.address, "connect", ok=False)

    async def run(self) -> Probe:
        """The session to its end, good or bad."""
        limits, now = self._settings, asyncio.get_running_loop().time
        started = now()
        try:
            stream = await connect(self._subject.address, limits.port, timeout_s=limits.connect_s)
        except NetError as problem:
            return replace(self._seen, why=problem.why, ours=problem.kind is Kind.LOCAL)
        connected = now()
        talk = Talk(stream, limits.reply_s)
        self._note(phase="greeting", connect_ms=(connected - started) * 1000)
        try:
            greeting = await talk.greeting(limits.greeting_s)
            self._note(greeting=greeting.text, greeting_ms=(now() - connected) * 1000)
            await self._session(talk, greeting)
        except TalkError as problem:
            self._note(why=str(problem))
        except NetError as problem:
            self._note(why=problem.why)
        finally:
            await talk.bye()
        return self._seen

    async def _session(self, talk: Talk, greeting: Reply) -> None:
        if greeting.code != 220:
            raise TalkError(str(greeting))
        await self._hello(talk)
        if "STARTTLS" in self._seen.capabilities and await self._tls(talk):
            await self._hello(talk)
        if self._settings.deep:
            await self._deep(talk)
        self._note(phase="quit", ok=True)

    async def _hello(self, talk: Talk) -> None:
        self._note(phase="ehlo")
        reply = await talk.ask(Ehlo(self._settings.hostname))
        if not reply.is_positive:
            raise TalkError(str(reply))
        offered = talk.client.capabilities or Capabilities()
        words = {line.split()[0].upper() for line in reply.lines[1:] if line.split()}
        # What was offered in the clear counts as seen, but STARTTLS is not offered again (RFC 3207 section 4.2)
        starttls = {"STARTTLS"} & self._seen.capabilities
        self._note(hello=offered.name.lower(), capabilities=frozenset(words | starttls), size=offered.size)

    async def _tls(self, talk: Talk) -> bool:
        """Whether the session is under TLS now."""
        self._note(phase="starttls")
        reply = await talk.ask(StartTls())
        if not reply.is_positive:
            self._note(why=f"STARTTLS: {reply}")
            return False
        try:
            async with asyncio.timeout(self._settings.reply_s):
                await talk.stream.start_tls(self._context, self._subject.exchange or None)
        except TimeoutError:
            raise TalkError("no end of the TLS handshake") from None
        except NetError as problem:
            if isinstance(problem.__cause__, ssl.SSLCertVerificationError):
                self.untrusted = problem.__cause__.verify_message or "not trusted"
            raise
        talk.client.tls_started()
        der = talk.stream.certificate
        self._note(tls=talk.stream.tls, certificate=read_certificate(der, self._why_not) if der else None)
        return True

    async def _deep(self, talk: Talk) -> None:
        """Recipients asked for and taken back: nothing is sent."""
        domain, settings = self._subject.domain, self._settings
        if (await talk.ask(Mail(None))).is_positive:
            self._note(takes_postmaster=await _takes(talk, "postmaster", domain))
            self._note(takes_unknown=await _takes(talk, settings.unknown, domain))
            self._note(takes_strangers=await _takes(talk, settings.unknown, settings.stranger))
            await talk.ask(Rset())

    def _note(self, **seen: object) -> None:
        self._seen = replace(self._seen, **seen)  # type: ignore[arg-type]  # the fields of Probe


async def _takes(talk: Talk, local: str, domain: str) -> bool | None:
    """Whether a recipient is taken; None for "not now"."""
    reply = await talk.ask(Rcpt(Recipient(Mailbox(local, domain))))
    return None if reply.is_temporary else reply.is_positive
