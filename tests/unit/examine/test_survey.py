"""Probes of the lab's exchangers: what each shows, what goes wrong, and whose fault it may be."""

import asyncio
from ipaddress import ip_address

import pytest

from postroad.dns import parse_zones
from postroad.examine import ProbeSettings, ProbeTarget, Survey
from postroad.lab import Lab, parse_fault
from postroad.lab.certificate import lab_trust
from postroad.words.sessions import Reach

ZONE = "$ORIGIN example.com.\n@ MX 10 a\n@ MX 20 b\na A 127.0.0.11\nb A 127.0.0.12\n"
A, B = ip_address("127.0.0.11"), ip_address("127.0.0.12")
SUBJECTS = (ProbeTarget(A, "a.example.com", "example.com"), ProbeTarget(B, "b.example.com", "example.com"))


def look(faults=None, *, tls=True, subjects=SUBJECTS, **settings):
    """The probes of the lab, and how often each of its exchangers was connected to."""

    async def looked():
        chosen = {address: parse_fault(fault) for address, fault in (faults or {}).items()}
        async with Lab(parse_zones({"zone": ZONE}), faults=chosen, tls=tls) as lab:
            limits = {"greeting_s": 0.3, "reply_s": 1.0, "connect_s": 0.3, "port": lab.port, **settings}
            return await Survey(ProbeSettings("probe.example", **limits)).probe_all(subjects), lab.counts("connected")

    return asyncio.run(looked())


def test_one_connection_shows_greeting_capabilities_and_certificate():
    """A trusted exchanger is connected to once, and says all there is to know."""
    probes, connected = look(trust=lab_trust())
    seen = probes[A]
    assert (True, "quit", "mail.lab.invalid") == (seen.ok, seen.phase, seen.hello)
    assert {"STARTTLS", "SIZE", "PIPELINING"} <= seen.capabilities
    assert seen.tls.startswith("TLSv1.")
    assert (True, ("mail.lab.invalid", "*.lab.invalid")) == (seen.certificate.is_trusted, seen.certificate.names)
    assert {A: 1, B: 1} == connected


def test_a_certificate_that_is_not_trusted_is_read_all_the_same():
    """Names and end of a self-signed certificate are told, with why nobody vouches for it."""
    probes, connected = look()
    shown = probes[A].certificate
    assert (False, "self-signed certificate") == (shown.is_trusted, shown.why_not)
    assert "mail.lab.invalid" in shown.names
    assert 1 == connected[A]


@pytest.mark.parametrize(
    ("fault", "phase", "why"),
    [
        ("refuse", "connect", "connection refused"),
        ("g421", "greeting", "421 4.3.2 The lab says: not now"),
        ("g554", "greeting", "554 5.3.2 The lab says: no mail here"),
        ("close", "ehlo", "the host closed the connection"),
        ("slow:5", "greeting", "timed out after 300 ms"),
    ],
)
def test_how_far_it_got_is_told(fault, phase, why):
    """A session that ends early says where and why; that the other exchanger answers shows it is not our fault."""
    seen = look({"127.0.0.11": fault})[0][A]
    assert (False, phase, why, False) == (seen.ok, seen.phase, seen.why, seen.ours)


def test_a_broken_handshake_is_a_fact():
    """STARTTLS that leads nowhere ends the session in its phase."""
    seen = look({"127.0.0.11": "broken-starttls"})[0][A]
    assert (False, "starttls") == (seen.ok, seen.phase)
    assert seen.why.startswith("TLS handshake failed")


def test_without_starttls_the_session_is_in_the_clear():
    """No STARTTLS, no certificate, and nothing wrong with the session."""
    seen = look({"127.0.0.11": "no-starttls"})[0][A]
    assert (True, None, None) == (seen.ok, seen.tls, seen.certificate)


def test_where_nothing_answers_it_may_be_our_fault():
    """With no exchanger and no control that answers, port 25 may be closed to us."""
    probes, _ = look({"127.0.0.11": "refuse", "127.0.0.12": "refuse"})
    assert [True, True] == [probes[A].ours, probes[B].ours]


def test_a_control_that_answers_clears_us():
    """A control target of the same family that answers: then the exchanger is at fault."""

    async def looked():
        async with Lab(parse_zones({"zone": ZONE}), faults={"127.0.0.11": parse_fault("refuse")}) as lab:
            survey = Survey(ProbeSettings("probe.example", port=lab.port), controls=[B])
            return (await survey.probe_all(SUBJECTS[:1]))[A], survey.reach, lab.counts("connected")[B]

    seen, known, asked = asyncio.run(looked())
    assert (False, Reach(port_25=True), 1) == (seen.ours, known, asked)


def test_domains_that_share_an_exchanger_probe_it_once():
    """In bulk an address is asked once, however many domains name it."""

    async def looked():
        async with Lab(parse_zones({"zone": ZONE})) as lab:
            survey = Survey(ProbeSettings("probe.example", port=lab.port))
            await asyncio.gather(*(survey.probe_all(SUBJECTS) for _ in range(3)))
            return lab.counts("connected")

    assert {A: 1, B: 1} == asyncio.run(looked())


@pytest.mark.parametrize(("fault", "takes"), [("accept", True), ("r550", False), ("r450", None)])
def test_deep_probes_ask_for_recipients_and_send_nothing(fault, takes):
    """Postmaster, a mailbox nobody has, and a stranger's domain are asked for and taken back."""

    async def looked():
        async with Lab(parse_zones({"zone": ZONE}), faults={"127.0.0.11": parse_fault(fault)}) as lab:
            settings = ProbeSettings("probe.example", port=lab.port, deep=True)
            return (await Survey(settings).probe_all(SUBJECTS[:1]))[A], lab.received

    seen, received = asyncio.run(looked())
    assert [takes] * 3 == [seen.takes_postmaster, seen.takes_unknown, seen.takes_strangers]
    assert [] == received
