"""A course: who is asked, in what order, from what is known now."""

from ipaddress import ip_address

from postroad.deliver.course import AttemptOrder
from postroad.deliver.route_cache import DeliveryRoute
from postroad.deliver.settings import DeliverSettings
from postroad.pace import Health
from postroad.routing import PROCEDURES, Plan, Refusal, Status
from postroad.words.outcome import Result
from postroad.words.trail import Target

ONE, TWO = (Target(f"mx{number}", ip_address(f"192.0.2.{number}"), 10) for number in (1, 2))


def course(health, *targets):
    """A course over these targets, drawn in this order."""
    nowhere = Refusal("example.com", Status.NO_ADDRESS, Result.DEFERRED, "", "")
    way = DeliveryRoute.of(nowhere, PROCEDURES["rfc5321"], DeliverSettings(), 0.0)
    return AttemptOrder(way, 0, Plan(targets), first=targets[0].where).arranged(health, 0.0)


def test_unhealthy_hosts_are_asked_last():
    """The first one asked is one that is well."""
    health = Health()
    health.failed(ONE.address, 0.0)
    arranged = course(health, ONE, TWO)
    assert ((TWO, ONE), (ONE,), TWO.where) == (arranged.plan.targets, arranged.unhealthy, arranged.first)


def test_nobody_is_asked_where_all_are_unhealthy():
    """The course is blocked, and has no first."""
    health = Health()
    health.failed(ONE.address, 0.0)
    arranged = course(health, ONE)
    assert (True, None) == (arranged.is_blocked, arranged.first)
