"""The record of a key in DNS: written, taken apart, and compared with the key that signs (RFC 6376 section 3.6.1)."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, cast

from postroad.sign.keys import GOOD_BITS, LEAST_BITS, SigningKey
from postroad.words.names import cut

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicNumbers

STRING = 255  # octets of one string of a TXT record (RFC 1035 section 3.3)

_RSA, _ED25519 = "rsa", "ed25519"
_ED25519_OCTETS = 32
_BLANK = " \t\r\n"
# RFC 6376 section 3.2: names begin with a letter; a value has printable characters, no semicolon
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")
_VALUE = re.compile(r"[!-:<-~ \t\r\n]*\Z")
_BLANKS = re.compile(r"[ \t\r\n]+")


class RecordFaultKind(StrEnum):
    """What may be wrong with the record of a key, for programs."""

    MISSING = "missing"
    SEVERAL = "several-records"
    FORM = "form"
    DUPLICATE = "duplicate-tag"
    VERSION = "version"
    KEY_TYPE = "key-type"
    NO_KEY = "no-key"
    REVOKED = "revoked"
    KEY = "key"
    TOO_SHORT = "too-short"
    HASH = "hash"
    SERVICE = "service"
    DIFFERENT = "different"
    TESTING = "testing"
    SHORT = "short"


ADVICE = frozenset({RecordFaultKind.SHORT})
"""What makes no receiver refuse a signature today."""


@dataclass(frozen=True, slots=True)
class RecordFault:
    """A fault of the record of a key: the kind, and why in words."""

    kind: RecordFaultKind
    why: str

    @property
    def is_fatal(self) -> bool:
        """Whether signatures do not count with it: testing makes them count for nothing, too."""
        return self.kind not in ADVICE

    def __str__(self) -> str:
        return self.why


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A record as receivers read it: its tags, the type, octets and size of its key, and what is wrong with it."""

    text: str
    tags: Mapping[str, str]
    faults: tuple[RecordFault, ...] = ()
    bits: int = 0  # of an RSA key

    @property
    def type(self) -> str:
        """The type of its key (RFC 6376 section 3.6.1: rsa unless it says another)."""
        return self.tags.get("k", _RSA)

    @property
    def public(self) -> str:
        """Its key in base64, without the blanks that may stand in it."""
        return _BLANKS.sub("", self.tags.get("p", ""))


