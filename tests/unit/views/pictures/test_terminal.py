"""The pictures in a terminal."""

from fractions import Fraction
from io import BytesIO, StringIO, TextIOWrapper

import pytest
from rich.console import Console
from tests.support import drawn

from postroad.views.pictures.terminal import fault_bars, heat_map, timeline
from postroad.words.faults import Mode

GOLDEN = """\
Who is contacted first: per cent of messages
DNS answers in the order of the zone

                 mail1      mail2
               192.0.2.11 192.0.2.12
preference         10         10
postroad         ▄  50      ▄  50
postfix          ▄  50      ▄  50
dns-order        █ 100        0
first-mx-only    ▆  75      ▂  25
ipv6-only          -          -
- ipv6-only: no exchanger has an IPv6 address

First attempts while mail1.example.com [192.0.2.11] is at fault
██ delivered  ▒▒ deferred: tried again  xx failed
In numbers: per cent delivered in the first attempt, and the longest wait.

            refuses             silent              greets 554
postroad    █████ 100           █████ 100           █████ 100
postfix +1  █████ 100           █████ 100 ▆30.1 s   █████ 100
dns-order   █████ 100           ███▒▒  50 █2.3 min  xxxxx   0
postfix +1: postfix, exim

One delivery by postfix: delivered after 2 contacts, 30.1 s
1 in 2 goes this way; long waits are drawn shorter than they are
 1  mail1.example.com [192.0.2.11] 10  ▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒    no answer, 30 s
 2  mail2.example.com [192.0.2.12] 10                        ██  accepts, 80 ms
                                       0 s                   30 s
"""


def printed(*drawings, width=80, **settings):
    """What a console of that width prints, a blank line between drawings."""
    console = Console(file=StringIO(), width=width, highlight=False, **settings)
    for number, drawing in enumerate(drawings):
        if number:
            console.print()
        console.print(drawing)
    return console.file.getvalue()


def everything(picture):
    """The three drawings of a picture."""
    return (
        heat_map(picture.forecasts), fault_bars(picture), timeline(picture.example, picture.sender)
    )  # fmt: skip


def test_pictures_without_colour_say_all():
    """In a pipe each share has its number and a block, each part of a bar its glyph, each contact its words."""
    assert GOLDEN == printed(*everything(drawn.picture()))


def test_colour_changes_no_word():
    """With colour the blocks beside the numbers go; the numbers stay."""
    coloured = printed(
        heat_map(drawn.t1_forecasts()), force_terminal=True, color_system="truecolor", legacy_windows=False
    )
    assert "\x1b[" in coloured
    assert "▄" not in coloured
    assert all(f" {number} " in coloured for number in (50, 100, 0, 75, 25))


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
@pytest.mark.parametrize("picture", [drawn.picture(), drawn.crowd(3, 13)], ids=["two", "thirteen"])
def test_no_line_of_a_grid_is_wider_than_the_terminal(picture, width):
    """Columns that do not fit side by side go beneath, and long headings become numbers."""
    text = printed(heat_map(picture.forecasts), fault_bars(picture), width=width, soft_wrap=False)
    assert all(len(line) <= width for line in text.splitlines())


def test_numbered_headings_have_a_legend():
    """Who does not fit in a heading is told beneath, with its address."""
    text = printed(heat_map(drawn.crowd(2, 13).forecasts), width=100)
    assert " 13  30 exchanger-num..ail.cluster-3 [2001:db8:85a3:8d3:1319:8a2e:370:c]" in text


def test_a_terminal_of_ascii_gets_ascii():
    """Where no blocks can be shown, bars are of # and ~."""
    file = TextIOWrapper(BytesIO(), encoding="ascii")
    console = Console(file=file, width=80)
    for drawing in everything(drawn.crowd(2, 13)):
        console.print(drawing)
    console.print(fault_bars(drawn.picture()))
    file.flush()
    assert b"###~~  50 2.3 min" in file.buffer.getvalue()


def test_names_that_share_an_address_are_one_column():
    """A backup at the address of a primary is no server more."""
    facts = drawn.snapshot((10, "a", "192.0.2.11"), (20, "c", "192.0.2.11"))
    text = printed(heat_map({"postfix": drawn.forecast({"192.0.2.11": 1}, facts=facts)}))
    assert "a, c" in text
    assert "10, 20" in text


def test_a_server_that_is_down_says_how():
    """The heat map of a case with a fault names it in the heading."""
    one = drawn.forecast({"192.0.2.11": 1}, down={"192.0.2.12": Mode.R450})
    assert "r450" in printed(heat_map({"postfix": one}))


def test_escape_sequences_in_names_are_harmless():
    """A name from DNS cannot speak to the terminal."""
    facts = drawn.snapshot((10, "\x1b[2Jmail\u202e", "192.0.2.11"))
    text = printed(heat_map({"post\x1b]0;fix": drawn.forecast({"192.0.2.11": 1}, facts=facts)}))
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_a_delivery_without_contacts_is_said_in_a_line():
    """Nothing to draw, still something to say."""
    example = drawn.Example(drawn.HALF, (), drawn.Result.DEFERRED)
    assert "One delivery: deferred without a contact" in printed(timeline(example))


def test_a_long_delivery_is_shortened():
    """Of forty contacts the first ten and the last two are drawn, and the rest counted."""
    steps = tuple(drawn.step(f"mx{at}", f"192.0.2.{at}", Mode.REFUSE, at / 10, 0.01) for at in range(40))
    text = printed(timeline(drawn.Example(drawn.HALF, steps, drawn.Result.DEFERRED)), width=120)
    assert "28 contacts left out" in text
    assert "40  mx39.example.com" in text


def test_of_very_many_servers_those_alike_are_one_column():
    """A hundred equals of which one gets more are two columns, and what is small has its decimals."""
    names = [f"192.0.2.{number}" for number in range(1, 101)]
    facts = drawn.snapshot(*((10, f"mx{number}", name) for number, name in enumerate(names)))
    shares = dict.fromkeys(names, Fraction(1, 200)) | {names[0]: Fraction(101, 200)}
    text = printed(heat_map({"postfix": drawn.forecast(shares, facts=facts)}))
    assert ["192.0.2.1", "99", "addresses"] == text.splitlines()[4].split()
    assert ["postfix", "▄", "51", "▁", "0.50"] == text.splitlines()[6].split()
    assert "mx1, mx2 +97, 99 addresses: 192.0.2.2, 192.0.2.3, 192.0.2.4 and 96 more." in text


def test_few_servers_stand_apart_though_they_are_alike():
    """Up to sixteen have a column each."""
    names = [f"192.0.2.{number}" for number in range(1, 17)]
    facts = drawn.snapshot(*((10, f"mx{number}", name) for number, name in enumerate(names)))
    text = printed(heat_map({"postfix": drawn.forecast(dict.fromkeys(names, Fraction(1, 16)), facts=facts)}))
    assert "addresses" not in text
