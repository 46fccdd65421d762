"""Text from strangers is shown, and obeyed by nothing."""

import json
import re
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.examples import some

from postroad.words.visible import defused, json_text, visible

ESCAPE = re.compile(r"\\(?:([\\nrt])|x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8}))")


def read_back(shown):
    """The text that was made visible."""
    named = {"\\": "\\", "n": "\n", "r": "\r", "t": "\t"}
    return ESCAPE.sub(lambda it: named[it[1]] if it[1] else chr(int(it[2] or it[3] or it[4], 16)), shown)


ANY = st.text(st.characters(exclude_categories=()) | st.sampled_from("\\\n\rxuUnrt0a\x1b\u202e"))

OBEYED = [
    *map(chr, range(0x20)),  # C0: ESC, BEL, line breaks
    *map(chr, range(0x7F, 0xA0)),  # DEL and C1: CSI, OSC in one octet of Latin-1
    *map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x061C, 0x200E, 0x200F)),  # direction
    *map(chr, (0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF, 0x00AD, 0x034F, 0x3164, 0xFE0F, 0xE0041)),  # without width
    *map(chr, (0x2028, 0x2029, 0x0085)),  # line breaks of Unicode
    *map(chr, (0xD800, 0xDC80, 0xE000, 0xFFFF)),  # halves, private use, no characters
]


def test_what_is_obeyed_is_written_out():
    """Each character that a terminal would obey, or that nobody sees, becomes ASCII that says which it was."""
    shown = {f"a{char}b": visible(f"a{char}b") for char in OBEYED}
    assert [] == [text for text in shown.values() if not (text.isascii() and text.isprintable())]
    assert list(shown) == [read_back(text) for text in shown.values()]


def test_every_character_of_unicode_is_seen_or_written_out():
    """What is left as it is has a category of things that are seen, and a width. Every seventh; all in a whole run."""
    none_yet = range(0x34000, 0xE0000, 251)  # eleven planes in which no character is
    private = range(0xE1000, sys.maxunicode + 1, 251)
    every = "".join(map(chr, some((*range(0x34000), *none_yet, *range(0xE0000, 0xE1000), *private), 7, 4)))
    left = set(visible(every.replace("\\", "")))
    assert set() == {unicodedata.category(char) for char in left} & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    assert {" "} == {char for char in left if unicodedata.category(char) == "Zs"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("250 2.0.0 Ok: queued as 4F1", "250 2.0.0 Ok: queued as 4F1"),
        ("grüße@bücher.example", "grüße@bücher.example"),
        ("דואר@דוגמה.example", "דואר@דוגמה.example"),
        ('"a\\"b"@example.org', '"a\\"b"@example.org'),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("evil\u202egnp.exe", "evil\\u202egnp.exe"),
        ("one\r\ntwo", "one\\r\\ntwo"),
        ("said \\x1b", "said \\\\x1b"),
        ("end\\", "end\\\\"),
    ],
)
def test_plain_text_stays_and_the_rest_can_be_read(text, expected):
    """Letters of any script stay; a backslash is doubled only where it would be read as ours."""
    assert expected == visible(text)


@given(ANY)
def test_what_is_shown_can_be_read_back(text):
    """Nothing is lost: from what is shown comes the text, and it is one printable line."""
    assert text == read_back(visible(text))
    assert visible(text).isprintable()


@given(ANY)
def test_defused_text_stays_as_it_is(text):
    """To defuse twice is to defuse once: forms may be put together from defused parts."""
    assert defused(text) == defused(defused(text))
    assert defused(text, keep="\n").replace("\n", "").isprintable()


@given(st.dictionaries(ANY, ANY | st.none() | st.integers()))
def test_json_is_ascii_and_keeps_the_data(shape):
    """No octet of JSON is obeyed by a terminal, and a program reads what was said."""
    written = json_text(shape)
    assert written.isascii()
    assert written.isprintable()
    assert shape == json.loads(written)
