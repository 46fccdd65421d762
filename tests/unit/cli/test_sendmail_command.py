"""`postroad sendmail`: from standard input into the spool, with the exit statuses programs know."""

import asyncio
import io
import os
import pwd
import re
import subprocess
import sys
import time
from email import message_from_bytes
from pathlib import Path

import pytest
from tests.support.patience import PATIENCE_S
from tests.support.waiting import empty, lay

from postroad.build import SubmissionRules
from postroad.cli.sendmail import run
from postroad.cli.sendmail.dialogue import Dialogue
from postroad.config import aliases_of, load_brief
from postroad.lab import Habits
from postroad.spool import Selection
from postroad.spool.sqlite import SqliteSpool
from postroad.words.mail import TlsWish

MESSAGE = b"To: a@example.org\nCc: b@example.com\nBcc: c@example.com\nSubject: x\n\nhello\n"
ZONE = "$ORIGIN example.com.\n@ MX 10 mail\nmail A 127.0.0.11\n"


@pytest.fixture
def settings(tmp_path):
    """Settings whose spool is there."""
    lay(tmp_path / "spool", empty)
    path = tmp_path / "p.toml"
    path.write_text(
        'hostname = "relay.example.net"\n[spool]\npath = "spool"\n[limits]\nmessage_size = 2000000\n'
        '[aliases]\nroot = ["ops@example.com", "night@example.com"]\n'
    )
    return path


@pytest.fixture
def send(settings, monkeypatch):
    """A function that runs sendmail with a message, and gives the exit status."""

    def call(*words, message=MESSAGE):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(message)))
        return run(["-C", str(settings), *words])

    return call


def _kept(settings):
    """What is in the spool: (mail, octets) of each message."""

    async def look():
        spool = await SqliteSpool.open(settings.parent / "spool", node="relay")
        ids = dict.fromkeys(each.parcel.mail.id for each in await spool.listed(Selection()))
        mails = [(await spool.story(id_)).mail for id_ in ids]
        found = [(mail, b"".join([piece async for piece in spool.body(mail)])) for mail in mails]
        await spool.close()
        return found

    return asyncio.run(look())


def _to(mail):
    return [str(each.mailbox) for each in mail.envelope.recipients]


def test_recipients_come_from_the_header_and_the_command_line(send, settings):
    """With -t both count, each once; the blind copy is nowhere in the message."""
    assert 0 == send("-t", "-oi", "d@example.net", "A@example.org", "a@example.org")
    [(mail, octets)] = _kept(settings)
    assert ["d@example.net", "A@example.org", "a@example.org", "b@example.com", "c@example.com"] == _to(mail)
    message = message_from_bytes(octets)
    assert (None, "a@example.org", mail.size) == (message["Bcc"], message["To"], len(octets))
    assert f"<{mail.id}@relay.example.net>" == message["Message-ID"]


def test_without_t_the_header_names_nobody(send, settings):
    """Recipients on the command line alone."""
    assert 0 == send("d@example.net")
    assert ["d@example.net"] == _to(_kept(settings)[0][0])


@pytest.mark.parametrize("name", ["root", "Root@localhost", "root@relay.example.net"])
def test_root_gets_mail_where_the_alias_says(send, settings, name):
    """A bare name is a user of this machine, who reads mail elsewhere; the sender stays who it is."""
    assert 0 == send("-f", "root", "--", name, "ops@example.com")
    mail, octets = _kept(settings)[0]
    assert (["ops@example.com", "night@example.com"], "root@relay.example.net") == (
        _to(mail),
        str(mail.envelope.reverse_path),
    )
    assert mail.size == len(octets)


def test_who_has_no_alias_is_refused_at_once(send, settings, capsys):
    """67, EX_NOUSER, with the setting that is missing: else the message and its report would be lost silently."""
    assert 67 == send("nobody", "a@example.org")
    assert (
        "sendmail: nobody@relay.example.net: this machine has no mailboxes, and there is no alias for nobody;"
        f" set an address for it in [aliases] of {settings}\n"
    ) == capsys.readouterr().err
    assert [] == _kept(settings)


