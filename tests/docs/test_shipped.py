"""What is installed beside the program says what the program says: manual pages and completions."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.docs.command_table import table
from tests.docs.completions import scripts
from tests.docs.generate import shipped
from tests.docs.manual_pages import FOLDER, literal, pages, prose

from postroad.config.show import tables

ROOT = Path(__file__).parents[2]
SHELLS = {"zsh": "zsh/site-functions/_postroad", "fish": "fish/vendor_completions.d/postroad.fish"}
ASK = """
. share/bash-completion/completions/postroad
while read -r line; do
    COMP_WORDS=($line) COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    [[ ${COMP_WORDS[COMP_CWORD]} == _ ]] && COMP_WORDS[COMP_CWORD]=
    _postroad
    echo "${COMPREPLY[*]}"
done
"""
COMPLETED = {
    "postroad qu": "queue",
    "postroad queue re": "retry release",
    "postroad queue list --st": "--state",
    "postroad queue list --json --state _": "waiting claimed held",
    "postroad check --fail-on = n": "note never",
    "postroad rules mx-single": "mx-single mx-single-address",
    "postroad check --port _": "",
    "postroad check --zone _": "",
}
"""What stands before the cursor, and what completes it; an underscore is where nothing has been typed yet."""


def test_what_is_shipped_is_what_the_commands_say():
    """`python -m tests.docs.generate` writes manual pages and completions anew; none is left of a command that went."""
    there = {path.relative_to(ROOT).as_posix(): path for path in (ROOT / "share").rglob("*") if path.is_file()}
    made = shipped()
    assert sorted(made) == sorted(there)
    assert [] == [path for path, text in made.items() if text != there[path].read_text()]


def test_a_page_shows_every_option_and_every_setting():
    """Each option stands in bold on the page of its command, each key of the settings in postroad.toml(5)."""
    written, root = pages(), table()
    missing = [
        f"{command.words} {name}"
        for member in root.members
        for command in member.all()
        for option in command.options
        for name in option.names
        if rf"\fB{literal(name)}" not in written[f"{FOLDER}/man1/postroad-{member.name}.1"]
    ]
    settings = written[f"{FOLDER}/man5/postroad.toml.5"]
    missing += [
        name for each in tables() for name, _, _ in each.keys if f".TP\n\\fB{literal(name)}\\fR" not in settings
    ]
    assert [] == missing


def test_no_text_is_a_request_of_the_formatter():
    """A line of prose that begins with a dot, or a backslash in it, is shown; options can be copied from the page."""
    assert {
        ".br is no break": r"\&.br is no break",
        "a\\b": r"a\eb",
        "use --zone FILE, first-hop": r"use \-\-zone FILE, first-hop",
        "see `~/.pgpass`": r"see \fB\(ti/.pgpass\fR",
    } == {text: prose(text) for text in (".br is no break", "a\\b", "use --zone FILE, first-hop", "see `~/.pgpass`")}
    assert all(len(line) <= 78 or " " not in line for line in prose("word " * 100 + ".x").splitlines())


@pytest.mark.skipif(shutil.which("mandoc") is None, reason="no mandoc here")
def test_mandoc_finds_nothing_in_the_pages():
    """Neither an error nor a matter of style."""
    assert (0, "", "") == _said("mandoc", "-T", "lint", *sorted(pages()))


def _said(*words, typed=None):
    """The exit status of a program, and what it said."""
    done = subprocess.run(words, input=typed, capture_output=True, text=True, cwd=ROOT, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
def test_bash_completes_commands_options_and_values():
    """Also behind `=`, which bash takes for a word of its own."""
    _, said, trouble = _said("bash", "--norc", "-c", ASK, typed="\n".join([*COMPLETED, ""]))
    assert ("", list(COMPLETED.values())) == (trouble, said.split("\n")[:-1])


@pytest.mark.parametrize("shell", SHELLS)
def test_other_shells_can_read_theirs(shell):
    """No syntax error."""
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell} here")
    assert (0, "", "") == _said(shell, "-n", f"share/{SHELLS[shell]}")


def test_every_command_completes_everywhere():
    """Each command and each option stands in the script of each shell; in fish an option has no hyphens."""
    names = {word for each in table().all() for option in each.options for word in (each.name, *option.names)}
    missing = {}
    for path, text in scripts().items():
        words = set(re.findall(r"[\w-]+", text))
        missing[path] = names - words - {name for name in names if path.endswith(".fish") and name.lstrip("-") in words}
    assert {path: set() for path in missing} == missing
