"""`postroad lookup`: what DNS says of a domain's mail: MX, addresses, TTLs, name servers, reverse names."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from postroad.cli import options, screen

if TYPE_CHECKING:
    from postroad.views.json import HostJson, LookupJson


class Format(StrEnum):
    """The output formats of `lookup`."""

    TEXT = "text"
    NSLOOKUP = "nslookup"


def lookup(
    domain: options.Domain = None,
    of: options.Of = None,
    zone: options.Zones = None,
    resolver: options.Resolvers = None,
    form: Annotated[
        Format, typer.Option("--format", help="text, or nslookup: as `nslookup -type=mx` prints it.")
    ] = Format.TEXT,
    json: options.Json = False,
) -> None:
    """Look up the MX records of a domain, their addresses, its name servers and the reverse names.

    Exit status: 0 records found, 1 no records or the zone does not have the domain, 2 usage error, 3 DNS lookup failed,
    try again.
    """
    from postroad.build import Mailer, subject_of
    from postroad.views.json import lookup_shape

    with screen.input_errors():
        subject = subject_of(domain, of, zone or ())
        mailer = Mailer(subject.resolver(resolver or ()))
    snapshot = screen.run(lambda: mailer.lookup(subject.destination), options.DNS)

    shape = lookup_shape(snapshot)
    if json:
        screen.print_json(shape)
    elif form is Format.NSLOOKUP:
        for line in _nslookup(shape, *_asked(subject.zones, resolver)):
            screen.say(line)
    else:
        out = screen.Screen()
        for line in _text(shape):
            out.line(line)
    raise typer.Exit(_exit_code(shape))


def _exit_code(shape: LookupJson) -> int:
    if shape["status"] in ("temporary", "bogus"):
        return screen.TEMPORARY
    own = shape["implicit"]
    return screen.DONE if shape["mx"] or (own and own["addresses"]) else screen.FINDINGS


_NO_MX = {"no-name": "the domain does not exist (NXDOMAIN)", "no-data": "it has no MX records"}


def _text(shape: LookupJson) -> Iterator[str]:
    from postroad.words.phrasebook import counted

    addresses = sum(len(record["addresses"]) for record in shape["mx"])
    if shape["mx"]:
        yield f"{shape['domain']}: {len(shape['mx'])} MX, {counted(addresses, 'address', 'es')}, TTL {shape['ttl_s']} s"
    else:
        yield f"{shape['domain']}: {_NO_MX.get(shape['status'], shape['why'])}"
    if shape["aliases"]:
        yield f"  alias: {' -> '.join(shape['aliases'])}"
    for record in shape["mx"]:
        yield f"  {record['preference']:>5}  {record['exchange'] or '. (null MX: accepts no mail)'}"
        yield from _addresses(record)
    if shape["implicit"] and shape["implicit"]["addresses"]:
        yield "  implicit MX: the domain's own addresses (RFC 5321 section 5.1)"
        yield from _addresses(shape["implicit"])
    for server in shape["name_servers"]:
        yield f"  name server  {server}"


def _addresses(host: HostJson) -> Iterator[str]:
    words = {True: "forward-confirmed", False: "NOT forward-confirmed", None: "reverse name not known"}
    for each in host["addresses"]:
        names = ", ".join(each["ptr"]) or "no PTR"
        yield f"         {each['address']}  TTL {each['ttl_s']} s  {names} ({words[each['forward_confirmed']]})"
    for family in ("a", "aaaa"):
        if host[family]["why"]:
            yield f"         {family.upper()}: {host[family]['status']}: {host[family]['why']}"
    if not host["addresses"] and host["a"]["status"] in ("no-data", "no-name"):
        yield f"         no address ({host['a']['status']})"


def _asked(zones: tuple[Path, ...], resolver: list[str] | None) -> tuple[str, str]:
    """Whom we asked, as nslookup's first two lines have it."""
    from postroad.dns import system_servers

    if zones:
        return "zone file", ", ".join(map(str, zones))
    return "UnKnown", resolver[0] if resolver else next((str(server.address) for server in system_servers()), "none")


def _nslookup(shape: LookupJson, server: str, address: str) -> Iterator[str]:
    yield from (f"Server: {server}", f"Address: {address}", "")
    if server != "zone file":
        yield "Non-authoritative answer:"
    if not shape["mx"]:
        yield f"*** no MX record for {shape['domain']} ({shape['status']})"
    for record in shape["mx"]:
        exchange = record["exchange"] or "."
        yield f"{shape['domain']} MX preference = {record['preference']}, mail exchanger = {exchange}"
    yield ""
    yield from (f"{shape['domain']} nameserver = {name}" for name in shape["name_servers"])
    for name, each in dict.fromkeys(
        (record["exchange"], each["address"]) for record in shape["mx"] for each in record["addresses"]
    ):
        yield f"{name} {'AAAA IPv6' if ':' in each else 'internet'} address = {each}"
