"""One attempt: a message along a Plan. Starts what the Walk says, tells it what happened, keeps the trail."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass

from postroad.deliver.pool import Door, Pool
from postroad.deliver.session import HostError, Message, Session
from postroad.deliver.settings import DeliverSettings
from postroad.net import Kind, NetError, Stream, connect
from postroad.routing import Connected, Ended, Greeted, Plan, Try, Verdict, Wait, Walk
from postroad.words.names import Destination
from postroad.words.outcome import Outcome, Phase, Result, Scope
from postroad.words.trace import Event, Listener, nobody
from postroad.words.trail import Attempt, Contact, Target


@dataclass(frozen=True, slots=True)
class Job:
    """What one attempt is about: a message for recipients of one destination, and the order drawn for it."""

    message: Message
    destination: Destination
    plan: Plan
    seed: int | None = None


async def attempt(
    job: Job, settings: DeliverSettings, listener: Listener = nobody, pool: Pool | None = None
) -> Attempt:
    """Try to deliver once, along the plan. Raises nothing for what the network or a host does.

    With a pool, a resting connection to the first address drawn is used, and what is left open rests there after.
    Tells `deliver.attempt.started|complete` and, for each contact, `deliver.contact.started|complete`.
    """
    reused = await _on_resting(job, settings, pool) if pool and job.plan.targets else None
    if reused and listener is nobody and reused.is_delivered:
        return _delivered_at_once(job, reused)
    return await _Run(job, settings, listener, pool).run(reused)


@dataclass(frozen=True, slots=True)
class _Reused:
    """What came of a message on a resting connection to the first address drawn: as a contact that needed no race."""

    session: Session
    began: float
    ended: float
    told: dict[int, Outcome]
    host: Outcome | None = None

    @property
    def is_delivered(self) -> bool:
        return self.host is None and all(outcome.result is Result.DELIVERED for outcome in self.told.values())

    @property
    def news(self) -> Ended:
        """For the walk."""
        session = self.session
        return Ended(0, session.phase, self.told, self.host, session.tls, reused=True, dsn_over=session.takes_dsn_over)


async def _on_resting(job: Job, settings: DeliverSettings, pool: Pool) -> _Reused | None:
    """Use a connection that has rested, if there is one. That the host hung up on it meanwhile says nothing: None."""
    door = Door.of(job.plan.targets[0], settings)
    session = pool.take(door)
    if session is None:
        return None
    now = asyncio.get_running_loop().time
    began = now()
    try:
        told = await session.transaction(job.message, tuple(range(len(job.message.envelope.recipients))))
    except HostError as lost:
        session.close()
        return None if session.phase is Phase.MAIL else _Reused(session, began, now(), session.told, lost.outcome)
    except BaseException:
        session.close()
        raise
    pool.give(door, session)
    return _Reused(session, began, now(), told)


def _delivered_at_once(job: Job, reused: _Reused) -> Attempt:
    """What the walk would say if it were asked. Under load most attempts end so, and a walk costs as much again."""
    outcomes = tuple(reused.told.values())
    ms = (reused.ended - reused.began) * 1000.0
    session = reused.session
    contact = Contact(
        job.plan.targets[0],
        0.0,
        ms,
        session.phase,
        None,
        reused.told,
        session.tls,
        reused=True,
        dsn_over=session.takes_dsn_over,
    )
    return Attempt(job.destination, outcomes, (contact,), job.seed, ms)


class _Run:
    """An attempt while it lasts: one task for each open contact, all in one event loop, so the Walk needs no lock."""

    def __init__(self, job: Job, settings: DeliverSettings, listener: Listener, pool: Pool | None) -> None:
        self._job = job
        self._pool = pool
        self._settings = settings
        self._listener = listener
        self._now = asyncio.get_running_loop().time
        self._begun = self._now()
        recipients = len(job.message.envelope.recipients)
        self._walk = Walk(job.plan.targets, recipients, settings.walk, now=self._begun)
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._news = asyncio.Event()

    async def run(self, reused: _Reused | None) -> Attempt:
        """Walk to the verdict; leaving the task group waits for the winner's QUIT, and raises what is a bug."""
        if self._listener is not nobody:
            facts = {"destination": self._job.destination, "seed": self._job.seed}
            self._listener(Event("deliver.attempt.started", facts))
        if reused:
            self._catch_up(reused)
        async with asyncio.TaskGroup() as group:
            outcomes = (await self._walk_to_the_end(group)).outcomes
            elapsed_ms = (self._now() - self._begun) * 1000.0
        done = Attempt(self._job.destination, outcomes, self._walk.contacts, self._job.seed, elapsed_ms)
        if self._listener is not nobody:
            self._listener(Event("deliver.attempt.complete", {"attempt": done}))
        return done

    def _catch_up(self, reused: _Reused) -> None:
        """Tell the walk of the contact that was made without it."""
        step = self._walk.next(self._begun)
        assert isinstance(step, Try)  # noqa: S101  # there is a target, and nothing has been heard yet
        self._tell_listener("started", step.number)
        self._walk.tell(Connected(step.number), self._begun)
        self._walk.tell(Greeted(step.number), self._begun)
        self._end(reused.news)

    async def _walk_to_the_end(self, group: asyncio.TaskGroup) -> Verdict:
        while True:
            match self._walk.next(self._now()):
                case Verdict() as verdict:
                    return verdict
                case Try(number=number) as step:
                    self._tell_listener("started", number)
                    self._tasks[number] = group.create_task(self._contact(step))
                case Wait(until):
                    await self._wait(until)

    async def _wait(self, until: float | None) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(until):
                await self._news.wait()
        self._news.clear()

    async def _contact(self, step: Try) -> None:
        """One contact, from connecting to QUIT. It tells the walk each step; losing the race cancels it."""
        try:
            stream = await self._connect(step.target)
        except NetError as error:
            scope = Scope.US if error.kind is Kind.LOCAL else Scope.HOST
            outcome = Outcome(Result.DEFERRED, scope, error.why, "4.4.1", Phase.CONNECT)
            self._end(Ended(step.number, Phase.CONNECT, host=outcome))
            return
        session = Session(stream, self._settings, clear=step.clear)
        try:
            self._walk.tell(Connected(step.number), self._now())
            await session.greet()
            if self._take_hold(step.number):
                await self._talk(session, step)
                return
        except HostError as error:
            self._end(Ended(step.number, error.phase, session.told, error.outcome, session.tls))
        except BaseException:
            session.close()
            raise
        session.close()

    async def _connect(self, target: Target) -> Stream:
        limit_s, port = self._settings.timeouts.connect_s, target.port or self._settings.port
        source = self._settings.source_for(target.address)
        return await connect(target.address, port, timeout_s=limit_s, source=source)

    async def _talk(self, session: Session, step: Try) -> None:
        await session.hello(step.target.exchange)
        told = await session.transaction(self._job.message, self._walk.recipients(step.number))
        over = session.takes_dsn_over
        self._end(Ended(step.number, session.phase, told, tls=session.tls, dsn_over=over))
        if self._pool:
            self._pool.give(Door.of(step.target, self._settings), session)
        else:
            await session.quit()

    def _take_hold(self, number: int) -> bool:
        """Whether this contact won the race; if so the others are dropped unused."""
        self._walk.tell(Greeted(number), self._now())
        if self._walk.holder != number:
            return False
        for other in [other for other in self._tasks if other != number]:
            if not self._tasks[other].done():
                self._tasks[other].cancel()
                self._tell_listener("complete", other)
        return True

    def _end(self, news: Ended) -> None:
        self._walk.tell(news, self._now())
        self._tell_listener("complete", news.number)
        self._news.set()

    def _tell_listener(self, what: str, number: int) -> None:
        if self._listener is nobody:
            return
        self._listener(Event(f"deliver.contact.{what}", {"number": number, "contact": self._walk.contacts[number]}))
