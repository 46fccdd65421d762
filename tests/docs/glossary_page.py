"""The glossary: words of the field that are no class, and every public class by the first sentence of its docstring.

Run it as `python -m tests.docs.glossary_page`.
"""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.support.sources import classes, files

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "glossary.md"
SHAPES = "views/json/"  # shapes of answers: each stands with its keys in json.schema.json
HEAD = """# Glossary

One word for one thing, in code, log, report, command line and these pages. Words of the RFCs come first; no synonyms.
Written by `python -m tests.docs.glossary_page`: a word that is a class has the first sentence of its docstring. A test
compares them, and lets no word have two meanings.

## Words of the field

| word | meaning | source |
| --- | --- | --- |
"""
TAIL = """
Verbs: `resolve` asks DNS; `gather` asks all questions for a domain; `parse` and `format` are about text and octets;
`decide` and `draw` are pure. Suffixes: `_s` seconds, `_ms` milliseconds, `_at` wall time.

## Words of the code, room by room
"""

# A word that is a class has no meaning here: its docstring has it
WORDS = """
domain | the part after the `@`: a name, kept in A-labels, lower case, without final dot | RFC 5321 2.3.5
address literal | | RFC 5321 4.1.3
destination | a domain or an address literal: where mail for a mailbox goes |
mailbox | | RFC 5321 2.3.11
reverse-path | where failures are reported; the null one, `<>`, gets no report | RFC 5321 3.3
forward-path | one recipient | RFC 5321 3.3
recipient | | RFC 5321 3.3
envelope | | RFC 5321 2.3.1
content | header and body, CRLF at every line end | RFC 5321 2.3.8
preference | the number of an MX record; the lowest is tried first | RFC 974
exchanger | | RFC 5321 5.1
exchange | the name field of an MX record | RFC 1035 3.3.9
level | |
equals | exchangers of one level |
backup | an exchanger of a higher preference value than the lowest |
implicit MX | the domain's own address, used where there is no MX | RFC 5321 5.1
null MX | `MX 0 .`: this domain accepts no mail | RFC 7505
own host | this machine, found in a list of exchangers: the list ends there | RFC 5321 5.1
alias of DNS | a name with a CNAME | RFC 1034 3.6.2
authentic | of an answer, be it that there is nothing: a believed resolver vouches for it by DNSSEC | RFC 4035 3.2.3
extended error | a number by which a resolver says why it has no answer; 6: DNSSEC validation failed | RFC 8914
TLSA base domain | the name that an exchanger's TLSA records belong to, asked for in the handshake | RFC 7672 2.2.3
alias | | aliases(5)
local name | a local part without a domain, or at a name of this machine, which has no mailboxes |
selector | the name of a key that signs: its record is at `SELECTOR._domainkey.DOMAIN` | RFC 6376 3.6.2.1
snapshot | |
route | | RFC 5321 5.1
static route | |
smarthost | a host that relays for others by agreement: a route in the settings leads there, no MX record |
refusal | |
dropped | |
note | |
odds | |
seed | the number a draw comes from; it draws the same again |
plan | |
target | |
walk | |
stagger | how long an open connection is waited for before the next is started | RFC 8305 5
contact | |
unused | the ending of a contact that lost the race |
attempt | |
trail | the contacts of an attempt, in order of start |
phase | | RFC 5321 4.5.3.2
reply | | RFC 5321 4.2
enhanced status | `5.1.1`: class, subject, detail | RFC 3463
outcome | |
delivered | a host has taken responsibility | RFC 5321 6.1
deferred | not now; a later attempt may succeed | RFC 5321 4.2.1
failed | refused for good | RFC 5321 4.2.1
scope | |
report | | RFC 3464
double bounce | a report that cannot be delivered; its reverse-path is null: only a postmaster is told | RFC 5321 4.5.5
unsettled | the end of the message was sent and no reply came: the host may have it | RFC 1047
fail-over | going on to the next target because of a host |
procedure | how one RFC puts exchangers in order: rfc974, rfc1123, rfc2821, rfc5321 |
sender | |
mix | |
machine | |
forecast | |
trials | |
cut set | a minimal set of machines whose loss stops all mail of a sender |
set-up | a set of MX and address records; the reference set-ups have names: t1 to t6, one, filter |
parcel | |
spool | |
lab | |
fault | |
scenario | |
"""


@dataclass(frozen=True)
class Entry:
    """A public class: where it stands and what its docstring says first."""

    name: str
    path: str
    sentence: str

    @property
    def room(self):
        """The folder, or the file, below the package."""
        return self.path.split("/")[0].removesuffix(".py")


@cache
def entries():
    """Every public class, in the order of the files."""
    return [
        Entry(each, name, first_sentence(docstring))
        for path, name in files()
        if not name.startswith(SHAPES)
        for each, docstring in classes(path)
    ]


def first_sentence(docstring):
    """Up to the first full stop that ends a word, in one line."""
    paragraph = " ".join(docstring.split("\n\n")[0].split())
    found = re.match(r"(.+?\.)(?= [A-Z`0-9]|\Z)", paragraph)
    return found[1] if found else paragraph


def words():
    """The words of the field: each with its meaning ("" for a class) and where it is written."""
    for line in WORDS.strip().splitlines():
        word, meaning, source = (part.strip() for part in line.split("|"))
        yield word, meaning, source


def as_class(word):
    """The name a word has as a class: `address literal` is AddressLiteral."""
    return "".join(part[:1].upper() + part[1:] for part in re.split(r"[ -]", word))


def glossary_page():
    """The whole text of glossary.md."""
    every = list(entries())
    known = {each.name: each for each in every}
    of_field = {as_class(word) for word, meaning, _ in words() if not meaning}
    rows = [
        f"| {word} | {meaning or _lowered(known[as_class(word)].sentence)} | {source} |\n"
        for word, meaning, source in words()
    ]
    rooms = sorted({each.room for each in every})
    return HEAD + "".join(rows) + TAIL + "".join(_room(room, every, of_field) for room in rooms)


def _room(room, every, of_field):
    mine = sorted((each for each in every if each.room == room and each.name not in of_field), key=lambda one: one.name)
    rows = "".join(f"| `{each.name}` | {_cell(each.sentence)} | {each.path} |\n" for each in mine)
    return f"\n### {room}\n\n| class | meaning | file |\n| --- | --- | --- |\n{rows}" if mine else ""


def _lowered(sentence):
    """A sentence as a part of a table: `A reply: ...` is the word's own line."""
    return _cell(sentence.removesuffix("."))


def _cell(text):
    return text.replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(glossary_page())
