"""The MTA-STS policy of each domain that mail goes to: asked for, kept, refreshed (RFC 8461 sections 3.3 and 5.1)."""

from __future__ import annotations

import asyncio
import contextlib
import traceback
from collections.abc import Callable, Collection, Coroutine, Iterable, Iterator, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from postroad.dns import Resolver
from postroad.gather.sts import Fetch, StsFetched, gather_sts_policy, gather_sts_record
from postroad.spool import Learned, Lesson, SpoolError
from postroad.tls import StsCache, StsFailed, StsKept, StsRecord, StsSettings, read_kept
from postroad.words.facts import Bogus, Temporary
from postroad.words.names import AddressLiteral, Destination
from postroad.words.phrasebook import moment, seconds
from postroad.words.policies import StsKnown
from postroad.words.tls import TlsFailure
from postroad.words.trace import Event, Listener, nobody

KIND = "mta-sts"  # of the lessons in a spool
SOON_S = 5.0
"""How long an answer is remembered that may be another one in a moment."""

MOST_FETCHES = 32
MOST_ASKING = 1000
REFRESHES = 8  # at once
LOOK_S = 600.0
"""Between two looks at what is due for a refresh, give or take half."""

DRIFT_S = 60.0
"""So far from the time that has passed, the clock was set."""


@dataclass(frozen=True, slots=True)
class StsWorld:
    """What policies need of the world.

    `wall` is the time that people set, `steady` one that nobody does, in seconds since whenever; it goes on while the
    machine sleeps. `rng` makes refreshes unpredictable.
    """

    fetch_by: Fetch
    store: Learned
    wall: Callable[[], float]
    steady: Callable[[], float]
    rng: Random
    tell: Listener = nobody


