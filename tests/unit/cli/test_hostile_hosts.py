"""`check --smtp` at hosts that are out to harm whoever looks at them: it ends, and every form is harmless and whole.

Every third form; all in a whole run.
"""

import asyncio
import contextlib
import csv
import json
import socket
import ssl
from datetime import UTC, datetime, timedelta
from functools import partial
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.support.examples import some
from typer.testing import CliRunner

from postroad.cli.check import CheckForm
from postroad.cli.root import app
from postroad.examine import ProbeSettings

EVIL = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202e<script>alert(1)</script>|`*_]]>&[red]\x08 @all =cmd()"
FORMS = some(CheckForm, 3, 1)
LIMIT_S = 0.1  # of patience with a host that says nothing, or never ends
OBEYED = {"\x1b", "\x07", "\x08", "\x9b", "\u202e", "\r", "\x00"}
TLS_NEXT = b"220 go\r\n"


async def _greets(reader, writer, tls):
    """Evil in the greeting, in the name it gives, in what it offers, and in its certificate."""
    writer.write(f"220-{EVIL}\r\n220 {EVIL}\r\n".encode())
    await reader.readline()
    writer.write(f"250-{EVIL}\r\n250-STARTTLS\r\n250 {EVIL}\r\n".encode())
    await reader.readline()
    writer.write(TLS_NEXT)
    await writer.start_tls(tls)
    await reader.readline()
    writer.write(f"250 {EVIL}\r\n".encode())
    await reader.readline()


async def _refuses(_reader, writer, _tls):
    """A 554 with evil words."""
    writer.write(f"554-{EVIL}\r\n554 {EVIL}\r\n".encode())


async def _never_ends(_reader, writer, _tls):
    """A greeting of ever more lines."""
    while True:
        writer.write(f"220-{EVIL}\r\n".encode() * 100)
        await writer.drain()


async def _floods(_reader, writer, _tls):
    """One line without an end."""
    while True:
        writer.write(EVIL.encode() * 100)
        await writer.drain()


async def _hangs(reader, writer, _tls):
    """A handshake that is offered and never made."""
    writer.write(b"220 hi\r\n")
    await reader.readline()
    writer.write(b"250-hi\r\n250 STARTTLS\r\n")
    await reader.readline()
    writer.write(TLS_NEXT)
    await reader.read()


async def _babbles(reader, writer, _tls):
    """Evil words where the handshake should be."""
    writer.write(b"220 hi\r\n")
    await reader.readline()
    writer.write(b"250-hi\r\n250 STARTTLS\r\n")
    await reader.readline()
    writer.write(TLS_NEXT)
    await reader.read(100)
    writer.write(EVIL.encode())


HOSTS = {
    "127.0.0.31": _greets,
    "127.0.0.32": _refuses,
    "127.0.0.33": _never_ends,
    "127.0.0.34": _floods,
    "127.0.0.35": _hangs,
    "127.0.0.36": _babbles,
}


def _context(folder):
    """A TLS server whose certificate is evil, too."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, EVIL[:60])])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(1), now + timedelta(1))
    names = [x509.DNSName("<script>alert(1)</script>.example"), x509.DNSName("\x1b[2J.example")]
    made = made.add_extension(x509.SubjectAlternativeName(names), critical=False).sign(key, hashes.SHA256())
    pem = serialization.Encoding.PEM
    text = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "pem").write_bytes(text + made.public_bytes(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "pem")
    return context


async def _checked_in_every_form(folder, zone):
    """What `check` said in each form: {form: (exit status, output)}."""
    tls, told = _context(folder), {}
    async with contextlib.AsyncExitStack() as servers:
        port = 0
        for address, host in HOSTS.items():
            server = await asyncio.start_server(partial(_one, host, tls), address, port)
            servers.callback(server.close)
            port = server.sockets[0].getsockname()[1]
        for form in FORMS:
            words = ["check", "example.com", "--zone", str(zone), "--smtp", "--port", str(port), "--format", form.value]
            done = await asyncio.to_thread(CliRunner().invoke, app, words)
            told[form] = done.exit_code, done.output
    sessions = asyncio.all_tasks() - {asyncio.current_task()}
    for session in sessions:
        session.cancel()
    await asyncio.gather(*sessions, return_exceptions=True)
    return told


async def _one(host, tls, reader, writer):
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)  # else megabytes wait in it
    with contextlib.suppress(OSError, asyncio.CancelledError):
        await host(reader, writer, tls)
        await writer.drain()
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    """The checks, made once, with little patience."""
    folder = tmp_path_factory.mktemp("hostile")
    records = [f"mx{at} IN A {address}\n@ IN MX 10 mx{at}\n" for at, address in enumerate(HOSTS)]
    (folder / "zone").write_text("$ORIGIN example.com.\n" + "".join(records))
    with pytest.MonkeyPatch.context() as patch:
        hasty = partial(ProbeSettings, greeting_s=LIMIT_S, reply_s=LIMIT_S)
        patch.setattr("postroad.examine.sources.ProbeSettings", hasty)
        return asyncio.run(_checked_in_every_form(folder, folder / "zone"))


@pytest.mark.parametrize("form", FORMS)
def test_nothing_of_it_is_obeyed(form, outputs):
    """No control, no mark of direction, in any form; and the check came to its end with a verdict."""
    status, output = outputs[form]
    assert (True, set()) == (status in (0, 1, 2, 3), OBEYED & set(output))
    assert output.replace("\n", "").isprintable()
    assert 127 < len(output)


def _scripts(text):
    tags = []
    reader = HTMLParser()
    reader.handle_starttag = lambda tag, _attributes: tags.append(tag)
    reader.feed(text)
    return tags.count("script")


VALID = {
    CheckForm.JSON: json.loads,
    CheckForm.NDJSON: lambda text: [json.loads(line) for line in text.splitlines()],
    CheckForm.SARIF: json.loads,
    CheckForm.JUNIT: ET.fromstring,
    CheckForm.CSV: lambda text: {len(row) for row in csv.reader(text.splitlines())} == {10} or 1 / 0,
    CheckForm.HTML: lambda text: _scripts(text) == 0 or 1 / 0,
    CheckForm.MARKDOWN: lambda text: "<script" not in "".join(text.split("`")[::2]) or 1 / 0,
    CheckForm.NAGIOS: lambda text: text.count("\n") == text.count("|") == 1 or 1 / 0,
    CheckForm.TEXT: lambda text: [line for line in text.splitlines() if line.startswith((" ", "✗", "!"))] or 1 / 0,
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_stays_what_it_is(form, outputs):
    """JSON, XML, a table of ten columns, a page without a script: the words of a stranger break none of them."""
    assert VALID[form](outputs[form][1]) is not None


def test_each_host_has_its_finding(outputs):
    """Whoever refuses, floods or hangs is told of as an exchanger that fails; what was said can be read."""
    (domain,) = json.loads(outputs[CheckForm.JSON][1])["domains"]
    told = {}
    for finding in domain["findings"]:
        told.setdefault(finding["address"], []).append(finding["seen"])
    assert set() == set(HOSTS) - set(told) - {"127.0.0.31"}
    assert EVIL[:20] in " ".join(told["127.0.0.32"])