def test_an_alias_that_loops_is_an_error_of_the_settings(send, settings, capsys):
    """78, with the loop."""
    settings.write_text(settings.read_text() + 'ops = "staff"\nstaff = "ops@localhost"\n')
    assert 78 == send("a@example.org")
    assert "leads back to itself (ops > staff > ops)" in capsys.readouterr().err


def test_the_sender_is_the_user_unless_one_is_given(send, settings):
    """-f names one, -f '' is the null one."""
    assert [0, 0, 0] == [
        send("a@example.org"),
        send("-fme@example.net", "a@example.org"),
        send("-f", "", "a@example.org"),
    ]
    user = pwd.getpwuid(os.getuid()).pw_name
    senders = [str(mail.envelope.reverse_path) for mail, _octets in _kept(settings)]
    assert [f"{user}@relay.example.net", "me@example.net", "None"] == senders


def test_wishes_for_reports_travel_along(send, settings):
    """-N, -R and -V are NOTIFY, RET and ENVID."""
    assert 0 == send("-N", "success,failure", "-R", "FULL", "-V", "id1", "a@example.org")
    envelope = _kept(settings)[0][0].envelope
    assert ({"SUCCESS", "FAILURE"}, "FULL", "id1") == (envelope.recipients[0].notify, envelope.ret, envelope.envid)


@pytest.mark.parametrize(("field", "wish"), [("TLS-Required: No\n", TlsWish.OPTIONAL), ("", None)])
def test_header_may_say_that_tls_is_optional(send, settings, field, wish):
    """As where mail comes by SMTP (RFC 8689 section 4.1)."""
    assert 0 == send("a@example.org", message=f"{field}Subject: x\n\nhello\n".encode())
    assert wish is _kept(settings)[0][0].envelope.tls


def test_eight_bit_mail_is_known_as_such(send, settings):
    """By its octets, whether -B says it or not."""
    assert 0 == send("a@example.org", message="Subject: x\n\nZoë\n".encode())
    assert _kept(settings)[0][0].envelope.eight_bit


def test_a_large_message_comes_through_whole(send, settings):
    """Piece by piece, every octet once."""
    body = b"".join(b"%07d\n" % number for number in range(30_000))
    assert 0 == send("-i", "a@example.org", message=b"Subject: x\n\n" + body)
    assert _kept(settings)[0][1].endswith(b"\r\n\r\n" + body.replace(b"\n", b"\r\n"))


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["-bd", "-q30m"], 64, "-bd: the daemon is `postroad relay`"),
        (["-qRa..b"], 65, "an empty label"),
        (["-z"], 64, "-z not recognized"),
        ([], 65, "there is no recipient in the command line"),
        (["a..b@example.org"], 65, "a..b@example.org"),
        (["-f", "me@-", "a@example.org"], 65, "me@-"),
        (["-C", "/none.toml", "a@example.org"], 78, "/none.toml: cannot be read: No such file"),
        (["-bi"], 0, ""),
        (["-N", "often", "a@example.org"], 0, "-N often is ignored"),
    ],
)
def test_exit_statuses_are_those_of_sysexits(send, capsys, words, status, said):
    """Programs decide by them; people read what was said."""
    assert status == send(*words)
    assert said in capsys.readouterr().err


def test_a_message_over_the_limit_is_refused(send, capsys):
    """As a client would hear it by SMTP."""
    assert 65 == send("a@example.org", message=b"x" * 2_000_001)
    assert "larger than limits.message_size, 2000000 octets" in capsys.readouterr().err


def test_t_without_recipients_is_told(send, capsys):
    """A message to nobody is an error of its writer."""
    assert 65 == send("-t", message=b"Subject: x\n\n")
    assert "no recipient in To, Cc or Bcc" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["-t"], ["caf\udce9@example.com"], ["-f", "caf\udce9@x.example", "a@example.org"]])
