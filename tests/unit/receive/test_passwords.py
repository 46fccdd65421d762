"""Passwords: made, written, read, verified."""

import asyncio
import base64
import hashlib

import pytest

from postroad.receive import PasswordHash, hash_password, parse_users, verify
from postroad.receive.auth import Verifier


def cheap(password):
    """A hash that costs next to nothing."""
    key = hashlib.scrypt(password.encode(), salt=b"salt", n=2, r=1, p=1, dklen=32)
    return PasswordHash(b"salt", key, cost=1, block=1)


def test_hash_comes_back_as_it_went():
    """A line made is a line read, and knows its password."""
    made = hash_password("secret")
    users = parse_users(f"# people\n\nann:{made}\n")
    assert {"ann": made} == users
    assert [True, False] == [verify("secret", users["ann"]), verify("Secret", users["ann"])]


def test_same_password_hashes_differently():
    """Each has a salt of its own."""
    assert hash_password("secret") != hash_password("secret")


def test_hash_of_another_program_is_read():
    """The vector of RFC 7914 section 12, in the form passlib writes."""
    key = bytes.fromhex(
        "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2"
        "d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887"
    )
    encoded = base64.b64encode(key).decode().rstrip("=")
    users = parse_users(f"ann:$scrypt$ln=14,r=8,p=1$U29kaXVtQ2hsb3JpZGU${encoded}")
    assert verify("pleaseletmein", users["ann"])


@pytest.mark.parametrize(
    "line",
    [
        "ann",
        "ann:secret",
        "ann:$scrypt$ln=14,r=8,p=1$c2FsdA",
        "ann:$scrypt$ln=30,r=8,p=1$c2FsdA$a2V5a2V5",
        "ann:$scrypt$ln=0,r=8,p=1$c2FsdA$a2V5a2V5",
        "ann:$scrypt$ln=14,r=8,p=1$c$a2V5a2V5",
    ],
)
def test_line_that_is_no_hash_is_named(line):
    """The problem says which line; nobody is let in by half a file."""
    assert "line 2" == parse_users(f"# people\n{line}\n").text


def test_user_given_twice_is_a_problem():
    """Which of the two counts is nothing to guess."""
    line = f"ann:{cheap('x')}\n"
    assert "the user ann is there already" == parse_users(line + line).why


def test_right_password_is_remembered_and_a_change_forgets_it():
    """Scrypt runs once for a user who is right; a new hash in the file makes the old password wrong at once."""

    async def story():
        verifier, users = Verifier(), {"ann": cheap("secret")}
        asked = [await verifier.is_right(users, "ann", password) for password in ("secret", "secret", "wrong")]
        changed = await verifier.is_right({"ann": cheap("other")}, "ann", "secret")
        unknown = await verifier.is_right(users, "bob", "secret")
        assert ([True, True, False], False, False) == (asked, changed, unknown)

    asyncio.run(story())


def test_right_password_needs_scrypt_once(monkeypatch):
    """A client with a connection for each message costs no 50 ms each."""
    calls = []
    monkeypatch.setattr("postroad.receive.auth.verify", lambda *given: calls.append(given) or True)

    async def story():
        verifier, users = Verifier(), {"ann": cheap("secret")}
        for _ in range(5):
            assert await verifier.is_right(users, "ann", "secret")
        assert 1 == len(calls)

    asyncio.run(story())
