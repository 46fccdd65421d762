"""`postroad rules`: what check looks for, and why."""

import json

from typer.testing import CliRunner

from postroad.cli.root import app
from postroad.rules import RULES


def run(*arguments):
    """The result of `postroad rules ARGUMENTS`."""
    return CliRunner().invoke(app, ["rules", *arguments])


def test_rules_are_listed_by_topic():
    """Every rule has its line, under the sum of all."""
    result = run()
    assert 0 == result.exit_code
    assert result.stdout.startswith(f"{len(RULES)} rules: ")
    assert [] == [rule for rule in RULES if f" {rule} " not in result.stdout]
    assert "existence and shape (" in result.stdout


def test_rule_is_explained():
    """With an id: severity, topic, why, and the sources."""
    result = run("mx-null-mixed")
    assert 0 == result.exit_code
    for words in ("mx-null-mixed: ", "severity  error", "RFC 7505 section 3"):
        assert words in result.stdout


def test_unknown_rule_is_wrong_usage():
    """A slip of the pen is told with what was perhaps meant."""
    result = run("mx-null-mixt")
    assert 2 == result.exit_code
    assert "did you mean mx-null-mixed" in result.stderr


def test_rules_speak_json():
    """The list has every rule; one rule stands alone."""
    assert list(RULES) == [rule["id"] for rule in json.loads(run("--json").stdout)["rules"]]
    one = json.loads(run("mx-null-mixed", "--json").stdout)
    assert (1, "mx-null-mixed", "error", ["records"]) == (one["version"], one["id"], one["severity"], one["needs"])
