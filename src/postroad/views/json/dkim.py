"""The keys that sign mail and their records in DNS as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Literal, TypedDict

from postroad.build import KeyFile
from postroad.examine import KeyStatus, PublishedKey, RecordAt, key_status
from postroad.sign import kind_of, record_of, removable_at, strings_of
from postroad.views.json.shape import VERSION


class SigningKeyJson(TypedDict):
    """A key and its record; `not_before` is null for a key that waits for no set time, and for one without a begin."""

    domain: str
    selector: str
    file: str
    type: str
    bits: int | None
    state: str
    not_before: float | None
    not_after: float | None
    removable_at: float | None
    name: str
    record: str
    strings: list[str]


class KeysJson(TypedDict):
    """`postroad dkim new --json` and `postroad dkim record --json`."""

    version: int
    keys: list[SigningKeyJson]


class RecordFaultJson(TypedDict):
    """What is wrong with a record at one place. `fatal`: signatures do not count with it."""

    kind: str
    why: str
    fatal: bool


class RecordAtJson(TypedDict):
    """What a name server shows, or the resolver, whose `server` is null; `why` where it could not be asked."""

    server: str | None
    address: str | None
    faults: list[RecordFaultJson]
    why: str | None


class CheckedKeyJson(SigningKeyJson):
    """A key, and its record wherever it was asked for."""

    status: str
    servers: list[RecordAtJson]
    resolver: RecordAtJson | None
    why: str | None


class CheckedKeysJson(TypedDict):
    """`postroad dkim check --json`."""

    version: int
    keys: list[CheckedKeyJson]


class RotationJson(TypedDict):
    """`postroad dkim rotate --json`; `missing` has what keeps the successors waiting."""

    version: int
    domain: str
    stage: Literal["publish", "scheduled", "done"]
    keys: list[SigningKeyJson]
    missing: list[CheckedKeyJson]


def keys_shape(files: Sequence[KeyFile], now: float, expiry_s: float) -> KeysJson:
    """`postroad dkim new --json` and `postroad dkim record --json`."""
    return {"version": VERSION, "keys": [_key(each, now, expiry_s) for each in files]}


def checked_keys_shape(
    checked: Sequence[tuple[KeyFile, PublishedKey, KeyStatus]], now: float, expiry_s: float
) -> CheckedKeysJson:
    """`postroad dkim check --json`."""
    return {"version": VERSION, "keys": [_checked(*each, now, expiry_s) for each in checked]}


def rotation_shape(
    domain: str, files: Sequence[KeyFile], missing: Sequence[PublishedKey], now: float, expiry_s: float
) -> RotationJson:
    """`postroad dkim rotate --json`."""
    will_switch = any(now < each.key.not_before < inf for each in files)
    by_name = {each.key.name: each for each in files}
    return {
        "version": VERSION,
        "domain": domain,
        "stage": "publish" if missing else "scheduled" if will_switch else "done",
        "keys": [_key(each, now, expiry_s) for each in files],
        "missing": [
            _checked(by_name[each.key.name], each, key_status(each, now, expiry_s), now, expiry_s) for each in missing
        ],
    }


def _key(file: KeyFile, now: float, expiry_s: float) -> SigningKeyJson:
    key = file.key
    return {
        "domain": key.domain,
        "selector": key.selector,
        "file": str(file.path),
        "type": kind_of(key),
        "bits": key.bits or None,
        "state": key.state(now).value,
        "not_before": None if abs(key.not_before) == inf else key.not_before,
        "not_after": None if key.not_after == inf else key.not_after,
        "removable_at": removable_at(key, expiry_s) if key.not_after < inf else None,
        "name": key.name,
        "record": record_of(key),
        "strings": strings_of(record_of(key)),
    }


def _checked(file: KeyFile, published: PublishedKey, status: KeyStatus, now: float, expiry_s: float) -> CheckedKeyJson:
    return {
        **_key(file, now, expiry_s),
        "status": status.value,
        "servers": [_place(each) for each in published.servers],
        "resolver": _place(published.resolved) if published.resolved else None,
        "why": published.why or None,
    }


def _place(at: RecordAt) -> RecordAtJson:
    return {
        "server": at.server or None,
        "address": str(at.address) if at.address else None,
        "faults": [{"kind": each.kind.value, "why": each.why, "fatal": each.is_fatal} for each in at.faults],
        "why": at.why or None,
    }
