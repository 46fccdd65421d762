"""From a settings file to the rooms' own: what it says is what they have."""

import ssl
from pathlib import Path

import pytest

from postroad import lab
from postroad.build import system_trust
from postroad.config import Config, read
from postroad.deliver import DeliverSettings, LoopSettings
from postroad.receive import PasswordHash, ReceiveLimits, ReceiveTimeouts
from postroad.relay import relay_settings
from postroad.tls import TlsMode, why_untrusted
from postroad.words.inputs import InputError

NOW = 1_800_000_000.0  # while the certificate of the lab is good


def settings(text, folder=Path("/nowhere")):
    """The settings of a file with this text."""
    return relay_settings(read(f"hostname = 'relay.example.org'\n{text}\n", folder / "relay.toml"))


def test_defaults_of_the_file_are_those_of_the_rooms():
    """An empty file asks for what each room does by itself."""
    it = relay_settings(Config(hostname="relay.example.org"))
    usual = LoopSettings()
    assert usual == it.loop
    assert (DeliverSettings().walk, DeliverSettings().timeouts) == (it.deliver.walk, it.deliver.timeouts)
    assert (ReceiveLimits(), ReceiveTimeouts()) == (it.receive.limits, it.receive.timeouts)
    assert (30.0, (), False) == (it.drain_s, it.next_hops, it.policy.allow_loopback)


def test_who_we_are_is_said_everywhere():
    """One name, for listeners, for EHLO, for reports, and to know ourselves among exchangers."""
    it = settings("own = ['relay.example.net', '192.0.2.7']")
    assert {"relay.example.org"} == {it.hostname, it.receive.hostname, it.deliver.hostname}
    assert {"relay.example.org", "relay.example.net"} <= set(it.own.names)


def test_mail_between_servers_is_protected_as_the_receiver_publishes():
    """Unless the file says otherwise."""
    assert TlsMode.AUTO is settings("").tls.mode
    assert TlsMode.OFF is settings("deliver.tls = 'off'").tls.mode


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        ("tls = 'off'", TlsMode.OFF),
        ("tls = 'opportunistic'", TlsMode.OPPORTUNISTIC),
        ("tls = 'encrypt'", TlsMode.ENCRYPT),
        ("tls = 'dane'", TlsMode.DANE),
        ("tls = 'dane-only'", TlsMode.DANE_ONLY),
        ("tls = 'verify'", TlsMode.VERIFY),
        ("tls = 'auto'", TlsMode.AUTO),
        ("", TlsMode.AUTO),
    ],
)
def test_route_demands_of_tls_what_it_says(text, mode):
    """From never to only with proof; without a word, what is usual."""
    (hop,) = settings(f"[[route]]\ndomains = ['*']\nnext_hop = 'smtp.example.net'\n{text}").next_hops
    assert (mode, False) == (hop.tls.mode, hop.settings.implicit_tls)


def test_certificate_may_have_to_be_for_other_names():
    """Those of the route, instead of the host's."""
    text = "[[route]]\ndomains = ['*']\nnext_hop = '192.0.2.1'\ntls = 'verify'\ntls_names = ['mx.example.net']"
    assert ("mx.example.net",) == settings(text).next_hops[0].tls.names


@pytest.mark.parametrize("tls", ["opportunistic", "encrypt", "verify"])
def test_where_tls_comes_first_there_is_no_clear(tls):
    """There is nothing to fall back to; whether the host is proven is asked as ever."""
    (hop,) = settings(f"[[route]]\ndomains = ['*']\nnext_hop = 'smtp.example.net:465'\ntls = '{tls}'").next_hops
    it = hop.settings
    assert (True, False, tls) == (it.implicit_tls, it.walk.clear_after_tls_failure, hop.tls.mode)


