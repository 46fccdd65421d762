"""What sendmail makes of its command line and of the message it is handed."""

from contextlib import suppress
from email import message_from_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.build.draft import Origin, addresses_named, qualified
from postroad.build.draft import finish_draft as finish
from postroad.build.draft import parse_draft as parse_message
from postroad.cli.sendmail import called_as_sendmail
from postroad.cli.sendmail.arguments import Arguments, Misuse, Purpose, parse
from postroad.cli.sendmail.stdin import read
from postroad.words.inputs import InputError
from postroad.words.mail import parse_mailbox

ORIGIN = Origin("relay.example.net", "cron", 1000, "", "ID", 1_000_000_000.0)


COMMAND_LINES = [
    (["a@example.org", "b@example.org"], Arguments(recipients=("a@example.org", "b@example.org"))),
    (["-t", "-i"], Arguments(from_header=True, dot_ends=False)),
    (["-ti"], Arguments(from_header=True, dot_ends=False)),
    (["-oi", "-t"], Arguments(from_header=True, dot_ends=False)),
    (["-o", "i"], Arguments(dot_ends=False)),
    (["-f", "me@example.net"], Arguments(sender="me@example.net")),
    (["-fme@example.net"], Arguments(sender="me@example.net")),
    (["-rme@example.net"], Arguments(sender="me@example.net")),
    (["-f", "<>"], Arguments(sender="")),
    (["-f", ""], Arguments(sender="")),
    (["-F", "Cron Daemon"], Arguments(full_name="Cron Daemon")),
    (["-FCronDaemon", "-odi", "-oem", "root"], Arguments(full_name="CronDaemon", recipients=("root",))),
    (["-N", "failure,delay"], Arguments(notify=frozenset({"FAILURE", "DELAY"}))),
    (["-N", "never"], Arguments(notify=frozenset({"NEVER"}))),
    (["-R", "hdrs", "-V", "id 1"], Arguments(ret="HDRS", envid="id 1")),
    (["-R", "1000"], Arguments()),
    (["-bm", "-B8BITMIME", "-v"], Arguments(eight_bit=True, verbose=True)),
    (["-h", "25", "-U", "-n", "-Ac", "-Oxyz=1", "-L", "label", "-m"], Arguments()),
    (["--", "-weird@example.org"], Arguments(recipients=("-weird@example.org",))),
    (["-bi"], Arguments(purpose=Purpose.ALIASES)),
    (["-I"], Arguments(purpose=Purpose.ALIASES)),
    (["-bs", "-i"], Arguments(purpose=Purpose.SMTP, dot_ends=False)),
    (["-bp"], Arguments(purpose=Purpose.QUEUE)),
    (["-bh"], Arguments(purpose=Purpose.HOSTS)),
    (["-q"], Arguments(purpose=Purpose.FLUSH)),
    (["-vq"], Arguments(purpose=Purpose.FLUSH, verbose=True)),
    (["-q", "-v"], Arguments(purpose=Purpose.FLUSH, verbose=True)),
    (["-qRexample.org"], Arguments(purpose=Purpose.FLUSH, flushed="Rexample.org")),
    (["-Fq", "-q"], Arguments(purpose=Purpose.FLUSH, full_name="q")),
    (["--", "-q"], Arguments(recipients=("-q",))),
]


def test_the_command_line_is_that_of_sendmail():
    """Options stuck to their argument or not, clustered or not; those that mean nothing here are passed over."""
    assert [each for _, each in COMMAND_LINES] == [parse(words) for words, _ in COMMAND_LINES]


@pytest.mark.parametrize(
    "words", [["-bd", "-q30m"], ["-bt"], ["-bv"], ["-bx"], ["-q30m"], ["-qR"], ["-qx"], ["-z"], ["-B", "9BIT"], ["-f"]]
)
def test_what_cannot_be_served_is_said(words):
    """Another mode, an option there is not, an argument that is missing."""
    with pytest.raises(Misuse):
        parse(words)


@pytest.mark.parametrize("words", [["-N", "often"], ["-N", "never,delay"], ["-V", "x" * 101], ["-V", "a\tb"]])
def test_bad_wishes_for_reports_are_passed_over(words):
    """As Postfix does: mail is not lost for them, but it is said."""
    arguments = parse(words)
    assert 1 == len(arguments.remarks)
    assert (frozenset(), None) == (arguments.notify, arguments.envid)


