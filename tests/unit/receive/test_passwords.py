"""Passwords: made, written, read, verified."""

import asyncio
import base64
import hashlib

import pytest

from postroad.receive import PasswordHash, hash_password, parse_users, verify
from postroad.receive.verifier import Verifier


def cheap(password):
    """A hash that costs next to nothing."""
    key = hashlib.scrypt(password.encode(), salt=b"salt", n=2, r=1, p=1, dklen=32)
    return PasswordHash(b"salt", key, cost=1, block=1)


def test_hash_comes_back_as_it_went():
    """A line made is a line read, and knows its password."""
    made = hash_password("secret")
    users = parse_users(f"# people\n\nann:{made}\n")
    assert {"ann": made} == users
    assert [True, False] == [verify("secret", users["ann"]), verify("Secret", cheap("secret"))]


def test_same_password_hashes_differently(monkeypatch):
    """Each has a salt of its own."""
    monkeypatch.setattr(hashlib, "scrypt", lambda _password, *, salt, **_: salt)  # it costs nothing
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
    assert "the user ann is already there" == parse_users(line + line).why


def test_right_password_is_remembered_and_a_change_forgets_it():
    """Who was right needs no scrypt again; a new hash in the file makes the old password wrong at once."""

    async def story():
        verifier, users = Verifier(), {"ann": cheap("secret")}
        before = verifier.remembers(users, "ann", "secret")
        assert [True, False] == [await verifier.is_right(users, "ann", word) for word in ("secret", "wrong")]
        assert (False, True, False) == (
            before,
            verifier.remembers(users, "ann", "secret"),
            verifier.remembers(users, "ann", "wrong"),
        )
        changed = {"ann": cheap("other")}
        assert (False, False) == (
            verifier.remembers(changed, "ann", "secret"),
            await verifier.is_right(changed, "ann", "secret"),
        )
        assert not await verifier.is_right(users, "bob", "secret")

    asyncio.run(story())
