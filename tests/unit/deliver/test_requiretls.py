"""Mail whose sender requires TLS, or asks for none (RFC 8689): to hosts that can, that cannot, that are broken."""

import asyncio
import email
import email.policy
from dataclasses import replace
from ipaddress import ip_address

import pytest
from tests.support.delivering import CONTENT, POLICY, office

from postroad.build import Mailer, build_message, opportunistic_tls
from postroad.deliver import DeliverSettings, DeliveryRoute, Job, attempt, plan_for
from postroad.deliver.course import draw_course
from postroad.dns import ServerAddress, WireResolver, WireSettings, parse_zones
from postroad.lab import Lab, parse_fault
from postroad.lab.certificate import NAME, lab_trust
from postroad.routing import Exchanger, Level, Plan, Route
from postroad.routing.rules import Source
from postroad.spool import Parcel, StoredMail
from postroad.words.mail import Envelope, TlsWish, parse_mailbox
from postroad.words.outcome import Phase, Result
from postroad.words.tls import Authority, Demand, Miss, TlsFailure, TlsLevel
from postroad.words.trail import Target

ZONE = "$TTL 60\n$ORIGIN example.com.\n@ MX 10 a\n@ MX 20 b\na A 127.0.0.11\nb A 127.0.0.12\n"
VOUCHED, STRANGER = Demand(is_vouched=True), Demand()
ENFORCED = Demand(TlsLevel.PROVEN, Authority.MTA_STS, "the policy is enforced", (NAME,), is_vouched=True)
UNLISTED = Demand(TlsLevel.PROVEN, Authority.MTA_STS, "policy", missed=Miss(TlsFailure.VALIDATION, "a is not listed"))
LOST = Demand(TlsLevel.PROVEN, Authority.DANE, "lost", missed=Miss(TlsFailure.DNSSEC_INVALID, "SERVFAIL", "4.4.3"))
REQUIRED, OPTIONAL = TlsWish.REQUIRED, TlsWish.OPTIONAL
ON, OFF = True, False


def deliver(wish, *demands, requiretls=ON, faults=(), sender="me@example.net", names=(NAME, NAME)):
    """One message with a wish to hosts with these demands, best preference first; the attempt, and what they took."""

    async def main():
        chosen = {f"127.0.0.{11 + place}": parse_fault(fault) for place, fault in enumerate(faults) if fault}
        zones = parse_zones({"zone": ZONE})
        async with Lab(zones, faults=chosen, tls=True, requiretls=requiretls) as lab:
            plan = Plan(
                tuple(
                    Target(names[place], ip_address(f"127.0.0.{11 + place}"), 10 * place, lab.port, demand)
                    for place, demand in enumerate(demands)
                )
            )
            message = build_message(CONTENT, sender, ["ann@example.com"], require_tls=wish is REQUIRED)
            message = replace(message, envelope=replace(message.envelope, tls=wish))
            settings = DeliverSettings(hostname="us.test", tls=opportunistic_tls(), trust=lab_trust())
            done = await attempt(Job(message, "example.com", plan_for(message.envelope, plan)), settings)
            return done, lab.received

    return asyncio.run(main())


def said(done):
    """What became of the recipient: result, status, and where that was said."""
    (outcome,) = done.outcomes
    return outcome.result.value, outcome.status, outcome.phase and outcome.phase.value


@pytest.mark.parametrize("demand", [VOUCHED, ENFORCED])
def test_proven_host_that_offers_requiretls_gets_the_mail_and_the_requirement(demand):
    """Its name is proven though nobody else asks for that, and MAIL says REQUIRETLS."""
    done, (taken,) = deliver(REQUIRED, demand)
    assert (TlsLevel.PROVEN, REQUIRED, True) == (done.contacts[0].proof.level, taken.envelope.tls, bool(taken.tls))


