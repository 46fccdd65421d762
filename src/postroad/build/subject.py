"""Reads what a command is about: a domain, a zone file, or a reference set-up (floor 5).

One grammar for all commands and for `import postroad`. The name of a reference set-up stands for its zone, whatever
files are there; what has a slash, ends in `.zone` or is there as a file is one; all else is a domain, be it as a
mailbox or an address literal.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from postroad import planning
from postroad.build.resolvers import build_resolver, check_servers, zone_resolver
from postroad.dns import Resolver, ZoneResolver
from postroad.planning import SETUPS, SETUPS_BY_NAME, setup_named
from postroad.words.inputs import InputError, NotInZoneError
from postroad.words.mail import parse_mailbox
from postroad.words.names import AddressLiteral, Destination, Unreadable, cut, parse_destination
from postroad.words.phrasebook import listing

ENDING = ".zone"
MOST_NAMED = 10  # domains of a zone that an error lists
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:(//)?(?=[^\d])", re.IGNORECASE)
_PORT = re.compile(r":\d*\Z")
_LIKE_A_SETUP = re.compile(r"t\d+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Subject:
    """A destination and the zones that answer for it; None: DNS does. `zones` are their files."""

    destination: Destination
    loaded: ZoneResolver | None = None
    zones: tuple[Path, ...] = ()

    def resolver(self, servers: Sequence[str] = ()) -> Resolver:
        """Who answers: the zones, else the servers given, else those of the system.

        Raises:
            InputError: a server address cannot be read, or there is none.

        """
        if self.loaded:
            check_servers(servers)
            return self.loaded
        return build_resolver((), servers)


def subject_of(what: str | None, domain: str | None = None, zones: Sequence[str | Path] = ()) -> Subject:
    """The one subject of a command; `domain` says which, where a zone has several.

    Raises:
        InputError: it cannot be read, or there is more than one.
        NotInZoneError: the zones do not have the domain.

    """
    found = subjects_of(what, domain, zones)
    if len(found) > 1:
        listed = listing([str(each.destination) for each in found], MOST_NAMED)
        raise InputError(f"which domain? {_files(found[0].zones)} has {listed}; choose one with --domain")
    return found[0]


def subjects_of(what: str | None, domain: str | None = None, zones: Sequence[str | Path] = ()) -> list[Subject]:
    """What a text is about: one domain, or where nobody says which, all that a zone file has.

    Raises:
        InputError: it cannot be read, or there is none.
        NotInZoneError: the zones do not have the domain.

    """
    named, own = _told(what)
    if named is not None and domain is not None and named != domain:
        raise InputError(f"two domains are given, {named} and {domain}; leave one out")
    if named is not None and own and zones:
        raise InputError(f"{what} is a reference set-up with records of its own: leave out either {what} or --zone")
    files = (*own, *map(Path, zones))
    loaded = zone_resolver(files) if files else None
    asked = domain if named is None else named
    if asked is not None:
        destination = destination_of(asked)
        return [Subject(_of_zone(destination, loaded, files), loaded, files)]
    if loaded is None:
        raise InputError("give a domain, a zone file, or a reference set-up (`postroad setups` lists them)")
    of = loaded if len(files) == 1 or not own else zone_resolver(own)
    if not of.zone_data.domains:
        raise InputError(f"{_files(own or files)} has no domain: it contains no records")
    return [Subject(destination_of(name), loaded, files) for name in of.zone_data.domains]


def destination_of(text: str) -> Destination:
    """A domain, an address literal, or the domain part of a mailbox.

    Raises:
        InputError: it is none of them; what was pasted from elsewhere comes back as the domain that is in it.

    """
    answer: Destination | Unreadable
    if "@" in text:
        mailbox = parse_mailbox(text)
        answer = mailbox if isinstance(mailbox, Unreadable) else mailbox.domain
    else:
        answer = parse_destination(text)
    if isinstance(answer, Unreadable):
        meant = _meant(text)
        raise InputError(f"{cut(text)!r} is not a domain; did you mean {meant}?" if meant else str(answer))
    return answer


def check_in_zone(destination: Destination, loaded: ZoneResolver, files: Sequence[Path]) -> None:
    """Nothing, or that the zones do not have this domain.

    Raises:
        NotInZoneError: they do not; it names those they have.

    """
    if isinstance(destination, AddressLiteral) or loaded.zone_data.covers(destination):
        return
    domains = loaded.zone_data.domains
    there = (
        f"there {'is' if len(domains) == 1 else 'are'} {listing(domains, MOST_NAMED)}"
        if domains
        else "it has no records"
    )
    raise NotInZoneError(f"{destination} is not in {_files(files)}; {there}")


def _of_zone(destination: Destination, loaded: ZoneResolver | None, files: Sequence[Path]) -> Destination:
    if loaded is not None:
        check_in_zone(destination, loaded, files)
    return destination


def _told(what: str | None) -> tuple[str | None, tuple[Path, ...]]:
    """The domain, if a text says one, and the zone files that it stands for."""
    if what is None:
        return None, ()
    if setup := setup_named(what):
        return setup.domain, (zone_of(setup.name),)
    if is_file(what):
        return None, (_there(what),)
    if _LIKE_A_SETUP.fullmatch(what):
        raise InputError(f"there is no reference set-up {what!r}; choose one of {', '.join(SETUPS)}")
    return what, ()


def zone_of(setup: str) -> Path:
    """The zone file of a reference set-up."""
    return Path(planning.__file__).parent / "zones" / f"{SETUPS_BY_NAME[setup].name}{ENDING}"


def is_file(text: str) -> bool:
    """Whether a text is meant as a file: no domain has a slash, and none ends in `.zone`; a set-up is never one."""
    if setup_named(text) or "://" in text or text.lower().startswith("mailto:"):
        return False
    return "/" in text or text.endswith(ENDING) or (os.path.exists(text) and not os.path.isdir(text))  # noqa: PTH110, PTH112  # Path raises for names that are too long


def _there(text: str) -> Path:
    """A file that is there; what was pasted from a browser is none."""
    meant = _meant(text)
    if meant and not os.path.exists(text) and not os.path.exists(text.partition("/")[0]) and not text.endswith(ENDING):  # noqa: PTH110  # as above
        raise InputError(f"{cut(text)}: no such file; did you mean {meant}?")
    return Path(text)


def _meant(text: str) -> str:
    """The domain in a pasted address, link or mailbox with its name; empty if there is none."""
    bare = text.strip().strip("\"'")
    if "<" in bare:
        bare = bare.partition("<")[2].partition(">")[0]
    scheme = _SCHEME.match(bare)
    bare = re.split(r"[/?#\s]", bare[scheme.end() if scheme else 0 :], maxsplit=1)[0].rpartition("@")[2]
    bare = _PORT.sub("", bare).strip(".,;:()")
    if scheme and scheme[1] and bare.count(".") > 1:
        bare = bare.removeprefix("www.")
    found = parse_destination(bare)
    return "" if isinstance(found, Unreadable) or "." not in bare else str(found)


def _files(files: Sequence[Path]) -> str:
    return ", ".join(map(str, files))
