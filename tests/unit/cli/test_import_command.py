"""`postroad import`: another system's settings become a file, or two, that overwrite nothing."""

import errno
import json
import os
import stat

from tests.support.json_schema import wrong_with
from typer.testing import CliRunner

from postroad.cli.root import app
from postroad.config import survey
from postroad.views.json.schema import schema

SCHEMA = schema()


def _import(*words):
    return CliRunner().invoke(app, ["import", *map(str, words)])


def test_settings_are_printed_and_passwords_are_not(tmp_path):
    """What is left to do by hand is said on stderr, and the status says that there is something."""
    (tmp_path / "dma.conf").write_text(
        "SMARTHOST smtp.example.net\nAUTHPATH auth.conf\nSECURETRANSFER\nFINGERPRINT aa\n"
    )
    (tmp_path / "auth.conf").write_text("web3|smtp.example.net:secret\n")
    done = _import("dma", tmp_path)
    assert 1 == done.exit_code
    assert 'next_hop = "smtp.example.net:25"' in done.stdout
    assert [
        "postroad: /etc/postroad/smarthost-password: write the password into it, or let --to do so",
        'postroad: not taken over: dma.conf:4: FINGERPRINT = "aa": Postroad has no equivalent',
    ] == done.stderr.splitlines()
    assert "secret" not in done.output
    shape = json.loads(_import("dma", tmp_path, "--json").stdout)
    assert [] == wrong_with(shape, SCHEMA["answers"]["import"], SCHEMA["$defs"])
    assert (["smarthost-password"], ["dma.conf:4"]) == (shape["secrets"], [each["where"] for each in shape["left"]])


def test_files_are_written_that_a_relay_reads_and_only_we_do(tmp_path, monkeypatch):
    """A second time nothing is overwritten. Root is reminded that a relay has a user of its own."""
    monkeypatch.setattr("os.geteuid", lambda: 0)
    old, new = tmp_path / "msmtprc", tmp_path / "etc"
    old.write_text("host smtp.example.net\nport 587\nauth on\ntls on\nuser web3\npassword secret\n")
    done = _import("msmtp", old, "--to", new)
    reminder = f"postroad: {new / 'smarthost-password'}: only root can read it; `chown postroad` lets the relay\n"
    assert (0, reminder) == (done.exit_code, done.stderr)
    wrong, settings = survey(new / "postroad.toml")
    assert ([], new / "smarthost-password") == (wrong, settings.route[0].auth.password_file)
    assert 0o600 == stat.S_IMODE((new / "smarthost-password").stat().st_mode)
    (new / "postroad.toml").write_text("# mine\n")
    again = _import("msmtp", old, "--to", new)
    assert (2, "# mine\n") == (again.exit_code, (new / "postroad.toml").read_text())
    assert f"postroad: {new / 'postroad.toml'} exists; remove it, or give another folder with --to\n" == again.stderr


def test_settings_that_are_not_there(tmp_path):
    """The file that was looked for is named."""
    done = _import("postfix", tmp_path)
    assert (2, f"postroad: {tmp_path / 'main.cf'}: no such file; give the path of the postfix settings\n") == (
        done.exit_code,
        done.stderr,
    )


def test_a_password_in_another_encoding_and_a_disk_that_is_full(tmp_path, monkeypatch):
    """The octets are those of the old file; what could not be written whole is not there at all."""
    (tmp_path / "dma.conf").write_text("SMARTHOST smtp.example.net\nSECURETRANSFER\nAUTHPATH auth.conf\n")
    (tmp_path / "auth.conf").write_bytes(b"web3|smtp.example.net:p\xe9\n")
    full, new = tmp_path / "full", tmp_path / "etc"
    with monkeypatch.context() as patch:
        patch.setattr("os.fdopen", _no_room)
        assert 2 == _import("dma", tmp_path, "--to", full).exit_code
    assert [] == list(full.iterdir())
    assert 0 == _import("dma", tmp_path / "dma.conf", "--to", new).exit_code
    assert b"p\xe9\n" == (new / "smarthost-password").read_bytes()


def _no_room(*_args, **_more):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_table_that_is_no_text_is_not_read_as_one(tmp_path):
    """Neither as settings: a file of nothing readable would become settings of nothing."""
    (tmp_path / "main.cf").write_text(f"smtp_generic_maps = hash:{tmp_path}/table\ninet_interfaces = loopback-only\n")
    (tmp_path / "table").write_bytes(b"\x7fELF\0\0 x\n")
    done = _import("postfix", tmp_path)
    assert (1, True) == (done.exit_code, "cannot be read as a table of text" in done.stderr)
    (tmp_path / "main.cf").write_bytes(b"\0")
    assert (
        2,
        f"postroad: {tmp_path / 'main.cf'} cannot be read as text; check what it is, and who may read it\n",
    ) == (
        (done := _import("postfix", tmp_path)).exit_code,
        done.stderr,
    )


def test_what_a_relay_would_refuse_is_named_and_left_out(tmp_path):
    """The rest is written: whatever the other system has, `config check` finds nothing wrong with it."""
    (tmp_path / "main.cf").write_text(
        "relayhost = a.example,b.example\nmynetworks = 300.1.1.1 10.0.0.0/8\nmaximal_queue_lifetime = 99999d\n"
        "always_bcc = a@b, c@d\nminimal_backoff_time = 0\ninet_interfaces = 192.0.2.1 web3\n"
        f"transport_maps = texthash:{tmp_path}/transport\n"
    )
    (tmp_path / "transport").write_text(
        "a.example smtp:[b.example]\nA.example smtp:[c.example]\nme@x smtp:[b.example]\n"
    )
    done = _import("postfix", tmp_path, "--to", tmp_path / "new")
    wrong, settings = survey(tmp_path / "new" / "postroad.toml")
    # Two routes for one domain are for a human to choose from
    assert (1, 1) == (done.exit_code, len(wrong))
    assert (["10.0.0.0/8"], ["192.0.2.1"]) == (
        list(map(str, settings.relay.networks)),
        [str(each.address) for each in settings.listen],
    )
    assert [
        f"{tmp_path}/transport:3: me@x",
        "mynetworks, main.cf:2: relay.networks",
        "always_bcc, main.cf:4: rewrite.always_bcc",
        "maximal_queue_lifetime, main.cf:3: retry.expiry",
        "minimal_backoff_time, main.cf:5: retry.first",
        "relayhost, main.cf:1: [[route]]",
        "master.cf: [[listen]]",
        "postroad.toml: [[route]] has the domain a.example twice",
    ] == [
        ": ".join(line.removeprefix("postroad: not taken over: ").split(": ")[:2]) for line in done.stderr.splitlines()
    ]


def test_a_system_with_nothing_unusual(tmp_path):
    """A relay takes the file, though all of it is as it would be anyway; no password is kept of what is left out."""
    (tmp_path / "main.cf").write_text("inet_interfaces = loopback-only\n")
    assert 0 == _import("postfix", tmp_path, "--to", tmp_path / "new").exit_code
    assert [] == survey(tmp_path / "new" / "postroad.toml")[0]
    (tmp_path / "remotes").write_text("a..example smtp user=u pass=secret starttls\n")
    assert [] == json.loads(_import("nullmailer", tmp_path, "--json").stdout)["secrets"]
