"""Signed mail from the port to the exchangers: what arrives is what was signed, once, whatever happens on the way."""

import asyncio
import io
import re
from email import message_from_bytes
from itertools import product

import pytest
from tests.support.examples import some
from tests.support.letters import EVERYTHING
from tests.support.relaying import house, resolver_of, settings_of
from tests.support.signing import ed25519_pem, key, rsa_pem, verdicts

from postroad.cli.sendmail import run
from postroad.lab import parse_fault
from postroad.relay.tls_reports.mail import message_of
from postroad.spool import PIECE
from postroad.spool.sqlite import SqliteSpool
from postroad.tls import PolicyType, ReportedPolicy, SessionRow, Submitter, TlsReport, facts_of
from postroad.words.inputs import InputError
from postroad.words.mail import parse_mailbox

DOMAIN = "example.org"
KEYS = (key("rsa", DOMAIN), key("ed", DOMAIN, ed25519_pem()))
LETTER = b"From: Ann <ann@example.org>\r\nTo: bob@example.com\r\nSubject: hello\r\n\r\n.Hello\r\n..\r\n\r\n"
LINE = b"as-any-other-line-" * 40 + b"\r\n"  # few, and few blanks: the verifier looks at each of them
SPOOLS = list(product(["memory", "sqlite"], [0, PIECE, 2 * PIECE]))
FORMS = ["relaxed/relaxed", "simple/simple"]
ENDS = [b"x", b"x \t", b" ", b"", b"x\r\n \t", b"x\r\n", b"x\r\n\r\n"]
PARENT = "subdomains = true"  # reports are of MAILER-DAEMON@relay.example.org


@pytest.fixture
def dkim(tmp_path):
    """The settings that sign with both keys, and more of them."""
    folder = tmp_path / "dkim" / DOMAIN
    folder.mkdir(parents=True)
    for name, octets in (("rsa", rsa_pem()), ("ed", ed25519_pem())):
        (folder / f"{name}.pem").write_bytes(octets)
        (folder / f"{name}.pem").chmod(0o600)
    return lambda more="": f'[dkim]\nkeys = "{tmp_path / "dkim"}"\n{more}\n'


