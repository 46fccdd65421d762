"""The figure in a file."""

import re
import sys
from xml.etree import ElementTree as ET

import pytest
from tests.support import drawn
from tests.support.drawn import page
from tests.support.examples import in_whole_runs

from postroad.views.pictures.figure import save
from postroad.words.inputs import InputError


@in_whole_runs
def test_a_png_is_a_png(tmp_path):
    """The suffix says what is written."""
    save(drawn.crowd(1, 1), tmp_path / "picture.png")
    assert b"\x89PNG\r\n\x1a\n" == (tmp_path / "picture.png").read_bytes()[:8]


def test_an_svg_has_its_words_as_text(tmp_path):
    """Every number and name can be searched and read aloud."""
    save(drawn.picture(), tmp_path / "picture.svg")
    words = {"".join(each.itertext()).strip() for each in ET.parse(tmp_path / "picture.svg").iter()}
    assert {"Two equal exchangers", "postroad", "mail1", "50", "100", "75", "2.3 min", "no answer, 30 s"} <= words


def test_the_same_picture_gives_the_same_octets(tmp_path):
    """A figure in a repository changes only if what it shows does."""
    for name in ("one.svg", "two.svg"):
        save(drawn.picture(), tmp_path / name)
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()


@pytest.mark.parametrize(("senders", "servers"), [(1, 1), (2, 13)])
def test_a_figure_is_as_large_as_it_must_be(tmp_path, senders, servers):
    """One sender or many, one server or many: headings that would not fit stand upright."""
    save(drawn.crowd(senders, servers), tmp_path / "crowd.svg")
    text = (tmp_path / "crowd.svg").read_text()
    assert (servers > 1) == ("rotate(-90" in text)


def test_names_are_no_formulas(tmp_path):
    """Dollars, controls and tags in a name are drawn, not obeyed."""
    save(drawn.picture(title="$\\frac{1$ <b>\x1b[2J"), tmp_path / "hostile.svg")
    assert "$\\frac{1$ &lt;b&gt;" in (tmp_path / "hostile.svg").read_text()


def test_another_suffix_is_refused(tmp_path):
    """A sentence says which there are."""
    with pytest.raises(InputError, match=r"a figure is a \.png or an \.svg file"):
        save(drawn.picture(), tmp_path / "picture.pdf")


def test_a_place_that_cannot_be_written_is_said(tmp_path):
    """With the path and the system's reason."""
    with pytest.raises(InputError, match="cannot be written: No such file or directory"):
        save(drawn.picture(), tmp_path / "missing" / "picture.svg")


def test_without_matplotlib_there_is_svg(tmp_path, monkeypatch):
    """It is an extra, for PNG alone: the error says how to get it, and what needs none."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(InputError, match=r"pip install 'postroad\[plot\]', or write an .svg file"):
        save(drawn.picture(), tmp_path / "picture.png")
    save(drawn.picture(), tmp_path / "picture.svg")


def test_a_figure_is_the_page_in_one_sheet(tmp_path):
    """The same sheet is drawn in both: each shape of the page is in the file, further down."""
    save(drawn.picture(), tmp_path / "picture.svg")
    drawn_once = re.findall(r">([^<>]+)</text>", page(drawn.picture()))
    assert set(drawn_once) <= set(re.findall(r">([^<>]+)</text>", (tmp_path / "picture.svg").read_text()))
