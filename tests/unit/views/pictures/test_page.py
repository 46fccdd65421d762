"""The page: one HTML file that needs nothing else."""

import re
from html.parser import HTMLParser

import pytest
from tests.support import drawn
from tests.support.drawn import page

from postroad.views.html.answer import save
from postroad.words.inputs import InputError

VOID = {"meta", "rect", "line", "path"}


class Reader(HTMLParser):
    """Tags with their attributes, the text of cells, and what was left open."""

    def __init__(self):
        super().__init__()
        self.tags, self.open, self.words = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert tag == self.open.pop()

    def handle_data(self, data):
        self.words.append(data.strip())


def read(text):
    """The page as a browser would take it, whole."""
    reader = Reader()
    reader.feed(text)
    reader.close()
    assert [] == reader.open
    return reader


def test_everything_is_there_as_text():
    """Title, summary, shares, bars, contacts and records, for eyes and readers alike."""
    words = set(read(page(drawn.picture())).words)
    assert {"Two equal exchangers", "50", "100", "75", "25", "2.3 min", "no answer, 30 s"} <= words
    assert any("mail2 A 192.0.2.12" in each for each in words)
    assert any("survives the loss of either server" in each for each in words)


def test_pictures_are_read_aloud():
    """Each is an image with a title and all it says in words, in a region that scrolls and takes the focus."""
    tags = read(page(drawn.picture())).tags
    ids = {attributes.get("id") for _, attributes in tags}
    images = [attributes["aria-labelledby"].split() for tag, attributes in tags if tag == "svg"]
    assert {"img"} == {attributes["role"] for tag, attributes in tags if tag == "svg"}
    assert all(set(each) <= ids for each in images)
    regions = [attributes for _, attributes in tags if attributes.get("role") == "region"]
    assert (3, 3) == (len(images), len(regions))
    assert all("0" == each["tabindex"] and each["aria-labelledby"] in ids for each in regions)
    assert "postfix: 50 % mail1 [192.0.2.11], preference 10, 50 % mail2" in page(drawn.picture())


def test_a_page_needs_nothing_else():
    """No address of anything, no script, no import; and a policy that would forbid them."""
    text = page(drawn.picture())
    assert not re.search(r"https?:|<script|<link|@import|\bsrc=|\bhref=", text)
    assert re.findall(r"url\(([^)]*)\)", text)
    assert all(mark.startswith("#p0-") for mark in re.findall(r"url\(([^)]*)\)", text))
    assert "default-src 'none'" in text


def test_a_page_is_dark_in_the_dark():
    """The shades of both grounds are there."""
    text = page(drawn.picture())
    assert 2 == text.count("prefers-color-scheme: dark")
    assert 2 == text.count(" .s20 {")


def test_hostile_words_are_only_words():
    """Whatever a zone or a title has in it, no tag and no attribute comes of it."""
    evil = "\"><script>alert(1)</script><img src=x onerror='x'>\u202e\x1b"
    step = drawn.Step(evil, drawn.WAITS.steps[0].address, 10, drawn.Mode.REFUSE, 0, 0)
    facts = drawn.snapshot((10, evil, "192.0.2.11"))
    picture = drawn.picture(
        title=evil,
        summary=evil,
        domain=evil,
        forecasts={evil: drawn.forecast({"192.0.2.11": 1}, facts=facts), "x": drawn.unable(evil)},
        faults={drawn.Mode.REFUSE: {evil: drawn.forecast({}, facts=facts)}},
        at_fault=evil,
        example=drawn.Example(drawn.HALF, (step,), drawn.Result.FAILED),
        sender=evil,
        records=(evil,),
    )
    text = page(picture)
    tags = read(text).tags
    assert not {"script", "img"} & {tag for tag, _ in tags}
    assert not any("onerror" in attributes for _, attributes in tags)
    assert not {"\u202e", "\x1b"} & set(text)


def test_several_pictures_share_a_page():
    """Their ids differ."""
    tags = read(page(drawn.picture(), drawn.picture(title="Another"))).tags
    ids = [attributes["id"] for _, attributes in tags if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_a_picture_of_one_thing_has_no_empty_parts():
    """Without faults, example and records only the heat map is there."""
    text = page(drawn.picture(faults={}, example=None, records=()))
    assert 1 == text.count("<h2")


def test_a_page_goes_into_a_file(tmp_path):
    """Or it is said why not."""
    save(page(drawn.picture()), tmp_path / "page.html")
    assert page(drawn.picture()) == (tmp_path / "page.html").read_text(encoding="utf-8")
    with pytest.raises(InputError, match="cannot be written"):
        save(page(drawn.picture()), tmp_path / "missing" / "page.html")
