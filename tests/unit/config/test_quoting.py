"""What somebody wrote, as errors quote it: on one line, and of what is long only the beginning."""

import json
import re
from pathlib import Path

import pytest
from pydantic import ValidationError
from tests.support.examples import some

from postroad.config import Config, read
from postroad.config.problems import is_list, section_in, sentences
from postroad.words.inputs import MOST_TOLD, InputError

FILE = Path("/etc/p.toml")
LONG = "x" * 5000
TABLES = [
    (name, section, is_list(each.annotation))
    for name, each in Config.model_fields.items()
    if (section := section_in(each.annotation))
]
ROUTE = "[[route]]\ndomains = ['*']\nnext_hop = 'a.b'\n"

STRANGE = [
    *("a\nb", "a\rb\u2028c", "\x1b[2J", ".a\nb", "a@b\nc", "|a\nb", "1.2.3.4:\n", ":\n", f"\n{LONG}|", f"a\n@{LONG}"),
    *(LONG, f".{LONG}", f"a@{LONG}", f"{LONG}@a.b", f"|{LONG}", f"[{LONG}]", f"a.b:{LONG}", f"{LONG}:25", f"5.{LONG}"),
    *([LONG], ["a\nb"], [[LONG]], [["a\nb"]], {LONG: LONG}, {"a\nb": "a\nb"}, [{LONG: "a\nb"}], [1] * 60),
    int("9" * 4000),
]


def toml(value):
    """A value as TOML has it."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {toml(each)}" for key, each in value.items()) + "}"
    return "[" + ", ".join(map(toml, value)) + "]" if isinstance(value, list) else json.dumps(value)


def complaint(text):
    """What is wrong with it; "" if nothing is."""
    try:
        read(text, FILE)
    except InputError as problem:
        return str(problem)
    return ""


def is_plain(line):
    """Whether it quotes no more than the beginning of what is long, and has no end inside."""
    return line.isprintable() and "x" * 101 not in line and len(line) < 1100  # there are fifty known providers


@pytest.mark.parametrize("value", some(STRANGE, 3))
def test_every_error_is_one_short_line(value):
    """Whatever stands at all keys of all tables, and whatever a key is called. Every third; all in a whole run."""
    strange = value if isinstance(value, str) else "a\nb"
    tables = dict.fromkeys((*Config.model_fields, strange), value)
    for name, section, is_many in TABLES:
        table = dict.fromkeys((*section.model_fields, strange), value) if section else value
        tables[name] = [table] if is_many else table
    with pytest.raises(ValidationError) as wrong:
        Config.model_validate_json(json.dumps(tables), context={"folder": Path("/etc")})
    told = sentences(wrong.value)
    assert len(told) > 20
    assert [] == [line for line in told if not is_plain(line)]


@pytest.mark.parametrize("key", ["on_reject.match", "on_reject.route", "on_reject.x", "auth.user", "hosts", "provider"])
def test_every_error_of_a_route_is_one_short_line(key):
    """Also of the tables in it; and of what contradicts each other, which is looked at when each key is right.

    Every third value; all in a whole run.
    """
    said = [
        line for value in some(STRANGE, 3, len(key)) for line in complaint(f"{ROUTE}{key} = {toml(value)}").split("\n")
    ]
    assert [] == [line for line in said if not is_plain(line)]


@pytest.mark.parametrize("name", ["a\nb", LONG, f"{LONG}@a.b", "a@\nb"])
def test_every_error_of_an_alias_is_one_short_line(name):
    """Its name may be any text."""
    for targets in ([], ["a@b.c"], [name]):
        said = complaint(f"[aliases]\n{toml({name: targets})[1:-1]}")
        assert [] == [line for line in said.split("\n") if not is_plain(line)]


@pytest.mark.parametrize("count", [MOST_TOLD, MOST_TOLD + 1, 1020])
def test_of_very_many_errors_only_the_first_are_told(count):
    """The rest is counted: nobody reads a thousand lines."""
    said = complaint("\n".join(f"x{number} = 1" for number in range(count))).split("\n")
    rest = [f"/etc/p.toml: and {count - MOST_TOLD + 1:,} more errors"] if count > MOST_TOLD else []
    assert rest == [line for line in said if re.search(r"and [0-9,]+ more", line)]
    assert min(count, MOST_TOLD) == len(said)
