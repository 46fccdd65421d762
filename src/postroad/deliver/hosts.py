"""What the loop knows of the hosts it delivers to: who is unhealthy, who is probed, and for whom mail waits."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from postroad.deliver.aftermath import Sign, news_of
from postroad.deliver.course import AttemptOrder
from postroad.deliver.outages import Outages
from postroad.deliver.pool import Pool
from postroad.deliver.probe import Changed, Probes
from postroad.deliver.route_cache import DeliveryRoute
from postroad.pace import Health, HealthPolicy
from postroad.words.names import Address
from postroad.words.trail import Attempt, Target


class Hosts:
    """Their health, from attempts and probes. `changed` hears who becomes unhealthy, and healthy again."""

    def __init__(self, policy: HealthPolicy, pool: Pool, now: Callable[[], float], changed: Changed) -> None:
        self.health = Health(policy)
        self.outages = Outages()
        self.probes = Probes(self.health, now, self._changed, self.outages.concerns)
        self.pool = pool
        self._now = now
        self._tell_changed = changed

    def arranged(self, course: AttemptOrder) -> AttemptOrder:
        """The course with the unhealthy hosts last; those are probed, for mail would go there."""
        course = course.arranged(self.health, self._now())
        self.probes.want(course.unhealthy, course.way.settings)
        return course

    def hear(self, done: Attempt, way: DeliveryRoute) -> bool:
        """Learn from an attempt which hosts are unhealthy; whether any had a session with us."""
        met = False
        settings = way.settings
        for sign, target in news_of(done, way.on_reject):
            if sign is Sign.ANSWERS:
                met = True
                if self.health.succeeded(target.address, self._now()):
                    self._changed(target.address, is_healthy=True)
            elif sign is Sign.SUSPECT:
                self.probes.suspect(target, settings)
            else:
                self.probes.failed(target, settings)
                self.pool.drop(target.where)
        return met

    def heard_failed(self, address: Address) -> bool:
        """Another relay says that it failed there; whether it is unhealthy here because of that."""
        is_news = self.health.heard_failed(address, self._now())
        if is_news:
            self._changed(address, is_healthy=False)
        return is_news

    def heard_recovered(self, address: Address) -> bool:
        """Another relay says that it answers again; whether it is healthy here because of that."""
        is_news = self.health.heard_recovered(address, self._now())
        if is_news:
            self._changed(address, is_healthy=True)
        self.probes.look()
        return is_news

    def hasten(self) -> None:
        """Ask those that mail waits for now, not when their penalty ends."""
        self.health.hasten(self._now())
        self.probes.look()

    def unhealthy_of(self, course: AttemptOrder) -> tuple[Target, ...]:
        """Those of its hosts that are unhealthy now."""
        return course.arranged(self.health, self._now()).unhealthy

    def begins_outage(self, course: AttemptOrder) -> bool:
        """None of these hosts answers: whether that is new."""
        return self.outages.begin(course.way.key, (target.address for target in course.unhealthy))

    def is_any_healthy(self, targets: Iterable[Target]) -> bool:
        """Whether one of these is healthy by now."""
        return any(self.health.is_healthy(target.address, self._now()) for target in targets)

    def _changed(self, address: Address, *, is_healthy: bool) -> None:
        if is_healthy:
            self.outages.end(address)
        self._tell_changed(address, is_healthy=is_healthy)