def public_of(key: SigningKey) -> str:
    """The public half of a key, as the tag p= has it."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat  # noqa: PLC0415  # heavy

    # RFC 6376 section 3.6.1 with its erratum 3017: receivers read SubjectPublicKeyInfo; RFC 8463 section 4: 32 octets
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo) if key.bits else (Encoding.Raw, PublicFormat.Raw)
    return b64encode(key.private.public_key().public_bytes(*form)).decode()


def record_of(key: SigningKey) -> str:
    """The record of a key in one piece."""
    return f"v=DKIM1; k={_RSA if key.bits else _ED25519}; p={public_of(key)}"


def strings_of(text: str) -> list[str]:
    """A record in strings as long as DNS has them: receivers put them together without a blank (section 3.6.2.2)."""
    return [text[start : start + STRING] for start in range(0, len(text), STRING)]


def zone_text(text: str) -> str:
    """A record as a zone file has it, on one line, so that it may be pasted anywhere."""
    escaped = (each.replace("\\", "\\\\").replace('"', '\\"') for each in strings_of(text))
    return " ".join(f'"{each}"' for each in escaped)


def parse_record(text: str) -> KeyRecord:
    """A record taken apart as a receiver does, with all that keeps it from believing what is signed with its key."""
    tags: dict[str, str] = {}
    for place, part in enumerate(parts := text.split(";")):
        if place and place == len(parts) - 1 and not part.strip(_BLANK):
            continue  # a last semicolon may stand there
        name, equals, value = (each.strip(_BLANK) for each in part.partition("="))
        if not equals or not _NAME.match(name) or not _VALUE.match(value):
            return KeyRecord(text, tags, (_fault("form", f'"{cut(part.strip(_BLANK))}" is not a tag with a value'),))
        if name in tags:  # RFC 6376 section 3.2: the whole list is invalid then
            return KeyRecord(text, tags, (_fault("duplicate-tag", f"it has the tag {name}= twice"),))
        tags[name] = value
    bits, faults = _key_of(tags)
    return KeyRecord(text, tags, (*_head_faults(tags), *faults, *_use_faults(tags)), bits)


def judge(key: SigningKey, texts: Sequence[str]) -> tuple[RecordFault, ...]:
    """What is wrong with the records at the name of a key, which are to have that key, and nothing else."""
    if not texts:
        return (_fault("missing", f"there is no TXT record at {key.name}"),)
    if len(texts) > 1:  # RFC 6376 section 3.6.2.2: what receivers do then is undefined
        return (_fault("several-records", f"there are {len(texts)} TXT records at {key.name}, and there may be one"),)
    record = parse_record(texts[0])
    kinds = {each.kind for each in record.faults}
    if kinds & {RecordFaultKind.FORM, RecordFaultKind.DUPLICATE, RecordFaultKind.NO_KEY, RecordFaultKind.REVOKED}:
        return record.faults
    wanted = _RSA if key.bits else _ED25519
    if record.type != wanted and RecordFaultKind.KEY_TYPE not in kinds:
        why = f"the record says k={record.type}, but the key file has a key of the type {wanted}"
        return (*(each for each in record.faults if each.kind is not RecordFaultKind.KEY), _fault("key-type", why))
    if RecordFaultKind.KEY not in kinds and not _is_same(key, record):
        return (*record.faults, _fault("different", "the record has another key than the key file"))
    return record.faults


def _is_same(key: SigningKey, record: KeyRecord) -> bool:
    """Whether it is this key, in either of the forms in which RSA keys are published."""
    if not key.bits:
        return public_of(key) == record.public
    return _rsa_of(b64decode(record.public)) == cast("RSAPrivateKey", key.private).public_key().public_numbers()


def _head_faults(tags: Mapping[str, str]) -> Iterator[RecordFault]:
    """RFC 6376 section 3.6.1: v= may be missing; it stands first, and another than DKIM1 is discarded."""
    if "v" in tags and tags["v"] != "DKIM1":
        yield _fault("version", f'its version is "{cut(tags["v"])}", and receivers know DKIM1 only')
    elif "v" in tags and next(iter(tags)) != "v":
        yield _fault("version", "v=DKIM1 must be the first tag")


def _key_of(tags: Mapping[str, str]) -> tuple[int, tuple[RecordFault, ...]]:
    """The bits of its key, if it is RSA, and what is wrong with it."""
    kind, public = tags.get("k", _RSA), _BLANKS.sub("", tags.get("p", ""))
    if "p" not in tags:
        return 0, (_fault("no-key", "it has no key: the tag p= is missing"),)
    if not public:
        return 0, (_fault("revoked", "its key is revoked: the tag p= is empty"),)
    if kind not in (_RSA, _ED25519):
        return 0, (_fault("key-type", f'its key is of the type "{cut(kind)}"; receivers know rsa and ed25519'),)
    try:
        octets = b64decode(public, validate=True)
    except ValueError:
        return 0, (_fault("key", "its key is damaged: p= is not valid base64"),)
    if kind == _ED25519:
        return 0, _ed25519_faults(octets)
    return _rsa_faults(octets)


def _ed25519_faults(octets: bytes) -> tuple[RecordFault, ...]:
    """RFC 8463 section 4: the bare key, not the structure in which others are published."""
    if len(octets) == _ED25519_OCTETS:
        return ()
    return (_fault("key", f"its key is damaged: an Ed25519 key has 32 octets, and p= has {len(octets)}"),)


def _rsa_faults(octets: bytes) -> tuple[int, tuple[RecordFault, ...]]:
    public = _rsa_of(octets)
    if public is None:
        return 0, (_fault("key", "its key is damaged, or not an RSA key"),)
    bits = public.n.bit_length()
    if bits < LEAST_BITS:  # RFC 8301 section 3.2: such signatures MUST NOT be considered valid
        return bits, (_fault("too-short", f"its key has {bits} bits, and receivers ignore less than {LEAST_BITS}"),)
    if bits < GOOD_BITS:
        return bits, (_fault("short", f"its key has {bits} bits; {GOOD_BITS} are recommended (RFC 8301)"),)
    return bits, ()


def _use_faults(tags: Mapping[str, str]) -> Iterator[RecordFault]:
    """RFC 6376 section 3.6.1: what the key may be used for; unknown words in these lists are ignored."""
    if "h" in tags and "sha256" not in _words(tags["h"]):
        yield _fault("hash", f"h={cut(tags['h'])} does not allow sha256, and signatures use nothing else")
    if "s" in tags and not {"*", "email"} & _words(tags["s"]):
        yield _fault("service", f"s={cut(tags['s'])} does not allow mail: write s=email, or leave it out")
    if "y" in _words(tags.get("t", "")):
        yield _fault("testing", "t=y says that DKIM is only tested: receivers treat the mail as if it were unsigned")


def _words(value: str) -> set[str]:
    return {word.strip(_BLANK) for word in value.split(":")}


def _rsa_of(octets: bytes) -> RSAPublicNumbers | None:
    """An RSA key as SubjectPublicKeyInfo or as a bare RSAPublicKey; None: it is none."""
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415  # heavy, and only where there is a key
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey  # noqa: PLC0415  # as above
    from cryptography.hazmat.primitives.serialization import load_der_public_key  # noqa: PLC0415  # as above

    try:
        public = load_der_public_key(octets)
    except (ValueError, UnsupportedAlgorithm):
        return None
    return public.public_numbers() if isinstance(public, RSAPublicKey) else None


def _fault(kind: str, why: str) -> RecordFault:
    return RecordFault(RecordFaultKind(kind), why)
