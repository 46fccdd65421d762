"""Takes one message to its hosts: over an idle connection without a task, otherwise along the walk."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from postroad.deliver.attempting import BegunAttempt, Job, attempt
from postroad.deliver.pool import Door, Pool, door_of
from postroad.deliver.settings import DeliverSettings
from postroad.dialogue import HostError, Session
from postroad.routing import Ended, Walk
from postroad.words.outcome import Phase
from postroad.words.trace import Event, Listener, nobody
from postroad.words.trail import Attempt

Greeted = Callable[[float], None]
Done = Callable[[Attempt | BaseException], None]


class _Dispatch:
    """One message on its way: what it is, and who is to hear of it."""

    __slots__ = ("began", "done", "greeted", "job", "settings")

    def __init__(self, job: Job, settings: DeliverSettings, greeted: Greeted, done: Done, began: float) -> None:
        self.job = job
        self.settings = settings
        self.greeted = greeted
        self.done = done
        self.began = began


class Dispatcher:
    """A starter of attempts, each in a task that the drain waits for.

    `spawn` runs a task that the drain waits for; `now` is the clock of the event loop.
    """

    def __init__(
        self, pool: Pool, spawn: Callable[[Coroutine[Any, Any, None]], None], now: Callable[[], float]
    ) -> None:
        self._pool = pool
        self._spawn = spawn
        self._now = now
        self._out: set[Session] = set()

    def start(self, job: Job, settings: DeliverSettings, greeted: Greeted, done: Done) -> None:
        """Attempt it; `done` gets the Attempt, or the bug. `greeted` is called when a session begins, with the time."""
        now = self._now()
        dispatch = _Dispatch(job, settings, greeted, done, now)
        door = door_of(job.plan.targets[0], settings)
        session = self._pool.take(door, job.plan.targets[0].demand)
        if session is None:
            self._spawn(self._walk(dispatch, None))
            return
        greeted(now)
        self._out.add(session)
        recipients = tuple(range(len(job.message.envelope.recipients)))
        session.start(job.message, recipients, partial(self._came_back, dispatch, session, door))

    def stop(self) -> None:
        """Hang up on what is under way."""
        for session in self._out:
            session.close()
        self._out.clear()

    def _came_back(self, dispatch: _Dispatch, session: Session, door: Door, error: BaseException | None) -> None:
        """From a resting connection: mostly that was all, else the walk goes on from there."""
        self._out.discard(session)
        if error is None:
            self._pool.give(door, session)
        else:
            session.close()
            if isinstance(error, asyncio.CancelledError):
                return  # it is given up, by `stop`: as any other, which the next start takes back
            if not isinstance(error, HostError):
                dispatch.done(error)
                return
        reached = _reached(dispatch.job, dispatch.settings, _news(session, error), dispatch.began, self._now())
        if isinstance(reached, Attempt):
            dispatch.done(reached)
        else:
            self._spawn(self._walk(dispatch, reached))

    async def _walk(self, dispatch: _Dispatch, begun: BegunAttempt | None) -> None:
        try:
            done = await attempt(dispatch.job, dispatch.settings, nobody, self._pool, dispatch.greeted, begun)
        except asyncio.CancelledError:
            raise
        except BaseException as bug:  # noqa: BLE001  # whoever waits for the attempt has to hear of it
            dispatch.done(bug)
        else:
            dispatch.done(done)


async def attempt_again(job: Job, settings: DeliverSettings, listener: Listener, pool: Pool) -> Attempt:
    """The same as `attempt`, over a resting connection where there is one, in the task of who asks."""
    now = asyncio.get_running_loop().time
    door, began = door_of(job.plan.targets[0], settings), now()
    session = pool.take(door, job.plan.targets[0].demand)
    if session is None:
        return await attempt(job, settings, listener, pool)
    session.allow_until(job.until)
    lost: HostError | None = None
    try:
        await session.deliver(job.message, tuple(range(len(job.message.envelope.recipients))))
        pool.give(door, session)
    except HostError as error:
        lost = error
        session.close()
    except BaseException:
        session.close()
        raise
    reached = _reached(job, settings, _news(session, lost), began, now())
    if not isinstance(reached, Attempt):
        return await attempt(job, settings, listener, pool, begun=reached)
    listener(Event("deliver.attempt.started", {"destination": job.destination, "seed": job.seed}))
    listener(Event("deliver.contact.complete", {"number": 0, "contact": reached.contacts[0]}))
    listener(Event("deliver.attempt.complete", {"attempt": reached}))
    return reached


def _reached(
    job: Job, settings: DeliverSettings, news: Ended | None, began: float, now: float
) -> Attempt | BegunAttempt | None:
    """Where it stands after a resting connection: mostly that was all; None: as if there had been none."""
    if news is None:
        return None
    recipients = len(job.message.envelope.recipients)
    walk = Walk.resumed(job.plan.targets, recipients, settings.walk, news, began=began, ended=now)
    outcomes = walk.outcomes
    if outcomes:
        return Attempt(job.destination, outcomes, walk.contacts, job.seed, (now - began) * 1000.0)
    return BegunAttempt(walk, began)


def _news(session: Session, lost: HostError | None) -> Ended | None:
    """For the walk. That the host hung up on a connection while it rested says nothing: None."""
    over = session.takes_dsn_over
    if lost is None:
        return Ended(0, session.phase, session.told, None, session.tls, reused=True, dsn_over=over, proof=session.proof)
    if session.is_gone:  # as good as a race lost: the others first, it may be asked again
        return Ended(0, Phase.CONNECT, reused=True)
    if session.phase is Phase.MAIL and not session.told:
        return None
    told, outcome = session.told, lost.outcome
    return Ended(0, session.phase, told, outcome, session.tls, reused=True, dsn_over=over, proof=session.proof)
