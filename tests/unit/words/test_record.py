"""Records of attempts: what was written years ago is read today."""

import json

import pytest

from postroad.words.outcome import Result
from postroad.words.record import read_attempt

REFUSED = {"result": "deferred", "scope": "host", "text": "connection refused", "status": "4.4.1", "phase": "connect"}
NEVER = {
    "result": "failed",
    "scope": "recipient",
    "text": "550 5.1.1 no",
    "status": "5.1.1",
    "phase": "rcpt",
    "reply": [550, "5.1.1 no"],
}
TAKEN = {
    "result": "delivered",
    "scope": "message",
    "text": "250 ok",
    "status": "2.0.0",
    "phase": "dot",
    "reply": [250, "ok"],
}
LOST = {"result": "deferred", "scope": "host", "text": "timed out after 300 s", "status": "4.4.2", "phase": "data"}


def contact(number, **more):
    """A contact as version 1 wrote it."""
    shape = {"exchange": f"mx{number}.example.org", "address": f"192.0.2.{number}", "preference": 10}
    return shape | {"from": 0.0, "until": 1.0, "phase": "rcpt"} | more


FIRST = {
    "v": 1,
    "to": "example.org",
    "seed": 7,
    "ms": 12.0,
    "outcomes": [TAKEN, NEVER, LOST],
    "contacts": [
        contact(1, phase="connect", ending=REFUSED),
        contact(2),
        contact(3, ending=NEVER, told={"0": TAKEN}, same=[1]),
        contact(4, ending=LOST),
    ],
}


def stories(shape):
    """What each recipient heard from whom."""
    attempt = read_attempt(json.loads(json.dumps(shape)))
    return [
        [(contact.target.exchange[:3], said.text) for contact, said in attempt.story_of(index)]
        for index in range(len(attempt.outcomes))
    ]


def test_record_of_the_first_version_is_read():
    """A failure of a host, whose record did not say whom it concerned, is that of all whose mail was not yet taken."""
    refused, lost = ("mx1", "connection refused"), ("mx4", "timed out after 300 s")
    assert [
        [refused, ("mx3", "250 ok")],
        [refused, ("mx3", "550 5.1.1 no"), lost],
        [refused, lost],
    ] == stories(FIRST)


def test_contact_of_the_first_version_has_an_end_of_its_own_or_none():
    """The worst answer to a recipient is nobody else's, and not the host's."""
    attempt = read_attempt(FIRST)
    assert ["deferred", "unused", "failed", "deferred"] == [each.word for each in attempt.contacts]
    assert [True, False, False, True] == [each.host is not None for each in attempt.contacts]
    assert Result.FAILED is attempt.result


@pytest.mark.parametrize("shape", [FIRST | {"v": 3}, FIRST | {"to": "a..b"}, {}, {"v": 2, "to": "example.org"}])
def test_what_is_no_record_is_refused(shape):
    """A later version, or none at all: ValueError, and nothing else."""
    with pytest.raises(ValueError, match=r"not an attempt|not a record"):
        read_attempt(shape)
