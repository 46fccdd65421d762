"""The keys that sign mail, their records in DNS, and a rotation, for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import inf

from postroad.examine import PublishedKey
from postroad.sign import KeyState, SigningKey, record_of, removable_at, strings_of, zone_text
from postroad.views.text.blocks import Verbatim
from postroad.words.phrasebook import counted, listing, moment

RELOAD = "systemctl reload postroad"


def title(key: SigningKey) -> str:
    """A key in a few words: "2026a (RSA 2048)"."""
    return f"{key.selector} ({f'RSA {key.bits}' if key.bits else 'Ed25519'})"


def state(key: SigningKey, now: float) -> str:
    """What a key does, and until when."""
    match key.state(now):
        case KeyState.WAITING:
            return "waiting" if key.not_before == inf else f"waiting, signs from {moment(key.not_before)}"
        case KeyState.ACTIVE:
            return "active" if key.not_after == inf else f"active until {moment(key.not_after)}"
    return f"retired since {moment(key.not_after)}"


def zone_lines(keys: Sequence[SigningKey], now: float, expiry_s: float) -> Iterator[str]:
    """The records as lines of a zone file, with comments that say what each is, and its value for a web interface."""
    for place, key in enumerate(keys):
        if place:
            yield ""
        line = f"{key.name}. IN TXT {zone_text(record_of(key))}"
        yield f"; {title(key)} of {key.domain}: {state(key, now)}"
        if now >= removable_at(key, expiry_s):
            yield Verbatim(f"; remove: {line}")
            continue
        yield Verbatim(line)
        if len(strings_of(record_of(key))) > 1:
            yield "; the same in one piece, for a web interface:"
            yield Verbatim(f"; {record_of(key)}")


def made(key: SigningKey, path: str, *, is_first: bool) -> Iterator[str]:
    """A new key: where it is, and what comes next."""
    yield f"{path}: a new key, which does not sign yet"
    yield ""
    yield "Publish this record:"
    yield ""
    yield from zone_lines([key], 0.0, inf)
    yield ""
    what = "the key begins to sign" if is_first else "the key takes over from the one of its type, if there is one"
    yield f"Then run this; {what} once every name server has the record:"
    yield ""
    yield Verbatim(f"postroad dkim rotate {key.domain}")


def checked(key: SigningKey, published: PublishedKey, now: float, expiry_s: float) -> Iterator[str]:
    """A key, and what is wrong with its record, by what is wrong and not by where."""
    yield f"{title(key)} of {key.domain}: {state(key, now)}"
    good = [each for each in published.places if each.is_good]
    if good:
        others = [each.place for each in good if each is published.resolved]
        yield f"  the record is right at {listing([*_counted(good_servers(published)), *others])}"
    where: dict[str, list[str]] = {}
    for each in published.places:
        for fault in each.faults:
            where.setdefault(fault.why, []).append(each.place)
    for why, places in where.items():
        yield f"  at {listing(places, 4)}: {why}"
    for why in published.unsure:
        yield f"  inconclusive: {why}"
    if key.not_after <= now and (good or where) and not published.is_missing:
        at = removable_at(key, expiry_s)
        yield (
            f"  the record may be removed now: {key.name}"
            if now >= at
            else (f"  keep the record until {moment(at)}: mail signed with it is still under way")
        )


def good_servers(published: PublishedKey) -> int:
    """The number of name servers that show the record as it should be."""
    return len({each.server for each in published.places if each.is_good and each is not published.resolved})


def lagging(published: Sequence[PublishedKey]) -> Iterator[str]:
    """What a rotation waits for."""
    for each in published:
        if each.is_everywhere:
            yield f"{each.key.name}: published at all {counted(good_servers(each), 'name server')}"
            continue
        servers = [place for place in each.places if place is not each.resolved]
        names = {place.server for place in servers}
        yield f"{each.key.name}: published at {good_servers(each)} of {counted(len(names), 'name server')}"
        for place in servers:
            for why in [place.why] if place.why else [fault.why for fault in place.faults if fault.is_fatal]:
                yield f"  {place.place}: {why}"
        if each.why:
            yield f"  {each.why}"


def switched(keys: Sequence[SigningKey], now: float, expiry_s: float) -> Iterator[str]:
    """A rotation that is done: who signs from when, what the relay is to be told, which record goes when."""
    for key in keys:
        if key.state(now) is not KeyState.RETIRED:
            yield f"{title(key)} of {key.domain}: {state(key, now)}"
    yield ""
    yield f"If the relay has not been reloaded since, run: {RELOAD}"
    ending = [key for key in keys if key.not_after < inf]
    for key in ending:
        at = removable_at(key, expiry_s)
        when = "may be removed now" if now >= at else f"may be removed after {moment(at)}"
        yield f"The record {key.name} {when}, and its key file with it."


def _counted(servers: int) -> list[str]:
    return [counted(servers, "name server")] if servers else []