def test_an_address_that_is_no_utf8_is_refused(send, settings, capsys, words):
    """65, and nothing is sent to another address: in the header, on the command line, as the sender."""
    message = b"To: caf\xe9@example.com\n\nx\n"
    assert (65, []) == (send(*words, message=message), _kept(settings))
    assert "write it in UTF-8" in capsys.readouterr().err


@pytest.mark.parametrize("to", [b"a" * 50_000, b"caf\xe9" * 10_000, b"x@" + b"a." * 20_000, b"a@" * 20_000])
def test_a_bad_address_is_quoted_by_its_beginning(send, settings, capsys, to):
    """However long it is, the error fits a few lines of a log."""
    assert (65, []) == (send("-t", "d@example.net", message=b"To: " + to + b"@\n\nx\n"), _kept(settings))
    assert len(capsys.readouterr().err) < 700


def test_who_may_not_use_the_spool_uses_the_port(settings, send, postroad_lab, monkeypatch, capsys):
    """Users need no rights in the spool: the relay takes it on its loopback port, 25, though it has our own name."""
    lab = postroad_lab(ZONE)
    monkeypatch.setattr("postroad.dialogue.login.SMTP_PORT", lab.port)
    name = Habits().hostname
    port = f'[[listen]]\naddress = "127.0.0.11"\nport = {lab.port}\n'
    settings.write_text(f'hostname = "{name}"\n[spool]\npath = "none"\n{port}')
    assert 0 == send("-t", "-v", "-f", "me@example.net")
    [received] = lab.received
    assert ("me@example.net", 3) == (str(received.envelope.reverse_path), len(received.envelope.recipients))
    assert "queued as " in capsys.readouterr().out


def test_what_the_port_refuses_is_refused(settings, send, postroad_lab, capsys):
    """For good is 69, with what was said of each recipient."""
    lab = postroad_lab(ZONE, faults={"127.0.0.11": "r550"})
    settings.write_text(f'[spool]\npath = "none"\n[[listen]]\naddress = "127.0.0.11"\nport = {lab.port}\n')
    assert 69 == send("a@example.org")
    assert "a@example.org: 550" in capsys.readouterr().err


def test_without_spool_and_port_it_is_to_be_tried_again(settings, send, capsys):
    """75: the caller keeps the message. Both reasons are told."""
    settings.write_text('[spool]\npath = "none"\n[[listen]]\naddress = "127.0.0.1"\nport = 1\n')
    assert 75 == send("a@example.org")
    said = capsys.readouterr().err
    assert "connection refused" in said
    assert "there is no spool" in said


@pytest.mark.parametrize("case", [(True, True, 0), (False, True, 0), (True, False, 0), (False, False, 75)])
def test_who_may_enter_the_spool_needs_no_relay(settings, send, postroad_lab, monkeypatch, capsys, case):
    """While the relay runs all users fare alike; while it does not, others than its own and root hear 75 and why."""
    enters, runs, status = case
    port = postroad_lab(ZONE).port if runs else 1
    settings.write_text(f'[spool]\npath = "spool"\n[[listen]]\naddress = "127.0.0.11"\nport = {port}\n')
    real = Path.stat

    def refuse(path, **options):
        if path.name == "spool.db" and not enters:
            raise PermissionError(13, "Permission denied")
        return real(path, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "stat", refuse)
        assert status == send("a@example.org")
    said = capsys.readouterr().err
    assert (status != 0) == ("the message was not accepted: no relay answers at 127.0.0.11 port 1" in said)
    assert (status != 0) == ("cannot be opened by this user" in said)
    assert enters == bool(_kept(settings))