@pytest.mark.parametrize(
    ("demands", "how", "status", "phase", "why"),
    [
        ((VOUCHED,), {"requiretls": OFF}, "5.7.30", "mail", "the host does not offer REQUIRETLS"),
        ((ENFORCED,), {"requiretls": OFF}, "5.7.30", "mail", "the host does not offer REQUIRETLS"),
        ((STRANGER,), {}, "5.7.30", "policy", "neither DNSSEC nor MTA-STS vouches"),
        ((VOUCHED,), {"faults": ["no-starttls"]}, "5.7.10", "starttls", "the host does not start TLS"),
        (
            (VOUCHED,),
            {"faults": ["starttls-expired"]},
            "5.7.10",
            "starttls",
            "the sender requires TLS (REQUIRETLS), but the",
        ),
        ((VOUCHED,), {"names": ["mx.test"]}, "5.7.10", "starttls", "not for mx.test"),
        ((VOUCHED, VOUCHED), {"requiretls": OFF}, "5.7.30", "mail", "REQUIRETLS"),
        ((STRANGER, VOUCHED), {"requiretls": OFF}, "5.7.30", "policy", "REQUIRETLS"),
    ],
)
def test_where_no_host_can_the_mail_fails_at_once_and_nobody_has_seen_it(demands, how, status, phase, why):
    """T10: never in the clear, never to a host that promises nothing (RFC 8689 section 4.2.1)."""
    done, taken = deliver(REQUIRED, *demands, **how)
    assert ((Result.FAILED, status, phase), []) == (said(done), taken)
    assert why in done.outcomes[0].text
    assert len(demands) == len(done.contacts)


@pytest.mark.parametrize(
    ("demands", "faults", "phase"),
    [
        ((VOUCHED,), ["refuse"], "connect"),
        ((VOUCHED,), ["g421"], "greeting"),
        ((VOUCHED,), ["broken-starttls"], "starttls"),
        ((ENFORCED,), ["no-starttls"], "starttls"),  # all mail waits for that
        ((UNLISTED,), [], "policy"),
        ((LOST,), [], "policy"),
        ((STRANGER, VOUCHED), ["", "refuse"], "connect"),  # this one might be able to
        ((VOUCHED, STRANGER), ["refuse"], "connect"),
    ],
)
def test_where_a_host_may_be_able_to_later_the_mail_waits(demands, faults, phase):
    """One that cannot be reached, or whose domain's policy is broken for all mail: deferred, and never in the clear."""
    done, taken = deliver(REQUIRED, *demands, faults=faults)
    (outcome,) = done.outcomes
    assert (Result.DEFERRED, Phase(phase), []) == (outcome.result, outcome.phase, taken)


def test_backup_that_can_gets_the_mail_that_the_best_host_cannot_take():
    """Each of the list is asked, in its order: also behind a permanent no (RFC 8689 section 4.2.1)."""
    for first, faults in ((STRANGER, ()), (VOUCHED, ["no-starttls"]), (VOUCHED, ["refuse"])):
        done, (taken,) = deliver(REQUIRED, first, VOUCHED, faults=faults)
        assert ("127.0.0.12", Result.DELIVERED) == (str(taken.address), done.result)


@pytest.mark.parametrize(
    ("demand", "how", "is_passed_on"),
    [(STRANGER, {}, True), (STRANGER, {"requiretls": OFF}, False), (STRANGER, {"faults": ["no-starttls"]}, False)],
)
def test_bounce_of_such_mail_arrives_all_the_same(demand, how, is_passed_on):
    """With the requirement where the host knows that, without it where not (RFC 8689 section 5)."""
    _, (taken,) = deliver(REQUIRED, demand, sender=None, **how)
    assert (REQUIRED if is_passed_on else None) == taken.envelope.tls


@pytest.mark.parametrize(
    ("demand", "faults", "is_encrypted"),
    [
        (UNLISTED, [], True),
        (LOST, [], True),
        (ENFORCED, ["no-starttls"], False),
        (ENFORCED, ["broken-starttls"], False),
        (ENFORCED, ["starttls-expired"], True),
    ],
)
def test_mail_with_optional_tls_reaches_a_host_that_is_broken(demand, faults, is_encrypted):
    """T10: no failure of DANE or MTA-STS counts, and TLS is used where it can be (RFC 8689 section 4.2.2)."""
    _, (taken,) = deliver(OPTIONAL, demand, faults=faults)
    assert (is_encrypted, None) == (bool(taken.tls), taken.envelope.tls)
    done, nothing = deliver(None, demand, faults=faults)
    assert (Result.DEFERRED, []) == (done.result, nothing)


