"""What a relay can run with but cannot work, or is hardly meant: a warning with what, where and how to fix it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from postroad.config import doubts, read

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
QUIET = "hostname = 'relay.example.org'\naliases.root = 'ops@example.com'\naliases.postmaster = 'root'\n"


@pytest.fixture
def warned(tmp_path, monkeypatch):
    """A function that gives the warnings of a file's text, as a user who may bind any port."""
    monkeypatch.setattr(doubts, "_may_bind", lambda _port: True)

    def call(text):
        return list(doubts.warnings(read(QUIET + text, tmp_path / "p.toml"), NOON))

    return call


def certificate(path, begins, ends):
    """Write a certificate of that time."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([])
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, NOON + begins, NOON + ends).sign(key, SHA256())
    path.write_bytes(made.public_bytes(Encoding.PEM))
    path.chmod(0o600)


def test_a_good_file_is_doubted_by_nobody(warned):
    """With a name, and readers for root and postmaster."""
    assert [] == warned("")


@pytest.mark.parametrize(
    "text", ["resolvers = ['127.0.0.53', '::1']", "resolvers = ['192.0.2.53']\ntrust_ad = true", "zones = ['a']"]
)
def test_name_servers_that_are_believed_are_no_doubt(text, warned):
    """On this machine, or trusted by the settings."""
    assert [] == warned(f"[dns]\n{text}\n")


@pytest.mark.parametrize(
    "servers", ["'192.0.2.53'", "'192.0.2.53', '2001:db8::53'", "'127.0.0.1', '192.0.2.53'", "'::1'"]
)
@pytest.mark.parametrize("more", ["", "trust_ad = true\n", "zones = ['a']\n"])
def test_dane_only_where_nobody_is_believed(servers, more, warned):
    """No mail at all would leave, and the file says for which; one name server that is believed is enough."""
    text = f"deliver.tls = 'dane-only'\n[dns]\nresolvers = [{servers}]\n{more}"
    text += "[[route]]\ndomains = ['a.b']\ndirect = true\ntls = 'dane-only'\n"
    said = [warning for warning in warned(text) if "dane-only" in warning]
    is_none_believed = not more and "1'" not in servers
    assert (
        ['deliver.tls: "dane-only" sends none', 'route[1].tls: "dane-only" sends none'] if is_none_believed else []
    ) == [warning[: warning.index(" of this mail")] for warning in said]


TLS = "tls.certificate = 'c.pem'\n"
PORT = TLS + "[[listen]]\naddress = '{0}'\nport = {1}\ntls = '{2}'\n"
ROUTE = "[[route]]\ndomains = ['*']\nnext_hop = '{0}'\n"
LOGIN = "auth = {user = 'u', password_file = 'secret'}\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("relay.networks = ['::/0']", "relay.networks has ::/0: anyone"),
        (PORT.format("127.0.0.1", 25, "implicit"), "listen[1].tls: at port 25 clients begin without TLS"),
        (PORT.format("127.0.0.1", 587, "implicit"), "listen[1].tls: at port 587 clients begin without TLS"),
        (PORT.format("127.0.0.1", 465, "starttls"), "listen[1].tls: at port 465 clients begin with TLS"),
        (TLS, "tls.certificate: no port uses it"),
        ("dns.resolvers = ['192.0.2.53']", "dns.resolvers: 192.0.2.53:53 is not on this machine, so DANE is not used"),
        (
            "dns.resolvers = ['127.0.0.1', '192.0.2.53', '2001:db8::53']",
            "dns.resolvers: 192.0.2.53:53 and [2001:db8::53]:53 are not on this machine, so DANE is not used",
        ),
        ("relay.users = 'users'", "relay.users: no port has TLS, so nobody can authenticate"),
        (ROUTE.format("a.b:465") + "tls = 'off'", 'route[1]: tls is "off", but port 465 begins with TLS'),
        (ROUTE.format("a.b:465") + "security = 'starttls'", 'route[1]: security is "starttls", but port 465'),
        (ROUTE.format("a.b:587") + "security = 'tls'", 'route[1]: security is "tls", but ports 25 and 587'),
        (ROUTE.format("a.b:587") + LOGIN + "tls = 'encrypt'", 'route[1]: tls = "encrypt" gives the password'),
        ("[[route]]\nname = 'ses'\ndirect = true", "route[1]: no mail takes it: it has only a name, and no on_reject"),
        (
            "[[route]]\nexchangers = ['mail.protection.outlook.com']\ndirect = true",
            "route[1].exchangers: mail.protection.outlook.com is one host; for those of Microsoft 365 below it write",
        ),
        ("[tls_report]\nsender = 'a@b.test'", "tls_report: enabled is false, so no reports are sent"),
        ("tls_report.enabled = true", "tls_report: there is no DKIM key of relay.example.org in dkim.keys"),
        (ROUTE.format("127.0.0.1"), "route[1]: 127.0.0.1 port 25 is this relay: mail sent there would come back"),
    ],
)
def test_what_cannot_work_is_told(warned, text, said):
    """One sentence, beginning with the key."""
    (warning,) = warned(text)
    assert warning.startswith(said)


@pytest.mark.parametrize(
    "text",
    [
        PORT.format("127.0.0.1", 465, "implicit"),
        PORT.format("127.0.0.1", 25, "starttls") + "[relay]\nusers = 'users'",
        "relay = {users = 'users', auth_in_clear_on_loopback = true}",
        ROUTE.format("a.b:465"),
        ROUTE.format("a.b:2465") + "security = 'tls'",
        ROUTE.format("127.0.0.1:10025"),
        ROUTE.format("a.b:587") + LOGIN,
    ],
)
def test_what_works_is_left_alone(warned, text):
    """A warning that is always there is read by nobody."""
    assert [] == warned(text)


def test_ports_of_root_are_told_to_others(tmp_path, monkeypatch):
    """Whoever is not root and has no capability cannot open port 25."""
    monkeypatch.setattr(doubts, "_may_bind", lambda port: port >= 1024)
    config = read(QUIET + "[[listen]]\nport = 2525\n[[listen]]", tmp_path / "p.toml")
    (warning,) = doubts.warnings(config, NOON)
    assert warning.startswith("listen[2].port: this user may not open port 25")


@pytest.mark.parametrize(
    ("effective", "first", "may"),
    [("0000000000000000", "1024", False), ("0000000000000400", "1024", True), ("0000000000000000", "25", True)],
)
def test_who_may_open_port_25(tmp_path, monkeypatch, effective, first, may):
    """The system says from which port on everyone may, and what this process may besides."""
    for name, text in (("_STATUS", f"Name:\tx\nCapEff:\t{effective}\n"), ("_UNPRIVILEGED", f"{first}\n")):
        (tmp_path / name).write_text(text)
        monkeypatch.setattr(doubts, name, Path(tmp_path / name))
    assert may == doubts._may_bind(25)


SECRETS = {
    "users": ("relay.users", "relay = {users = 'users', auth_in_clear_on_loopback = true}"),
    "secret": ("route[1]: auth.password_file", ROUTE.format("a.b:587") + LOGIN),
    "c.pem": ("tls.key", PORT.format("127.0.0.1", 587, "starttls")),
}


@pytest.mark.parametrize(("mode", "what"), [(0o602, "changed"), (0o644, "read"), (0o640, None)])
@pytest.mark.parametrize("name", SECRETS)
def test_secrets_that_others_can_read_are_told(warned, tmp_path, name, mode, what):
    """With the file and the command that fixes it."""
    certificate(tmp_path / "c.pem", -timedelta(days=1), timedelta(days=1))
    where = tmp_path / name
    where.touch()
    where.chmod(mode)
    key, text = SECRETS[name]
    said = f"{key}: {where} can be {what} by every user of this machine; chmod o-rwx {where}"
    assert ([said] if what else []) == warned(text)


@pytest.mark.parametrize(
    ("begins", "ends", "said"),
    [
        (-10, -1, "expired on 2026-05-31; renew it"),
        (1, 10, "is not valid before 2026-06-02"),
        (-1, 1, None),
    ],
)
def test_certificates_out_of_their_time_are_told(warned, tmp_path, begins, ends, said):
    """Clients would refuse it."""
    path = tmp_path / "c.pem"
    certificate(path, timedelta(days=begins), timedelta(days=ends))
    expected = [f"tls.certificate: {path} {said}"] if said else []
    assert expected == warned(PORT.format("127.0.0.1", 587, "starttls"))


def test_root_and_postmaster_without_alias_are_told(tmp_path, monkeypatch):
    """Their mail is refused until somebody is named who reads it; `*` is somebody."""
    monkeypatch.setattr(doubts, "_may_bind", lambda _port: True)

    def names(text):
        config = read(f"hostname = 'relay.example.org'\n{text}", tmp_path / "p.toml")
        return [warning.partition(":")[0] for warning in doubts.warnings(config, NOON)]

    assert ["aliases.root", "aliases.postmaster"] == names("")
    assert [] == names("aliases = {'*' = 'ops@example.com'}")


@pytest.mark.parametrize(
    "text", ["sender = 'a@b.test'", "sender = 'a@c.b.test'\n[dkim]\nkeys = 'keys'\nsubdomains = true"]
)
def test_reports_that_are_signed_are_no_doubt(text, warned, tmp_path):
    """There is a key of the sender's domain, or of one above it that signs for it."""
    (tmp_path / "keys" / "b.test").mkdir(parents=True)
    (tmp_path / "keys" / "b.test" / "2026a.pem").touch()
    keys = "" if "[dkim]" in text else "\n[dkim]\nkeys = 'keys'"
    assert [] == [each for each in warned(f"[tls_report]\nenabled = true\n{text}{keys}") if "tls_report" in each]


def test_senders_that_nobody_can_use_are_doubted(warned):
    """Users who cannot log in, and a fixed sender that its own clients may not use."""
    text = """[[relay.senders]]\nusers = ['web']\nnetworks = ['192.0.2.0/24']\nsenders = ['example.com']\n
    [[rewrite.fixed]]\nnetworks = ['192.0.2.16/28']\nsender = 'scan@example.org'\n"""
    assert [
        "relay.senders[1].users: nobody can log in, because relay.users is not set",
        "rewrite.fixed[1]: [[relay.senders]] refuses scan@example.org from 192.0.2.16; add it",
    ] == warned(text)