def test_a_disk_short_of_room_refuses_a_tool_as_the_relay_does(settings, send, monkeypatch, capsys):
    """75: what `spool.reserve` keeps for settling is not for new mail, whoever brings it."""
    monkeypatch.setattr("postroad.spool.sqlite.room.free_in", lambda _folder: 1 << 20)
    assert 75 == send("a@example.org")
    assert "1 MiB free" in capsys.readouterr().err


def test_the_whole_program_works_by_its_old_name(settings, tmp_path):
    """A link named sendmail, called as cron calls it; nothing on standard output."""
    link = tmp_path / "sendmail"
    link.write_text(f"#!{sys.executable}\nfrom postroad.cli import main\nmain()\n")
    link.chmod(0o755)
    words = [link, "-FCronDaemon", "-i", "-B8BITMIME", "-oem", "-C", settings, "-t", "--", "root"]
    done = subprocess.run(words, input=MESSAGE, capture_output=True, timeout=PATIENCE_S, check=False)
    assert (0, b"", b"") == (done.returncode, done.stdout, done.stderr)
    mail, octets = _kept(settings)[0]
    assert "ops@example.com" == _to(mail)[0]
    assert message_from_bytes(octets)["From"].startswith("CronDaemon <")


def test_sender_is_rewritten_and_may_be_refused(send, settings, capsys):
    """As the relay does it with what it receives; the origin keeps what it was, and 77 is EX_NOPERM of sysexits.h."""
    user = pwd.getpwuid(os.getuid()).pw_name
    usual = settings.read_text()
    table = f'\n[rewrite]\nalways_bcc = ["archive@example.org"]\nsenders = {{"{user}@*" = "{{host}}@example.com"}}\n'
    allowed = f'[[relay.senders]]\nlocal_users = ["{user}"]\nsenders = ["relay@example.com"]\nheader = true\n'
    settings.write_text(usual + table + allowed)
    from_other = b"From: other@example.com\n" + MESSAGE
    assert [0, 77, 77] == [send("-t"), send("-t", "-f", "x@y.example"), send("-t", message=from_other)]
    assert [
        f"sendmail: <x@y.example>: Sender address rejected: not owned by local user {user}",
        f"sendmail: From: <other@example.com>: Sender address rejected: not owned by local user {user}",
    ] == capsys.readouterr().err.splitlines()
    ((mail, octets),) = _kept(settings)
    assert ("relay@example.com", "archive@example.org") == (str(mail.envelope.reverse_path), _to(mail)[-1])
    assert mail.origin.endswith(f" by sendmail, sent as {user}@relay.example.net")
    assert "relay@example.com" in message_from_bytes(octets)["From"]


def test_message_for_later_is_due_then(send, settings, capsys):
    """`--at`, as at(1) and date(1) take it; a time that has passed, is none or too far ahead is said."""
    assert [0, 64, 64, 65] == [send("-t", "--at", text) for text in ("+2h", "soon", "2001-01-01", "+31d")]
    said = capsys.readouterr().err
    assert ("'soon' is not a time; write one" in said, "2001-01-01 has passed" in said) == (True, True)
    assert "is too far ahead: mail is held for 30 days at most; raise limits.hold" in said
    ((mail, _),) = _kept(settings)
    assert 7200 <= mail.release_at - mail.received_at <= 7201


SYMFONY = (
    ("HELO [127.0.0.1]\r\n", "250 relay.example.net\r\n"),
    ("MAIL FROM:<app@example.net>\r\n", "250 2.1.0 Ok\r\n"),
    ("RCPT TO:<nobody@localhost>\r\n", "550 5.1.1 no such user here: there are no local mailboxes, and [aliases] has "
     "no such name\r\n"),
    ("RSET\r\n", "250 2.0.0 Ok\r\n"),
    ("MAIL FROM:<app@example.net>\r\n", "250 2.1.0 Ok\r\n"),
    ("RCPT TO:<you@example.org>\r\n", "250 2.1.5 Ok\r\n"),
    ("RCPT TO:<root@localhost>\r\n", "250 2.1.5 Ok\r\n"),
    ("DATA\r\n", "354 End data with <CR><LF>.<CR><LF>\r\n"),
    ("From: app@example.net\r\nTo: you@example.org\r\nSubject: Time\r\n", ""),
    ("\r\nHello\r\n..\r\n...dots\r\n", ""),
    ("\r\n.\r\n", "250 2.0.0 Ok: queued as "),
)  # fmt: skip


