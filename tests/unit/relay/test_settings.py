"""From a settings file to the rooms' own: what it says is what they have."""

import ssl
from pathlib import Path

import pytest

from postroad import lab
from postroad.app import InputError
from postroad.config import Config, read
from postroad.deliver import DeliverSettings, LoopSettings
from postroad.receive import ReceiveLimits, ReceiveTimeouts, hash_password
from postroad.relay import relay_settings


def settings(text, folder=Path("/nowhere")):
    """The settings of a file with this text."""
    return relay_settings(read(f"hostname = 'relay.example.org'\n{text}\n", folder / "relay.toml"))


def test_defaults_of_the_file_are_those_of_the_rooms():
    """An empty file asks for what each room does by itself."""
    it = relay_settings(Config(hostname="relay.example.org"))
    usual = LoopSettings()
    assert (usual.concurrency, usual.per_address, usual.reuse, usual.schedule, usual.window) == (
        it.loop.concurrency,
        it.loop.per_address,
        it.loop.reuse,
        it.loop.schedule,
        it.loop.window,
    )
    assert (DeliverSettings().walk, DeliverSettings().timeouts) == (it.deliver.walk, it.deliver.timeouts)
    assert (ReceiveLimits(), ReceiveTimeouts()) == (it.receive.limits, it.receive.timeouts)
    assert (30.0, (), False) == (it.drain_s, it.next_hops, it.policy.allow_loopback)


def test_who_we_are_is_said_everywhere():
    """One name, for listeners, for EHLO, for reports, and to know ourselves among exchangers."""
    it = settings("own = ['relay.example.net', '192.0.2.7']")
    assert {"relay.example.org"} == {it.hostname, it.receive.hostname, it.deliver.hostname}
    assert {"relay.example.org", "relay.example.net"} <= set(it.own.names)


def test_mail_between_servers_is_encrypted_where_it_is_offered():
    """Unless the file says never."""
    assert settings("").deliver.tls is not None
    assert settings("deliver.starttls = 'none'").deliver.tls is None


@pytest.mark.parametrize(
    ("tls", "has_context", "is_required", "verifies"),
    [
        ("none", False, False, False),
        ("opportunistic", True, False, False),
        ("required", True, True, False),
        ("verified", True, True, True),
    ],
)
def test_route_demands_of_tls_what_it_says(tls, has_context, is_required, verifies):
    """From never to only with proof; what is demanded is never followed by an attempt in the clear."""
    (hop,) = settings(f"[[route]]\ndomains = ['*']\nnext_hop = 'smtp.example.net'\ntls = '{tls}'").next_hops
    context = hop.settings.tls
    assert (has_context, is_required) == (context is not None, hop.settings.tls_required)
    assert verifies == (context is not None and context.verify_mode is ssl.CERT_REQUIRED)
    assert is_required != hop.settings.walk.clear_after_tls_failure


def test_route_overrides_a_file_that_never_encrypts():
    """What a route says of TLS counts for it, whatever is usual."""
    text = "deliver.starttls = 'none'\n[[route]]\ndomains = ['*']\nnext_hop = 'smtp.example.net'\ntls = 'required'"
    assert settings(text).next_hops[0].settings.tls is not None


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
    (tmp_path / "users").write_text(f"ann:{hash_password('secret')}\n")
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
    with pytest.raises(InputError, match=r"bad\.pem and its key cannot be used"):
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
        concurrency_per_set = 3
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
    assert (11, 3, 3, 4) == (it.loop.concurrency, it.loop.window.initial, it.loop.window.most, it.loop.per_address)
    assert (60.0, 86400.0, None) == (it.loop.schedule.first_s, it.loop.schedule.expiry_s, it.loop.schedule.warn_after_s)
    assert ((4,), 2**20, 7, 9.0) == (
        it.policy.families,
        it.receive.limits.size,
        it.receive.limits.recipients,
        it.receive.timeouts.command_s,
    )
