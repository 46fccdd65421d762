"""AUTH on one connection: who may log in, and how many failures are allowed."""

from __future__ import annotations

import asyncio

from postroad.receive.policy import Peer
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

    def __init__(self, desk: Shared) -> None:
        self._desk = desk
        self._now = asyncio.get_running_loop().time
        self._wrong = 0

    async def answer(self, given: AuthGiven, client: Peer, peer: str) -> Reply:
        """235 if it is the user's password. A guess is paid for before it is looked at, or many at once go free."""
        try:
            is_right = await self._is_right(given, client.party)
        except CrowdedError:
            return CROWDED
        if is_right is None:
            return LATER
        return WELCOME if is_right else await self._refuse(given.username, peer)

    async def _is_right(self, given: AuthGiven, party: str) -> bool | None:
        """Whether it is right; None where this client may not guess now."""
        desk = self._desk
        users = desk.settings.users
        if given.authorization not in ("", given.username):  # nobody acts for another
            return False if self._pay(party) else None
        if self._may_guess(party) and desk.verifier.remembers(users, given.username, given.password):
            return True
        async with desk.verifications.place(party):
            if not self._pay(party):
                return None
            is_right = desk.verifier.remembers(users, given.username, given.password) or await desk.verifier.is_right(
                users, given.username, given.password
            )
            if is_right:
                desk.auth_failures.give_back(party, self._most, self._now())
            return is_right

    @property
    def _most(self) -> int:
        return self._desk.settings.limits.auth_failures_rate

    def _may_guess(self, party: str) -> bool:
        return self._desk.auth_failures.left(party, self._most, self._now()) >= 1

    def _pay(self, party: str) -> bool:
        return self._desk.auth_failures.spend(party, self._most, self._now())

    async def _refuse(self, user: str, peer: str) -> Reply:
        settings = self._desk.settings
        self._wrong += 1
        self._desk.tell("receive.auth.failed", peer=peer, user=user)
        await asyncio.sleep(settings.auth_delay_s)
        return ENOUGH if self._wrong >= settings.limits.auth_failures else WRONG
