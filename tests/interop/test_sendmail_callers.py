"""Programs that send mail by starting `sendmail`, each as it is shipped: what they hand over is in the spool."""

import asyncio
import os
import shutil
import subprocess
import sys
from email import message_from_bytes
from pathlib import Path

import pytest
from tests.support.patience import PATIENCE_S

from postroad.spool import Selection
from postroad.spool.sqlite import SqliteSpool

SYMFONY = Path("/usr/share/php/Symfony/Component/Mailer/autoload.php")
SEND = """
require '%s';
$dsn = 'sendmail://default?command=' . rawurlencode($argv[1] . ' -bs -i');
$mail = (new Symfony\\Component\\Mime\\Email())->from('me@example.net')->to('you@example.org')->subject('Hello');
$transport = Symfony\\Component\\Mailer\\Transport::fromDsn($dsn);
$transport->send($mail->text("one\\n.\\n..two\\n"));
"""
BODY = "one\n.\n..two\n"
CALLERS = {
    "symfony": ["php", "-r", SEND % SYMFONY, "--", "SENDMAIL"],
    "php": ["php", "-d", "sendmail_path=SENDMAIL -t -i", "-r",
            "exit((int) !mail('you@example.org', 'Hello', file_get_contents('php://stdin'), 'From: me@example.net'));"],
    "s-nail": ["s-nail", "-n", "-S", "mta=SENDMAIL", "-r", "me@example.net", "-s", "Hello", "you@example.org"],
    "mutt": ["mutt", "-n", "-F", "/dev/null", "-e", "set sendmail='SENDMAIL -oem -oi'", "-e", "set from=me@example.net",
             "-e", "set copy=no", "-s", "Hello", "you@example.org"],
    "git": ["git", "send-email", "--quiet", "--confirm=never", "--from", "me@example.net", "--to", "you@example.org",
            "--sendmail-cmd", "SENDMAIL -i", "--suppress-cc=all", "letter"],
}  # fmt: skip

IDENTITY = {f"GIT_{who}_{what}": "me@example.net" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


@pytest.fixture
def place(name, tmp_path):
    """A folder with settings, their spool, a letter, and a link named sendmail; not for a program that is not here."""
    _skip_without(name, CALLERS[name][0])

    async def make():
        await (await SqliteSpool.open(tmp_path / "spool", node="relay")).close()

    asyncio.run(make())
    (tmp_path / "p.toml").write_text('hostname = "relay.example.net"\n[spool]\npath = "spool"\n')
    (tmp_path / "letter").write_text(f"From: me@example.net\nTo: you@example.org\nSubject: Hello\n\n{BODY}")
    (link := tmp_path / "sendmail").write_text(f"#!{sys.executable}\nfrom postroad.cli import main\nmain()\n")
    link.chmod(0o755)
    return tmp_path


@pytest.mark.parametrize("name", CALLERS)
def test_a_program_hands_over_what_it_was_given(name, place):
    """By its own way to call sendmail: on the command line, from the header, or by SMTP."""
    words = [word.replace("SENDMAIL", str(place / "sendmail")) for word in CALLERS[name]]
    env = os.environ | {"POSTROAD_CONFIG": str(place / "p.toml"), "HOME": str(place), "MAILRC": os.devnull} | IDENTITY
    done = subprocess.run(
        words, input=BODY, text=True, cwd=place, env=env, timeout=PATIENCE_S, capture_output=True, check=False
    )
    assert (0, "") == (done.returncode, done.stderr)
    mail, octets = asyncio.run(_kept(place))
    sender = str(mail.envelope.reverse_path)
    assert (["you@example.org"], True) == (
        [str(each.mailbox) for each in mail.envelope.recipients],
        sender == "me@example.net" or name in ("php", "mutt", "git"),  # which leave it to the system's user
    )
    message = message_from_bytes(octets)
    assert ("Hello", True) == (message["Subject"], "me@example.net" in message["From"])
    assert BODY.replace("\n", "\r\n") == message.get_payload(decode=True).decode().rstrip("\r\n") + "\r\n"


def _skip_without(name, program):
    if not shutil.which(program):
        pytest.skip(f"no {program} here")
    if name == "symfony" and not SYMFONY.exists():
        pytest.skip(f"no Symfony Mailer here: {SYMFONY}")
    if name == "git" and not (Path(_output(["git", "--exec-path"])) / "git-send-email").exists():
        pytest.skip("this git has no send-email")


def _output(words):
    return subprocess.run(words, capture_output=True, text=True, check=True, timeout=PATIENCE_S).stdout.strip()


async def _kept(place):
    spool = await SqliteSpool.open(place / "spool", node="relay")
    (listed,) = await spool.listed(Selection())
    mail = listed.parcel.mail
    octets = b"".join([piece async for piece in spool.body(mail)])
    await spool.close()
    return mail, octets
