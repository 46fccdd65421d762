"""The forms for programs and tables: JSON, NDJSON, CSV, Markdown, Nagios."""

import csv
import json
import re
from dataclasses import replace

import pytest
from tests.support.checked import BAD, EVIL, NASTY, SANE, show

from postroad.rules import Finding, Place, Severity
from postroad.views.findings import nagios_code

COUNTS = {"error": 1, "warning": 1, "note": 0, "info": 1, "inconclusive": 1, "accepted": 1}
CSV = """\
domain,preference,exchange,address,rule,severity,seen,fix,line,accepted
example.com,20,backup.example.net,,mx-target-no-address,error,neither A nor AAAA,\
backup.example.net.  A  192.0.2.13 / backup.example.net.  AAAA  2001:db8::13,zones/a b.zone:5,
example.com,10,mail2.example.com,192.0.2.11,mx-dup-address,warning,mail1 and mail2 lead to one address,\
mail2.example.com.  A  192.0.2.12,zones/a b.zone:9,
example.com,,,,mx-ttl-low,info,the MX records live 30 s,,,
example.com,10,mail1.example.com,2001:db8::11,smtp-unreachable,inconclusive,no IPv6 from here,,,
example.com,10,,,mx-unequal,note,2 addresses and 1,,,mail2 is small
"""
MARKDOWN = """\
### example.com

1 error, 1 warning, 1 info, 1 inconclusive, 1 accepted; 2 preference levels, 3 exchangers, 2 addresses

| | rule | where | what was seen | zone line that fixes it |
| --- | --- | --- | --- | --- |
| ✗ error | `mx-target-no-address` | backup.example.net, zones/a b.zone:5 | neither A nor AAAA<br>\
<sub>RFC 5321 section 5.1</sub> | `backup.example.net.  A  192.0.2.13`<br>`backup.example.net.  AAAA  2001:db8::13` |
| ! warning | `mx-dup-address` | mail2.example.com \\[192.0.2.11\\], zones/a b.zone:9 | \
mail1 and mail2 lead to one address<br><sub>practice</sub> | `mail2.example.com.  A  192.0.2.12` |
| i info | `mx-ttl-low` | example.com | the MX records live 30 s<br><sub>RFC 1035</sub> |  |
| ? inconclusive | `smtp-unreachable` | mail1.example.com \\[2001:db8::11\\] | no IPv6 from here<br>\
<sub>RFC 5321 section 5.1</sub> |  |

Accepted: `mx-unequal`, preference 10: mail2 is small \\(until 2027-03-01\\)
"""


def only(severity, **fields):
    """A result with one finding."""
    return replace(SANE, findings=(Finding("x", severity, Place(SANE.domain), "seen | here", **fields),))


def test_unknown_form_is_refused():
    """A form that is not there is the caller's error."""
    with pytest.raises(ValueError, match="xml"):
        show("xml")


def test_json_has_every_finding_with_its_reason():
    """One object: counts, then each domain with its servers, findings and what is accepted."""
    shape = json.loads(show("json"))
    bad, sane = shape["domains"]
    assert (1, COUNTS, ["example.com", "example.org"]) == (
        shape["version"],
        shape["counts"],
        [bad["domain"], sane["domain"]],
    )
    assert {"preference": 20, "exchange": "backup.example.net", "addresses": []} == bad["exchangers"][2]
    assert {
        "rule": "mx-target-no-address",
        "severity": "error",
        "inconclusive": False,
        "preference": 20,
        "exchange": "backup.example.net",
        "address": None,
        "seen": "neither A nor AAAA",
        "why": "There is nowhere to connect to.",
        "sources": ["RFC 5321 section 5.1"],
        "fix": "backup.example.net.  A  192.0.2.13\nbackup.example.net.  AAAA  2001:db8::13",
        "file": "zones/a b.zone",
        "line": 5,
    } == bad["findings"][0]
    assert ("mail2 is small", "2027-03-01") == (bad["accepted"][0]["reason"], bad["accepted"][0]["until"])
    assert ([], ["records"]) == (sane["findings"], sane["looked"])


def test_ndjson_is_one_object_a_domain():
    """Each line stands alone, with the version, so that lines of several runs can be put together."""
    lines = [json.loads(line) for line in show("ndjson").splitlines()]
    assert [(1, "example.com", COUNTS), (1, "example.org", dict.fromkeys(COUNTS, 0))] == [
        (line["version"], line["domain"], line["counts"]) for line in lines
    ]


def test_csv_is_one_row_a_finding():
    """A header, then the findings worst first, then what is accepted with its reason."""
    assert CSV == show("csv")


def test_csv_starts_no_formula():
    """What a spreadsheet would work out begins with an apostrophe, and no cell breaks its row."""
    header, *rows = csv.reader(show("csv", EVIL).splitlines())
    assert [len(header)] * 2 == [len(row) for row in rows]
    assert [] == [cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@"))]


def test_markdown_is_a_table_a_domain():
    """A heading, the counts, one row a finding."""
    assert MARKDOWN == show("markdown", BAD)
    assert "### example.org\n\nnothing found; 1 preference level, 1 exchanger, 1 address\n" == show("markdown", SANE)


def test_markdown_obeys_no_stranger():
    """Names from DNS make no markup, no HTML and no further cells, and notify nobody."""
    text = show("markdown", EVIL)
    row = next(line for line in text.splitlines() if line.startswith("| !"))
    assert 6 == len(re.findall(r"(?<!\\)\|", row))
    assert 0 == sum("<script" in line for line in re.sub(r"`[^`]*`", "", text).splitlines())
    assert "@" not in re.sub(r"`[^`]*`", "", text)


def test_nagios_is_one_line_with_numbers():
    """The state, the sum, the worst rules; behind a bar the numbers with their thresholds."""
    assert (
        "MX CRITICAL - example.com: 1 error, 1 warning, 1 info, 1 inconclusive, 1 accepted "
        "(mx-target-no-address, mx-dup-address, smtp-unreachable) "
        "| errors=1;;0;0 warnings=1;0;;0 notes=0;;;0 inconclusive=1;;;0\n"
    ) == show("nagios", BAD)
    assert show("nagios", SANE).startswith("MX OK - example.org: nothing found | errors=0;;0;0 ")


@pytest.mark.parametrize(
    ("results", "code"),
    [
        ([SANE], 0),
        ([only(Severity.NOTE), only(Severity.INFO)], 0),
        ([SANE, only(Severity.WARNING)], 1),
        ([only(Severity.WARNING), only(Severity.ERROR)], 2),
        ([only(Severity.ERROR, inconclusive=True)], 3),
        ([only(Severity.ERROR, inconclusive=True), only(Severity.WARNING)], 1),
        ([], 3),
    ],
)
def test_nagios_code_is_the_worst_known(results, code):
    """Errors are critical, warnings warn, what could not be looked at is unknown unless worse is known."""
    assert code == nagios_code(results)


def test_nagios_bar_is_its_own():
    """A bar or a line feed in a name does not end the text."""
    line = show("nagios", EVIL)
    assert (1, 1) == (line.count("|"), line.count("\n"))
    assert NASTY not in line
