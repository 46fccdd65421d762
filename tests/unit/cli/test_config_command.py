"""`postroad config`: what is in effect, whether a file is right, a line for the users file."""

import json
from importlib.resources import files

import pytest
from typer.testing import CliRunner

from postroad.cli.root import app
from postroad.receive.auth import parse_users, verify


def _run(*arguments, **options):
    return CliRunner().invoke(app, ["config", *map(str, arguments)], **options)


@pytest.fixture
def file(tmp_path):
    """A function that writes a settings file whose spool may be made."""

    def write(text):
        path = tmp_path / "p.toml"
        path.write_text(f'[spool]\npath = "{tmp_path}/spool"\n{text}')
        return path

    return write


def test_what_is_shown_is_a_settings_file_again(file):
    """Every setting with its value, those left alone marked as defaults; the output passes the check."""
    shown = _run("show", "--config", file("[retry]\nfirst = 600"))
    assert 'first = "10m"' in shown.output.splitlines()
    assert "# Longest wait. (default)" in shown.output.splitlines()
    again = file("")
    again.write_text(shown.output)
    assert 0 == _run("check", again).exit_code


def test_programs_learn_which_settings_are_defaults(file):
    """The JSON has the settings in the tables of the file, and the places of those nobody set."""
    shape = json.loads(_run("show", "--json", "--config", file("[retry]\nfirst = 600")).output)
    assert ("10m", False, True) == (
        shape["settings"]["retry"]["first"],
        "retry.first" in shape["defaults"],
        "retry.longest" in shape["defaults"],
    )


def test_a_wrong_file_is_told_on_stderr(file):
    """All that is wrong at once, exit status 2, no traceback."""
    done = _run("check", file("[limits]\nerrors = 0\nhop = 1"))
    assert (2, "") == (done.exit_code, done.stdout)
    assert 2 == len([line for line in done.stderr.splitlines() if line.startswith("postroad: ")])
    assert "did you mean hops?" in done.stderr


def test_a_rule_that_does_not_exist_is_found(file):
    """Its finding would not be accepted, and `postroad check` would end with an error wherever it runs."""
    accepted = '[[check.accept]]\nrule = "mx-singel"\nreason = "x"\nuntil = "2100-01-01"'
    done = _run("check", file(f'[check]\nignore = ["mx-single-address", "?"]\n{accepted}'))
    assert 2 == done.exit_code
    assert "check.ignore[2]: there is no rule '?'; see: postroad rules" in done.stderr
    assert "check.accept[1].rule: there is no rule 'mx-singel'; did you mean mx-single?" in done.stderr
    assert "check.ignore[1]" not in done.stderr


def test_all_that_is_wrong_is_told_at_once(file, tmp_path):
    """Keys that there are not, values that cannot be, files that are missing: nobody runs it five times."""
    (tmp_path / "bad.zone").write_text("$ORIGIN e.\n@ MX x\na A y\n")
    text = """
[limits]
errors = 0
hop = 1
[retry]
first = "soon"
[relay]
users = "nobody"
[tls]
certificate = "p.toml"
[dns]
zones = ["none.zone", "bad.zone"]
[[route]]
domains = ["*"]
next_hop = "a.b"
auth = {user = "u", password_file = "none"}
[[listen]]
address = "203.0.113.7"
"""
    said = _run("check", file(text)).stderr
    for each in (
        "limits.errors", "did you mean hops?", "retry.first", "nobody cannot be read", "p.toml has no certificate",
        "none.zone: cannot be read", "bad.zone:2: ", "bad.zone:3: ", "none cannot be read", "listen[1].address",
    ):  # fmt: skip
        assert each in said


@pytest.mark.parametrize("more", [(), (0,), (1,), (2,), (0, 1), (1, 2), (0, 1, 2), (3,), (0, 3), (0, 1, 2, 3)])
def test_what_tables_contradict_each_other_in_hides_nothing(file, more):
    """A file that is missing is told beside keys that disagree, in one table, in two, or in several tables."""
    faults = [
        ('[[route]]\nname = "x"\ndomains = ["x.test"]\ndirect = true\ntls_names = ["a.test"]\nsecurity = "tls"\n',
         ["route[2]: tls_names is only used", "route[2]: security needs hosts"]),
        ('[[route]]\ndomains = ["b.test"]\ndirect = true\non_reject = {match = "550", route = "y"}\n',
         ['no route has the name "y"']),
        ('[[route]]\ndomains = ["*"]\ndirect = true\n', ["[[route]] has the domain * twice"]),
        ("[limits]\nerrors = 0\n", ["limits.errors: 0 is out of range"]),
    ]  # fmt: skip
    first = '[[route]]\ndomains = ["*"]\ndirect = true\ntls = "verify"\nca_file = "nope"\n'
    done = _run("check", file(first + "".join(faults[each][0] for each in more)))
    said = [line for line in done.stderr.splitlines() if "warning: " not in line]
    expected = [
        "nope cannot be read: No such file or directory; choose",
        *(part for each in more for part in faults[each][1]),
    ]
    assert [1] * len(expected) == [sum(part in line for line in said) for part in expected]
    assert len(expected) == len(said)


