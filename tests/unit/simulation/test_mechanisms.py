"""What a single program does, each with the fact that was measured."""

from fractions import Fraction
from ipaddress import ip_address

import pytest
from tests.support.forecasts import BACKUP, EQUALS, snapshot

from postroad.models import SENDERS
from postroad.simulation import Case, DnsOrder, forecast
from postroad.simulation.paths import every_way
from postroad.words.facts import HostFacts, Mx, NoData
from postroad.words.faults import Mode
from postroad.words.outcome import Result


def ways(name, facts, **down):
    """The addresses of each way by their last part, and how it ends."""
    modes = {ip_address(f"192.0.2.{key[1:]}"): Mode(mode) for key, mode in down.items()}
    found = every_way(Case(facts, name, down=modes), SENDERS[name])
    return {("".join(str(step.address)[-1] for step in way.steps), way.result.value) for way in found}


def dead(facts):
    """Everything refuses."""
    addresses = [each for host in facts.hosts.values() for answer in (host.a, host.aaaa) for each in _of(answer)]
    return dict.fromkeys(addresses, Mode.REFUSE)


def _of(answer):
    return getattr(answer, "records", ())


@pytest.mark.parametrize(
    ("preferences", "order"),
    [
        ((10, 10, 10), "132"),  # the first in front, the others backwards
        ((10, 10, 20, 20, 30), "12435"),
        ((20, 10, 10, 10), "4321"),  # where the first record is the backup, its equals are all the others
        ((10, 10, 10, 10, 20, 20, 20, 20), "14328765"),
    ],
)
def test_opensmtpd_puts_each_record_behind_the_first(preferences, order):
    """Measured with up to twelve equals and three preferences."""
    facts = snapshot(*((each, f"mx{n}", f"192.0.2.{n}") for n, each in enumerate(preferences, 1)))
    (way,) = every_way(Case(facts, "opensmtpd", down=dead(facts)), SENDERS["opensmtpd"])
    assert order == "".join(str(step.address)[-1] for step in way.steps)
    assert list(range(0, 2 * len(order), 2)) == [step.at_s for step in way.steps]


def test_opensmtpd_has_three_silent_contacts_at_a_time():
    """The fourth waits until the first gives up."""
    facts = snapshot((10, "a", *(f"192.0.2.{n}" for n in range(1, 6))))
    down = dict.fromkeys(map(ip_address, (f"192.0.2.{n}" for n in range(1, 5))), Mode.BLACKHOLE)
    (way,) = every_way(Case(facts, "opensmtpd", down=down), SENDERS["opensmtpd"])
    assert [0, 2, 4, 134, 136] == [step.at_s for step in way.steps]


@pytest.mark.parametrize(
    ("name", "mode", "told"),
    [
        ("postfix", "starttls-454", ("1", "delivered")),
        ("postfix", "starttls-220-close", ("12", "delivered")),
        ("exim", "starttls-220-close", ("11", "delivered")),
        ("exim", "starttls-close", ("12", "delivered")),
        ("haraka", "starttls-454", ("1", "deferred")),
        ("haraka", "starttls-554", ("1", "failed")),
        ("nodemailer-direct", "starttls-454", ("11", "delivered")),
        ("slimta", "starttls-good", ("1", "deferred")),
        ("courier", "starttls-554", ("12", "delivered")),
        ("directmail", "broken-starttls", ("1", "delivered")),
        ("dma-tls", "starttls-close", ("1", "deferred")),
    ],
)
def test_starttls_goes_wrong_in_many_ways(name, mode, told):
    """In clear in the same session, over a new connection, the next exchanger, or never."""
    assert {told} == ways(name, BACKUP, _1=mode)


@pytest.mark.parametrize(
    ("name", "waits_s"),
    [("postfix", 300), ("sendmail", 300), ("haraka", 30), ("opensmtpd", 300), ("nodemailer-direct", 30)],
)
def test_a_greeting_that_never_comes_costs_a_wait(name, waits_s):
    """Then the next exchanger."""
    (way,) = every_way(Case(BACKUP, name, down={ip_address("192.0.2.1"): Mode.MUTE}), SENDERS[name])
    assert (Result.DELIVERED, waits_s) == (way.result, way.steps[-1].at_s)


