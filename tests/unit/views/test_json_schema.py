"""Every command's JSON is what the schema says, and the schema is what the code gives."""

import json
from importlib import import_module
from pathlib import Path
from typing import is_typeddict

import pytest
from tests.support.examples import some
from tests.support.json_schema import wrong_with
from tests.support.waiting import lay
from typer.testing import CliRunner

from postroad.cli.root import app
from postroad.views.json import schema as schema_module
from postroad.views.json.schema import ANSWERS, schema

ROOT = Path(__file__).parents[3]
ZONE = "docs/examples/example.com.zone"
SCHEMA = schema()
FOLDER = Path(schema_module.__file__).parent
FEW = ["--sender", "exim", "--sender", "exchange-online"]

PLAIN = {
    "advise": ["advise", "t4", *FEW, "--json"],
    "check": ["check", "--zone", "docs/examples/troubled.zone", "--json"],
    "check --format ndjson": ["check", "t1", "--format", "ndjson"],
    "compare": ["compare", "t1", "t4", *FEW, "--json"],
    "config check": ["config", "check", "docs/examples/postroad.toml", "--json"],
    "config show": ["config", "show", "--config", "docs/examples/postroad.toml", "--json"],
    "lab faults --words": ["lab", "faults", "--words", "--json"],
    "lookup": ["lookup", "example.com", "--zone", ZONE, "--json"],
    "route": ["route", "example.com", "--zone", ZONE, "--json"],
    "rules": ["rules", "--json"],
    "rules ID": ["rules", "mx-single", "--json"],
    "senders": ["senders", "--json"],
    "senders NAME": ["senders", "postfix", "--json"],
    "setups": ["setups", *FEW[:2], "--json"],
    "simulate": ["simulate", "t2", *FEW, "--trials", "50", "--replies", "250,450,550", "--json"],
    "tls": ["tls", "example.com", "--zone", ZONE, "--json"],
    "an error": ["route", "--json"],
}
ELSEWHERE = {
    "demo --cluster": "tests/unit/cli/test_cluster_demo.py looks at it",
    "demo": "takes long: mypy holds it to its type",
    **dict.fromkeys(
        ("lab fault", "lab faults", "lab up", "lab up --show"), "tests/unit/cli/test_lab_command.py looks at them"
    ),
    "import": "tests/unit/cli/test_import_command.py looks at it",
    "lab run": "the same as demo",
    "lab try": "tests/unit/cli/test_lab_try.py looks at it",
    "send": "tests/docs/test_docs.py looks at it",
    **dict.fromkeys(
        ("dkim check", "dkim new", "dkim record", "dkim rotate"), "tests/unit/cli/test_dkim_command.py looks at them"
    ),
    **dict.fromkeys(
        ("spool check", "spool migrate", "spool move"), "tests/unit/cli/test_spool_command.py looks at them"
    ),
    "tls-report": "tests/unit/cli/test_tls_report_command.py looks at it",
}
SPOOL = {
    "queue list": (["list"],),
    "queue show": (["show", "ONE"], ["show", "TWO"]),
    "queue trace": (["trace", "ONE"],),
    "queue stats": (["stats"],),
    "explain": (["ONE"], ["TWO"]),
    "queue hold": (["hold", "ONE"],),
    "queue release": (["release", "--all"],),
    "queue retry": (["retry", "--all"],),
    "queue move": (["move", "ONE", "--usual"],),
    "queue bounce": (["bounce", "ONE"],),
    "queue delete": (["delete", "TWO"],),
}


@pytest.fixture
def spool(tmp_path):
    """A spool with mail that waits."""
    return lay(tmp_path)


def _wrong(command, told):
    return wrong_with(told, SCHEMA["answers"][command], SCHEMA["$defs"])


@pytest.mark.parametrize("command", some(PLAIN, 3, 2))
def test_an_answer_is_what_the_schema_says(command, monkeypatch):
    """No key that it does not have, none missing, each of its type. Every third command; all in a whole run."""
    monkeypatch.chdir(ROOT)
    done = CliRunner().invoke(app, PLAIN[command])
    text = done.stderr if command == "an error" else done.stdout
    assert [] == _wrong(command, json.loads(text))


@pytest.mark.parametrize("command", some(SPOOL, 3, 1))
def test_an_answer_about_a_spool_is_what_the_schema_says(command, spool):
    """With a message that was tried, and one that was not. Every third command; all in a whole run."""
    for words in SPOOL[command]:
        group = [] if command == "explain" else ["queue"]
        name = ["explain"] if command == "explain" else []
        done = CliRunner().invoke(app, [*group, *name, *words, "--spool", str(spool), "--json"])
        assert [] == _wrong(command, json.loads(done.stdout))


def test_a_user_is_what_the_schema_says():
    """The line for the file of users."""
    done = CliRunner().invoke(app, ["config", "hash", "bob", "--json"], input="a secret\n")
    assert [] == _wrong("config hash", json.loads(done.stdout))


def test_every_answer_is_looked_at():
    """A new command wants an example here."""
    assert set(ANSWERS) == {*PLAIN, *SPOOL, *ELSEWHERE, "config hash"}


def test_no_two_kinds_of_object_share_a_name():
    """Else one would be described as the other."""
    modules = [import_module(f"postroad.views.json.{path.stem}") for path in FOLDER.glob("*.py")]
    kinds = {kind for module in modules for kind in vars(module).values() if is_typeddict(kind)}
    names = [kind.__name__ for kind in kinds]
    assert sorted(set(names)) == sorted(names)


def test_records_that_nobody_can_use_have_an_answer_too(tmp_path):
    """A refusal, a domain without mail: the keys that are only there then are in the schema."""
    zone = tmp_path / "null.zone"
    zone.write_text("$ORIGIN example.com.\n$TTL 300\n@ MX 0 .\n")
    for command in ("route", "simulate", "lookup", "check", "advise", "tls"):
        done = CliRunner().invoke(app, [command, str(zone), "--json"])
        assert [] == _wrong(command, json.loads(done.stdout)), command


def test_a_wrong_answer_is_found():
    """The look at the answers is not blind: a key too many, one too few, a wrong type."""
    good = {"version": 1, "error": "x", "exit_status": 2}
    assert [] == _wrong("an error", good)
    assert ["$.more is not in the schema"] == _wrong("an error", good | {"more": 1})
    assert ["$.error: 7 is no string"] == _wrong("an error", good | {"error": 7})
    assert ["$.version is missing"] == _wrong("an error", {"error": "x", "exit_status": 2})


def test_the_schema_in_the_docs_is_that_of_the_code():
    """`python -m tests.docs.generate` writes it anew."""
    page = ROOT / "docs" / "reference" / "json.schema.json"
    assert SCHEMA == json.loads(page.read_text())