@given(st.lists(st.text(max_size=6), max_size=6))
def test_any_command_line_is_read_or_refused(words):
    """Nothing else is raised."""
    with suppress(Misuse):
        parse(words)


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["/usr/sbin/sendmail", "-t"], ["-t"]),
        (["/opt/bin/postroad-sendmail", "-t"], ["-t"]),
        (["mailq", "-v"], ["-bp", "-v"]),
        (["/usr/bin/newaliases"], ["-bi"]),
        (["/usr/sbin/mailq.postroad"], ["-bp"]),
        (["/usr/sbin/sendmail.distrib", "a@b.example"], ["a@b.example"]),
        (["/usr/bin/mailq", "--help"], None),
        (["postroad", "sendmail", "-oi", "--", "-x"], ["-oi", "--", "-x"]),
        (["postroad", "send"], None),
        (["postroad"], None),
        (["postroad", "sendmail", "--help"], None),
    ],
)
def test_a_link_does_what_its_name_says(argv, expected):
    """Programs call it by its old names; help is the other commands' help."""
    assert expected == called_as_sendmail(argv)


def test_a_lone_dot_ends_a_message_unless_it_is_told_not_to():
    """As it did at terminals; -i is for programs."""
    lines = [b"Subject: x\n", b"\n", b"one\n", b".\n", b"two\n"]
    assert b"Subject: x\n\none\n" == read(iter(lines), dot_ends=True)
    assert b"".join(lines) == read(iter(lines), dot_ends=False)
    assert b"one\r\n" == read([b"one\r\n", b".\r\n", b"two\r\n"], dot_ends=True)


@pytest.mark.parametrize(
    ("handed", "fields", "rest"),
    [
        (b"Subject: x\n\nbody\n", [b"Subject: x\r\n"], b"\r\nbody\r\n"),
        (b"Subject: x\r\n\r\nbody", [b"Subject: x\r\n"], b"\r\nbody\r\n"),
        (b"A: 1\n 2\nB: 3\n\n", [b"A: 1\r\n 2\r\n", b"B: 3\r\n"], b"\r\n"),
        (b"just text\n", [], b"\r\njust text\r\n"),
        (b"A: 1\nno field here\n\nx", [b"A: 1\r\n"], b"\r\nno field here\r\n\r\nx\r\n"),
        (b"\nbody: x\n", [], b"\r\nbody: x\r\n"),
        (b"", [], b"\r\n"),
        (b"From me@example.net Mon Nov  3 10:00:00 2025\nA: 1\n\nx\n", [b"A: 1\r\n"], b"\r\nx\r\n"),
        (b" indented: 1\n", [], b"\r\n indented: 1\r\n"),
    ],
)
def test_a_message_is_taken_apart(handed, fields, rest):
    """Fields with their folds, then an empty line and the text; what is no header is text."""
    draft = parse_message(handed)
    assert (fields, rest) == (list(draft.fields), draft.rest)


@given(st.binary(max_size=200))
def test_any_octets_become_a_message(octets):
    """Whatever is handed over ends its lines with CRLF, and nothing of its text is lost or read as a header."""
    message = finish(parse_message(octets), ORIGIN, None)
    assert message.startswith(b"Received: by relay.example.net")
    assert b"\n" not in message.replace(b"\r\n", b"")
    assert b"\r" not in message.replace(b"\r\n", b"")
    assert b"\r\n\r\n" in message
    assert b"\0" not in message


def test_nul_octets_are_removed():
    """No host takes a NUL: they go before anything is read, so that recipients are those of the header that is sent."""
    draft = parse_message(b"T\0o: ann@exa\0mple.com\n\none\r\n\0.\r\ntwo\n")
    assert ((b"To: ann@example.com\r\n",), b"\r\none\r\n.\r\ntwo\r\n") == (draft.fields, draft.rest)
    assert ["ann@example.com"] == draft.recipients()


def test_what_is_missing_is_added():
    """Received, Date, Message-ID and From; what is there stays."""
    bare = message_from_bytes(finish(parse_message(b"Subject: x\n\nbody\n"), ORIGIN, parse_mailbox("me@example.net")))
    assert (["by relay.example.net (Postroad, from userid 1000)\r\n\tid ID; Sun, 9 Sep 2001 01:46:40 +0000"]) == (
        bare.get_all("Received")
    )
    assert ("Sun, 9 Sep 2001 01:46:40 +0000", "<ID@relay.example.net>", "me@example.net") == (
        bare["Date"],
        bare["Message-ID"],
        bare["From"],
    )
    whole = b"Date: d\nmessage-id: <m>\nFROM: f@x.example\n\nbody\n"
    assert finish(parse_message(whole), ORIGIN, None).endswith(
        b"Date: d\r\nmessage-id: <m>\r\nFROM: f@x.example\r\n\r\nbody\r\n"
    )
    assert 1 == finish(parse_message(whole), ORIGIN, None).lower().count(b"\ndate:")


