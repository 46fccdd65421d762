"""Mail from programs into a spool, whether a relay runs or not: what is kept, and what is said where it cannot be."""

import asyncio
import math
import os
import pwd
import re
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from unittest.mock import patch

import pytest
from tests.support.postgres import database, loop, nodes
from tests.support.signing import ed25519_pem, key, verdicts

import postroad
from postroad.spool import Selection
from postroad.spool.sqlite import SqliteSpool

SETTINGS = """
hostname = "relay.example.net"
[spool]
path = "spool"
[limits]
message_size = 2000
[dkim]
keys = "keys"
[aliases]
root = "ops@example.org"
"""


def _letter():
    message = EmailMessage()
    message["From"], message["To"], message["Bcc"] = "Ann <ann@example.net>", "bob@example.com", "eve@example.org"
    message.set_content("hello\n")
    return message


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with settings, an empty spool and a key."""
    folder = tmp_path_factory.mktemp("made")
    file = folder / "keys" / "example.net" / "ed.pem"
    file.parent.mkdir(parents=True)
    file.write_bytes(ed25519_pem())
    file.chmod(0o600)
    asyncio.run(_make(folder / "spool"))
    (folder / "postroad.toml").write_text(SETTINGS)
    return folder


@pytest.fixture
def config(made, tmp_path):
    """Settings of which a test may do with everything as it likes."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return tmp_path / "postroad.toml"


async def _make(folder):
    await (await SqliteSpool.open(folder, node="relay")).close()


async def _kept(spool):
    """Each message: its id, who sent it, to whom, its origin, and its octets."""
    found = {}
    for listed in await spool.listed(Selection()):
        mail = (await spool.story(listed.parcel.mail.id)).mail
        octets = b"".join([piece async for piece in spool.body(mail)])
        to = [str(each.mailbox) for each in mail.envelope.recipients]
        found[mail.id] = str(mail.envelope.reverse_path), to, mail.origin, octets
    return found


async def _kept_in(folder):
    spool = await SqliteSpool.open(folder, node="")
    try:
        return await _kept(spool)
    finally:
        await spool.close()


def test_a_message_is_kept_as_sendmail_keeps_it(config):
    """Completed, signed, without Bcc, for those whom aliases stand for; by a function and by a coroutine alike."""
    first = postroad.enqueue_sync(_letter(), config=config)
    second = asyncio.run(postroad.enqueue("Subject: x\n\nx\n", sender=None, recipients=["root"], config=str(config)))
    kept = asyncio.run(_kept_in(config.parent / "spool"))
    assert [first.id, second.id] == list(kept)
    sender, to, origin, octets = kept[first.id]
    assert ("ann@example.net", ["bob@example.com", "eve@example.org"]) == (sender, to)
    assert (True, False) == (origin.endswith(" by enqueue"), b"eve@" in octets)
    assert [True] == verdicts(octets, key("ed", "example.net", ed25519_pem()))
    assert all(field in octets for field in (b"\r\nDate: ", b"\r\nMessage-ID: <"))
    assert ("None", ["ops@example.org"]) == kept[second.id][:2]
    spool = re.escape(str(config.parent / "spool"))
    assert re.fullmatch(rf"<Queued: {first.id} to bob@example.com and eve@example.org in {spool}>", repr(first))


def _newer(folder):
    with closing(sqlite3.connect(folder / "spool.db")) as db, db:
        db.execute("PRAGMA user_version = 99")
    db.close()


TROUBLES = {
    "missing": (lambda folder: (folder / "spool.db").unlink(), "start the relay once"),
    "newer": (_newer, "upgrade"),
    "corrupt": (lambda folder: (folder / "spool.db").write_bytes(b"x" * 9000), "stop the relay"),
    "full": (lambda folder: _reserve(folder.parent / "postroad.toml"), "make room"),
    "read-only": (lambda folder: folder.rename(folder.parent / "else") and folder.touch(), "set spool.path"),
}


def _reserve(config):
    config.write_text(config.read_text().replace('path = "spool"', 'path = "spool"\nreserve = "1000000GiB"'))


@pytest.mark.parametrize("kind", list(TROUBLES))
def test_a_spool_that_cannot_take_it_says_why(config, kind):
    """A SpoolError of that kind, with what, where and how to fix it; nothing is kept."""
    spoil, fix = TROUBLES[kind]
    folder = config.parent / "spool"
    spoil(folder)
    with pytest.raises(postroad.SpoolError, match=fix) as caught:
        postroad.enqueue_sync(_letter(), config=config)
    assert (postroad.Trouble(kind), True) == (caught.value.kind, str(folder) in caught.value.why)


def test_a_message_that_cannot_be_kept_is_refused(config):
    """An InputError with what is wrong; a password in a URL is in none of them."""
    wrong = {
        "larger than limits.message_size, 2000": {"message": "x" * 2001},
        "there is no alias for nobody": {"recipients": ["nobody"]},
        "no recipient in recipients": {"recipients": []},
        "cannot be read": {"config": config.parent / "none.toml"},
        "not a spool: write a folder": {"spool": "mysql://ann:s3cret@localhost/x"},
        "is not a spool": {"spool": ""},
        "spool: 5 is not of type str or Path": {"spool": 5},
    }
    for why, given in wrong.items():
        with pytest.raises(postroad.InputError, match=why) as caught:
            postroad.enqueue_sync(
                **{"message": "x", "sender": None, "recipients": "b@example.com", "config": config, **given}
            )
        assert "s3cret" not in str(caught.value)
    assert {} == asyncio.run(_kept_in(config.parent / "spool"))


@patch("postroad.spool.postgres.promise._broken", lambda *_: iter(()))
def test_a_database_takes_it_as_a_folder_does(config):
    """By its URL, for the relays that share it."""

    async def story():
        async with nodes("relay") as (spool,):
            queued = await postroad.enqueue(_letter(), spool=database(), config=config)
            return queued, await _kept(spool)

    queued, kept = loop().run(story())
    assert [queued.id] == list(kept)
    assert ["bob@example.com", "eve@example.org"] == kept[queued.id][1]


def test_settings_rewrite_what_is_enqueued_and_hold_it(config):
    """As with `postroad sendmail`: its sender, who may use it, and a time before which it is not delivered."""
    user = pwd.getpwuid(os.getuid()).pw_name
    tables = '[rewrite.senders]\n"ann@*" = "{user}@example.com"\n[[relay.senders]]\nsenders = ["ann@example.com"]\n'
    config.write_text(config.read_text() + tables + f'local_users = ["{user}"]\n')
    at = datetime.now(UTC) + timedelta(hours=2)

    async def story():
        queued = await postroad.enqueue(_letter(), config=config, at=at)
        with pytest.raises(postroad.InputError, match=r"<eve@example\.org>: Sender address rejected"):
            await postroad.enqueue(_letter(), sender="eve@example.org", config=config)
        with pytest.raises(postroad.InputError, match="is too far ahead"):
            await postroad.enqueue(_letter(), config=config, at=at + timedelta(days=99))
        spool = await SqliteSpool.open(config.parent / "spool", node="relay")
        mail = (await spool.story(queued.id)).mail
        await spool.close()
        return mail

    mail = asyncio.run(story())
    assert ("ann@example.com", math.ceil(at.timestamp())) == (str(mail.envelope.reverse_path), mail.release_at)
    assert mail.origin.endswith(" by enqueue, sent as ann@example.net")
