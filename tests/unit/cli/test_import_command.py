"""`postroad import`: another system's settings become a file, or two, that overwrite nothing."""

import json
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
        'postroad: not taken over: dma.conf:4: FINGERPRINT = "aa": nothing here corresponds to it',
    ] == done.stderr.splitlines()
    assert "secret" not in done.output
    shape = json.loads(_import("dma", tmp_path, "--json").stdout)
    assert [] == wrong_with(shape, SCHEMA["answers"]["import"], SCHEMA["$defs"])
    assert (["smarthost-password"], ["dma.conf:4"]) == (shape["secrets"], [each["where"] for each in shape["left"]])


def test_files_are_written_that_a_relay_reads_and_only_we_do(tmp_path):
    """A second time nothing is overwritten."""
    old, new = tmp_path / "msmtprc", tmp_path / "etc"
    old.write_text("host smtp.example.net\nport 587\nauth on\ntls on\nuser web3\npassword secret\n")
    assert 0 == _import("msmtp", old, "--to", new).exit_code
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
    assert (2, f"postroad: {tmp_path / 'main.cf'}: no such file; say where the settings of postfix are\n") == (
        done.exit_code,
        done.stderr,
    )
