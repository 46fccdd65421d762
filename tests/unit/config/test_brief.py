"""Some of the settings, read in no time: the same as the full reading has, or not at all."""

import re
import subprocess
import sys
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.examples import examples

from postroad.config import Config, brief_of, load_brief, read
from postroad.config.brief import TABLES, _plain
from postroad.words.inputs import InputError
from postroad.words.names import Unreadable
from postroad.words.toml import parse_toml

READ = re.compile(r"toml: (?:spool\.path|spool\.reserve|limits\.message_size|hostname|aliases|\S+\.domains)\b")
KEYS = {
    "": ("hostname", "own", "drain", "listne"),
    "[spool]": ("path", "reserve", "history", "pth"),
    "[limits]": ("message_size", "hold"),
    "[rewrite]": ("always_bcc", "senders", "headers", "sender"),
    "[[rewrite.fixed]]": ("networks", "users", "local_users", "sender", "reply_to"),
    "[[relay.senders]]": ("networks", "users", "local_users", "senders", "header"),
    "[aliases]": ("root", "ROOT", "ops", "file", '"a@b"', '""'),
    "[[listen]]": ("address", "port", "tls", "prot"),
    "[[route]]": ("domains",),
}
VALUES = st.sampled_from([
    '"relay.example"', '"nobody@example.com"', '"/srv/spool"', '"64MiB"', '"1h"', '"192.0.2.1"', '"starttls"', '"root"',
    '"*"', '".example.com"', '""', '"\\u0000"', '"no such thing"', "25", "0", "70000", "-1", "1.5", "true", "[]",
    '["a@example.com", "root"]', '["mail.example", "192.0.2.9"]', '["*", ".example.com"]', "[1]", "{}", "nan",
    '["a@example.com"]', '["192.0.2.0/24"]', '{"root@*" = "{host}@example.com", ".a.example" = "b.example"}',
    '{X-A = ""}',
])  # fmt: skip
LINES = st.sampled_from([(table, key) for table, keys in KEYS.items() for key in keys])


def test_brief_has_the_tables_of_the_model():
    """A table it does not know is for the full reading to complain of."""
    assert set(Config.model_fields) == TABLES


def test_file_that_says_next_to_nothing_has_the_defaults(tmp_path):
    """As the full reading has them."""
    path = tmp_path / "postroad.toml"
    path.write_text("[spool]\n")
    assert brief_of(Config()) == load_brief(path)


@settings(max_examples=examples(200))
@given(said=st.dictionaries(LINES, VALUES, max_size=5))
def test_brief_is_what_the_full_reading_has_or_nothing(said):
    """Whatever a file says: what is read in short is what is read in full, if that finds nothing wrong with it."""
    tables = {table: [f"{key} = {value}" for (each, key), value in said.items() if each == table] for table in KEYS}
    text = "\n".join(line for table, lines in tables.items() if lines for line in ([table] if table else []) + lines)
    path = Path("/etc/postroad/postroad.toml")
    parsed = parse_toml(text)
    if isinstance(parsed, Unreadable):
        return
    try:
        short = _plain(parsed, path.parent)
    except (ValueError, TypeError, KeyError, AttributeError):
        return
    full, wrong = _in_full(text, path)
    assert full in (None, short)
    assert [] == [line for line in wrong.splitlines() if READ.search(line)]


def _in_full(text, path):
    """The same of the full reading, or what is wrong: that of which a message has no need."""
    try:
        return brief_of(read(text, path)), ""
    except InputError as wrong:
        return None, str(wrong)


PLAIN = {
    'hostname = "relay.example"\n[aliases]\nroot = "ops@example.com"\n': True,
    '[spool]\npath = "spool"\nreserve = "1MiB"\n[[listen]]\nport = 2525\n': True,
    '[spool]\npaht = "spool"\n': False,
    "[[listen]]\nport = 0\n": False,
    "nonsense = 1\n": False,
    (Path(__file__).parents[3] / "docs" / "examples" / "rewrite.toml").read_text(): True,
    '[aliases]\nroot = "a@example.com"\nROOT = "b@example.com"\n': False,
    "[aliases]\nroot = 5\n": False,
}


def test_plain_file_costs_no_pydantic(tmp_path):
    """What is unusual costs the full reading, which says what is wrong, and cannot be had here."""
    paths = [tmp_path / f"{place}.toml" for place, _ in enumerate(PLAIN)]
    for path, text in zip(paths, PLAIN, strict=True):
        path.write_text(text)
    program = """
import sys
from pathlib import Path
from postroad.config import load_brief
sys.modules["pydantic"] = None  # whoever imports it fails
for name in sys.argv[1:]:
    try:
        load_brief(Path(name))
        print(True)
    except ImportError:
        print(False)
"""
    done = subprocess.run([sys.executable, "-c", program, *paths], capture_output=True, text=True, check=True)
    assert [str(is_plain) for is_plain in PLAIN.values()] == done.stdout.split()
