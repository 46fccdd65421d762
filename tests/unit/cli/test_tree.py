"""The tree of commands: nothing of it is built that was not asked for, and nobody can tell."""

import pytest
from tests.support.examples import some
from typer.main import get_command
from typer.testing import CliRunner

from postroad.cli.commands import COMMANDS, GROUPS, tree
from postroad.cli.root import app

WHOLE = get_command(tree())  # not that of other tests: a command keeps the option for its help as first asked for


def _helps(command, parent=None, name="postroad"):
    """The help of a command and of all below it, by their names."""
    context = command.context_class(command, info_name=name, parent=parent)
    below = getattr(command, "commands", {})
    found = {} if parent is None else {context.command_path: command.get_help(context)}
    return found | {key: text for each in below for key, text in _helps(below[each], context, each).items()}


HELPS = _helps(WHOLE)


@pytest.mark.parametrize("name", some(WHOLE.commands, 3))
def test_a_command_alone_is_what_it_is_among_others(name):
    """The same help, and the same below it; nothing else is there. Every third; all in a whole run."""
    alone = get_command(tree([name, "--help"]))
    here = {key: text for key, text in HELPS.items() if key.split()[1] == name}
    assert here == _helps(alone)
    assert [name] == list(alone.commands)


@pytest.mark.parametrize("words", [[], ["--help"], ["nosuch"], ["Check"], ["", "check"]])
def test_who_asks_for_no_command_sees_them_all(words):
    """The list of commands, and the error that names one that is nearly so, are made of the whole tree."""
    whole = tree(words)
    assert [*COMMANDS, *GROUPS] == [each.name for each in (*whole.registered_commands, *whole.registered_groups)]


def _told(*words, of=app):
    """The exit status, stdout and stderr of a command line."""
    done = CliRunner().invoke(of, list(words))
    return done.exit_code, done.stdout, done.stderr


@pytest.mark.parametrize("words", [[], ["route"], ["queue"], ["queue", "list"], ["dkim", "rotate"], ["sendmail"]])
def test_help_is_a_command_too(words):
    """As git and docker have it: of all, of a group, of a command."""
    asked = _told(*words, "--help")
    assert (0, asked) == (asked[0], _told("help", *words))
    if words and words[0] in GROUPS:
        assert asked == _told(words[0], "help", *words[1:])


def test_version_has_a_short_name():
    """-V, as most have it; no command is loaded to print it."""
    assert _told("--version") == _told("-V") == _told("-V", of=tree(["-V"]))
    assert {} == get_command(tree(["--version"])).commands


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["ROUTE"], "No such command 'ROUTE'. Did you mean 'route'?"),
        (["rout", "x"], "No such command 'rout'. Did you mean 'route'?"),
        (["queue", "LIST"], "No such command 'LIST'. Did you mean 'list'?"),
        (["help", "qqq"], "No such command 'qqq'."),
        (["x" * 5000], f"No such command '{'x' * 79}..."),
        (["route", f"--{'x' * 5000}", "y"], f"No such option: --{'x' * 78}..."),
        (["--json", "route", "x"], '"error": "--json cannot be used here; write a command first, then its options: '),
        (
            ["--zone", "f", "route"],
            "--zone cannot be used here; write a command first, then its options: postroad route",
        ),
        (["-v"], "-v cannot be used here; write a command first"),
        ([f"--{'x' * 5000}"], f"--{'x' * 78}... cannot be used here"),
    ],
)
def test_wrong_command_line_is_told_with_what_may_be_meant(words, said):
    """In any case of letters, and of a long word its beginning."""
    status, out, told = _told(*words)
    assert (2, "", True) == (status, out, said in " ".join(told.split())), told
    assert len(told) < 600
