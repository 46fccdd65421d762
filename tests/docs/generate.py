"""Writes the reference: cli.md from the help of every command, the other pages from what they describe.

And what is installed beside the program: its manual pages, and what completes its words in a shell.

Run it as `python -m tests.docs.generate`.
"""

import io
import json
import os
from contextlib import chdir, redirect_stdout, suppress
from functools import cache
from pathlib import Path

from tests.docs import completions, manual_pages
from tests.docs.command_table import EXIT_STATUS
from tests.support import forked
from typer.main import get_command as built
from typer.testing import CliRunner

from postroad.cli.root import app
from postroad.config.show import reference as settings
from postroad.relay.log_lines import reference as log
from postroad.relay.metrics import reference as metrics
from postroad.rules import RULES
from postroad.views.findings.manual import reference as rules
from postroad.views.json.schema import schema

ROOT = Path(__file__).parents[2]
CLI = ROOT / "docs" / "reference" / "cli.md"
SETTINGS = ROOT / "docs" / "reference" / "settings.md"
METRICS = ROOT / "docs" / "reference" / "metrics.md"
SCHEMA = ROOT / "docs" / "reference" / "json.schema.json"
RULES_PAGE = ROOT / "docs" / "reference" / "rules.md"
LOG = ROOT / "docs" / "reference" / "log.md"
DECISIONS = ROOT / "docs" / "decisions" / "README.md"
PICTURES = ROOT / "docs" / "pictures"
SENDERS = ("postfix", "exim", "exchange-online", "sendmail", "opensmtpd", "dns-order")
PICTURED = {
    "equals": ("t1", SENDERS),
    "backup": ("t5", SENDERS),
    "filter": ("filter", ("postfix", "exim", "highest-first", "node-sendmail")),
}
HEAD = f"""# Commands

The `--help` of every command, written by `python -m tests.docs.generate`; a test compares them.
In a pipe nothing is wrapped or cut; `COLUMNS` says how wide a picture is there (200 characters).
Exit status everywhere: {EXIT_STATUS}
"""


def run(arguments):
    """How `postroad ARGUMENTS` ends, as a plain pipe of 100 columns has it."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    with chdir(ROOT):
        return forked.run(arguments, env={**kept, "NO_COLOR": "1", "COLUMNS": "100"})


@cache
def get_command(app):
    """The tree of all commands, built once."""
    return built(app)


def commands():
    """Every command and group, as (words, click command), the root first."""

    def walk(words, command):
        yield words, command
        for name, child in getattr(command, "commands", {}).items():
            yield from walk((*words, name), child)

    return list(walk((), get_command(app)))


def _help(words):
    """What `postroad WORDS --help` prints in a terminal of 100 columns, two of which stay free."""
    printed = io.StringIO()
    with redirect_stdout(printed), suppress(SystemExit):
        get_command(app).main([*words, "--help"], prog_name="postroad", terminal_width=98)
    return printed.getvalue()


def reference():
    """The whole text of cli.md."""
    parts = [HEAD]
    for words, _command in commands():
        lines = [line.rstrip() for line in _help(words).strip().splitlines()]
        parts.append(f"## {' '.join(('postroad', *words))}\n\n```text\n" + "\n".join(lines) + "\n```\n")
    return "\n".join(parts)


def shipped():
    """The files that are installed beside the program, by their path: manual pages, and what completes its words."""
    return {**manual_pages.pages(), **completions.scripts()}


def decisions():
    """The whole text of the list of decisions: their titles, each a link."""
    titles = [(page.name, page.read_text().partition("\n")[0]) for page in sorted(DECISIONS.parent.glob("0*.md"))]
    lines = [f"- [{title.removeprefix('# ')}]({name})" for name, title in titles]
    return (
        "# Decisions\n\nEach with the question, the answer, why, and what was given up.\n\n" + "\n".join(lines) + "\n"
    )


def picture(name, to):
    """Draw a picture of the pages into a file."""
    setup, senders = PICTURED[name]
    chosen = [word for sender in senders for word in ("--sender", sender)]
    drawn = CliRunner().invoke(app, ["simulate", setup, *chosen, "--plot", str(to)])
    assert drawn.exit_code in {0, 1}, drawn.output
    return to.read_text()


if __name__ == "__main__":
    for path, text in shipped().items():
        (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / path).write_text(text)
    DECISIONS.write_text(decisions())
    for each in PICTURED:
        picture(each, PICTURES / f"{each}.svg")
    CLI.write_text(reference())
    SETTINGS.write_text(settings())
    METRICS.write_text(metrics())
    LOG.write_text(log())
    RULES_PAGE.write_text(rules(RULES))
    SCHEMA.write_text(json.dumps(schema(), indent=1) + "\n")
