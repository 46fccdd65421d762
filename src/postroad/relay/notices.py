"""What the settings come to while a relay runs, and people should hear: DANE is off, an exception has had its day."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import date
from typing import TYPE_CHECKING

from postroad.config import past_exceptions
from postroad.relay.settings import why_no_dane
from postroad.words.trace import Event, Listener

if TYPE_CHECKING:
    from postroad.config import Config
    from postroad.dns import Resolver

LOOK_S = 600.0
"""Between two looks at the calendar: somebody may set the clock, and machines sleep."""


class Notices:
    """Tells each thing once, and again when it has changed: `begin`, `reload` with other settings, `close`."""

    def __init__(
        self,
        tell: Listener,
        today: Callable[[], date] = date.today,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._tell = tell
        self._today = today
        self._sleep = sleep
        self._dane_off = ""
        self._stuck: tuple[str, ...] = ()
        self._over: list[str] = []
        self._tasks: list[asyncio.Task[None]] = []

    def begin(self, config: Config, resolver: Resolver) -> None:
        """Look from now on at what these settings say."""
        work = (self._probe(config, resolver), self._watch(config))
        self._tasks = [asyncio.create_task(each) for each in work]

    def reload(self, config: Config, resolver: Resolver) -> None:
        """Look at others from now on."""
        self.close()
        self.begin(config, resolver)

    def close(self) -> None:
        """Look no more."""
        for task in self._tasks:
            task.cancel()

    async def _probe(self, config: Config, resolver: Resolver) -> None:
        """That mail is sent without DANE is no trouble, but whoever believes it verified should know."""
        why = await why_no_dane(config, resolver)
        if why is None:
            return
        if why != self._dane_off:
            self._tell(Event("relay.dane.off", {"why": why.removeprefix("DANE is off: ")}) if why else _DANE_ON)
        stuck = config.dane_only_keys if why else ()
        for key in stuck:
            if key not in self._stuck:
                self._tell(Event("relay.dane.missing", {"key": key, "why": _STUCK}))
        self._dane_off, self._stuck = why, tuple(stuck)

    async def _watch(self, config: Config) -> None:
        """An exception goes on after its day, as nobody else is there to end it: mail may depend on it."""
        while any(route.until for route in config.route):
            over = list(past_exceptions(config, self._today()))
            for sentence in over:
                if sentence not in self._over:
                    self._tell(Event("relay.exception.over", {"why": sentence}))
            self._over = over
            await self._sleep(LOOK_S)


_DANE_ON = Event("relay.dane.on", {})
_STUCK = 'no mail leaves by "dane-only", and all of it is returned at retry.expiry; write "dane"'
