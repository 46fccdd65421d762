"""The tree of commands: nothing of it is built that was not asked for, and nobody can tell."""

import pytest
from typer.main import get_command

from postroad.cli.commands import tree
from postroad.cli.root import app

WHOLE = get_command(app)


def _helps(command, parent=None, name="postroad"):
    """The help of a command and of all below it, by their names."""
    context = command.context_class(command, info_name=name, parent=parent)
    below = getattr(command, "commands", {})
    found = {} if parent is None else {context.command_path: command.get_help(context)}
    return found | {key: text for each in below for key, text in _helps(below[each], context, each).items()}


@pytest.mark.parametrize("name", WHOLE.commands)
def test_a_command_alone_is_what_it_is_among_others(name):
    """The same help, and the same below it; nothing else is there."""
    alone = get_command(tree([name, "--help"]))
    every = _helps(WHOLE)
    here = {key: text for key, text in every.items() if key.split()[1] == name}
    assert here == _helps(alone)
    assert [name] == list(alone.commands)


@pytest.mark.parametrize("words", [[], ["--help"], ["--version"], ["nosuch"], ["Check"], ["", "check"]])
def test_who_asks_for_no_command_sees_them_all(words):
    """The list of commands, and the error that names one that is nearly so, are made of the whole tree."""
    assert list(WHOLE.commands) == list(get_command(tree(words)).commands)
