"""swaks, with which postmasters try a server out, in the forms they use."""

import subprocess

import pytest
from tests.interop import places
from tests.interop.packages import PEERS, environment, want_packages
from tests.support.examples import some

RELAY_DENIED, NO_AUTH, NO_HELO = 24, 28, 22  # swaks: exit status


def swaks(ports, to, *arguments, source="127.0.0.1"):
    """What it says, and its exit status."""
    want_packages()
    command = [
        PEERS / "usr/bin/swaks",
        "--server",
        places.RELAY,
        "--local-interface",
        source,
        "--helo",
        "swaks.example",
    ]
    command += ["--from", "me@home.example", "--to", to, "--timeout", "20"]
    if "--port" not in arguments:
        command += ["--port", str(ports.relay)]
    done = subprocess.run([*command, *arguments], env=environment(), capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


FORMS = {
    "plain": ((), "ESMTP"),
    "helo": (("--protocol", "SMTP"), "SMTP"),
    "pipeline": (("--pipeline",), "ESMTP"),
    "starttls": (("--tls",), "ESMTPS"),
    "starttls-pipeline": (("--tls", "--pipeline"), "ESMTPS"),
    "auth-plain": (("--tls", "--auth", "PLAIN", "--auth-user", "ann", "--auth-password", "secret"), "ESMTPSA"),
}


@pytest.mark.parametrize("form", some(FORMS, 2, first=1))
def test_swaks_is_served(relay, box, ports, form):
    """Each form it can speak arrives, and we say how it came. Every second of them; all in a whole run."""
    arguments, protocol = FORMS[form]
    status, said = swaks(ports, to := f"swaks-{form}@box.example", *arguments)
    assert 0 == status, said
    [kept] = box.wait(to)
    assert f"with {protocol} " in kept.header


def test_swaks_over_tls_from_the_start(relay, box, ports):
    """Port 465 as it is used: TLS first, then a password, by the mechanism that no other form here has."""
    arguments = (
        "--tlsc",
        "--port",
        str(ports.implicit),
        "--auth",
        "LOGIN",
        "--auth-user",
        "ann",
        "--auth-password",
        "secret",
    )
    status, said = swaks(ports, to := "swaks-implicit@box.example", *arguments, source=places.STRANGER)
    assert 0 == status, said
    [kept] = box.wait(to)
    assert "with ESMTPSA " in kept.header


def test_stranger_may_not_relay(relay, ports):
    """Who has no password and is of no network of ours is told so at RCPT."""
    status, said = swaks(ports, "x@box.example", source=places.STRANGER)
    assert (RELAY_DENIED, True) == (status, "<** 550 5.7.1" in said), said


def test_wrong_password_is_refused(relay, ports):
    """535, and swaks goes no further."""
    arguments = ("--tls", "--auth", "PLAIN", "--auth-user", "ann", "--auth-password", "wrong")
    status, said = swaks(ports, "x@box.example", *arguments, source=places.STRANGER)
    assert (NO_AUTH, True) == (status, "535 5.7.8" in said), said


def test_password_in_the_clear_is_not_asked_for(relay, ports):
    """Without TLS no AUTH is offered, so that swaks has nothing to send it by."""
    arguments = ("--auth", "PLAIN", "--auth-user", "ann", "--auth-password", "secret")
    status, said = swaks(ports, "x@box.example", *arguments, source=places.STRANGER)
    assert (NO_AUTH, False) == (status, "250-AUTH" in said or "250 AUTH" in said), said


def test_lmtp_is_refused(relay, ports):
    """LHLO is no command of ours (RFC 2033 is for mailboxes)."""
    status, said = swaks(ports, "x@box.example", "--protocol", "LMTP")
    assert (NO_HELO, True) == (status, "<** 500 5.5.1" in said), said
