"""Key files as they are written: new ones, and the lines of a rotation; killed at any step, they work."""

import fcntl
import os
import shutil
import stat
import sys
from itertools import count

import pytest
from tests.support.examples import stride
from tests.support.signing import ed25519_pem, rsa_key, rsa_pem

from postroad.build import NewKey, begin_rotation, key_files, make_key, switch_keys
from postroad.sign import KINDS, KeyState, record_of
from postroad.words.inputs import InputError, NotNowError

NOW = 1_800_000_000.0
EXPIRY_S = 5 * 86400.0
ED = NewKey("ed25519")


@pytest.fixture
def folder(tmp_path):
    """A folder with an active key, and a line in front of it."""
    path = tmp_path / "dkim" / "example.com" / "2026a.pem"
    path.parent.mkdir(parents=True)
    path.touch(mode=0o600)
    path.write_bytes(b"Not-Before: 2026-01-01\n" + ed25519_pem())
    return tmp_path / "dkim"


def rotate(folder, now=NOW):
    """A whole rotation, in which every name server has the record at once."""
    plan, _ = begin_rotation(folder, "example.com", now, EXPIRY_S, KINDS)
    if plan.successors:
        switch_keys(folder, "example.com", plan.successors, now)


def names(folder):
    """All that is in a folder, hidden files too."""
    return sorted(path.name for path in folder.iterdir())


def selectors(folder, state, at):
    """The keys that are in a state at a time."""
    return [each.key.selector for each in key_files(folder) if each.key.state(at) is state]


def test_a_new_key_waits_and_is_for_its_owner_only(folder):
    """Its file has the mode 0600 and says that it does not sign; its selector is the next of the year."""
    made = make_key(folder, "example.org", NewKey("rsa"), NOW)
    assert folder / "example.org" / "2027a.pem" == made.path
    assert 0o600 == stat.S_IMODE(made.path.stat().st_mode)
    assert made.path.read_bytes().startswith(b"Not-Before: never\n-----BEGIN PRIVATE KEY-----\n")
    assert (2048, KeyState.WAITING) == (made.key.bits, made.key.state(NOW))
    assert "2027b" == make_key(folder, "example.org", ED, NOW).key.selector


def test_a_key_that_is_there_stays(folder):
    """Whatever selector is asked for, and in whichever case."""
    there = (folder / "example.com" / "2026a.pem").read_bytes()
    with pytest.raises(InputError, match="there is a key already, and it is kept"):
        make_key(folder, "example.com", NewKey("ed25519", selector="2026a"), NOW)
    assert there == (folder / "example.com" / "2026a.pem").read_bytes()
    assert ["2026a.pem"] == names(folder / "example.com")


@pytest.mark.parametrize("selector", ["../x", "a/b", "a b", "-", "x" * 64, "é\udcff", "a..b", "\0"])
def test_a_selector_is_a_name_for_dns(folder, selector):
    """What is none is refused before anything is made."""
    with pytest.raises(InputError, match="cannot be a selector"):
        make_key(folder, "example.org", NewKey("ed25519", selector=selector), NOW)
    assert ["example.com"] == names(folder)


def test_a_folder_that_is_not_there(tmp_path):
    """Whoever makes it must say for whom, so that is told and not done."""
    with pytest.raises(InputError, match="install -d -o postroad -m 700"):
        make_key(tmp_path / "none", "example.com", ED, NOW)


def test_a_rotation(folder):
    """The new key begins at the moment at which the old one ends; other lines stay."""
    rotate(folder)
    moment = NOW + 60
    assert (["2026a"], ["2027a"]) == (
        selectors(folder, KeyState.ACTIVE, moment - 1),
        selectors(folder, KeyState.ACTIVE, moment),
    )
    text = (folder / "example.com" / "2026a.pem").read_bytes()
    assert b"Not-Before: 2026-01-01\nNot-After: 2027-01-15T08:01:00Z\n" + ed25519_pem() == text
    rotate(folder, NOW + 3600)
    assert 2 == len(key_files(folder))