def test_symfony_is_answered_as_it_expects(settings):
    """The dialogue of its SendmailTransport, octet by octet: at the 250 to its dot the message is in the spool."""
    config = load_brief(settings)
    dialogue = Dialogue(config, SubmissionRules(aliases_of(config), None, ""))
    assert b"220 relay.example.net ESMTP\r\n" == dialogue.greet()
    for said, answer in SYMFONY[:-1]:
        assert answer == dialogue.hear(said.encode()).decode()
    reply = dialogue.hear(SYMFONY[-1][0].encode()).decode()
    [(mail, octets)] = _kept(settings)
    assert f"{SYMFONY[-1][1]}{mail.id}\r\n" == reply
    assert (["you@example.org", "ops@example.com", "night@example.com"], "app@example.net") == (
        _to(mail),
        str(mail.envelope.reverse_path),
    )
    assert octets.endswith(b"Subject: Time\r\n\r\nHello\r\n.\r\n..dots\r\n\r\n")
    assert octets.startswith(b"Received: by relay.example.net (Postroad, from userid ")
    assert (b"250 2.0.0 Ok\r\n", b"221 2.0.0 Bye\r\n") == (dialogue.hear(b"NOOP\r\n"), dialogue.hear(b"QUIT\r\n"))


HEAD = b"EHLO x\r\nMAIL FROM:<me@example.net>\r\nRCPT TO:<you@example.org>\r\n"
DIALOGUES = {  # what is on standard input: the code of the last reply, and how many messages are kept
    "all at once": (HEAD + b"DATA\r\nA: 1\r\n\r\nx\r\n.\r\nQUIT\r\n", "221", 1),
    "two": (HEAD + b"DATA\r\nA: 1\r\n.\r\n" + HEAD + b"DATA\r\nA: 2\r\n.\r\n", "250", 2),
    "chunks": (HEAD + b"BDAT 4\r\nA: 1BDAT 4 LAST\r\n\r\n\r\nQUIT\r\n", "221", 1),
    "typed": ((HEAD + b"DATA\r\nA: 1\r\n\r\nx\r\n.\r\nQUIT\r\n").replace(b"\r\n", b"\n"), "221", 1),
    "a stranger's end": (HEAD + b"DATA\r\nA: 1\r\n\r\nx\n.\nMAIL FROM:<evil@example.com>\r\n.\r\n", "554", 0),
    "cut off": (HEAD + b"DATA\r\nA: 1\r\n\r\nx\r\n", "354", 0),
    "too large": (HEAD + b"DATA\r\n" + b"x" * 2_000_001 + b"\r\n.\r\n", "552", 0),
    "nothing": (b"", "220", 0),
}


def test_smtp_may_come_at_once_from_a_file_or_a_terminal(send, settings, capfd):
    """A message is kept whole or not at all; a line end that the client does not use itself ends nothing."""
    kept, told = 0, {}
    for name, (given, _, _) in DIALOGUES.items():
        assert 0 == send("-bs", message=given)
        before, kept = kept, len(_kept(settings))
        told[name] = (capfd.readouterr().out.splitlines()[-1][:3], kept - before)
    assert {name: (code, more) for name, (_, code, more) in DIALOGUES.items()} == told


