"""The page: one HTML file that needs nothing else."""

import re
from html.parser import HTMLParser

from tests.support.checked import BAD, EVIL, NASTY, SANE, show

VOID = {"meta"}


class Reader(HTMLParser):
    """The tags, their attributes, the words, and what was left open."""

    def __init__(self):
        super().__init__()
        self.tags, self.open, self.words = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert tag == self.open.pop()

    def handle_data(self, data):
        if self.open[-1:] != ["style"]:
            self.words += data.split()


def read(*results):
    """The page as a browser would take it, whole."""
    reader = Reader()
    reader.feed(show("html", *results))
    reader.close()
    assert [] == reader.open
    return reader


def test_page_says_what_the_terminal_says():
    """Every word of the terminal's form is on the page, but the symbols' labels."""
    words = set(re.split(r"[\s;,:]+", " ".join(read(BAD, SANE).words)))
    told = set(re.split(r"[\s;,:]+", show("text", BAD, SANE)))
    assert {"fix", "why", "source", "at"} >= {word for word in told - words if word}


def test_page_needs_nothing_else():
    """No script, no image, nothing to load; each link leads to a domain on the page."""
    reader = read(BAD, SANE)
    assert set() == {"script", "img", "link", "iframe"} & {tag for tag, _ in reader.tags}
    assert set() == {name for _, attributes in reader.tags for name in attributes} & {"src", "style", "onclick"}
    links = {attributes["href"].removeprefix("#") for tag, attributes in reader.tags if tag == "a"}
    assert links == {attributes["id"] for _, attributes in reader.tags if "id" in attributes}


def test_colour_has_its_word():
    """Whatever is coloured by a class says that class as a word."""
    text = show("html", BAD)
    for word in ("error", "warning", "info", "inconclusive"):
        assert f'<article class="{word}">' in text
        assert re.search(rf'<span class="word"><span class="mark" aria-hidden="true">.</span> {word}</span>', text)


def test_page_is_dark_in_the_dark():
    """The colours change with the reader's scheme."""
    assert 2 == show("html", BAD).count("@media (prefers-color-scheme: dark)")


def test_strangers_write_no_html():
    """A name from DNS stays text."""
    reader = read(EVIL)
    assert [] == [tag for tag, _ in reader.tags if tag == "script"]
    assert NASTY.split("\x1b")[0] in "".join(reader.words)
    assert "\x1b" not in show("html", EVIL)
