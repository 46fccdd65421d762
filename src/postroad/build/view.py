"""Reads what a simulation is asked: which records, which senders, what is down.

Shared by the commands and by `import postroad`; imported when first asked, for a simulation costs a start 60 ms.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from fractions import Fraction
from pathlib import Path
from typing import TypeVar

from postroad.build.mailer import Mailer
from postroad.build.published import RecordTerms, published_by, published_terms
from postroad.build.subject import Subject
from postroad.dns import ZoneResolver
from postroad.files import read_text
from postroad.models import MIXES, SENDERS, OwnSenders, Sender, read_sender, read_senders
from postroad.planning import Conditions, Mix, Records
from postroad.simulation import DnsOrder, addresses_named
from postroad.tls import Listing
from postroad.words.facts import Bogus, Temporary
from postroad.words.faults import UNCOVERED, Mode, parse_down, parse_uncovered
from postroad.words.inputs import InputError, NotNowError, readable
from postroad.words.names import Address, Unreadable
from postroad.words.phrasebook import listing
from postroad.words.policies import Published, StsPolicy
from postroad.words.snapshot import Snapshot

T = TypeVar("T")

DEFAULT_MIX = "internet"
ENDING = ".toml"
USUAL = RecordTerms()


async def records_of(subject: Subject, resolvers: Sequence[str] = (), terms: RecordTerms = USUAL) -> Records:
    """The records of a subject; where loopback is allowed a loopback address is a target like any other.

    What the domain asks of TLS belongs to them: the MTA-STS policy of a file, the TLSA records of zone files, or what a
    domain in DNS has of both now.

    Raises:
        InputError: a server or a file cannot be used, or zone files answer where something published is asked for.
        NotNowError: DNS cannot tell the records now.

    """
    if subject.loaded and terms.published:
        give = "leave" if terms.sts_policy else "give the MTA-STS policy with --sts-policy, and leave"
        raise InputError(f"zone files publish nothing: {give} --published out")
    asked = published_terms(terms)
    resolver = subject.resolver(resolvers)
    if subject.loaded:  # a file proves nothing, but shows what it will be like once its zones are signed
        resolver = ZoneResolver(subject.loaded.zone_data, validates=True)
    snapshot = sure(await Mailer(resolver).lookup(subject.destination))
    published = await published_by(snapshot, resolver, asked)
    return Records.of(replace(snapshot, in_lab=terms.allow_loopback, published=published))


def sure(snapshot: Snapshot) -> Snapshot:
    """A snapshot of records that are known.

    Raises:
        NotNowError: DNS cannot tell them now.

    """
    if isinstance(snapshot.mx, Temporary | Bogus):
        raise NotNowError(f"the records of {snapshot.domain} cannot be looked up now: {snapshot.mx.why}")
    return snapshot


def view_of(
    senders: Sequence[str], mix: str | None, file: Path | None, order: str, down: dict[Address, Mode]
) -> Conditions:
    """Who is asked, in which order DNS answers, and what is down.

    Raises:
        InputError: there is no such sender, mix or order.

    """
    if order not in set(DnsOrder):
        raise InputError(f"there is no order {order!r}; choose one of {', '.join(DnsOrder)}")
    return Conditions(_mix(senders, mix, file), DnsOrder(order), down)


def down_of(texts: Sequence[str], records: Records) -> dict[Address, Mode]:
    """What is down, from SERVER[:MODE]: an address, or an exchanger's name with all its addresses.

    What a text says to be uncovered is not down: `covered_by` is about that.

    Raises:
        InputError: no server of the domain, no such mode, or one server in two ways.

    """
    down: dict[Address, Mode] = {}
    for text in (each for each in texts if parse_uncovered(each) is None):
        for address, mode in _down(text, records).items():
            if down.setdefault(address, mode) != mode:
                raise InputError(f"{address} is down in two ways, {down[address]} and {mode}; give one of them")
    return down


def covered_by(texts: Sequence[str], records: Records) -> Records:
    """The records with a policy that does not list the exchangers which a text says to be uncovered.

    Without a policy, one that is enforced and lists all others.

    Raises:
        InputError: as of `down_of`.

    """
    said = {text: server for text in texts if (server := parse_uncovered(text)) is not None}
    every = {address for text, server in said.items() for address in _addresses(text, server, records)}
    if not every:
        return records
    published = records.snapshot.published or Published()
    policy = published.sts or StsPolicy("enforce", ("*",))
    left_out = {place.exchange for place in records.places if place.address in every}
    names = dict.fromkeys(place.exchange for place in records.places if place.exchange not in left_out)
    listed = Listing(policy.mx)
    mx = tuple(name for name in names if not published.sts or name in listed)
    changed = replace(published, sts=replace(policy, mx=mx))
    return Records.of(replace(records.snapshot, published=changed))


def _down(text: str, records: Records) -> dict[Address, Mode]:
    server, mode = readable(parse_down(text, UNCOVERED))
    return dict.fromkeys(_addresses(text, server, records), mode)


def _addresses(text: str, server: str, records: Records) -> tuple[Address, ...]:
    found = addresses_named(server, records.snapshot.domain, records.places)
    if isinstance(found, Unreadable):
        raise InputError(f"{text!r}: {found.why}; write SERVER or SERVER:MODE")
    return found


def senders_of(names: Sequence[str], file: Path | None = None) -> Mapping[str, Sender]:
    """The senders of these names or files, else all that are known; those of a file of several are known too.

    Raises:
        InputError: there is no such sender, or a file cannot be used.

    """
    known = _known(_own(file) if file else None)
    return _asked(names, known) if names else known


def _known(own: OwnSenders | None) -> dict[str, Sender]:
    return {**SENDERS, **(own.senders if own else {})}


def _asked(names: Sequence[str], known: Mapping[str, Sender]) -> dict[str, Sender]:
    _refuse_namesakes(names)
    return {each.name: each for each in (sender_named(name, known) for name in names)}


def _mix(names: Sequence[str], mix: str | None, file: Path | None) -> Mix:
    own = _own(file) if file else None
    senders = _known(own)
    mixes = {**MIXES, **(own.mixes if own else {})}
    asked = _asked(names, senders)
    senders |= asked
    if both := senders.keys() & mixes.keys():  # the rows of an answer are by name
        raise InputError(f"{listing(sorted(both))}: a sender and a mix cannot have the same name; rename yours")
    if asked and mix is None:
        return Mix("", asked, dict.fromkeys(asked, Fraction(1, len(asked))))
    chosen = DEFAULT_MIX if mix is None else mix
    if chosen not in mixes:
        raise InputError(f"there is no mix {chosen!r}; there {'is' if len(mixes) == 1 else 'are'} {', '.join(mixes)}")
    extra = tuple(asked) or (("postroad",) if mix is None else ())
    return Mix(chosen, {name: senders[name] for name in dict.fromkeys((*extra, *mixes[chosen]))}, mixes[chosen])


def _refuse_namesakes(names: Sequence[str]) -> None:
    """A file's sender has the file's name: of two files with one name the second would stand in for the first."""
    files: dict[str, Path] = {}
    for file in (Path(name) for name in names if name.endswith(ENDING)):
        if files.setdefault(file.stem, file) != file:
            raise InputError(f"{files[file.stem]} and {file} are both called {file.stem!r}; rename one of them")


def sender_named(name: str, known: Mapping[str, Sender]) -> Sender:
    """A sender that is known, or that of a file, which has the file's name.

    Raises:
        InputError: there is no such sender, or the file is none.

    """
    if name in known:
        return known[name]
    file = Path(name)
    if file.suffix != ENDING:
        near = get_close_matches(name, known, 3)
        hint = f"did you mean {' or '.join(near)}?" if near else "`postroad senders` lists them"
        raise InputError(f"there is no sender {name!r}; {hint} (a file of your own ends in {ENDING})")
    if file.stem in known:
        raise InputError(f"{file}: there is a sender {file.stem!r} already; give the file another name")
    return _read(file, lambda text: read_sender(file.stem, text))


def _own(file: Path) -> OwnSenders:
    return _read(file, read_senders)


def _read(file: Path, read: Callable[[str], T | Unreadable]) -> T:
    text = read_text(file)
    if isinstance(text, Unreadable):
        raise InputError(f"{file}: {text.why}")
    found = read(text)
    if isinstance(found, Unreadable):
        raise InputError(f"{file}: {f'{found.text}: ' if found.text else ''}{found.why}")
    return found
