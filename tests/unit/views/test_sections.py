"""One table of sections: what a terminal shows of a simulation or a comparison, its page shows too."""

import html
import re
from functools import cache
from html.parser import HTMLParser

import pytest
from tests.support.examples import some
from tests.support.plans import HEAD, T1, T3, T4, advised, only, records
from typer.testing import CliRunner

from postroad.cli.root import app
from postroad.planning import compare, measure
from postroad.views.html.answer import page
from postroad.views.pictures.drawings import DRAWINGS
from postroad.views.pictures.picture import picture_of
from postroad.views.text import advice, comparison, simulation
from postroad.views.text.blocks import Table
from postroad.views.text.sections import AnswerSection, NamedPicture, Sentences, ZoneLines, markdown, text

ASKED = (
    "--sender postroad --sender exchange-online --down mail1:blackhole --down mail2:uncovered --trials 20 --sources 3 "
    "--greylist 5m --greylist-apart --replies 250,450,550"
)
FEW = only("exim", "exchange-online", "dns-order", "haraka")


class Reader(HTMLParser):
    """The ids of a page, and all its words."""

    def __init__(self):
        super().__init__()
        self.ids, self.words = [], []

    def handle_starttag(self, _tag, attrs):
        self.ids += [value for name, value in attrs if name == "id"]

    def handle_data(self, data):
        self.words.append(data)


def read(whole):
    """A page, read."""
    reader = Reader()
    reader.feed(whole)
    return reader


def words_of(part):
    """What a part says: each sentence, cell and line; a picture has its own stories."""
    match part:
        case Sentences(sentences):
            return list(sentences)
        case ZoneLines(lines):
            return list(lines)
        case Table(heads, rows):
            return [*heads, *(cell for row in rows for cell in row)]
        case NamedPicture():
            return []
        case _:
            return [part if isinstance(part, str) else part[0]]


def shown(told):
    """What a pipe has of it, and its page."""
    answer = "\n".join(words for block in text(told) for words in _in_text(block))
    return answer, "\n".join(read(page("A title", told)).words)


def _in_text(block):
    return words_of(block) if isinstance(block, str | tuple | Table) else []


@pytest.fixture
def simulated(tmp_path, monkeypatch):
    """What `postroad simulate` is about to show for some arguments, what it showed, and its page."""
    asked = []
    made = simulation.sections
    monkeypatch.setattr(simulation, "sections", lambda found: asked.append(list(made(found))) or iter(asked[-1]))

    def run(*arguments):
        file = tmp_path / "page.html"
        done = CliRunner(env={"NO_COLOR": "1"}).invoke(app, ["simulate", *arguments, "--html", str(file)])
        return asked[-1], done.stdout, read(file.read_text())

    return run


def test_every_section_of_a_simulation_is_in_its_text_and_on_its_page(tmp_path, simulated):
    """Trials, greylisting, replies, DNS cost, what stops a sender: with all of it asked for no kind is missing."""
    (zone := tmp_path / "example.zone").write_text(f"{HEAD}{T1}@ MX 20 gone\n")  # what is left out is said
    told, answer, whole = simulated(str(zone), *ASKED.split())
    assert list(simulation.KINDS) == [section.name for section in told]
    said = "\n".join(whole.words)
    for section in told:
        for words in [words for part in section.parts for words in words_of(part)]:
            assert words in said
            assert section.is_for_pages or words in answer
    drawn = [part for section in told for part in section.parts if isinstance(part, NamedPicture)]
    assert ["heat_map", "fault_bars", "timeline"] == [part.name for part in drawn]
    assert [] == [part.name for part in drawn if DRAWINGS[part.name](part.picture).title not in said]


@pytest.mark.parametrize("zone", ["@ MX 0 .\n", "@ MX 10 gone\n", "@ MX 10 a\na A 127.0.0.1\n"])
def test_records_that_nobody_can_use_are_told_on_the_page_too(zone, tmp_path, simulated):
    """The sentence and what each sender makes of them; no empty picture."""
    file = tmp_path / "dead.zone"
    file.write_text(f"$ORIGIN example.com.\n$TTL 300\n{zone}")
    told, answer, whole = simulated(str(file))
    assert ["summary", "records"] == [section.name for section in told]
    assert all(line in "\n".join(whole.words) for line in answer.splitlines() if line)


@cache
def _compared():
    cards = [measure(name, records(zone), FEW) for name, zone in (("now", T1), ("planned", T4), ("same", T1))]
    return compare(cards), [picture_of(each.name, each, FEW) for each in cards]


@pytest.mark.parametrize("is_verbose", [False, True])
def test_every_section_of_a_comparison_is_everywhere(is_verbose):
    """In a terminal, on a page and in Markdown."""
    told = list(comparison.sections(*_compared(), is_verbose=is_verbose))
    answer, whole = shown(told)
    for words in [words for section in told for part in section.parts for words in words_of(part)]:
        assert words in answer
        assert words in whole
        assert words in markdown(told)
    assert ["now", "planned", "same"] == [section.title for section in told if section.is_for_pages]


@pytest.mark.parametrize(
    "zone", some([T1, T3, T4, "@ MX 10 192.0.2.7.\n@ MX 20 b\nb A 192.0.2.2\n", "@ MX 10 gone\n"], 3, 1)
)
def test_every_section_of_an_advice_is_everywhere(zone):
    """In a terminal, on a page and in Markdown; records begin at the margin, so that they can be copied.

    Every third zone; all in a whole run.
    """
    found = advised(records(zone), FEW)
    told = list(advice.sections(found, [picture_of(each.name, each, FEW) for each in advice.cards(found)]))
    answer, whole = shown(told)
    for words in [words for section in told for part in section.parts for words in words_of(part)]:
        assert words in answer
        assert words in whole
        assert words in markdown(told)
    lines = [str(line) for line in found.after.records.lines] if found.after else []
    assert set(lines) <= set(answer.splitlines())


def test_a_page_escapes_what_it_is_told():
    """Sentences, lines, heads, cells and titles are only words."""
    evil = '"><script>alert(1)</script>'
    parts = (
        evil,
        (evil, "bold"),
        (evil, "dim"),
        Sentences((evil,)),
        ZoneLines((evil,)),
        Table((evil, "b"), [(evil, evil)]),
    )
    whole = page(evil, [AnswerSection("x", evil, parts)])
    assert "<script" not in whole
    assert 11 == len(re.findall(re.escape(html.escape(evil)), whole))
