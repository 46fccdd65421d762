"""AUTH on one connection: who may log in, and how many failures are allowed."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from postroad.receive.judge import Judge
from postroad.receive.shared import Shared
from postroad.receive.turns import CrowdedError
from postroad.smtp import AuthGiven
from postroad.words.reply import Reply

WELCOME = Reply(235, ("2.7.0 authenticated",))
WRONG = Reply(535, ("5.7.8 wrong user or password",))
LATER = Reply(454, ("4.7.0 too many failed logins, try again in a minute",))
CROWDED = Reply(454, ("4.7.0 too many logins at once, try again later",))
ENOUGH = Reply(421, ("4.7.0 too many failed logins",))


class Login:
    """The judge of AUTH, which counts what was wrong."""

    def __init__(self, shared: Shared, judge: Judge, peer: str) -> None:
        self._shared = shared
        self._judge = judge
        self._peer = peer
        self._now = asyncio.get_running_loop().time
        self._wrong = 0

    async def answer(self, given: AuthGiven) -> Reply:
        """235 if it is the user's password. A guess is paid for before it is looked at, or many at once go free."""
        client = self._judge.client
        try:
            is_right = await self._is_right(given, client.party)
        except CrowdedError:
            return CROWDED
        if is_right is None:
            return LATER
        if not is_right:
            return await self._refuse(given.username, client.party)
        self._judge.know(replace(client, user=given.username))
        return WELCOME

    async def _is_right(self, given: AuthGiven, party: str) -> bool | None:
        """Whether it is right; None where this client may not guess now."""
        shared = self._shared
        users = shared.settings.users
        if given.authorization not in ("", given.username):  # nobody acts for another
            return False if self._pay(party) else None
        if self._may_guess(party) and shared.verifier.remembers(users, given.username, given.password):
            return True
        async with shared.verifications.place(party):
            if not self._pay(party):
                return None
            verifier, user, password = shared.verifier, given.username, given.password
            is_right = verifier.remembers(users, user, password) or await verifier.is_right(users, user, password)
            if is_right:
                shared.auth_failures.give_back(party, self._most, self._now())
            return is_right

    @property
    def _most(self) -> int:
        return self._shared.settings.limits.auth_failures_rate

    def _may_guess(self, party: str) -> bool:
        return self._shared.auth_failures.left(party, self._most, self._now()) >= 1

    def _pay(self, party: str) -> bool:
        return self._shared.auth_failures.spend(party, self._most, self._now())

    async def _refuse(self, user: str, party: str) -> Reply:
        settings = self._shared.settings
        self._shared.auth_failures.failed(party)
        self._wrong += 1
        self._shared.tell("receive.auth.failed", peer=self._peer, user=user)
        await asyncio.sleep(settings.auth_delay_s)
        return ENOUGH if self._wrong >= settings.limits.auth_failures else WRONG
