"""How a session begins: the greeting, EHLO, TLS where it is offered or demanded, and who we are."""

from __future__ import annotations

from postroad.dialogue.login import authenticate, why_ourselves
from postroad.dialogue.secured import SecuredConversation
from postroad.dialogue.settings import ClientSettings
from postroad.net import Stream
from postroad.smtp import Ehlo, Helo, StartTls
from postroad.words.names import AddressLiteral
from postroad.words.outcome import Phase
from postroad.words.reply import Reply
from postroad.words.tls import OPPORTUNISTIC, Demand


class OpenedConversation(SecuredConversation):
    """A conversation that opens, as far as the first message."""

    def __init__(
        self, stream: Stream, settings: ClientSettings, exchange: str = "", demand: Demand = OPPORTUNISTIC
    ) -> None:
        super().__init__(stream, settings, exchange, demand)
        self.helo = ""  # the name by which the host first answered EHLO
        self._hostname = settings.hostname or str(AddressLiteral(stream.local.address))

    async def greet(self) -> Reply:
        """The greeting; before it the TLS handshake, where the connection begins with that (RFC 8314 section 3.3).

        Raises:
            HostError: no handshake, not what is demanded, or no 220. A 5xx greeting says that this host takes no mail
                now, not that the domain does not (RFC 7504 section 3 for 521): deferred, and the next exchanger is
                asked.

        """
        if self._settings.implicit_tls:
            await self._secure(self._begin_with_tls)
            self.phase = Phase.GREETING
        return self._agreed(await self._reply(self._settings.timeouts.greeting_s))

    async def hello(self, *, clear: bool = False) -> None:
        """EHLO, STARTTLS where it is offered (unless `clear`), EHLO again, and AUTH where we have a login.

        Raises:
            HostError: EHLO was not taken, the TLS handshake failed or did not prove what is demanded (phase starttls),
                or the host is we ourselves.

        """
        if loop := why_ourselves(await self.ehlo(), self._hostname, self._stream.peer):
            raise self.refuse(loop, "4.4.6")
        self.helo = self.capabilities.name
        offers = self._settings.tls and self._demand.uses_tls and self.capabilities.starttls
        if offers and not clear and not self.tls and await self._secure(self._ask_for_tls):
            await self.ehlo()
        if not self.tls:
            self._stay_in_clear()
        if self._settings.login:
            await authenticate(self, self._settings.login, self._settings.timeouts.mail_s)

    async def ehlo(self) -> Reply:
        """EHLO, or HELO for hosts older than RFC 1869; the reply to the one that was taken."""
        limit_s = self._settings.timeouts.ehlo_s
        reply = await self.ask(Ehlo(self._hostname), limit_s, Phase.EHLO)
        if reply.is_permanent:  # RFC 5321 section 3.2: a client that is refused EHLO falls back to HELO
            reply = await self.ask(Helo(self._hostname), limit_s, Phase.EHLO)
        return self._agreed(reply)

    async def _begin_with_tls(self, server_name: str) -> bool:
        await self._handshake(server_name)
        return True

    async def _ask_for_tls(self, server_name: str) -> bool:
        reply = await self.ask(StartTls(), self._settings.timeouts.starttls_s, Phase.STARTTLS)
        if reply.code == 220:
            await self.start_tls(server_name)
        return reply.code == 220