def test_optional_tls_is_no_match_for_our_own_settings():
    """They are no policy of the recipient's."""
    ours = Demand(TlsLevel.ENCRYPTED, Authority.ROUTE, 'the settings say tls = "encrypt"')
    assert Result.DEFERRED is deliver(OPTIONAL, ours, faults=["no-starttls"])[0].result


def test_order_for_one_message_is_no_other_messages():
    """What is remembered for a route has the demands of the domain, whoever drew it first."""
    route = Route(
        "example.com", Source.MX, (Level(10, (Exchanger(NAME, (ip_address("192.0.2.1"),), demand=ENFORCED),)),)
    )
    way = DeliveryRoute.of(route, POLICY, DeliverSettings(), 60.0)

    def drawn(wish):
        envelope = Envelope(parse_mailbox("me@example.net"), (), tls=wish)
        parcel = Parcel(1, "example.com", StoredMail("m1", envelope, 0.0, 7, 1), 0.0)
        return draw_course(parcel, way, route, 0).plan.targets[0].demand

    assert [TlsLevel.CLEAR, TlsLevel.PROVEN, TlsLevel.CLEAR, TlsLevel.PROVEN] == [
        drawn(wish).level for wish in (OPTIONAL, None, OPTIONAL, REQUIRED)
    ]
    assert ENFORCED == way.plan(route, 0, next(iter(way.plans))[1]).targets[0].demand


def test_report_on_such_mail_arrives_and_says_what_to_do():
    """T10: the mail fails at once, the report has its header only, and goes in the clear if need be."""

    async def main():
        async with office() as it:
            await it.post("ann@example.com", envelope={"tls": REQUIRED, "ret": "FULL"})
            await it.done(2)
            return it.told.named("deliver.parcel.complete")[0]["verdict"], it.lab.received

    lost, (taken,) = asyncio.run(main())
    parts = list(email.message_from_bytes(taken.content, policy=email.policy.default).iter_parts())
    assert ("5.7.30", "text/rfc822-headers") == (lost.failed[0].outcome.status, parts[2].get_content_type())
    assert (False, True) == (b"Hello." in taken.content, "Subject: hello" in parts[2].get_content())
    assert "Send the message again without it" in " ".join(parts[0].get_content().split())
    assert "Status: 5.7.30" in parts[1].as_string()


SIGNED = "$TTL 60\n$ORIGIN example.com.\n@ MX 10 mail.lab.invalid.\n$ORIGIN lab.invalid.\nmail A 127.0.0.11\n"


class Signed:
    """A resolver for whose answers DNSSEC vouches, or not."""

    def __init__(self, resolver, authentic):
        self._resolver = resolver
        self._authentic = authentic

    async def resolve(self, name, kind):
        """As the other one has it."""
        return replace(await self._resolver.resolve(name, kind), authentic=self._authentic)


@pytest.mark.parametrize(("authentic", "status"), [(True, "2.0.0"), (False, "5.7.30")])
def test_message_sent_at_once_requires_tls_too(authentic, status):
    """`postroad send --require-tls` and `postroad.send`: DNSSEC vouches for the exchanger, its certificate for it."""

    async def main():
        async with Lab(parse_zones({"zone": SIGNED}), requiretls=True) as lab:
            host, port = lab.resolver_address
            resolver = WireResolver(WireSettings((ServerAddress(ip_address(host), port),)))
            settings = DeliverSettings(hostname="us.test", tls=opportunistic_tls(), trust=lab_trust(), port=lab.port)
            mailer = Mailer(Signed(resolver, authentic), POLICY, deliver=settings)
            message = build_message(CONTENT, "me@example.net", ["ann@example.com"], require_tls=True)
            return (await mailer.send(message)).outcomes, lab.received

    outcomes, received = asyncio.run(main())
    assert [status] == [outcome.status for outcome in outcomes.values()]
    assert ([REQUIRED] if authentic else []) == [taken.envelope.tls for taken in received]
