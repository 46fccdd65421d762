"""The terminal's form: summary first, then what is wrong under the server it is about."""

import re

from tests.support.checked import BAD, EVIL, SANE, show

BAD_TEXT = """\
✗ example.com: 1 error, 1 warning, 1 info, 1 inconclusive, 1 accepted; 2 preference levels, 3 exchangers, 2 addresses
  i info mx-ttl-low
    the MX records live 30 s
    why     It costs questions.
    source  RFC 1035
  preference 10
    mail1.example.com
      192.0.2.11
      2001:db8::11
        ? inconclusive smtp-unreachable
          no IPv6 from here
    mail2.example.com
      192.0.2.11
        ! warning mx-dup-address
          mail1 and mail2 lead to one address
          why     One address is one server: when it dies, both names are gone. People count names.
          source  practice
          fix     mail2.example.com.  A  192.0.2.12
          at      zones/a b.zone:9
  preference 20
    backup.example.net
      ✗ error mx-target-no-address
        neither A nor AAAA
        why     There is nowhere to connect to.
        source  RFC 5321 section 5.1
        fix     backup.example.net.  A  192.0.2.13
                backup.example.net.  AAAA  2001:db8::13
        at      zones/a b.zone:5
  ~ accepted mx-unequal, preference 10: mail2 is small (until 2027-03-01)
"""
SANE_TEXT = """\
✓ example.org: nothing found; 1 preference level, 1 exchanger, 1 address
  preference 10
    mx.example.org
      ✓ ok 198.51.100.1
"""
ALL = "2 domains: 1 error, 1 warning, 1 info, 1 inconclusive, 1 accepted\n\n"


def test_text_groups_findings_under_their_servers():
    """Each finding stands below its preference, exchanger and address, with why, source, fix and place."""
    assert BAD_TEXT == show("text", BAD, width=120)


def test_text_of_several_domains_begins_with_their_sum():
    """Of several domains the first line tells all together."""
    assert f"{ALL}{BAD_TEXT}\n{SANE_TEXT}" == show("text", BAD, SANE, width=120)


def test_colour_adds_nothing_but_colour():
    """Taken off, the colours leave the same text."""
    coloured = show("text", color=True)
    assert "\x1b[1;31m✗\x1b[0m" in coloured
    assert show("text") == re.sub(r"\x1b\[[0-9;]*m", "", coloured)


def test_ascii_terminal_gets_ascii():
    """Where only ASCII can be shown, symbols are ASCII and the words stay."""
    plain = show("text", ascii_only=True)
    assert plain.isascii()
    assert "x error mx-target-no-address" in plain


def test_narrow_terminal_keeps_zone_lines_whole():
    """Sentences are wrapped to the width; a line that is to be copied is not."""
    lines = show("text", BAD, width=50).splitlines()
    assert "          why     One address is one server: when" in lines
    assert "        fix     backup.example.net.  A  192.0.2.13" in lines


def test_why_is_told_once():
    """A rule that finds two things in one domain says only once why they matter."""
    twice = BAD.__class__(BAD.domain, BAD.checked_at, BAD.servers, BAD.findings[:2] * 2)
    assert 1 == show("text", twice).count("It costs questions.")
    assert 2 == show("text", twice).count("the MX records live 30 s")


def test_strangers_cannot_drive_the_terminal():
    """Control characters and marks of direction in names from DNS come out as question marks."""
    assert "\x1b" not in show("text", EVIL)
    assert "\u202e" not in show("text", EVIL)
