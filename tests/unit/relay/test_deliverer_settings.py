"""What the process that delivers is sent: all that the one that receives has read for it, and nothing of receiving."""

from dataclasses import replace

import pytest
from tests.support.signing import ed25519_pem, rsa_pem

from postroad.build import verified_tls
from postroad.config import read
from postroad.lab.certificate import CertificateKind, authority_file, lab_chain
from postroad.receive import PasswordHash
from postroad.relay import relay_settings
from postroad.relay.deliverer_settings import DelivererSettings, unpacked
from postroad.tls import why_untrusted

LETTER = b"From: ann@example.com\r\nSubject: hello\r\n\r\nHello.\r\n"
NOW = 1_795_400_000.0
SETTINGS = f"""
hostname = "relay.example.org"
relay.users = "users"
dkim.keys = "keys"
aliases.postmaster = "ops@example.net"
metrics.listen = "127.0.0.1:9100"
dns = {{resolvers = ["192.0.2.53"], trust_ad = true}}
log = {{format = "json", level = "warning"}}
tls_report.enabled = true
[[route]]
domains = ["example.com"]
next_hop = "smart.example:465"
tls = "verify"
ca_file = "{authority_file()}"
auth = {{user = "me", password_file = "secret"}}
[[route]]
domains = ["*"]
mx_of = "example.net"
"""


@pytest.fixture
def sent(tmp_path):
    """What is sent, and how it arrives."""
    (tmp_path / "keys" / "example.com").mkdir(parents=True)
    files = {"secret": b"correct horse", "users": f"ann:{PasswordHash(b'salt', bytes(32))}\n".encode()}
    files |= {f"keys/example.com/{name}.pem": pem for name, pem in (("rsa", rsa_pem()), ("ed", ed25519_pem()))}
    for name, octets in files.items():
        (tmp_path / name).write_bytes(octets)
        (tmp_path / name).chmod(0o600)
    config = read(SETTINGS, tmp_path / "postroad.toml")
    it = DelivererSettings.of(config, relay_settings(config))
    octets = it.packed()
    for name in files:
        (tmp_path / name).unlink()
    return it, unpacked(octets)


def test_no_file_is_read_again(sent):
    """Its keys sign, its password logs in and its authorities vouch, whatever has become of the files meanwhile."""
    signed = [it.relay.signing.signed(LETTER, NOW) for it in sent]
    assert (signed[0], 2) == (signed[1], signed[1].count(b"DKIM-Signature:"))
    (smart, usual), (_, there) = (it.relay.next_hops for it in reversed(sent))
    assert ("me", "correct horse") == (smart.settings.login.user, smart.settings.login.password)
    chains = [lab_chain(kind, ["smart.example"]) for kind in (CertificateKind.GOOD, CertificateKind.FOREIGN)]
    assert [True, False] == [not why_untrusted(chain, smart.settings.trust, NOW) for chain in chains]
    assert usual.route == there.route


def test_all_that_delivery_asks_for_arrives(sent):
    """Its log, its name servers, its reports; nothing of who may send."""
    here, there = sent
    for name in ("dns", "style", "is_counted"):
        assert getattr(here, name) == getattr(there, name)
    for name in ("hostname", "loop", "policy", "own", "tls", "sts", "submitter", "node", "aliases", "postmaster"):
        assert getattr(here.relay, name) == getattr(there.relay, name), name
    assert ({}, None) == (there.relay.receive.users, there.relay.receive.tls)


def test_routes_are_told_apart_there_as_here(sent):
    """No two have settings of one number, nor those that were sent before: a connection serves one route alone."""
    here, there = sent
    again = unpacked(here.packed())
    numbers = [
        each.serial for it in (there, again) for each in (it.relay.deliver, *(h.settings for h in it.relay.next_hops))
    ]
    assert 6 == len(set(numbers))


def test_a_context_that_verifies_is_never_sent_as_one_that_does_not(sent):
    """The other process would trust every host; a mistake of ours ends the start instead."""
    here, _there = sent
    settings = replace(here.relay.deliver, tls=verified_tls())
    verifying = replace(here, relay=replace(here.relay, deliver=settings))
    with pytest.raises(TypeError, match="verifies"):
        verifying.packed()
