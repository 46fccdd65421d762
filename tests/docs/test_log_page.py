"""The page of the log has every event that a relay can tell of, and every fact that it says of it."""

import ast

from tests.docs.generate import LOG, log
from tests.support.sources import files, nodes

from postroad.relay.log_lines import LINES

TELLING = ("receive", "deliver", "gather", "relay")
NAMED = rf'"(?:{"|".join(TELLING)})\.\w+\.\w+"|"relay\.drained"'
OF_OTHERS = {
    "deliver.attempt.started",  # told by `send` alone
    "deliver.contact.complete",
    "deliver.claim.complete",  # heard inside, and not logged
}
ANOTHER_SHAPE = {"deliver.parcel.complete", "deliver.parcel.broken"}  # the journal takes them apart
BY_A_VARIABLE = {"deliver.attempt.complete", "deliver.host.failed", "deliver.host.recovered", "relay.events.lost"}


def _told():
    """Every event written in the code as a name, with the facts that stand beside the name."""
    for path, file in files():
        for call in nodes(path, NAMED) if file.partition("/")[0] in TELLING else ():
            if isinstance(call, ast.Call) and call.args and isinstance(call.args[0], ast.Constant):
                name = call.args[0].value
                if (
                    isinstance(name, str)
                    and (name.count(".") == 2 or name == "relay.drained")
                    and name.partition(".")[0] in TELLING
                ):
                    yield name, {each.arg for each in call.keywords if each.arg} | _keys(call.args[1:])


def _keys(arguments):
    tables = [each for each in arguments if isinstance(each, ast.Dict)]
    return {key.value for table in tables for key in table.keys if isinstance(key, ast.Constant)}


def test_the_page_is_what_the_table_says():
    """log.md is written from the table; `python -m tests.docs.generate` writes it anew."""
    assert log() == LOG.read_text()


def test_every_event_is_in_the_table_with_its_facts():
    """What the code tells is what the page promises, and nothing else is promised."""
    told = [(name, facts) for name, facts in _told() if name not in OF_OTHERS]
    table = {line.name: set(line.facts.split(", ")) for line in LINES}
    names = {name for name, _ in told} - {"deliver.parcel.complete"}
    assert set(table) == names | BY_A_VARIABLE
    assert [] == [
        (name, facts - table[name]) for name, facts in told if name not in ANOTHER_SHAPE and facts - table[name]
    ]