@pytest.mark.parametrize(
    "text",
    [
        "[[listen]]\nport = 'x'\n[[listen]]\naddress = 1\n",
        "[[route]]\n",
        "[retry]\nfirst = '5h'\nlongest = '1h'\n",
        "[deliver]\nfamilies = []\n",
    ],
)
def test_what_is_wrong_as_a_whole_leaves_the_rest_to_be_checked(file, text):
    """A table that lacks a key, or contradicts itself, is left out, and the others are looked at."""
    said = _run("check", file(f"{text}[relay]\nusers = 'nobody'\n")).stderr
    assert "nobody cannot be read" in said
    assert len(said.splitlines()) > 1


def test_show_refuses_a_wrong_file_too(file):
    """There is nothing in effect with a file that is wrong."""
    assert 2 == _run("show", "--config", file("x = 1")).exit_code


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[relay]\nusers = "nobody"', "nobody cannot be read"),
        ('[dns]\nzones = ["none.zone"]', "none.zone"),
        ('[tls]\ncertificate = "p.toml"', "p.toml has no certificate"),
        ('[[listen]]\naddress = "203.0.113.7"', "listen[1].address: cannot bind 203.0.113.7:0"),
        ('[[route]]\ndomains = ["*"]\nnext_hop = "a.b"\nauth = {user = "u", password_file = "none"}',
         "none cannot be read"),
    ],
)  # fmt: skip
def test_what_the_settings_name_must_be_there(file, text, said):
    """Files, certificates, zones, addresses: each that cannot be used is a sentence, and exit status 2."""
    done = _run("check", file(text))
    assert 2 == done.exit_code
    assert said in done.stderr


def test_the_spool_must_be_a_folder(file, tmp_path):
    """The folder need not be there, but must not be something else."""
    (tmp_path / "spool").write_text("")
    assert f"spool.path: {tmp_path}/spool is not a folder; choose another" in _run("check", file("")).stderr


def test_a_database_is_not_contacted(tmp_path):
    """It is checked where the queue is: the command is named."""
    pytest.importorskip("asyncpg")
    path = tmp_path / "p.toml"
    path.write_text('spool = "postgresql://postroad@127.0.0.1:1/mail"')
    done = _run("check", path)
    assert (0, [f"{path}: configuration OK"]) == (done.exit_code, done.stdout.splitlines()[:1])
    assert done.stdout.endswith(f"postroad spool check --config {path}\n")


def test_a_certificate_and_its_key_are_tried(file):
    """The pair is loaded as the relay would load it."""
    pems = files("postroad.lab") / "tls"
    tls = f'certificate = "{pems}/certificate.pem"\nkey = "{pems}/key.pem"'
    path = file(f'[tls]\n{tls}\n[[listen]]\ntls = "starttls"\nport = 587')
    assert (0, f"{path}: configuration OK\n") == (_run("check", path).exit_code, _run("check", path).stdout)


def test_an_open_relay_is_warned_of(file):
    """It is allowed, but hardly meant."""
    shape = json.loads(_run("check", "--json", file('[relay]\nnetworks = ["0.0.0.0/0"]')).stdout)
    assert [] == shape["problems"]
    assert "anyone who can connect may relay mail to anyone" in shape["warnings"][0]


def test_a_warning_leaves_the_exit_status_alone(file):
    """A relay can run without a reader for root, but it is told; aliases that loop are an error."""
    done = _run("check", file(""))
    assert (0, True) == (done.exit_code, "aliases.root: mail for root is refused" in done.stderr)
    loop = _run("check", file('[aliases]\nroot = "ops"\nops = "root"'))
    assert (2, True) == (loop.exit_code, "leads back to itself (root > ops > root)" in loop.stderr)


def test_aliases_are_shown(file):
    """Names of one's own as well, quoted where TOML wants it."""
    shown = _run("show", "--config", file('[aliases]\nroot = "a@b.c"\n"*" = ["root", "d@e.f"]')).output.splitlines()
    assert ['root = "a@b.c"', '"*" = ["root", "d@e.f"]'] == [line for line in shown if line.startswith(("root", '"*"'))]


def test_a_line_of_the_users_file_is_made():
    """The password comes from standard input, and is verified by what stands in the line."""
    done = _run("hash", "alice", input="secret\n")
    users = parse_users(done.output)
    assert verify("secret", users["alice"])
    assert not verify("Secret", users["alice"])


@pytest.mark.parametrize(("user", "password"), [("a:b", "x"), ("a b", "x"), ("#a", "x"), ("", "x"), ("alice", "")])
def test_what_cannot_be_a_user_is_refused(user, password):
    """A name that would break the line, and an empty password."""
    assert 2 == _run("hash", user, input=f"{password}\n").exit_code
