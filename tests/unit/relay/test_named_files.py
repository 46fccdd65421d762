"""Files that settings name: whatever is wrong with one, the error says which key, what, and what to do."""

import os
from itertools import product
from pathlib import Path

import pytest
from pydantic import BaseModel
from tests.support.examples import some

from postroad.build import trust_of
from postroad.config import Config, read
from postroad.config.problems import is_list, section_in
from postroad.relay import relay_settings
from postroad.relay.settings import faults_of, resolver_of
from postroad.words.inputs import InputError

SPOOL = "spool.path"  # made where it is not there
ROUTE = "[[route]]\ndomains = ['*']\nnext_hop = 'a.b'\ntls = 'verify'\n"
TEXTS = {
    "tls.certificate": "tls.certificate = '{0}'",
    "tls.key": "tls.certificate = '{1}'\ntls.key = '{0}'",
    "relay.users": "relay.users = '{0}'",
    "dkim.keys": "dkim.keys = '{0}'",
    "aliases.file": "aliases.file = '{0}'",
    "dns.zones": "dns.zones = ['{0}']",
    "route[1].ca_file": ROUTE + "ca_file = '{0}'",
    "route[1].auth.password_file": ROUTE + "auth = {{user = 'u', password_file = '{0}'}}",
}


def file_keys(section, begin=""):
    """The keys of a table whose value is a path."""
    for name, field in section.model_fields.items():
        inner = section_in(field.annotation)
        if inner is not None and issubclass(inner, BaseModel):
            yield from file_keys(inner, f"{begin}{name}{'[1]' if is_list(field.annotation) else ''}.")
        elif "Path" in str(field.annotation):
            yield f"{begin}{name}"


def missing(path):
    """Nothing is there."""


def folder(path):
    """A folder, with something in it that is no key."""
    path.mkdir()
    (path / "x").touch()


def pipe(path):
    """One at which a reader could wait for ever."""
    os.mkfifo(path)


def garbage(path):
    """Neither text nor PEM."""
    path.write_bytes(b"\0\xff\n" * 40)
    path.chmod(0o600)


def nothing(path):
    """Bare."""
    path.touch(0o600)


def words(path):
    """Text that means nothing."""
    path.write_text("what is this\n" * 40)
    path.chmod(0o600)


def too_long(path):
    """More than anybody would read."""
    with path.open("wb") as file:
        file.truncate(65 * 1024**2)
    path.chmod(0o600)


def test_each_key_of_a_file_is_tried_here():
    """The list of the settings is the list of this test."""
    assert {SPOOL, *TEXTS} == set(file_keys(Config))


@pytest.mark.parametrize(
    ("made", "key"), some(product([missing, folder, pipe, garbage, nothing, words, too_long], TEXTS), 3)
)
def test_whatever_is_wrong_with_a_file_its_key_is_named(made, key, tmp_path):
    """With a way out, by check and at start alike, and in no words of a library. Every third; all in a whole run."""
    made(tmp_path / "f")
    good = Path(trust_of.__code__.co_filename).parents[1] / "lab" / "tls" / "certificate.pem"
    config = read(f"hostname = 'a.b'\n{TEXTS[key].format('f', good)}\n", tmp_path / "p.toml")
    told = list(faults_of(config))
    try:
        relay_settings(config)
        resolver_of(config)
        at_start = []
    except InputError as problem:
        at_start = list(problem.lines)
    may_be_so = made is nothing and key in ("relay.users", "aliases.file", "dns.zones")
    assert may_be_so == (not told)
    assert (told, []) == (at_start, [line for line in told if not line.startswith(f"{key}: ")])
    assert "dns.zones" == key or all("; " in line or "write " in line for line in told)
    assert not any(word in line for line in told for word in ("Errno", "_ssl.c", "[SSL"))
