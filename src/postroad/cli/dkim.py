"""`postroad dkim`: the keys that sign mail: new ones, their records, what DNS has of them, and their rotation."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from postroad.cli import options, screen
from postroad.cli.tree import group

if TYPE_CHECKING:
    from postroad.build import KeyFile
    from postroad.dns import Resolver
    from postroad.examine import KeySources, PublishedKey
    from postroad.sign import SigningKey

app = group("Make the keys that sign mail (DKIM), print and check their records, and replace keys.")


class KeyType(StrEnum):
    """The types of keys, as the tag k= has them; repeated here so that --help stays fast."""

    RSA = "rsa"
    ED25519 = "ed25519"


class RecordForm(StrEnum):
    """The forms in which `dkim record` prints a record."""

    ZONE = "zone"
    VALUE = "value"


HOUR = "1h"
LEAST_BITS, USUAL_BITS, MOST_BITS = 1024, 2048, 4096

Domain = Annotated[str, typer.Argument(metavar="DOMAIN", help="The domain in From of the mail that is signed.")]
AnyDomain = Annotated[
    str | None, typer.Argument(metavar="DOMAIN", help="Only the keys of this domain; default: all domains.")
]
Keys = Annotated[
    Path | None,
    typer.Option("--keys", metavar="DIR", help="The folder of keys, instead of [dkim] keys in the settings."),
]
Selector = Annotated[
    str, typer.Option(metavar="NAME", help="The selector; default: the next of this year, such as 2026a.")
]
OnlySelector = Annotated[str, typer.Option("--selector", metavar="NAME", help="Only the key with this selector.")]
Type = Annotated[KeyType | None, typer.Option("--type", help="Only keys of this type; default: both types.")]
DnsPort = Annotated[int, typer.Option(metavar="N", help="The authoritative servers' port; for tests.")]


@dataclass(frozen=True, slots=True)
class KeySet:
    """The folder of keys, and for how long mail is retried."""

    folder: Path
    expiry_s: float

    @classmethod
    def of(cls, keys: Path | None, config: Path | None) -> KeySet:
        """As the options say, else the settings. Raises InputError where neither names a folder."""
        from postroad.config import Config, find, load
        from postroad.words.inputs import InputError

        settings = load(config) if config or keys is None else Config()
        folder = keys or settings.dkim.keys
        if folder is None:
            where = config or find() or "the settings"
            raise InputError(f"there is no folder of keys: set keys in [dkim] of {where}, or give --keys DIR")
        return cls(folder, settings.retry.expiry)

    def files(self, domain: str = "", selector: str = "") -> list[KeyFile]:
        """Those that are meant. Raises InputError where there is none."""
        from postroad.build import key_files
        from postroad.words.inputs import InputError

        found = [each for each in key_files(self.folder, domain) if selector.lower() in ("", each.key.selector)]
        if not found:
            what = f"key {selector}" if selector else "key"
            of = f" of {domain}" if domain else ""
            hint = f"make one with: postroad dkim new {domain or 'DOMAIN'}"
            raise InputError(f"{self.folder} has no {what}{of}; {hint}")
        return found


@app.command(epilog="Example: postroad dkim new example.com --keys /etc/postroad/dkim")
def new(
    domain: Domain,
    selector: Selector = "",
    type_: Annotated[KeyType, typer.Option("--type", help="The type of the key.")] = KeyType.RSA,
    bits: Annotated[
        int, typer.Option(metavar="N", min=LEAST_BITS, max=MOST_BITS, help="The size of an RSA key.")
    ] = USUAL_BITS,
    keys: Keys = None,
    config: options.ConfigFile = None,
    json: options.Json = False,
) -> None:
    """Make a key that does not sign yet, and print the record to publish. A key that is there is never overwritten.

    Exit status: 0 done, 2 usage error, or the selector is taken.
    """
    from postroad.build import NewKey, key_files, make_key

    now = time.time()
    with screen.input_errors():
        name = _domain(domain)
        there = KeySet.of(keys, config)
        made = make_key(there.folder, name, NewKey(type_.value, bits, selector), now)
        is_first = len(key_files(there.folder, name)) == 1
    if json:
        _print_keys([made], now, there)
        return
    from postroad.views.text.dkim import made as told

    screen.Screen().lines(told(made.key, str(made.path), is_first=is_first))


@app.command(epilog="Example: postroad dkim record example.com --keys /etc/postroad/dkim >> example.com.zone")
def record(
    domain: AnyDomain = None,
    selector: OnlySelector = "",
    form: Annotated[
        RecordForm, typer.Option("--format", help="Lines of a zone file, or each name and its value in one piece.")
    ] = RecordForm.ZONE,
    keys: Keys = None,
    config: options.ConfigFile = None,
    json: options.Json = False,
) -> None:
    """Print the records of keys as a zone file has them, or in one piece, as web interfaces take them.

    Exit status: 0 done, 2 usage error, or there is no such key.
    """
    now = time.time()
    with screen.input_errors():
        there = KeySet.of(keys, config)
        files = there.files(_domain(domain) if domain else "", selector)
    if json:
        _print_keys(files, now, there)
    elif form is RecordForm.VALUE:
        from postroad.sign import record_of
        from postroad.views.text.blocks import Verbatim

        screen.Screen().lines(Verbatim(f"{each.key.name} {record_of(each.key)}") for each in files)
    else:
        from postroad.views.text.dkim import zone_lines

        screen.Screen().lines(zone_lines([each.key for each in files], now, there.expiry_s))


@app.command(epilog="Example: postroad dkim check example.com --keys /etc/postroad/dkim --zone example.com.zone")
def check(
    domain: AnyDomain = None,
    selector: OnlySelector = "",
    keys: Keys = None,
    config: options.ConfigFile = None,
    zone: options.Zones = None,
    resolver: options.Resolvers = None,
    dns_port: DnsPort = 53,
    json: options.Json = False,
) -> None:
    """Compare key files with DNS: every name server of the zone, and the resolver.

    Exit status: 0 all records are right, 1 findings, 2 usage error, 3 inconclusive.
    """
    from postroad.examine import ask_everybody, key_status

    now = time.time()
    with screen.input_errors():
        there = KeySet.of(keys, config)
        files = there.files(_domain(domain) if domain else "", selector)
        sources = _sources(_resolver(zone, resolver), dns_port, asks_servers=not zone)
    told = screen.run(lambda: ask_everybody([each.key for each in files], sources), options.DNS)
    found = [key_status(each, now, there.expiry_s) for each in told]
    if json:
        from postroad.views.json import checked_keys_shape

        screen.print_json(checked_keys_shape(list(zip(files, told, found, strict=True)), now, there.expiry_s))
    else:
        from postroad.views.text.dkim import checked

        out = screen.Screen()
        for each in told:
            out.lines(checked(each.key, each, now, there.expiry_s))
    raise typer.Exit(
        screen.FINDINGS if "findings" in found else screen.TEMPORARY if "inconclusive" in found else screen.DONE
    )


@app.command(epilog="Example: postroad dkim rotate example.com")
def rotate(
    domain: Domain,
    type_: Type = None,
    now: Annotated[bool, typer.Option("--now", help="Ask the name servers once, and do not wait for them.")] = False,
    wait: Annotated[str, typer.Option(metavar="TIME", help="How long to wait for the name servers: 30m, 2h.")] = HOUR,
    again: Annotated[
        bool, typer.Option("--again", help="Begin even if the record of the previous key is still needed.")
    ] = False,
    keys: Keys = None,
    config: options.ConfigFile = None,
    resolver: options.Resolvers = None,
    dns_port: DnsPort = 53,
    json: options.Json = False,
) -> None:
    """Replace the key of a domain: make the next one, wait until every name server has its record, and switch.

    You may interrupt it at any time and run it again: it resumes where it stopped. A key that `dkim new` made is
    taken as the next one. With --json it looks once, as with --now.

    Exit status: 0 the keys are switched, 2 usage error, 3 not every name server has the record yet.
    """
    with screen.input_errors():
        name = _domain(domain)
        there = KeySet.of(keys, config)
        wait_s = 0.0 if now or json else _patience(wait)
        asked = _resolver(None, resolver)
    turn = Turn(there, name, tuple(KeyType) if type_ is None else (type_,), asked, dns_port)
    raise typer.Exit(turn.run(wait_s, again=again, json=json))


@dataclass(frozen=True, slots=True)
class Turn:
    """One call of `rotate`: of the keys of a domain those of some types."""

    there: KeySet
    domain: str
    kinds: tuple[str, ...]
    resolver: Resolver
    dns_port: int

    def run(self, wait_s: float, *, again: bool, json: bool) -> int:
        """Go on as far as it goes; the exit status."""
        from postroad.build import begin_rotation, switch_keys

        there = self.there
        with screen.input_errors():
            plan, files = begin_rotation(
                there.folder, self.domain, time.time(), there.expiry_s, self.kinds, again=again
            )
            missing = self._wait(plan.successors, wait_s, quiet=json) if plan.successors else []
            if plan.successors and not missing:
                files = switch_keys(there.folder, self.domain, plan.successors, time.time())
        self._tell(files, missing, json=json)
        return screen.TEMPORARY if missing else screen.DONE

    def _wait(self, successors: Sequence[SigningKey], wait_s: float, *, quiet: bool) -> list[PublishedKey]:
        """What is still missing when the time is over; nothing, once every name server has the records."""
        missing = screen.run(lambda: self._asked(successors))
        if not missing or quiet:
            return missing
        self._show(successors, missing)
        if wait_s <= 0:
            return missing
        return screen.run(lambda: self._waited(successors, wait_s))

    async def _waited(self, successors: Sequence[SigningKey], wait_s: float) -> list[PublishedKey]:
        from postroad.examine import wait_for_records

        with screen.progress() as begin:
            return await wait_for_records(
                lambda: self._asked(successors), wait_s, begin("waiting for the name servers"), pause
            )

    async def _asked(self, successors: Sequence[SigningKey]) -> list[PublishedKey]:
        from postroad.examine import ask_servers

        told = await ask_servers(successors, _sources(self.resolver, self.dns_port, asks_servers=True))
        return [] if all(each.is_everywhere for each in told) else told

    def _show(self, successors: Sequence[SigningKey], missing: Sequence[PublishedKey]) -> None:
        from postroad.views.text.dkim import lagging, zone_lines

        out = screen.Screen()
        out.lines(["Publish this, and leave the records that are there:", ""])
        out.lines(zone_lines(successors, time.time(), self.there.expiry_s))
        out.lines(["", *lagging(missing)])

    def _tell(self, files: Sequence[KeyFile], missing: Sequence[PublishedKey], *, json: bool) -> None:
        now = time.time()
        keys = [each.key for each in files]
        if json:
            from postroad.views.json import rotation_shape

            screen.print_json(rotation_shape(self.domain, files, missing, now, self.there.expiry_s))
        elif missing:
            screen.remark("not every name server has the record yet; run this again later: it resumes from here")
        else:
            from postroad.views.text.dkim import switched

            screen.Screen().lines(switched(keys, now, self.there.expiry_s))


async def pause(seconds: float) -> None:
    """Wait."""
    import asyncio

    await asyncio.sleep(seconds)


def _domain(text: str) -> str:
    from postroad.words.inputs import readable
    from postroad.words.names import parse_domain

    return readable(parse_domain(text))


def _patience(text: str) -> float:
    from postroad.config import read_duration
    from postroad.words.inputs import InputError

    try:
        return read_duration(float(text) if text.isdecimal() else text)
    except ValueError as problem:
        raise InputError(f"--wait: {problem}") from None


def _resolver(zones: Sequence[Path] | None, resolvers: Sequence[str] | None) -> Resolver:
    from postroad.build import build_resolver

    return build_resolver(zones or (), resolvers or ())


def _sources(resolver: Resolver, dns_port: int, *, asks_servers: bool) -> KeySources:
    from postroad.examine import KeySources

    return KeySources(resolver, asks_servers, dns_port)


def _print_keys(files: Iterable[KeyFile], now: float, there: KeySet) -> None:
    from postroad.views.json import keys_shape

    screen.print_json(keys_shape(list(files), now, there.expiry_s))