def test_private_authority_is_trusted_instead_of_the_systems(tmp_path):
    """A certificate of one's own vouches for one's own smarthost; a file that is none is an error."""
    pem = Path(lab.__file__).parent / "tls" / "certificate.pem"
    text = "[[route]]\ndomains = ['*']\nnext_hop = 'smtp.example.net:465'\ntls = 'verify'\nca_file = '{}'"
    trust = settings(text.format(pem)).next_hops[0].settings.trust
    chain = (ssl.PEM_cert_to_DER_cert(pem.read_text()),)
    assert ("", True) == (why_untrusted(chain, trust, NOW), bool(why_untrusted(chain, system_trust(), NOW)))
    (tmp_path / "bad.pem").write_text("no certificate")
    for name, changed in (
        ("trusted.pem", pem.read_text().replace(" CERT", " TRUSTED CERT")),  # as `openssl x509 -addtrust` writes it
        ("second.pem", pem.read_text() + pem.read_text().replace("M", "!", 3)),
    ):
        (tmp_path / name).write_text(changed)
        with pytest.raises(InputError, match=rf"{name} has no certificates, or one that cannot be read; choose"):
            settings(text.format(name), tmp_path)
    for name, why in (
        ("bad.pem", "has no certificates, or one that cannot be read"),
        ("none.pem", "cannot be read: No such file"),
    ):
        with pytest.raises(
            InputError, match=rf"^route\[1\].ca_file: .*{name} {why}.*; choose a PEM file of authorities"
        ):
            settings(text.format(name), tmp_path)


def test_aliases_come_from_the_settings_and_the_file(tmp_path):
    """What both have counts as the settings say; postmaster reads what concerns the relay."""
    (tmp_path / "aliases").write_text("postmaster: root\nroot: other@example.com\nnoc: noc@example.com\n")
    it = settings("aliases = {file = 'aliases', root = 'ops@example.com'}", tmp_path)
    assert ["ops@example.com", "noc@example.com"] == [str(it.aliases.of(name)[0]) for name in ("ROOT", "noc")]
    assert ["ops@example.com"] == list(map(str, it.postmaster))
    assert () == settings("").postmaster


def test_names_of_this_machine_are_local():
    """Those of the settings, and what every machine calls itself; not a domain whose mail has a route."""
    text = "own = ['mx.example.net', 'example.com', 'a.corp.example', '192.0.2.1']\n"
    routes = "[[route]]\ndomains = ['example.com', '.corp.example', '*']\nmx_of = 'example.com'"
    local = {"relay.example.org", "mx.example.net", "localhost", "localhost.localdomain"}
    assert local <= settings(text + routes).aliases.names
    assert {"example.com", "a.corp.example", "192.0.2.1"}.isdisjoint(settings(text + routes).aliases.names)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("aliases = {root = 'ops', ops = 'root@relay.example.org'}", r"aliases.root: .* itself \(root > ops > root\)"),
        ("aliases.file = 'none'", "none cannot be read"),
        ("aliases.file = 'relay.toml'", r'aliases.file: .*relay.toml line 1: "/dev/null": files are not supported'),
    ],
)
def test_aliases_that_lead_nowhere_are_an_error(tmp_path, text, why):
    """At once, and not when mail is under way."""
    (tmp_path / "relay.toml").write_text("a: /dev/null")
    with pytest.raises(InputError, match=why):
        settings(text, tmp_path)


def test_route_overrides_a_file_that_never_encrypts():
    """What a route says of TLS counts for it, whatever is usual; what it leaves out is as usual."""
    text = "deliver.tls = 'off'\n[[route]]\ndomains = ['{}']\nnext_hop = 'smtp.example.net'\n"
    hops = settings(text.format("a.test") + "tls = 'encrypt'\n" + text.format("b.test").partition("\n")[2]).next_hops
    assert [TlsMode.ENCRYPT, TlsMode.OFF] == [hop.tls.mode for hop in hops]


