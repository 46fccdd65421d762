"""What a real Postfix and a real Exim prove to us, under DANE and under MTA-STS, and what becomes of the mail."""

import asyncio
import threading
from ipaddress import ip_address

import pytest
from tests.interop import places
from tests.interop.letters import Sender
from tests.interop.servers import RSA

from postroad.dns import parse_zones
from postroad.lab import Nameserver, authority_file
from postroad.lab.certificate import LEAF_KEY
from postroad.lab.web import PolicyServer

pytestmark = pytest.mark.root
KEY, RSA_KEY, OTHER_KEY = LEAF_KEY, RSA.tlsa().data.hex(), "00" * 32
DOORS = {name: address for name, (address, _) in places.WARDED.items()} | {"exim": places.EXIM}
HEAD = "$TTL 60\n$ORIGIN {domain}.\n@ SOA ns h 1 2 3 4 60\n@ MX 10 mx\nmx A {address}\n"
DANE = HEAD + "@ DNSKEY 257 3 13 AAAA\n_25._tcp.mx TLSA 3 1 1 {key}\n"
STS = HEAD + '_mta-sts TXT "v=STSv1; id=1"\nmta-sts A {web}\n'
POLICY = "version: STSv1\nmode: enforce\nmx: mx.{}\nmax_age: 86400\n"
WEB = "127.0.77.80"


def zones():
    """Each door by DANE, by DANE with a record of another key, and by MTA-STS."""
    made = {}
    for name, address in DOORS.items():
        for way, text, key in (
            ("dane", DANE, RSA_KEY if name == "rsa" else KEY),
            ("odd", DANE, OTHER_KEY),
            ("sts", STS, ""),
        ):
            domain = f"{way}-{name}.example"
            made[domain] = text.format(domain=domain, address=address, key=key, web=WEB)
    return made


@pytest.fixture(scope="module")
def ward(ports):
    """`postroad.send`, with a name server that vouches for those with DANE, and a web server that has the policies."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    def do(work):
        return asyncio.run_coroutine_threadsafe(work, loop).result()

    written = zones()
    names = Nameserver(parse_zones(written))
    web = PolicyServer({domain: POLICY.format(domain) for domain in written}, [ip_address(WEB)])
    web.hold(0)
    do(web.start())
    do(names.start())
    at = names.endpoint
    sender = Sender(
        ports.smtp, resolvers=[f"{at.address}:{at.port}"], https_port=web.port, authorities=authority_file()
    )
    sender.start()
    yield sender
    sender.stop()
    do(names.stop())
    do(web.stop())
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def outcome_at(ward, domain, **options):
    """The recipient, and what becomes of a message: result and status."""
    [outcome] = ward([to := f"{'-'.join(map(str, options)) or 'ann'}@{domain}"], **options)
    return to, (outcome.result, outcome.status), outcome.text


@pytest.mark.parametrize("name", places.WARDED)
def test_postfix_has_what_dane_proves(postfix, box, ward, name):
    """Its key is the one of the record: whatever its certificate says, and whichever versions and keys it takes."""
    to, outcome, why = outcome_at(ward, f"dane-{name}.example")
    assert ("delivered", "2.0.0") == outcome, why
    [kept] = box.wait(to)
    assert f"using TLSv1.{'2' if name in ('tls12', 'ecdsa') else '3'} " in kept.header


@pytest.mark.parametrize("name", DOORS)
def test_nobody_has_what_dane_does_not_prove(postfix, exim, box, ward, name):
    """Another key than that of the record: the mail waits, and the box has none of it."""
    to, outcome, why = outcome_at(ward, f"odd-{name}.example")
    assert (("deferred", "4.7.5"), []) == (outcome, box.of(to))
    assert f"TLSA 3 1 1 of mx.odd-{name}.example does not match its certificate" == why


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("good", ("delivered", "2.0.0")),
        ("tls12", ("delivered", "2.0.0")),
        ("tls13", ("delivered", "2.0.0")),
        ("ecdsa", ("delivered", "2.0.0")),
        ("expired", ("deferred", "4.7.5")),
        ("foreign", ("deferred", "4.7.5")),
        ("rsa", ("deferred", "4.7.5")),
        ("exim", ("deferred", "4.7.5")),
    ],
)
def test_who_has_mail_under_an_enforced_policy(postfix, exim, box, ward, name, expected):
    """Those whose certificate an authority vouches for now, and nobody else; the others are not even told of it."""
    to, outcome, why = outcome_at(ward, f"sts-{name}.example")
    assert expected == outcome, why
    kept = box.wait(to) if expected[0] == "delivered" else box.of(to)
    assert (expected[0] == "delivered") == bool(kept)


def test_exim_has_what_dane_proves(exim, box, ward):
    """Its certificate is self-signed, for another name."""
    to, outcome, why = outcome_at(ward, "dane-exim.example")
    assert ("delivered", "2.0.0") == outcome, why
    [kept] = box.wait(to)
    assert "with esmtps" in kept.header


@pytest.mark.parametrize("name", ["good", "exim"])
def test_neither_has_mail_whose_sender_requires_tls_all_the_way(postfix, exim, box, ward, name):
    """Both prove who they are, and neither offers REQUIRETLS (RFC 8689 section 4.2.1): it comes back."""
    to, outcome, why = outcome_at(ward, f"dane-{name}.example", require_tls=True)
    assert (("failed", "5.7.30"), []) == (outcome, box.of(to)), why
