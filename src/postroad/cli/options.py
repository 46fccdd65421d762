"""Options that several commands have, declared once so that they read and work alike."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DNS = "asking DNS"  # what a command waits for

Domain = Annotated[
    str | None,
    typer.Argument(
        metavar="DOMAIN",
        help="A domain, mailbox or address literal, a zone file, or a reference set-up, such as two-equal "
        "(`postroad setups` lists them); ./two-equal is a file.",
    ),
]
Of = Annotated[str | None, typer.Option("--domain", metavar="DOMAIN", help="The domain, where a zone has several.")]
Zones = Annotated[
    list[Path] | None,
    typer.Option("--zone", metavar="FILE", help="Answer from this RFC 1035 zone file, no network; may be repeated."),
]
Resolvers = Annotated[
    list[str] | None,
    typer.Option(
        "--resolver", metavar="ADDRESS[:PORT]", help="Ask this name server, not the system's; may be repeated."
    ),
]
Procedure = Annotated[
    str, typer.Option(metavar="RFC", help="Order by rfc5321, rfc2821, rfc1123 or rfc974.", show_default=True)
]
Seed = Annotated[
    int | None, typer.Option(metavar="N", help="Draw the order of equals from this seed, to repeat a draw.")
]
OwnHosts = Annotated[
    list[str] | None,
    typer.Option(
        "--own", metavar="HOST", help="A name or address of this host: the MX list is cut there; may be repeated."
    ),
]
AllowLoopback = Annotated[bool, typer.Option("--allow-loopback", help="Allow loopback addresses, for tests.")]
Tls = Annotated[
    str | None,
    typer.Option(
        "--tls",
        metavar="MODE",
        help="What TLS has to do: auto (whatever the domain publishes by DANE and MTA-STS), off, opportunistic, "
        "encrypt, dane, dane-only or verify; default: as the settings say, else auto.",
    ),
]
Port = Annotated[
    int, typer.Option(metavar="PORT", min=1, max=65535, help="Any port but 25 is for tests; it allows loopback.")
]
Authorities = Annotated[
    Path | None,
    typer.Option("--authorities", metavar="FILE.pem", help="Trust these authorities, not those of this machine."),
]
HTTPS_PORT = 443
HttpsPort = Annotated[
    int,
    typer.Option(
        "--https-port", metavar="PORT", min=1, max=65535, help="Port of MTA-STS policies; any but 443 is for tests."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object (docs/reference/json.md).")]
Explain = Annotated[bool, typer.Option("--explain", help="Explain why in sentences, with the RFC sections.")]
ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="The settings file; default: $POSTROAD_CONFIG, else /etc/postroad/postroad.toml.",
    ),
]
RoutesOf = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="Route as a relay with this settings file does, by its routes."),
]
PoliciesOf = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="Apply the routes of this settings file and the policies in its spool, as the relay does.",
    ),
]
SpoolPlace = Annotated[
    str, typer.Option("--spool", metavar="PLACE", help="A folder or a postgresql:// URL, instead of the settings' one.")
]
DkimKey = Annotated[
    Path | None, typer.Option("--dkim-key", metavar="FILE", help="Sign the message with this private key (DKIM).")
]
DkimSelector = Annotated[
    str,
    typer.Option(
        "--dkim-selector", metavar="NAME", help="The selector of that key; default: its file's name, without .pem."
    ),
]
DkimDomain = Annotated[
    str, typer.Option("--dkim-domain", metavar="DOMAIN", help="The domain of that key; default: the domain in From.")
]
SignAs = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="Sign as the relay with this settings file does, by its [dkim]."),
]