class StsPolicies:
    """The policies of all domains: `known` finds one, `run` refreshes them, `close` ends it.

    What was fetched is kept in a store and holds for its max_age, whatever DNS and HTTPS say meanwhile. A store in
    trouble keeps nothing, and mail goes on. Where others `share` the store, what they have fetched holds here as well.
    """

    def __init__(self, resolver: Resolver, world: StsWorld, settings: StsSettings | None = None) -> None:
        self._resolver = resolver
        self._world = world
        self._fetch_by = world.fetch_by
        self._settings = settings or StsSettings()
        self._cache = StsCache(world.rng)
        self._shelf = _Shelf(world.store, world.tell)
        self._room = asyncio.Semaphore(MOST_FETCHES)
        self._asking: dict[str, _Asking] = {}
        self._offset = world.wall() - world.steady()

    def reload(self, resolver: Resolver, fetch_by: Fetch, settings: StsSettings) -> None:
        """Go on with other settings."""
        self._resolver, self._fetch_by, self._settings = resolver, fetch_by, settings

    def share(self, *, is_alone: bool) -> None:
        """Whether nobody else learns policies into the same store."""
        self._shelf.is_shared = not is_alone

    async def known(self, destination: Destination, budget_s: float | None = None) -> StsKnown:
        """The policy that mail to a destination is under now; its name is the policy domain (RFC 8461 section 3.4).

        Waits for the budget at most. What takes longer goes on, and later mail has it.
        """
        if not self._settings.is_on:
            return StsKnown(why="MTA-STS is turned off in the settings")
        if isinstance(destination, AddressLiteral):
            return StsKnown(why="an address has no MTA-STS policy")
        asking = self._asking.get(destination)
        if asking is None:
            if len(self._asking) >= MOST_ASKING:
                return self._meanwhile(destination, "too many policies are being looked for at this moment")
            asking = self._begin(destination, self._find(destination))
        budget_s = self._settings.budget_s if budget_s is None else budget_s
        try:
            # Counted from when somebody asked first: a web server that hangs holds up one message, not each
            async with asyncio.timeout(asking.began_at + budget_s - self._world.steady()):
                return await asyncio.shield(asking.task)
        except TimeoutError:
            return self._meanwhile(destination, f"its policy was not found within {seconds(budget_s)}")

    async def refresh(self) -> None:
        """Fetch anew what is due for it, forget what is over, and keep what could not be kept before."""
        await self._load()
        now = self._now()
        self._shelf.forget(self._cache.forget_over(now), now)
        self._shelf.catch_up()
        due = (each for each in self._cache.due(now) if each[0] not in self._asking)
        await asyncio.gather(*(self._refresh_all(due) for _ in range(REFRESHES)))

    async def run(self) -> None:
        """Refresh again and again, at times that nobody can foretell (RFC 8461 section 10.2)."""
        while True:
            try:
                if self._settings.is_on:
                    await self.refresh()
            except Exception as bug:  # noqa: BLE001  # this ends with the relay, and must not end it
                self._caught(bug)
            await asyncio.sleep(LOOK_S * self._world.rng.uniform(0.5, 1.5))

    async def close(self) -> None:
        """End what is under way."""
        tasks = [asking.task for asking in self._asking.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._shelf.close()

    def _begin(self, domain: str, work: Coroutine[Any, Any, StsKnown]) -> _Asking:
        """Work on one domain: there is one task for all who want it."""
        asking = self._asking[domain] = _Asking(asyncio.create_task(work), self._world.steady())
        asking.task.add_done_callback(lambda _: self._asking.pop(domain))
        return asking

    async def _find(self, domain: str) -> StsKnown:
        await self._load()
        record = await gather_sts_record(domain, self._resolver)
        if not self._cache.is_sure(domain, record.id if isinstance(record, StsRecord) else None, self._now()):
            await self._hear_others(domain)
        now = self._now()
        if used := self._cache.use(domain, now):
            self._shelf.learn({domain: used}, now)
        kept = self._cache.find(domain, now)
        if not isinstance(record, StsRecord) or not record.is_usable:
            return _of_no_record(domain, record, kept, now)
        if kept and kept.id == record.id:
            return _of(kept, now)
        failed = self._cache.failed(domain, record.id, now)
        if failed:
            return _of_failure(failed, kept, now)
        return await self._survived(domain, record.id, self._fetch(domain, record.id))

    async def _refresh_all(self, due: Iterator[tuple[str, StsKept]]) -> None:
        for domain, kept in due:
            if domain not in self._asking:
                await self._begin(domain, self._survived(domain, kept.id, self._refreshed(domain, kept))).task

    async def _survived(self, domain: str, id_: str, work: Coroutine[Any, Any, StsKnown]) -> StsKnown:
        """What work on one domain gives. A bug that its documents bring out is a failure like any other."""
        try:
            return await work
        except Exception as bug:  # noqa: BLE001  # a stranger's policy must never be in the way of other domains' mail
            self._caught(bug, domain)
        told = StsFetched(why_not=f"internal error with the policy of {domain}", failure=TlsFailure.STS_FETCH)
        return self._failed(domain, id_, told, self._cache.find(domain, self._now()))

    async def _refreshed(self, domain: str, kept: StsKept) -> StsKnown:
        """Fetch a policy anew, whatever DNS says: who can forge its answers must not make us forget the policy."""
        record = await gather_sts_record(domain, self._resolver)
        id_ = record.id if isinstance(record, StsRecord) and record.is_usable else kept.id
        if (newer := await self._hear_others(domain)) and newer.id == id_:
            return _of(newer, self._now())
        return await self._fetch(domain, id_, kept)

    async def _hear_others(self, domain: str) -> StsKept | None:
        """Take the policy that another relay has fetched since ours was, if there is one."""
        theirs = await self._shelf.look(domain)
        now = self._now()
        if theirs is None or not self._cache.is_news(domain, theirs, now):
            return None
        self._cache.keep(domain, theirs, now)
        return theirs

    async def _fetch(self, domain: str, id_: str, refreshed: StsKept | None = None) -> StsKnown:
        async with self._room:
            told = await gather_sts_policy(domain, self._resolver, self._fetch_by)
        now = self._now()
        before = self._cache.find(domain, now)
        if told.policy is None:
            return self._failed(domain, id_, told, before)
        kept = StsKept(id_, told.policy, now, refreshed.used_at if refreshed else now)
        self._shelf.forget(self._cache.keep(domain, kept, now), now)
        self._shelf.learn({domain: kept}, now)
        if before is None or (before.id, before.policy) != (kept.id, kept.policy):
            it = kept.policy
            facts = {"domain": domain, "id": id_, "mode": it.mode, "mx": list(it.mx), "max_age_s": it.max_age_s}
            self._world.tell(Event("gather.sts.complete", facts))
        return _of(kept, now)

    def _failed(self, domain: str, id_: str, told: StsFetched, kept: StsKept | None) -> StsKnown:
        now = self._now()
        failed = StsFailed(id_, now, told.why_not, told.failure, now)
        is_withdrawn = kept is not None and kept.policy.mode == "none"  # RFC 8461 section 3.3: nobody need know
        if self._cache.fail(domain, failed) and not is_withdrawn:
            facts = {"domain": domain, "id": id_, "failure": told.failure, "why": told.why_not}
            facts |= {"mode": kept.policy.mode, "until": moment(kept.ends_at)} if kept else {}
            self._world.tell(Event("gather.sts.failed", facts))
        return _of_failure(failed, kept, now)

    def _caught(self, bug: Exception, domain: str | None = None) -> None:
        trace = "".join(traceback.format_exception(bug)[-5:])
        self._world.tell(Event("gather.sts.broken", {"domain": domain, "error": repr(bug), "trace": trace}))

    def _meanwhile(self, domain: str, why: str) -> StsKnown:
        now = self._now()
        kept = self._cache.find(domain, now)
        if kept:
            return _of(kept, now, f"{why}; {_still(kept)}", life_s=SOON_S)
        return StsKnown(why=f"{why}: mail goes as without one, and later mail may have it", life_s=SOON_S)

    async def _load(self) -> None:
        now = self._now()
        self._cache.load(await self._shelf.load(), now)

    def _now(self) -> float:
        """The time by a clock that nobody sets; if somebody has set the other one, the times of policies go along."""
        now, wall = self._world.steady() + self._offset, self._world.wall()
        if abs(wall - now) <= DRIFT_S:
            return now
        self._offset += wall - now
        self._shelf.learn(dict(self._cache.clock_set(wall - now, wall)), wall)
        return wall


@dataclass(frozen=True, slots=True)
class _Asking:
    """What is under way for one domain, and since when by the steady clock."""

    task: asyncio.Task[StsKnown]
    began_at: float


class _Shelf:
    """The policies in a store: read once, written in the background; what could not be written is tried again."""

    def __init__(self, store: Learned, tell: Listener) -> None:
        self._store = store
        self._tell = tell
        self.is_shared = False
        self._loading: asyncio.Task[Mapping[str, StsKept]] | None = None
        self._is_loaded = False
        self._is_in_trouble = False
        self._in_order = asyncio.Lock()  # calls made at the same time have no order in a spool
        self._unwritten: dict[str, Lesson] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def load(self) -> Iterable[tuple[str, StsKept]]:
        """What the store has, the first time that it can say so."""
        if self._is_loaded:
            return ()
        self._loading = self._loading or asyncio.create_task(self._read())
        return (await asyncio.shield(self._loading)).items()

    def learn(self, kept: Mapping[str, StsKept], now: float) -> None:
        """Keep these."""
        self._unwritten |= {domain: Lesson(KIND, domain, one.text, at=now) for domain, one in kept.items()}
        self.catch_up()

    def catch_up(self) -> None:
        """Write what is not written, or could not be before."""
        if self._unwritten:
            self._spawn(self._write())

    async def look(self, domain: str) -> StsKept | None:
        """What the store has of a domain now, where others write to it as well."""
        if not self.is_shared:
            return None
        try:
            found = await self._store.recall(KIND, domain)
        except SpoolError as trouble:
            self._hear(trouble)
            return None
        return next((read_kept(lesson.text) for lesson in found if lesson.key == domain), None)

    def forget(self, domains: Collection[str], now: float) -> None:
        """Keep these no more, but for what another relay has there that holds.

        What is not forgotten now is at the next start.
        """
        for domain in domains:
            self._unwritten.pop(domain, None)
        if domains:
            self._spawn(self._forget(domains, now))

    async def close(self) -> None:
        """Let what is being written be written."""
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _read(self) -> Mapping[str, StsKept]:
        try:
            found = {lesson.key: read_kept(lesson.text) for lesson in await self._store.recall(KIND)}
        except SpoolError as trouble:
            self._hear(trouble)
            return {}
        finally:
            self._loading = None
        self._is_loaded = True
        self.forget([domain for domain, kept in found.items() if kept is None], 0.0)
        return {domain: kept for domain, kept in found.items() if kept}

    async def _write(self) -> None:
        async with self._in_order:
            lessons = dict(self._unwritten)
            try:
                await self._store.learn(lessons.values())
            except SpoolError as trouble:
                self._hear(trouble)
                return
        self._is_in_trouble = False
        for domain, lesson in lessons.items():
            if self._unwritten.get(domain) is lesson:
                del self._unwritten[domain]

    async def _forget(self, domains: Collection[str], now: float) -> None:
        async with self._in_order:
            theirs = {domain: await self.look(domain) for domain in domains} if self.is_shared else {}
            over = [domain for domain in domains if not ((kept := theirs.get(domain)) and kept.holds(now))]
            with contextlib.suppress(SpoolError):
                await self._store.forget(KIND, over)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _hear(self, trouble: SpoolError) -> None:
        """Say it once, until all is well again."""
        if not self._is_in_trouble:
            self._is_in_trouble = True
            self._tell(Event("gather.store.failed", {"why": trouble.why}))


def _of(kept: StsKept, now: float, why: str = "", life_s: float = float("inf")) -> StsKnown:
    """What is known by a policy that holds."""
    return StsKnown(kept.policy, kept.id, kept.fetched_at, why, life_s=min(life_s, kept.ends_at - now))


def _of_no_record(
    domain: str, record: StsRecord | Temporary | Bogus | None, kept: StsKept | None, now: float
) -> StsKnown:
    """What is known where DNS announces no policy: it may be withdrawn, or somebody may want us to think so."""
    life_s = float("inf")
    if record is None:
        why = f"{domain} publishes no MTA-STS record"
    elif isinstance(record, StsRecord):
        fault = next(each for each in record.faults if each.is_fatal)
        why = f"the MTA-STS record of {domain} cannot be used: {fault}"
    else:
        why, life_s = f"the MTA-STS record of {domain} cannot be looked up: {record.why}", SOON_S
    return _of(kept, now, f"{why}; {_still(kept)}", life_s) if kept else StsKnown(why=why, life_s=life_s)


def _of_failure(failed: StsFailed, kept: StsKept | None, now: float) -> StsKnown:
    """What is known after a fetch that failed."""
    if kept is None:  # RFC 8461 section 3.3: "as though the domain has not implemented MTA-STS"
        return StsKnown(why=f"{failed.why}: mail goes as without a policy", failure=failed.failure)
    known = _of(kept, now, f"{failed.why}; {_still(kept)}")
    return StsKnown(known.policy, known.id, known.fetched_at, known.why, failed.failure, known.life_s)


def _still(kept: StsKept) -> str:
    return f"the policy fetched on {moment(kept.fetched_at)} still holds"
