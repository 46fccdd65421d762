"""Exchangers of a lab by any name that tells them apart."""

import threading

import pytest
from tests.unit.lab.test_lab import zones

from postroad.lab import Fault, Lab, Mode, NoExchangerError
from postroad.lab.pytest_plugin import RunningLab
from postroad.net import NetError

ZONE = """
$ORIGIN example.com.
@      MX 10 mail1
@      MX 20 mail2
mail1  A 192.0.2.11
mail2  A 127.0.0.12
mail2  A 127.0.0.13
here   CNAME mail1
$ORIGIN example.net.
mail2  A 127.0.0.22
mail3  A 127.0.0.23
"""
FOUND = {
    "mail1": "127.0.2.11",
    "MAIL1.Example.com.": "127.0.2.11",
    "here": "127.0.2.11",
    "192.0.2.11": "127.0.2.11",
    "127.0.2.11": "127.0.2.11",
    "mail2.example.com": "127.0.0.12 127.0.0.13",
    "mail2.example.net": "127.0.0.22",
    "mail3": "127.0.0.23",
    "all": "127.0.2.11 127.0.0.12 127.0.0.13 127.0.0.22 127.0.0.23",
}
THERE = (
    "there are mail1.example.com (192.0.2.11), mail2.example.com (127.0.0.12), mail2.example.com (127.0.0.13), "
    "mail2.example.net (127.0.0.22), mail3.example.net (127.0.0.23)"
)
NOT_FOUND = {
    "mail2": "mail2 may be mail2.example.com or mail2.example.net; write more of the name, or the address",
    "mial3": f"no exchanger of this lab is at mial3; did you mean mail3 or mail2? {THERE}",
    "127.0.0.99": f"no exchanger of this lab is at 127.0.0.99; {THERE}",
    "": f"no exchanger of this lab is at ; {THERE}",
}


def test_a_name_leads_to_its_addresses_or_the_error_names_those_there_are():
    """By as many labels as tell it apart, by an alias, by either address; nothing is guessed."""
    lab = Lab(zones(ZONE))
    assert FOUND == {name: " ".join(str(each.address) for each in lab.those(name)) for name in FOUND}
    told = {}
    for name in NOT_FOUND:
        with pytest.raises(NoExchangerError) as problem:
            lab.those(name)
        told[name] = str(problem.value)
    assert NOT_FOUND == told
    with pytest.raises(NoExchangerError, match=r"several addresses; write one of 127\.0\.0\.12, 127\.0\.0\.13"):
        lab.at("mail2.example.com")


def test_the_fixture_takes_faults_by_name(postroad_lab):
    """When it comes up and while it runs, for all addresses of the name."""
    running = postroad_lab(ZONE, faults={"mail1": "r450", "mail2.example.com": "refuse"})
    running.set_fault("mail2.example.com", "none")
    running.set_fault("mail3", "slow:2")
    faults = [each.fault for each in running.lab.exchangers.values()]
    assert [Fault(Mode.R450), Fault(), Fault(), Fault(), Fault(Mode.SLOW, 2)] == faults


SLIPS = {
    "zone: None is neither the text": {"zone": None},
    "'up': there is no such Order; choose fixed, rotated, random": {"order": "up"},
    "'bad': there is no such CertificateKind; choose good, expired": {"certificates": {"mail1": "bad"}},
    "'refsue': there is no such fault; did you mean refuse": {"faults": {"mail1": "refsue"}},
}


def test_the_fixture_says_what_a_slip_should_be(postroad_lab):
    """In a sentence, and nothing is left of a lab that did not come up; nor can one be used after its end."""
    for sentence, slip in SLIPS.items():
        with pytest.raises(pytest.UsageError, match=sentence):
            postroad_lab(**{"zone": ZONE, **slip})
    running = postroad_lab(ZONE)
    labs = _threads_of_labs()
    with pytest.raises(NetError, match="cannot bind"):
        RunningLab(Lab(zones(ZONE), dns_port=running.resolver[1]))
    assert labs == _threads_of_labs()
    other = RunningLab(Lab(zones(ZONE)))
    other.stop()
    with pytest.raises(RuntimeError, match="taken down when its test ended"):
        other.set_fault("mail1", "refuse")


def _threads_of_labs():
    return [thread for thread in threading.enumerate() if thread.name == "postroad-lab"]