@pytest.mark.parametrize(
    ("name", "sender", "expected"),
    [
        ("Cron Daemon", "me@example.net", "Cron Daemon <me@example.net>"),
        ("Doe, J.", None, '"Doe, J." <cron@relay.example.net>'),
        ("Zoë", "me@example.net", "=?utf-8?q?Zo=C3=AB?= <me@example.net>"),
        ("a\r\nBcc: x@example.org", "me@example.net", "me@example.net"),
        ("Zoë", "zoë@example.net", "<zoë@example.net>"),
    ],
)
def test_from_has_the_full_name(name, sender, expected):
    """Quoted or encoded where it must be; a name that would break out of its line is left out."""
    origin = Origin("relay.example.net", "cron", 1000, name, "ID", 0.0)
    message = finish(parse_message(b"Subject: x\n\n"), origin, parse_mailbox(sender) if sender else None)
    assert f"\r\nFrom: {expected}\r\n".encode() in message


def test_blind_copies_stay_blind():
    """Bcc is read for recipients and taken out, folds and all."""
    draft = parse_message(
        b"To: A <a@example.org>,\n  b@example.org\nCC: c@example.org\nBcc: d@example.org,\n e@f.example\n\nx\n"
    )
    assert ["a@example.org", "b@example.org", "c@example.org", "d@example.org", "e@f.example"] == draft.recipients()
    message = finish(draft, ORIGIN, None)
    assert b"d@example.org" not in message
    assert b"e@f.example" not in message


def test_a_message_sent_anew_goes_to_its_new_recipients():
    """Where there are Resent- fields the old ones say nothing."""
    draft = parse_message(b"Resent-To: new@example.org\nResent-Bcc: blind@example.org\nTo: old@example.org\n\nx\n")
    assert ["new@example.org", "blind@example.org"] == draft.recipients()
    assert b"blind" not in finish(draft, ORIGIN, None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a@example.org, b@example.org", ["a@example.org", "b@example.org"]),
        ('"Doe, J." <j@example.org>', ["j@example.org"]),
        ("friends: a@example.org, b@example.org;", ["a@example.org", "b@example.org"]),
        ("undisclosed-recipients:;", []),
        ("root", ["root"]),
        ("", []),
    ],
)
def test_addresses_are_found_in_what_people_write(text, expected):
    """Names, comments, groups and lists."""
    assert expected == addresses_named([text])


@pytest.mark.parametrize(
    "to", [b"caf\xe9@example.com", b"X <caf\xe9@example.com>", b"a@b.example, <ann@caf\xe9.example>"]
)
def test_an_address_that_is_no_utf8_is_refused(to):
    """Read by replacing what cannot be read it would be another address."""
    with pytest.raises(InputError, match=r"caf\\xe9.*: the address is not valid UTF-8"):
        parse_message(b"To: " + to + b"\n\n").recipients()


def test_an_address_with_half_a_character_is_refused():
    """As only a program can give it: no octets of a file come to that."""
    with pytest.raises(InputError, match=r"^'\\ud800@example.com': the address is not valid UTF-8"):
        addresses_named(["\ud800@example.com"])


@pytest.mark.parametrize(
    "to", [b"Ren\xe9 <ann@example.com>", b"ann@example.com (Ren\xe9)", b'"Ren\xe9, x" <ann@example.com>']
)
def test_a_name_that_is_no_utf8_does_no_harm(to):
    """Old programs write Latin-1 names: the address is plain."""
    assert ["ann@example.com"] == parse_message(b"To: " + to + b"\n\n").recipients()


def test_a_bare_name_is_a_user_of_this_machine():
    """As cron writes `root`."""
    assert ["root@relay.example.net", "a@example.org"] == qualified(["root", "a@example.org"], "relay.example.net")


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        (b"From: root (Cron Daemon)", b"From: root@relay.example.net (Cron Daemon)"),
        (b"To: root", b"To: root@relay.example.net"),
        (
            b"Cc: ann, Bob <bob>, c@example.org",
            b"Cc: ann@relay.example.net, Bob <bob@relay.example.net>, c@example.org",
        ),
        (b'To: "a, b" <a@example.org>', b'To: "a, b" <a@example.org>'),
        (b"To: undisclosed-recipients:;", b"To: undisclosed-recipients:;"),
        (b"From: <>", b"From: <>"),
        (b"From: two words", b"From: two words"),
        (b"Reply-To:\r\n root", b"Reply-To:\r\n root@relay.example.net"),
        (b"Subject: root", b"Subject: root"),
        (b"From: caf\xc3\xa9 <root>", b"From: caf\xc3\xa9 <root@relay.example.net>"),
    ],
)
def test_a_name_alone_is_a_user_of_this_machine_in_the_header_too(written, sent):
    """Other machines refuse a message from `root` of nowhere; what cannot be read, or is whole, stays as it is."""
    octets = finish(parse_message(written + b"\r\n\r\nx\r\n"), ORIGIN, None)
    assert b"\r\n" + sent + b"\r\n" in octets
