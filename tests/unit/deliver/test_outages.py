"""Which sets of exchangers are down, and which hosts mail waits for."""

from ipaddress import ip_address

from postroad.deliver import outages
from postroad.deliver.outages import Outages

A, B, C = (ip_address(f"192.0.2.{number}") for number in (1, 2, 3))


def test_outage_is_new_once():
    """However much mail meets it, one line tells of it."""
    it = Outages()
    assert [True, False, True] == [it.begin("x", [A, B]), it.begin("x", [A, B]), it.begin("y", [C])]


def test_host_that_answers_ends_the_outage_of_all_its_sets():
    """One of its exchangers is enough for a set; the others of that set are awaited no more."""
    it = Outages()
    it.begin("x", [A, B])
    it.begin("y", [B, C])
    it.begin("z", [C])
    it.end(B)
    assert [False, False, True, 1] == [it.concerns(A), it.concerns(B), it.concerns(C), len(it)]
    assert it.begin("x", [A, B])


def test_so_many_are_remembered(monkeypatch):
    """Beyond that mail waits as well, by its schedule alone."""
    monkeypatch.setattr(outages, "MOST", 2)
    it = Outages()
    assert [True, True, False] == [it.begin(key, [A]) for key in "xyz"]
    it.end(A)
    assert it.begin("z", [A])
