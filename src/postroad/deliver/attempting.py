"""One attempt: a message along a Plan. Starts what the Walk says, reports back what happened, records the trail."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass

from postroad.deliver.pool import Pool, door_of
from postroad.deliver.settings import DeliverSettings
from postroad.dialogue import NO_TIME_LEFT, HostError, Message, Session
from postroad.net import NEVER, NetError, NetErrorKind, Stream, connect
from postroad.routing import Connected, Ended, Greeted, Plan, Try, Verdict, Wait, Walk
from postroad.words.light import light
from postroad.words.names import Destination
from postroad.words.outcome import Outcome, Phase, Result, Scope
from postroad.words.tls import Proof
from postroad.words.trace import Event, Listener, nobody
from postroad.words.trail import Attempt, Target


@light(frozen=True, slots=True)
class Job:
    """The input of one attempt: a message for recipients of one destination, and the order drawn for it.

    Nothing of it goes on after `until`, a time of the event loop.
    """

    message: Message
    destination: Destination
    plan: Plan
    seed: int | None = None
    until: float = NEVER


@dataclass(frozen=True, slots=True)
class BegunAttempt:
    """An attempt that began on a kept connection and goes on: its walk, and when it began."""

    walk: Walk
    began: float


async def attempt(
    job: Job,
    settings: DeliverSettings,
    listener: Listener = nobody,
    pool: Pool | None = None,
    greeted: Callable[[float], None] = lambda _now: None,
    begun: BegunAttempt | None = None,
) -> Attempt:
    """Try to deliver once, along the plan. Raises nothing for what the network or a host does.

    With a pool, connections that are left open rest there after. `greeted` is called when a session begins, with
    the time of the event loop.
    Tells `deliver.attempt.started|complete` and, for each contact, `deliver.contact.started|complete`.
    """
    if begun is None:
        now = asyncio.get_running_loop().time()
        begun = BegunAttempt(Walk(job.plan.targets, len(job.message.envelope.recipients), settings.walk, now=now), now)
    return await _Run(job, _Means(settings, listener, pool, greeted), begun).run()


@dataclass(frozen=True, slots=True)
class _Means:
    """What an attempt has to work with."""

    settings: DeliverSettings
    listener: Listener
    pool: Pool | None
    greeted: Callable[[float], None]


class _Run:
    """An attempt while it lasts: one task for each open contact, all in one event loop, so the Walk needs no lock."""

    def __init__(self, job: Job, means: _Means, begun: BegunAttempt) -> None:
        self._job = job
        self._pool = means.pool
        self._settings = means.settings
        self._listener = means.listener
        self._greeted = means.greeted
        self._now = asyncio.get_running_loop().time
        self._begun = begun.began
        self._walk = begun.walk
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._news = asyncio.Event()

    async def run(self) -> Attempt:
        """Walk to the verdict; leaving the task group waits for the winner's QUIT, and raises what is a bug."""
        if self._listener is not nobody:
            facts = {"destination": self._job.destination, "seed": self._job.seed}
            self._listener(Event("deliver.attempt.started", facts))
        async with asyncio.TaskGroup() as group:
            outcomes = (await self._walk_to_the_end(group)).outcomes
        elapsed_ms = (self._now() - self._begun) * 1000.0
        done = Attempt(self._job.destination, outcomes, self._walk.contacts, self._job.seed, elapsed_ms)
        if self._listener is not nobody:
            self._listener(Event("deliver.attempt.complete", {"attempt": done}))
        return done

    async def _walk_to_the_end(self, group: asyncio.TaskGroup) -> Verdict:
        while True:
            match step := self._walk.next(self._now()):
                case Verdict() as verdict:
                    return verdict
                case Try(number=number):
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
        demand = step.target.demand
        if demand.missed:  # a try like any other, in its turn: preference is not bent (RFC 7672 section 2.2.1)
            missed = demand.missed
            outcome = Outcome(missed.result, Scope.HOST, missed.why, missed.status, Phase.POLICY)
            self._end(Ended(step.number, Phase.POLICY, host=outcome, proof=Proof(miss=demand.missed)))
            return
        if self._now() >= self._job.until:
            outcome = Outcome(Result.DEFERRED, Scope.US, NO_TIME_LEFT, "4.4.7", Phase.CONNECT)
            self._end(Ended(step.number, Phase.CONNECT, host=outcome))
            return
        try:
            stream = await self._connect(step.target)
        except NetError as error:
            scope = Scope.US if error.kind is NetErrorKind.LOCAL else Scope.HOST
            is_late = self._now() >= self._job.until
            why, status = (NO_TIME_LEFT, "4.4.7") if is_late else (error.why, "4.4.1")
            outcome = Outcome(Result.DEFERRED, scope, why, status, Phase.CONNECT)
            self._end(Ended(step.number, Phase.CONNECT, host=outcome))
            return
        session = Session(stream, self._settings, step.target.exchange, demand)
        session.allow_until(self._job.until)
        try:
            self._walk.tell(Connected(step.number), self._now())
            await session.greet()
            if self._take_hold(step.number):
                await self._talk(session, step)
                return
        except HostError as error:
            proof, helo = session.proof, session.helo
            told, lost, tls = session.told, error.outcome, session.tls
            self._end(Ended(step.number, error.phase, told, lost, tls, proof=proof, helo=helo))
        except BaseException:
            session.close()
            raise
        session.close()

    async def _connect(self, target: Target) -> Stream:
        limit_s = min(self._settings.timeouts.connect_s, self._job.until - self._now())
        port = target.port or self._settings.port
        source = self._settings.source_for(target.address)
        return await connect(target.address, port, timeout_s=limit_s, source=source)

    async def _talk(self, session: Session, step: Try) -> None:
        await session.hello(clear=step.clear)
        told = await session.deliver(self._job.message, self._walk.recipients(step.number))
        over = session.takes_dsn_over
        proof, helo = session.proof, session.helo
        self._end(Ended(step.number, session.phase, told, tls=session.tls, dsn_over=over, proof=proof, helo=helo))
        if self._pool:
            self._pool.give(door_of(step.target, self._settings), session)
        else:
            await session.quit()

    def _take_hold(self, number: int) -> bool:
        """Whether this contact won the race; if so the others are dropped unused."""
        now = self._now()
        self._walk.tell(Greeted(number), now)
        if self._walk.holder != number:
            return False
        self._greeted(now)
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