def test_smtp_keeps_to_what_the_settings_say_of_senders(send, settings, capfd):
    """Who may send as whom, what is rewritten, and for how long mail is held: as the relay's port has it."""
    user = pwd.getpwuid(os.getuid()).pw_name
    settings.write_text(
        settings.read_text() + f'[rewrite]\nalways_bcc = ["archive@example.org"]\n'
        f'[[relay.senders]]\nlocal_users = ["{user}"]\nsenders = ["me@example.net"]\n'
    )
    held = HEAD.replace(b"net>", b"net> HOLDFOR=7200") + b"DATA\r\nA: 1\r\n.\r\n"
    assert [0, 0] == [send("-bs", message=held), send("-bs", message=held.replace(b"me@", b"x@"))]
    last = capfd.readouterr().out.splitlines()[-1]
    assert f"550 5.7.1 <x@example.net>: Sender address rejected: not owned by local user {user}" == last
    ((mail, _),) = _kept(settings)
    assert ["you@example.org", "archive@example.org"] == _to(mail)
    assert 7199 <= mail.release_at - mail.received_at <= 7201


def test_smtp_without_spool_and_port_is_answered_451(send, settings, capfd):
    """The client keeps the message, and reads why."""
    settings.write_text('[spool]\npath = "none"\n[[listen]]\naddress = "127.0.0.1"\nport = 1\n')
    assert 0 == send("-bs", message=HEAD + b"DATA\r\nA: 1\r\n.\r\n")
    last = capfd.readouterr().out.splitlines()[-1]
    assert last.startswith("451 4.3.0 the message was not accepted: no relay answers at 127.0.0.1 port 1 (")
    assert "there is no spool" in last


def test_smtp_hears_what_the_port_refuses(settings, send, postroad_lab, capfd):
    """For good is 550, with what was said of whom."""
    lab = postroad_lab(ZONE, faults={"127.0.0.11": "r550"})
    settings.write_text(f'[spool]\npath = "none"\n[[listen]]\naddress = "127.0.0.11"\nport = {lab.port}\n')
    assert 0 == send("-bs", message=HEAD + b"DATA\r\nA: 1\r\n.\r\n")
    assert capfd.readouterr().out.splitlines()[-1].startswith("550 5.0.0 you@example.org: 550")


QUEUE = """\
-Queue ID-  --Size-- ----Arrival Time---- -Sender/Recipient-------
ONE               17 me@example.net
b@example.com
(deferred: mail.example.org: 450 4.2.0 try later)
a@example.org

TWO               17 MAILER-DAEMON
me@example.net

-- 1 Kbytes in 2 Requests."""


def test_a_reply_quotes_what_fits_a_line(send, settings, capfd):
    """In ASCII, and cut: a path of any length and script stands in what is wrong with it."""
    settings.write_text(f'[spool]\npath = "{"ü" * 300}"\n[[listen]]\naddress = "127.0.0.1"\nport = 1\n')
    assert 0 == send("-bs", message=HEAD + b"DATA\r\nA: 1\r\n.\r\n")
    last = capfd.readouterr().out.splitlines()[-1]
    assert last.isascii()
    assert (True, "451 4.3.0 ") == (400 < len(last) < 510, last[:10])


def test_the_queue_is_shown_as_monitoring_reads_it_and_retried(send, settings, capsys):
    """In the columns of Postfix, with its last line; -q makes all due that waits, -qR what waits for one domain."""
    assert 0 == send("-bp")
    assert "Mail queue is empty\n" == capsys.readouterr().out
    lay(settings.parent / "spool")
    assert 0 == send("-bp")
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert sorted(QUEUE.splitlines()) == sorted(re.sub(r" \w{3} \w{3} [ \d]\d [\d:]{8} ", "", line) for line in lines)
    due = [(send(words), _due(settings)) for words in ("-qRexample.net", "-qIONE")]
    assert [(0, 2), (0, 3)] == due
    settings.write_text('[spool]\npath = "none"\n')
    assert 69 == send("-bp")
    assert "there is no spool" in capsys.readouterr().err


def _due(settings):
    async def count():
        spool = await SqliteSpool.open(settings.parent / "spool", node="")
        numbers = await spool.stats(time.time())
        await spool.close()
        return numbers.due

    return asyncio.run(count())
