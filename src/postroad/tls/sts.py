"""Reads what MTA-STS publishes, the TXT record and the policy: strictly, and with every fault (RFC 8461)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from postroad.words.names import MAX_LABEL, MAX_NAME, cut
from postroad.words.policies import StsFault, StsFaultKind, StsPolicy

MAX_AGE_S = 31557600
"""The longest a policy may be kept (RFC 8461 section 3.2)."""

MODES = ("enforce", "testing", "none")

MOST_FAULTS = 20
"""Faults of one document that are told: a page of HTML has one in each line."""

_BEGIN = "v=STSv1;"
_LENIENT_BEGIN = re.compile(r"v=STSv1[ \t]*;")
_FIELD = re.compile(r"([A-Za-z0-9][A-Za-z0-9_.-]{0,31})=([\x21-\x3a\x3c\x3e-\x7e]+)\Z")
_BLANKS = " \t"
_ID = re.compile(r"[A-Za-z0-9]{1,32}\Z")
_LINE = re.compile(r"([A-Za-z0-9][A-Za-z0-9_.-]{0,31}):[ \t]*(.*)\Z", re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_AGE = re.compile(r"[0-9]{1,10}\Z")
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*\Z")
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class StsRecord:
    """The MTA-STS record of a domain as read: its text, the id of the policy, and what is wrong with it."""

    text: str
    id: str = ""
    faults: tuple[StsFault, ...] = ()

    @property
    def is_usable(self) -> bool:
        """Whether it announces a policy to a strict reader."""
        return not any(fault.is_fatal for fault in self.faults)


@dataclass(frozen=True, slots=True)
class StsDocument:
    """A policy document as read: the policy, None if a fault prevents its use, and what is wrong with it."""

    policy: StsPolicy | None
    faults: tuple[StsFault, ...] = ()

    @property
    def is_usable(self) -> bool:
        """Whether a strict reader has a policy of it."""
        return self.policy is not None

    @property
    def why_not(self) -> str:
        """The first fault that prevents its use, in words; "" if none does."""
        return next((str(fault) for fault in self.faults if fault.is_fatal), "")


def read_records(texts: Iterable[str]) -> StsRecord | None:
    """The MTA-STS record among the TXT records at `_mta-sts`; None if none of them means to be one.

    Those that do not begin with `v=STSv1;` are discarded, and of several none counts (RFC 8461 section 3.1). The
    grammar there also lets a blank stand before that semicolon (erratum 6285): such a record counts if it is alone.
    """
    known = list(texts)
    mine = [text for text in known if text.startswith(_BEGIN)]
    mine = mine or [text for text in known if _LENIENT_BEGIN.match(text)]
    if len(mine) > 1:
        why = f"there are {len(mine)} records, and senders then ignore them all"
        return StsRecord(mine[0], faults=(StsFault(StsFaultKind.SEVERAL_RECORDS, why),))
    if mine:
        return _record(mine[0])
    like = next((text for text in known if text[:7].lower() == "v=stsv1"), None)
    if like is None:
        return None
    why = "it does not begin with v=STSv1; in exactly this spelling"
    return StsRecord(like, faults=(StsFault(StsFaultKind.RECORD_VERSION, why),))


def read_policy(octets: bytes) -> StsDocument:
    """The policy in a document of lines `key: value`.

    Strict: a document that the grammar of RFC 8461 section 3.2 does not allow is no policy. What can mean only one
    thing is told and does no harm: a key that stands twice, of which the first counts; a max_age over the limit; a
    blank line.
    """
    faults: list[StsFault] = []
    fields = _fields(octets, faults)
    version = _single(fields, "version", ("STSv1",), StsFaultKind.VERSION, faults)
    mode = _single(fields, "mode", MODES, StsFaultKind.MODE, faults)
    age_s = _age_s(fields, faults)
    patterns = _patterns(fields, faults)
    if mode in ("enforce", "testing") and not fields.get("mx"):
        faults.append(StsFault(StsFaultKind.MX, f"it names no mx, which mode {mode} requires"))
    is_whole = version and mode and age_s is not None and not any(fault.is_fatal for fault in faults)
    policy = StsPolicy(mode, patterns, age_s or 0) if is_whole else None
    # A fault that prevents its use is told, however many others there are; what stands there before what is missing
    faults.sort(key=lambda fault: (not fault.is_fatal, not fault.line, fault.line))
    return StsDocument(policy, tuple(faults[:MOST_FAULTS]))


class Listing:
    """The exchangers that a policy lists: its patterns read once, then any name looked up at the price of one."""

    __slots__ = ("_names", "_parents")

    def __init__(self, patterns: Iterable[str]) -> None:
        every = [pattern.lower().rstrip(".") for pattern in patterns]
        self._names = frozenset(name for name in every if not name.startswith("*."))
        self._parents = frozenset(name[2:] for name in every if name.startswith("*."))

    def __contains__(self, name: str) -> bool:
        """Whether one of the patterns covers it."""
        name = name.lower().rstrip(".")
        label, _, parent = name.partition(".")
        return name in self._names or (bool(label) and parent in self._parents)


def covers(pattern: str, name: str) -> bool:
    """Whether a name, or a wildcard for one whole left-most label, matches a name (RFC 8461 section 4.1)."""
    return name in Listing((pattern,))


_Fields = dict[str, list[tuple[int, str]]]
"""The values of each key, with their lines."""


def _record(text: str) -> StsRecord:
    faults: list[StsFault] = []
    if not text.startswith(_BEGIN):
        why = "blanks stand before its first semicolon, so some senders discard it"
        faults.append(StsFault(StsFaultKind.RECORD_SPACE, why, is_fatal=False))
    *some, last = text.split(";")[1:]
    parts = [part.strip(_BLANKS) for part in some] + [last.lstrip(_BLANKS)]  # no blank may end a record
    if len(parts) > 1 and not parts[-1]:
        parts.pop()  # but a semicolon may, with blanks behind it
    ids: list[str] = []
    for part in parts:
        field = _FIELD.match(part)
        if field is None:
            faults.append(StsFault(StsFaultKind.RECORD_FIELD, f"{cut(part)!r} in it is not of the form key=value"))
        elif field[1] == "id":
            ids.append(field[2])
    if not ids:
        faults.append(StsFault(StsFaultKind.RECORD_ID, "it has no id"))
    elif not _ID.match(ids[0]):
        faults.append(StsFault(StsFaultKind.RECORD_ID, f"its id is {cut(ids[0])!r}; use 1 to 32 letters and digits"))
    elif len(ids) > 1:
        why = "it has several ids, of which the first counts"
        faults.append(StsFault(StsFaultKind.RECORD_DUPLICATE, why, is_fatal=False))
    return StsRecord(text, ids[0] if ids else "", tuple(faults[:MOST_FAULTS]))


def _fields(octets: bytes, faults: list[StsFault]) -> _Fields:
    fields: _Fields = {}
    for number, line in _lines(octets, faults):
        key, value, fault = _split(number, line)
        if fault:
            faults.append(fault)
        elif key == "mx" or key not in fields:
            fields.setdefault(key, []).append((number, value))
        else:
            why = f"{key} stands here again, and only the first one counts"
            faults.append(StsFault(StsFaultKind.DUPLICATE, why, number, is_fatal=False))
    return fields


def _lines(octets: bytes, faults: list[StsFault]) -> Iterator[tuple[int, bytes]]:
    """The lines with something in them. LF or CRLF ends one and nothing else does, whatever Unicode says."""
    if octets.startswith(_BOM):
        why = "a byte order mark stands before the first key; save the file as UTF-8 without it"
        faults.append(StsFault(StsFaultKind.BYTE_ORDER_MARK, why, 1))
        octets = octets[len(_BOM) :]
    *lines, last = octets.split(b"\n")
    for number, line in enumerate(lines, 1):
        bare = line.removesuffix(b"\r").rstrip(b" \t")
        if bare:
            yield number, bare
        else:
            faults.append(StsFault(StsFaultKind.BLANK_LINE, "the line is empty", number, is_fatal=False))
    if bare := last.rstrip(b" \t"):
        yield len(lines) + 1, bare


def _split(number: int, line: bytes) -> tuple[str, str, StsFault | None]:
    """The key and value of a line, or what is wrong with it."""
    try:
        text = line.decode()
    except UnicodeDecodeError:
        return "", "", StsFault(StsFaultKind.ENCODING, "the line is not UTF-8", number)
    field = _LINE.match(text)
    if field is None:
        why = f"the line {cut(text)!r} is not of the form `key: value`"
        return "", "", StsFault(StsFaultKind.FORM, why, number)
    if _CONTROL.search(field[2]):
        return "", "", StsFault(StsFaultKind.CONTROL, f"the value of {field[1]} has a control character", number)
    if not field[2]:
        return "", "", StsFault(StsFaultKind.EMPTY, f"{field[1]} has no value", number)
    return field[1], field[2], None


def _single(fields: _Fields, key: str, allowed: tuple[str, ...], kind: StsFaultKind, faults: list[StsFault]) -> str:
    """The value of a key that must be there, one of those allowed; "" if it is not."""
    values = fields.get(key)
    must = allowed[0] if len(allowed) == 1 else f"one of {', '.join(allowed)}"
    if not values:
        faults.append(StsFault(kind, _missing(fields, key, must)))
        return ""
    line, value = values[0]
    if value in allowed:
        return value
    faults.append(StsFault(kind, f"its {key} is {cut(value)!r}, and must be {must}", line))
    return ""


def _missing(fields: _Fields, key: str, must: str) -> str:
    other = next((known for known in fields if known.lower() == key), "")
    spelled = f" (it has {other}, but keys are case-sensitive)" if other else ""
    return f"it has no line `{key}: {must if key == 'version' else '...'}`{spelled}"


def _age_s(fields: _Fields, faults: list[StsFault]) -> int | None:
    values = fields.get("max_age")
    if not values:
        faults.append(StsFault(StsFaultKind.MAX_AGE, _missing(fields, "max_age", "")))
        return None
    line, value = values[0]
    if not _AGE.match(value):
        why = f"its max_age is {cut(value)!r}, and must be a number of seconds, at most {MAX_AGE_S}"
        faults.append(StsFault(StsFaultKind.MAX_AGE, why, line))
        return None
    if int(value) > MAX_AGE_S:  # the grammar has room for ten digits, the text for a year (erratum 7282)
        why = f"its max_age is {value}, more than the {MAX_AGE_S} seconds that a policy may be kept"
        faults.append(StsFault(StsFaultKind.MAX_AGE_LONG, why, line, is_fatal=False))
    return min(int(value), MAX_AGE_S)


def _patterns(fields: _Fields, faults: list[StsFault]) -> tuple[str, ...]:
    names = []
    for line, value in fields.get("mx", ()):
        names.append(value.lower())
        name = value.removeprefix("*.")
        is_long = len(name) > MAX_NAME or any(len(label) > MAX_LABEL for label in name.split("."))
        if is_long or not _NAME.match(name):
            why = f"its mx {cut(value)!r} is not a host name, nor one behind `*.`"
            faults.append(StsFault(StsFaultKind.MX, why + _hint(value), line))
    return tuple(names)


def _hint(value: str) -> str:
    if not value.isascii():
        return "; write international names in their ASCII form (xn--)"
    if value.endswith("."):
        return "; leave out the final dot"
    return ""
