"""A conversation whose TLS is judged before anything else is said over it."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from postroad.dialogue.conversation import Conversation, HostError
from postroad.dialogue.settings import ClientSettings
from postroad.net import Stream
from postroad.smtp import StartTls
from postroad.tls import judge
from postroad.words.outcome import Phase
from postroad.words.tls import IN_CLEAR, Demand, Miss, Proof, TlsFailure


class SecuredConversation(Conversation):
    """A conversation with an exchanger that has to meet a demand. `proof` is what the connection was shown to be."""

    def __init__(self, stream: Stream, settings: ClientSettings, exchange: str, demand: Demand) -> None:
        super().__init__(stream, settings)
        self.proof = IN_CLEAR
        self._exchange = exchange
        self._demand = demand

    async def _secure(self, begin: Callable[[str], Awaitable[bool]]) -> bool:
        """TLS, judged before anything else is said; False: the host says that it has none.

        Raises:
            HostError: it broke off from when we asked for it, or does not prove what is demanded.

        """
        demand = self._demand
        try:
            has_begun = await begin(demand.server_name or self._exchange)
        except HostError as lost:
            self.proof = Proof(miss=Miss(TlsFailure.VALIDATION, lost.outcome.text))
            if demand.allows_clear or lost.outcome.reply:
                raise
            # As Postfix has it, and as a certificate that proves nothing: what keeps the mail is that TLS must be
            raise self.refuse(f"{demand.why}, but {lost.outcome.text}", "4.7.5") from lost
        if not has_begun:
            return False
        self.proof = judge(self.certificates, demand, self._exchange, self._settings.trust, time.time())
        if self.proof.miss and not self.proof.meets(demand):
            miss = demand.refusal(self.proof.miss)
            raise self.refuse(miss.why, miss.status)
        return True

    async def _begin_with_tls(self, server_name: str) -> bool:
        await self._handshake(server_name)
        return True

    async def _ask_for_tls(self, server_name: str) -> bool:
        reply = await self.ask(StartTls(), self._settings.timeouts.starttls_s, Phase.STARTTLS)
        if reply.code == 220:
            await self.start_tls(server_name)
        return reply.code == 220

    def _stay_in_clear(self) -> None:
        """The host does not start TLS: as if it had none, whether or not it said so (RFC 7672 section 2.2)."""
        demand = self._demand
        if not (demand.allows_clear and demand.watched is None):
            miss = Miss(TlsFailure.STARTTLS_NOT_SUPPORTED, f"{demand.why}, but the host does not start TLS", "4.7.4")
            self.proof = Proof(miss=miss)
        if not demand.allows_clear:
            self.phase = Phase.STARTTLS
            raise self.refuse(miss.why, demand.refusal(miss).status)
