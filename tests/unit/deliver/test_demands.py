"""What TLS has to prove, on the way: a host that cannot is a try that is refused, and preference is never bent."""

import asyncio
from dataclasses import replace
from ipaddress import ip_address

import pytest

from postroad.build import build_message, opportunistic_tls
from postroad.deliver import DeliverSettings, Job, ReusePolicy, attempt
from postroad.deliver.aftermath import news_of
from postroad.deliver.dispatcher import Dispatcher
from postroad.deliver.pool import Pool
from postroad.dns import parse_zones
from postroad.lab import Lab, parse_fault
from postroad.lab.certificate import NAME, lab_trust
from postroad.routing import Plan
from postroad.words.outcome import Phase, Result
from postroad.words.tls import OPPORTUNISTIC, Authority, Demand, Miss, TlsFailure, TlsLevel
from postroad.words.trail import Target

ZONE = "$ORIGIN example.com.\n@ MX 10 a\n@ MX 20 b\na A 127.0.0.11\nb A 127.0.0.12\n"
CONTENT = b"Subject: x\r\n\r\nhello\r\n"
MISSED = Demand(TlsLevel.PROVEN, Authority.MTA_STS, "policy", missed=Miss(TlsFailure.VALIDATION, "a is not listed"))
ENCRYPTED = Demand(TlsLevel.ENCRYPTED, Authority.ROUTE, "the settings say so")
NAMED = Demand(TlsLevel.PROVEN, Authority.MTA_STS, "the policy is enforced", (NAME,))
OTHER = replace(NAMED, names=("other.test",))
WATCHED = Demand(by=Authority.MTA_STS, why="testing", watched=OTHER)


def deliver(*demands, faults=(), tls=True):
    """One message to hosts with these demands, best preference first; the attempt, and who was connected to."""

    async def main():
        chosen = {f"127.0.0.{11 + place}": parse_fault(fault) for place, fault in enumerate(faults) if fault}
        async with Lab(parse_zones({"zone": ZONE}), faults=chosen, tls=tls) as lab:
            targets = tuple(
                Target("abc"[place], ip_address(f"127.0.0.{11 + place}"), 10 * place, lab.port, demand)
                for place, demand in enumerate(demands)
            )
            settings = DeliverSettings(hostname="us.test", tls=opportunistic_tls(), trust=lab_trust())
            message = build_message(CONTENT, "me@example.net", ["ann@example.com"])
            return await attempt(Job(message, "example.com", Plan(targets)), settings), lab.counts("connected")

    done, connected = asyncio.run(main())
    return done, [str(address)[-1] for address, count in connected.items() if count]


def contacts(done):
    """Whom it asked, how that ended and where."""
    return [(each.target.exchange, each.word, each.phase.value) for each in done.contacts]


def test_host_that_cannot_meet_its_demand_is_passed_over_in_its_turn():
    """The backup takes the mail; nobody connected to the first, and nothing is known of its health."""
    done, connected = deliver(MISSED, NAMED)
    assert [("a", "deferred", "policy"), ("b", "delivered", "dot")] == contacts(done)
    assert (["2"], ["b"]) == (connected, [target.exchange for _, target in news_of(done)])


def test_last_host_that_cannot_meet_its_demand_leaves_the_mail_deferred():
    """Never failed, never in the clear; the sentence says which policy."""
    done, connected = deliver(MISSED)
    (outcome,) = done.outcomes
    assert (Result.DEFERRED, "4.7.5", "a is not listed", []) == (
        outcome.result,
        outcome.status,
        outcome.text,
        connected,
    )