def test_a_successor_is_no_shorter_than_is_recommended(folder, monkeypatch):
    """A key of 1024 bits is followed by one of 2048."""
    rsa = "cryptography.hazmat.primitives.asymmetric.rsa.generate_private_key"
    monkeypatch.setattr(rsa, lambda _exponent, bits: rsa_key(bits))
    path = folder / "example.org" / "old.pem"
    path.parent.mkdir()
    path.touch(mode=0o600)
    path.write_bytes(rsa_pem(1024))
    plan, _ = begin_rotation(folder, "example.org", NOW, EXPIRY_S, KINDS)
    assert [2048] == [key.bits for key in plan.successors]


def test_nothing_is_switched_that_was_changed_meanwhile(folder):
    """Somebody put another key in the place of the one whose record was seen."""
    plan, files = begin_rotation(folder, "example.com", NOW, EXPIRY_S, KINDS)
    [path] = [each.path for each in files if each.key.selector == "2027a"]
    path.write_bytes(b"Not-Before: never\n" + ed25519_pem(3))
    with pytest.raises(InputError, match="changed meanwhile"):
        switch_keys(folder, "example.com", plan.successors, NOW)
    assert ["2026a"] == selectors(folder, KeyState.ACTIVE, NOW + 10**6)


def test_two_at_once(folder):
    """The second is told to come again, and writes nothing."""
    fd = os.open(folder / "example.com", os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    with pytest.raises(NotNowError, match="another program"):
        begin_rotation(folder, "example.com", NOW, EXPIRY_S, KINDS)
    os.close(fd)
    assert 1 == len(key_files(folder))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_root_makes_keys_for_the_relay(folder):
    """A key belongs to whom its folder and the other keys do, with their mode; so does a file that is written anew."""
    old = folder / "example.com" / "2026a.pem"
    for path in (folder, old.parent, old):
        os.chown(path, 4711, 4712)
    old.chmod(0o640)
    rotate(folder)
    make_key(folder, "example.org", ED, NOW)
    found = [path.stat() for path in (old, folder / "example.com" / "2027a.pem", folder / "example.org")]
    assert {(4711, 4712)} == {(each.st_uid, each.st_gid) for each in found}
    assert [0o640, 0o640] == [stat.S_IMODE(each.st_mode) for each in found[:2]]


def killed_at(number, work):
    """Whether a process that does this work is killed at its n-th call that may touch a file."""
    child = os.fork()
    if child == 0:
        left = [number]

        def hook(event, _arguments):
            if event == "open" or event.startswith(("os.", "fcntl.")):
                left[0] -= 1
                if left[0] < 0:
                    os._exit(9)

        sys.addaudithook(hook)
        work()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


def test_a_kill_at_any_step_leaves_keys_that_sign(folder, tmp_path):
    """The folder is read without a complaint, some key always signs, and a second call ends the work.

    At every seventh call; at each in a whole run.
    """
    whole = shutil.copytree(folder, tmp_path / "whole")
    rotate(whole)
    seen = set()
    for number in count(step=stride(7)):
        copy = shutil.copytree(folder, tmp_path / str(number))
        if not killed_at(number, lambda copy=copy: rotate(copy)):
            break
        keys = [each.key for each in key_files(copy)]
        seen.add((len(keys), sum(key.not_before > NOW for key in keys), sum(key.not_after > NOW * 2 for key in keys)))
        assert all(selectors(copy, KeyState.ACTIVE, NOW + at) for at in (0, 59, 60, 61, 10**6))
        rotate(copy, NOW + 1)
        rotate(copy, NOW + 2)
        assert ["2026a.pem", "2027a.pem"] == names(copy / "example.com")
        assert (["2027a"], ["2026a"]) == (
            selectors(copy, KeyState.ACTIVE, NOW + 99),
            selectors(copy, KeyState.RETIRED, NOW + 99),
        )
    assert number > 20
    assert {(1, 0, 1), (2, 1, 2), (2, 1, 1)} == seen  # before, made or half switched, and all but the last look at it


def test_a_kill_while_a_key_is_made_leaves_none_or_all_of_it(folder, tmp_path):
    """A file that is half a key would keep the relay from starting. At every fifth call; at each in a whole run."""
    for number in count(step=stride(5)):
        copy = shutil.copytree(folder, tmp_path / str(number))
        if not killed_at(number, lambda copy=copy: make_key(copy, "example.com", ED, NOW)):
            break
        assert len(key_files(copy)) in (1, 2)
        assert all(record_of(each.key) for each in key_files(copy))
    assert number > 10