@pytest.mark.parametrize(("kind", "size"), some(SPOOLS, 5))
def test_what_arrives_is_what_was_signed(dkim, tmp_path, kind, size):
    """Through either spool, small and large, over DATA with its dots and back. Every fifth; all in a whole run."""
    letter = LETTER + LINE * (size // len(LINE))

    async def story():
        spool = await SqliteSpool.open(tmp_path / "spool", node="one") if kind == "sqlite" else None
        async with house(dkim(), spool=spool) as it:
            await it.submit("bob@example.com", content=letter)
            await it.verdict()
            return it.lab.received[0].content

    content = asyncio.run(story())
    assert (True, True) == (content.startswith(b"DKIM-Signature: v=1; a=rsa"), content.endswith(letter))
    assert [True, True] == verdicts(content, *KEYS)


async def submit_by_bdat(it, content):
    """Hand a message over as it is, also if its last line has no end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", it.port)
    chunk = b"BDAT %d LAST\r\n%b" % (len(content), content)
    for line in (b"", b"EHLO x\r\n", b"MAIL FROM:<m@example.net>\r\n", b"RCPT TO:<bob@example.com>\r\n", chunk):
        writer.write(line)
        while (reply := await reader.readline())[3:4] == b"-":
            pass
        assert reply.startswith(b"2"), reply
    writer.close()


@pytest.mark.parametrize(("canonicalization", "end"), some(product(FORMS, ENDS), 4, first=1))
def test_a_last_line_without_an_end_gets_one(dkim, canonicalization, end):
    """RFC 6376 section 3.4.4: by BDAT it may have none, and a verifier that keeps its blanks would see another body.

    Every fourth; all in a whole run.
    """
    letter = LETTER + end

    async def story():
        async with house(dkim(f'canonicalization = "{canonicalization}"')) as it:
            await submit_by_bdat(it, letter)
            await it.verdict()
            return it.lab.received[0].content

    content = asyncio.run(story())
    assert content.endswith(letter if letter.endswith(b"\n") else letter + b"\r\n")
    assert [True, True] == verdicts(content, *KEYS)


@pytest.mark.parametrize(("kind", "size"), some(SPOOLS, 4, first=1))
def test_a_host_that_cannot_take_two_gets_the_first(dkim, tmp_path, kind, size):
    """By its route, from either spool, small and large: of ours that of the RSA key, and what others had signed.

    Every fourth; all in a whole run.
    """
    theirs = b"DKIM-Signature: v=1; a=rsa-sha256; d=example.net; s=x; h=from;\r\n\tbh=; b=\r\n"
    letter = theirs + LETTER + LINE * (size // len(LINE))
    route = '[[route]]\ndomains = ["example.com"]\ndirect = true\nsignatures = 1'

    async def story():
        spool = await SqliteSpool.open(tmp_path / "spool", node="one") if kind == "sqlite" else None
        async with house(dkim(route), spool=spool) as it:
            await it.submit("bob@example.com", "ann@example.net", content=letter)
            await it.verdict(2)
            return {len(each.content): each.content for each in it.lab.received}

    once, twice = (content for _, content in sorted(asyncio.run(story()).items()))
    assert [True, False] == verdicts(once, *KEYS)
    assert [True, True, False] == verdicts(twice, *KEYS)
    ours = [match.span() for match in re.finditer(rb"DKIM-Signature:.*\r\n(?:[ \t].*\r\n)*", twice)][1]
    assert twice[: ours[0]] + twice[ours[1] :] == once


def test_a_message_is_signed_once(dkim):
    """Each attempt, and each destination, has the same octets."""

    async def story():
        async with house(dkim(), faults={"127.0.0.13": "d451"}) as it:
            await it.submit("bob@example.com", "ann@example.net", content=LETTER)
            await it.verdict(2)
            await it.lab.set_fault("127.0.0.13", parse_fault("accept"))
            await it.relay.spool.retry(EVERYTHING, 0.0)
            it.relay.delivery.look()
            await it.verdict(3)
            return {each.content for each in it.lab.received}

    (content,) = asyncio.run(story())
    assert [True, True] == verdicts(content, *KEYS)


def test_reports_are_signed(dkim):
    """They have no sender, and their author is this machine: its domain's key, or that of the domain above."""

    async def story(more):
        async with house(dkim(more), faults={"127.0.0.13": "r550"}) as it:
            await it.submit("bob@example.net", sender="ann@example.com", content=LETTER)
            await it.verdict(2)
            return it.lab.received[0]

    signed, unsigned = asyncio.run(story(PARENT)), asyncio.run(story(""))
    assert (None, [True, True]) == (signed.envelope.reverse_path, verdicts(signed.content, *KEYS))
    assert unsigned.content.startswith(b"From: Mail Delivery System <MAILER-DAEMON@relay.example.org>")


def test_keys_that_cannot_be_used_keep_the_old_ones(dkim, tmp_path):
    """A reload with a damaged key changes nothing; once it is there again, the new settings hold."""
    path = tmp_path / "dkim" / DOMAIN / "ed.pem"

    async def story():
        async with house(dkim()) as it:
            octets = path.read_bytes()
            path.write_bytes(b"text")
            with pytest.raises(InputError, match=r"ed\.pem cannot sign: it is not a PEM file"):
                settings_of(dkim(), it.lab)
            await it.submit("bob@example.com", content=LETTER)
            await it.verdict()
            path.write_bytes(b"Not-After: 2020-01-01\n" + octets)
            await it.relay.reload(settings_of(dkim(), it.lab), resolver_of(it.lab))
            await it.submit("bob@example.com", content=LETTER)
            await it.verdict(2)
            return [verdicts(each.content, *KEYS) for each in it.lab.received]

    assert [[True, True], [True]] == asyncio.run(story())


def test_what_programs_hand_over_is_signed(dkim, tmp_path, monkeypatch):
    """Mail of `postroad sendmail` goes into the spool as it leaves."""
    settings = tmp_path / "p.toml"
    settings.write_text(f'hostname = "relay.example.org"\nspool.path = "spool"\n{dkim()}')

    async def look():
        spool = await SqliteSpool.open(tmp_path / "spool", node="relay")
        mails = [each.parcel.mail for each in await spool.listed(EVERYTHING)]
        contents = [b"".join([piece async for piece in spool.body(mail)]) for mail in mails]
        await spool.close()
        return contents

    asyncio.run(look())
    text = b"To: bob@example.com\nFrom: ann@example.org\nSubject: x\n\nhello\n.\n"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text)))
    assert 0 == run(["-C", str(settings), "-i", "-t"])
    (content,) = asyncio.run(look())
    assert [True, True] == verdicts(content, *KEYS)


def test_sendmail_says_what_is_wrong_with_a_key(dkim, tmp_path, monkeypatch, capsys):
    """As for any fault of the settings: nothing is sent unsigned that should not be."""
    settings = tmp_path / "p.toml"
    settings.write_text(f'spool.path = "{tmp_path}"\n{dkim()}')
    (tmp_path / "dkim" / DOMAIN / "ed.pem").chmod(0o644)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"x")))
    assert 78 == run(["-C", str(settings), "bob@example.com"])
    assert "ed.pem can be read by every user of this machine; run: chmod o-rwx" in capsys.readouterr().err


def test_tls_reports_are_signed_with_the_fields_of_their_own(dkim):
    """RFC 8460 section 3: without a signature they must be ignored; section 5.3: it covers TLS-Report-Domain too."""
    row = SessionRow(ReportedPolicy(PolicyType.NONE, "example.com"))
    sender = parse_mailbox("tls@example.org")
    submitter = Submitter("", sender, sender)
    facts = facts_of("example.com", "2026-06-01", submitter, [(row, 1)])
    report = TlsReport("example.com", "2026-06-01", submitter, facts)

    async def story():
        async with house(dkim("[tls_report]\nenabled = true\nsender = 'tls@example.org'")) as it:
            return it.relay.reporter._world.sign(message_of(report, (sender,), 1_780_400_000.0), 1_780_400_000.0)

    message = asyncio.run(story())
    assert [True, True] == verdicts(message, *KEYS)
    signed = re.sub(r"\s", "", message_from_bytes(message)["DKIM-Signature"].lower())
    assert "tls-report-domain" in signed
    assert "tls-report-submitter" in signed
    assert ";l=" not in signed
