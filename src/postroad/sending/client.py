"""Sends messages now, straight to the exchangers or to a smarthost: one, or many over kept connections."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from types import EllipsisType, TracebackType
from typing import TYPE_CHECKING, Self

from postroad.sending.given import check_given, must_not_run
from postroad.sending.options import SendOptions, chosen
from postroad.words.bounds import Bounds, OutOfBoundsError, count
from postroad.words.trace import Event, Listener, nobody

if TYPE_CHECKING:
    from postroad.build import Content, Mailer, Sent
    from postroad.deliver import DeliverSettings, Pool
    from postroad.dialogue import Message

_IDLE = Bounds(needed=True)
_AT_ONCE = count(10_000, needed=True)

AT_ONCE = 20
"""Messages of a client, and destinations of a message, that are under way at the same time."""


async def send(
    message: Content,
    *,
    sender: str | EllipsisType | None = ...,
    recipients: str | Iterable[str] | None = None,
    options: SendOptions | None = None,
) -> Sent:
    """Deliver a message now, straight to the mail exchangers of each recipient's domain; nothing is queued.

    The message is bytes, text, or an object of `email`: EmailMessage, MIMEText, what Django makes. A `sender` that is
    left out is the address of Sender, else of From; None is the null reverse-path, to which nothing is returned.
    `recipients` are one address or several; left out, they are those of To, Cc and Bcc. Bcc is never sent along.

    Up to 20 destinations are under way at once. The answer has an outcome for each recipient (delivered, deferred or
    failed) and the trail of every address contacted. Nothing is raised for what DNS, the network or a host does.

        sent = await postroad.send(message)
        for mailbox, outcome in sent.outcomes.items():
            print(mailbox, outcome.result, outcome.text)

    Raises:
        InputError: the message, an address, a zone file, a server or a key cannot be used.

    """
    how = chosen(options)
    built = _built(message, sender, recipients, how)
    return await _mailer(how).send(built, how.seed, timeout_s=how.timeout_s, at_once=AT_ONCE)


def send_sync(
    message: Content,
    *,
    sender: str | EllipsisType | None = ...,
    recipients: str | Iterable[str] | None = None,
    options: SendOptions | None = None,
) -> Sent:
    """The same as `send` for programs without an event loop, and for threads of those that have one. It blocks.

    Raises:
        InputError: as `send`.
        RuntimeError: an event loop runs in this thread, and would stand still meanwhile.

    """
    must_not_run("send")
    return asyncio.run(send(message, sender=sender, recipients=recipients, options=options))


class Client:
    """A sender of many messages: between them it keeps connections and what DNS said.

        async with postroad.Client(options) as client:
            for message in messages:
                sent = await client.send(message)

    A connection is used again only for a message whose draw chose that server anyway, so equals stay equal. It rests
    `idle_s` seconds at most: 2 is polite to servers of others, 30 or more is usual with a smarthost of your own. Of
    messages sent at the same time `at_once` are under way, the others wait.

    Raises:
        InputError: an option cannot be used.

    """

    def __init__(self, options: SendOptions | None = None, *, idle_s: float = 2.0, at_once: int = AT_ONCE) -> None:
        for name, value, bounds in (("idle_s", idle_s, _IDLE), ("at_once", at_once, _AT_ONCE)):
            if why := bounds.why_not(value):
                raise OutOfBoundsError(name, why)
        self._options = chosen(options)
        self._idle_s = idle_s
        self._at_once = at_once
        self._places = asyncio.Semaphore(at_once)
        self._mailer: Mailer | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def __aenter__(self) -> Self:
        from postroad.deliver import Pool, ReusePolicy  # noqa: PLC0415  # only where something is sent

        if self._mailer is not None:
            raise RuntimeError("the client is open already; make another one")
        self._loop = asyncio.get_running_loop()
        pool = Pool(ReusePolicy(idle_s=self._idle_s), self._loop.time)
        self._mailer = _mailer(self._options, pool)
        self._places = asyncio.Semaphore(self._at_once)  # of this loop, where a client is opened again in another
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        mailer, self._mailer = self._mailer, None
        if mailer and mailer.pool:
            await mailer.pool.close()

    async def send(
        self,
        message: Content,
        *,
        sender: str | EllipsisType | None = ...,
        recipients: str | Iterable[str] | None = None,
    ) -> Sent:
        """Deliver a message now; everything is as for `postroad.send`. `timeout_s` begins when it has a place.

        Raises:
            InputError: the message, an address or a key cannot be used.
            RuntimeError: outside of `async with`, or in another event loop than that.

        """
        options = self._options
        self._opened()
        built = _built(message, sender, recipients, options)
        async with self._places:
            mailer = self._opened()
            try:
                return await mailer.send(built, options.seed, timeout_s=options.timeout_s, at_once=AT_ONCE)
            finally:
                if self._mailer is not mailer and mailer.pool:  # closed meanwhile: nobody else ends what came back
                    await mailer.pool.close()

    def _opened(self) -> Mailer:
        if self._mailer is None:
            raise RuntimeError("the client is not open; write: async with postroad.Client() as client")
        if asyncio.get_running_loop() is not self._loop:
            raise RuntimeError(
                "the client is open in another event loop, and its connections with it; open one in each"
            )
        return self._mailer


def _built(
    message: Content,
    sender: str | EllipsisType | None,
    recipients: str | Iterable[str] | None,
    options: SendOptions,
) -> Message:
    """The message with its envelope, signed if it is to be."""
    import time  # noqa: PLC0415  # only where something is sent

    from postroad import build  # noqa: PLC0415  # as above

    to = check_given(message, sender, recipients)
    built = build.build_message(message, sender, to, require_tls=options.require_tls)
    if options.dkim_key is None:
        return built
    key = Path(options.dkim_key)
    return build.sign_message(built, key, options.dkim_selector, options.dkim_domain, time.time())


def _harmless(listener: Listener) -> Listener:
    """The same, whatever it raises: mail is under way, and who does not hear its outcome would send it again."""
    if listener is nobody:
        return nobody

    def tell(event: Event) -> None:
        try:
            listener(event)
        except Exception as bug:  # noqa: BLE001  # anything a program may do
            why = {"message": f"The listener of postroad.SendOptions failed at {event.name}", "exception": bug}
            asyncio.get_running_loop().call_exception_handler(why)

    return tell


def _mailer(options: SendOptions, pool: Pool | None = None) -> Mailer:
    """What delivers by these options, in the loop that runs."""
    from postroad import build  # noqa: PLC0415  # as above
    from postroad.routing import StaticHost, StaticRoute  # noqa: PLC0415  # as above

    resolver, in_lab = build.build_resolver(options.zones, options.resolvers), options.port != 25
    authorities = Path(options.authorities) if options.authorities else None
    override = build.build_override(options.demand, options.tls_names)
    hosts = (StaticHost(*options.relay_host),) if options.smarthost else ()
    return build.Mailer(
        resolver,
        replace(build.build_policy(options.procedure, allow_loopback=in_lab), families=tuple(options.families)),
        build.build_own(options.own),
        _settings(options, authorities),
        _harmless(options.listener),
        build.Chooser([StaticRoute("", ("*",), hosts=hosts)], resolver) if hosts else None,
        override_of=lambda _route: override,
        policies=build.process_policies(
            resolver, options.resolvers, authorities, port=options.https_port, allow_loopback=in_lab
        ),
        pool=pool,
    )


def _settings(options: SendOptions, authorities: Path | None) -> DeliverSettings:
    """How it talks to hosts."""
    from postroad import build, dialogue  # noqa: PLC0415  # as above
    from postroad.deliver import DeliverSettings  # noqa: PLC0415  # as above
    from postroad.net import host_name  # noqa: PLC0415  # as above
    from postroad.routing import WalkPolicy  # noqa: PLC0415  # as above

    return DeliverSettings(
        hostname=options.hostname or host_name(),
        port=options.port,
        source=options.sources,
        tls=build.opportunistic_tls(),
        trust=build.trust_of(authorities),
        implicit_tls=options.begins_with_tls,
        # Where TLS comes first there is no "in the clear"
        walk=WalkPolicy(clear_after_tls_failure=not options.begins_with_tls),
        login=dialogue.Credentials(*options.login) if options.login else None,
    )