def test_sendmail_goes_to_the_next_host_where_exim_goes_to_the_next_address():
    """One name, two addresses, the first never greets."""
    facts = snapshot((10, "a", "192.0.2.1", "192.0.2.2"))
    assert {("1", "deferred")} == ways("sendmail", facts, _1="mute")
    assert ("12", "delivered") in ways("exim", facts, _1="mute")


def test_sendmail_keeps_what_was_told_to_wait_anywhere():
    """450 and then 554 for a greeting; with a refusal first the last word counts."""
    assert {("12", "deferred")} == ways("sendmail", BACKUP, _1="r450", _2="g554")
    assert {("12", "failed")} == ways("sendmail", BACKUP, _1="refuse", _2="g554")
    assert {("12", "failed")} == ways("exim", BACKUP, _1="r450", _2="g554")


def test_a_name_met_before_is_dropped_by_sendmail():
    """Postfix asks it once more."""
    facts = snapshot((10, "a", "192.0.2.1"), (20, "a", "192.0.2.1"), (30, "b", "192.0.2.2"))
    assert {("12", "delivered")} == ways("sendmail", facts, _1="refuse")
    assert {("112", "delivered")} == ways("postfix", facts, _1="refuse")


def test_a_race_has_two_ends():
    """What dma makes of a close depends on how packets come; each is as likely."""
    told = forecast(Case(BACKUP, "dma", down={ip_address("192.0.2.1"): Mode.CLOSE}), SENDERS["dma"])
    assert (Fraction(1, 2), Fraction(1, 2)) == (told.outcome[Result.FAILED], told.outcome[Result.DEFERRED])


def test_an_address_for_a_name_returns_the_mail_of_some():
    """Chasquid and Courier bounce though there is a good backup; Postfix connects, Exim passes it over."""
    facts = snapshot((20, "b", "192.0.2.2"))
    records = (Mx(10, "192.0.2.1"), *facts.mx.records)
    facts = type(facts)(facts.domain, type(facts.mx)(records), facts.hosts)
    ends = {name: ways(name, facts) for name in ("chasquid", "courier", "postfix", "exim")}
    assert {"chasquid": {("", "failed")}, "courier": {("", "failed")}} == {k: ends[k] for k in ("chasquid", "courier")}
    assert ({("1", "delivered")}, {("2", "delivered")}) == (ends["postfix"], ends["exim"])


def test_one_name_without_an_address_returns_the_mail_of_dma():
    """The others go to the one that has."""
    hosts = {**EQUALS.hosts, "c": HostFacts(NoData(), NoData())}
    records = (*EQUALS.mx.records, Mx(10, "c"))
    facts = type(EQUALS)(EQUALS.domain, type(EQUALS.mx)(records), hosts)
    assert {("", "failed")} == ways("dma", facts)
    assert "delivered" in {end for _way, end in ways("exim", facts)}


def test_a_new_connection_in_clear_is_a_contact():
    """So an example has as many steps as the forecast counts."""
    told = forecast(
        Case(BACKUP, "exim", DnsOrder.FIXED, {ip_address("192.0.2.1"): Mode.BROKEN_STARTTLS}), SENDERS["exim"]
    )
    assert (2, [2]) == (told.attempts_mean, [len(example.steps) for example in told.examples])


@pytest.mark.parametrize(("name", "waits_s"), [("sendmail", 300), ("postfix", 300), ("haraka", 30), ("opensmtpd", 300)])
@pytest.mark.parametrize("mode", [Mode.MUTE, Mode.BLACKHOLE])
def test_the_last_one_asked_costs_its_wait_too(name, waits_s, mode):
    """An attempt ends when its last server is given up, not when it is asked."""
    sender, facts = SENDERS[name], snapshot((10, "a", "192.0.2.1"))
    told = forecast(Case(facts, name, down={ip_address("192.0.2.1"): mode}), sender)
    lasts_s = waits_s if mode is Mode.MUTE else sender.waits.connect_s
    assert (lasts_s, lasts_s) == (told.delay_mean_s, told.delay_worst_s)