def test_route_may_say_of_tls_alone():
    """Its mail goes where DNS says, by other rules: one line for a domain that is broken."""
    (hop,) = settings("[[route]]\ndomains = ['broken.test']\ntls = 'opportunistic'").next_hops
    assert ((), "", TlsMode.OPPORTUNISTIC) == (hop.route.hosts, hop.route.mx_of, hop.tls.mode)


def test_password_is_read_from_its_file_and_never_shown(tmp_path):
    """It is in no repr, so in no log and no traceback."""
    (tmp_path / "secret").write_text("correct horse\n")
    text = (
        "[[route]]\ndomains = ['*']\nnext_hop = 'smtp.example.net:587'\nauth = {user = 'me', password_file = 'secret'}"
    )
    it = settings(text, tmp_path)
    login = it.next_hops[0].settings.login
    assert ("me", "correct horse") == (login.user, login.password)
    assert "correct horse" not in repr(it)


def test_login_is_for_its_route_only():
    """Other people's exchangers never hear it."""
    assert settings("").deliver.login is None


@pytest.mark.parametrize(("content", "why"), [(None, "cannot be read"), ("\n", "is empty")])
def test_password_file_that_cannot_be_used_is_an_error(tmp_path, content, why):
    """With the name of the file, and what to do."""
    if content is not None:
        (tmp_path / "secret").write_text(content)
    text = "[[route]]\ndomains = ['*']\nnext_hop = 'smtp.example.net'\nauth = {user = 'me', password_file = 'secret'}"
    with pytest.raises(InputError, match=rf"secret {why}"):
        settings(text, tmp_path)


def test_users_are_read_from_their_file(tmp_path):
    """Their hashes, by name; a line that is none is an error."""
    (tmp_path / "users").write_text(f"ann:{PasswordHash(b'salt', bytes(32))}\n")
    assert ["ann"] == list(settings("relay.users = 'users'", tmp_path).receive.users)
    (tmp_path / "users").write_text("ann:secret\n")
    with pytest.raises(InputError):
        settings("relay.users = 'users'", tmp_path)


def test_certificate_is_loaded_for_the_ports(tmp_path):
    """From PEM files; files that are none are an error with both ways out."""
    tls = Path(lab.__file__).parent / "tls"
    text = f"tls.certificate = '{tls / 'certificate.pem'}'\ntls.key = '{tls / 'key.pem'}'"
    assert settings(text).receive.tls is not None
    (tmp_path / "bad.pem").write_text("no certificate")
    with pytest.raises(InputError, match=r"^tls.certificate: .*bad\.pem has no certificate; choose"):
        settings("tls.certificate = 'bad.pem'", tmp_path)


def test_times_and_limits_reach_their_rooms():
    """Each from its table."""
    it = settings("""
        drain = "5s"
        [deliver]
        stagger = "100ms"
        level_stagger = "2s"
        connect_timeout = "7s"
        reuse = "1m"
        reuse_idle = "3s"
        reuse_messages = 9
        concurrency = 11
        concurrency_per_address = 4
        families = [4]
        [retry]
        first = "1m"
        expiry = "1d"
        warn_after = 0
        [limits]
        message_size = "1MiB"
        recipients = 7
        [timeouts]
        command = "9s"
    """)
    assert (5.0, 0.1, 2.0, 7.0) == (
        it.drain_s,
        it.deliver.walk.stagger_s,
        it.deliver.walk.level_stagger_s,
        it.deliver.timeouts.connect_s,
    )
    assert (60.0, 3.0, 9) == (it.loop.reuse.age_s, it.loop.reuse.idle_s, it.loop.reuse.messages)
    assert (11, 4, 4) == (it.loop.queue.concurrency, it.loop.queue.window.initial, it.loop.queue.window.most)
    assert (60.0, 86400.0, None) == (it.loop.schedule.first_s, it.loop.schedule.expiry_s, it.loop.schedule.warn_after_s)
    assert ((4,), 2**20, 7, 9.0) == (
        it.policy.families,
        it.receive.limits.size,
        it.receive.limits.recipients,
        it.receive.timeouts.command_s,
    )