@pytest.mark.parametrize(
    ("demand", "fault", "status", "why"),
    [
        (ENCRYPTED, "no-starttls", "4.7.4", "the settings say so, but the host does not start TLS"),
        (NAMED, "no-starttls", "4.7.4", "the policy is enforced, but the host does not start TLS"),
        (ENCRYPTED, "broken-starttls", "4.7.5", "the settings say so, but TLS handshake failed"),
        (NAMED, "broken-starttls", "4.7.5", "the policy is enforced, but TLS handshake failed"),
        (NAMED, "tls-mismatch", "4.7.5", "is for elsewhere.invalid, not for mail.lab.invalid"),
        (OTHER, "", "4.7.5", "is for mail.lab.invalid, *.lab.invalid, not for other.test"),
    ],
)
def test_what_is_demanded_is_never_followed_by_an_attempt_in_the_clear(demand, fault, status, why):
    """One contact, no recipient named, and the mail waits."""
    done, _ = deliver(demand, faults=[fault])
    (contact,), (outcome,) = done.contacts, done.outcomes
    assert (Phase.STARTTLS, Result.DEFERRED, status, True) == (
        contact.phase,
        outcome.result,
        outcome.status,
        why in outcome.text,
    )
    assert contact.proof.miss is not None


def test_host_that_proves_its_name_gets_the_mail():
    """The trail says how."""
    (contact,) = deliver(NAMED)[0].contacts
    assert ("delivered", TlsLevel.PROVEN, None) == (contact.word, contact.proof.level, contact.proof.miss)


@pytest.mark.parametrize(
    ("fault", "trail", "failure"),
    [
        ("", [("a", "delivered", "dot")], TlsFailure.HOST_MISMATCH),
        ("no-starttls", [("a", "delivered", "dot")], TlsFailure.STARTTLS_NOT_SUPPORTED),
        ("broken-starttls", [("a", "deferred", "starttls"), ("a", "delivered", "dot")], TlsFailure.VALIDATION),
    ],
)
def test_policy_in_testing_costs_no_mail(fault, trail, failure):
    """What it would have refused is on record, for its report."""
    done, _ = deliver(WATCHED, faults=[fault])
    assert (trail, failure) == (contacts(done), done.contacts[0].proof.miss.failure)


def test_route_that_says_off_leaves_starttls_alone():
    """Though the host offers it."""
    (contact,) = deliver(Demand(uses_tls=False))[0].contacts
    assert ("delivered", None) == (contact.word, contact.tls)


def test_message_is_on_its_way_before_tls_is_judged_for_nobody():
    """A host that proves too little is told no sender and no recipient."""

    async def main():
        async with Lab(parse_zones({"zone": ZONE}), tls=True) as lab:
            target = Target("a", ip_address("127.0.0.11"), 10, lab.port, OTHER)
            settings = DeliverSettings(hostname="us.test", tls=opportunistic_tls(), trust=lab_trust())
            message = build_message(CONTENT, "me@example.net", ["ann@example.com"])
            await attempt(Job(message, "example.com", Plan((target,))), settings)
            return sum(lab.counts("rcpt").values())

    assert 0 == asyncio.run(main())


def test_two_domains_of_one_host_share_only_what_is_good_enough_for_both():
    """A connection nobody proved is not used for the domain with a policy, and is still there for the other one."""

    async def main():
        loop = asyncio.get_running_loop()
        async with Lab(parse_zones({"zone": ZONE}), tls=True) as lab, asyncio.TaskGroup() as group:
            settings = DeliverSettings(hostname="us.test", tls=opportunistic_tls(), trust=lab_trust())
            pool = Pool(ReusePolicy(), loop.time)
            dispatcher = Dispatcher(pool, group.create_task, loop.time)

            async def send(demand):
                target = Target("a", ip_address("127.0.0.11"), 10, lab.port, demand)
                message = build_message(CONTENT, "me@example.net", ["ann@example.com"])
                done = loop.create_future()
                dispatcher.start(
                    Job(message, "example.com", Plan((target,))), settings, lambda _now: None, done.set_result
                )
                (contact,) = (await done).contacts
                return contact.reused, contact.proof.level

            sent = [await send(demand) for demand in (OPPORTUNISTIC, NAMED, OPPORTUNISTIC, NAMED, NAMED, OTHER)]
            await pool.close()
            return sent, sum(lab.counts("connected").values())

    encrypted, proven = (False, TlsLevel.ENCRYPTED), (False, TlsLevel.PROVEN)
    again = (True, TlsLevel.PROVEN)
    sent, connections = asyncio.run(main())
    # The youngest connection that is good enough: for mail without a policy that may well be the proven one
    assert ([encrypted, proven, again, again, again, encrypted], 3) == (sent, connections)
