"""Values as people write them in a settings file: each is read, and written back the same way.

What cannot be read is a ValueError with a sentence that says what is wrong and how to fix it.
"""

from __future__ import annotations

import os
import re
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Any

from postroad.routing import parse_pattern, parse_target
from postroad.words.inputs import quoted
from postroad.words.mail import Mailbox, parse_mailbox
from postroad.words.names import Address, Unreadable, parse_address, parse_domain

Network = IPv4Network | IPv6Network

MIB = 2**20
SMTP_PORT = 25
LOOPBACK: Address = ip_address("127.0.0.1")
RESERVE = 64 * MIB
WRITERS = "writers"  # what a spool in a folder has a lock of its own for
MESSAGE_SIZE = 50 * MIB
HOLD_S = 30 * 86400.0
SPOOL = Path("/var/spool/postroad")

_EXAMPLES = {"path": SPOOL, "zones": Path("/etc/postroad/example.com.zone")}  # of paths, by their keys

LARGEST = 2**50
LONGEST_PATH = 4096  # PATH_MAX of Linux
LONGEST_S = 10 * 366 * 86400
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "day": 86400, "days": 86400}
_OCTETS = {"": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_TIME = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(ms|s|m|h|days|day|d)\s*")
_TIMES = re.compile(rf"(?:{_TIME.pattern})+\Z")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}\Z")
_NODE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}\Z")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_SIZE = re.compile(rf"([0-9]+(?:\.[0-9]+)?)\s*({'|'.join(_OCTETS)})\Z")


def usual_spool() -> Path:
    """The folder of the spool where the settings name none: the first of $STATE_DIRECTORY, which systemd sets."""
    return Path(os.environ.get("STATE_DIRECTORY", "").partition(":")[0] or SPOOL)


def read_duration(value: Any) -> float:  # noqa: ANN401  # whatever stands in the file
    """A time in seconds, from a number of them or a text as `90s`, `1h 30m`, `5d`, `250ms`."""
    seconds: float = -1.0
    if isinstance(value, str) and _TIMES.match(value):
        seconds = sum(float(number) * _SECONDS[unit] for number, unit in _TIME.findall(value))
    elif _is_number(value):
        seconds = value
    if seconds > LONGEST_S:
        raise ValueError(f"{quoted(value)} is longer than ten years, the longest time allowed")
    if seconds < 0:
        raise ValueError(
            f'{quoted(value)} is not a time; write seconds, or a text such as "90s", "5m", "4h", "5d" or "5 days"'
        )
    return float(seconds)


def write_duration(seconds: float) -> str:
    """The time in the largest unit that holds it without a rest."""
    milliseconds = round(seconds * 1000)
    for unit in ("d", "h", "m", "s"):
        part = round(_SECONDS[unit] * 1000)
        if milliseconds and milliseconds % part == 0:
            return f"{milliseconds // part}{unit}"
    return f"{milliseconds}ms" if milliseconds else "0s"


def read_size(value: Any) -> int:  # noqa: ANN401  # whatever stands in the file
    """A number of octets, from that number or a text as `50MiB`."""
    found = _SIZE.match(value) if isinstance(value, str) else None
    octets = float(found[1]) * _OCTETS[found[2]] if found else value
    if isinstance(octets, int | float) and not isinstance(octets, bool) and octets > LARGEST:
        raise ValueError(f"{quoted(value)} is more than {LARGEST // 2**30} GiB, the largest size allowed")
    if found or (isinstance(value, int) and not isinstance(value, bool) and value >= 0):
        return int(octets)
    raise ValueError(f'{quoted(value)} is not a size; write octets, or a text such as "500KiB" or "50MiB"')


def write_size(octets: int) -> str:
    """The size in the largest binary unit that holds it without a rest."""
    for unit in ("GiB", "MiB", "KiB"):
        if octets and octets % _OCTETS[unit] == 0:
            return f"{octets // _OCTETS[unit]}{unit}"
    return str(octets)


def read_domain(value: Any, after: str = "") -> str:  # noqa: ANN401  # whatever stands in the file
    """A domain name in canonical form; without what it begins with."""
    if after and isinstance(value, str) and not isinstance(bare := parse_domain(value.removeprefix(after)), Unreadable):
        return bare
    if isinstance(value, str) and parse_address(value.strip("[]")):
        raise ValueError(f'{quoted(value)} is an IP address; write a domain name here, such as "mail.example.com"')
    domain = parse_domain(value) if isinstance(value, str) else Unreadable("", "not a text")
    if isinstance(domain, Unreadable):
        raise ValueError(f'{quoted(value)}: {domain.why}; write a domain name, such as "mail.example.com"')  # noqa: TRY004  # wrong text, or type
    return domain


def read_pattern(value: Any) -> str:  # noqa: ANN401  # whatever stands in the file
    """What a route is for: `example.com`, `.example.com` for all below it, or `*` for all mail."""
    if isinstance(value, str) and value.startswith("*.") and not isinstance(parse_domain(value[2:]), Unreadable):
        raise ValueError(f'{quoted(value)} has a star; write "{value[1:]}" for all names below it')
    if value == "*":
        return "*"
    if isinstance(value, str) and value.startswith("."):
        return "." + read_domain(value, ".")
    return read_domain(value)


def read_exchanger(value: Any) -> str:  # noqa: ANN401  # whatever stands in the file
    """An exchanger that a route is for: `mx.example.com`, or `.example.com` for all below it."""
    if value == "*":
        raise ValueError('"*" would be every exchanger there is; write domains = ["*"] for all mail')
    return read_pattern(value)


def read_provider(value: Any) -> str:  # noqa: ANN401  # whatever stands in the file
    """The key of a known provider."""
    from postroad.words.providers import parse_provider  # noqa: PLC0415  # a list that most files do not need

    if not isinstance(value, str):
        raise ValueError(f'{quoted(value)} is not a provider; write its name, such as "microsoft"')  # noqa: TRY004  # as above
    key = parse_provider(value)
    if isinstance(key, Unreadable):
        raise ValueError(f"{quoted(value)} is {key.why}")  # noqa: TRY004  # as above
    return key


def read_route_name(value: Any) -> str:  # noqa: ANN401  # whatever stands in the file
    """The name of a route, as other settings, logs and reports call it."""
    if not isinstance(value, str) or not _NAME.match(value):
        raise ValueError(
            f'{quoted(value)} is not a name for a route; write letters, digits and hyphens, such as "ses", 40 at most'
        )
    return value


def read_node_name(value: Any) -> str:  # noqa: ANN401  # whatever stands in the file
    """The name of a relay among those that share its spool; in a folder it names a file."""
    if not isinstance(value, str) or not _NODE.match(value) or value == WRITERS:
        raise ValueError(
            f"{quoted(value)} is not a name for a node; write letters, digits, dots and hyphens, such as "
            f'"mx1.example.com", 100 at most, other than "{WRITERS}"'
        )
    return value


def read_refusals(value: Any) -> tuple[str, ...]:  # noqa: ANN401  # whatever stands in the file
    """Patterns of refusals: one or several."""
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, list) or not items:
        raise ValueError(
            f'{quoted(value)} is not a pattern; write one, such as "5.7.1", or a list: ["5.7.1", "blocked"]'
        )
    patterns = [parse_pattern(item) if isinstance(item, str) else Unreadable("", "not a text") for item in items]
    for item, pattern in zip(items, patterns, strict=True):
        if isinstance(pattern, Unreadable):
            raise ValueError(f"{quoted(item)}: {pattern.why}")  # noqa: TRY004  # wrong text, or type
    return tuple(map(str, patterns))


def read_network(value: Any) -> Network:  # noqa: ANN401  # whatever stands in the file
    """A network, or a single address as the network it is."""
    try:
        return ip_network(value if isinstance(value, str) else "")
    except ValueError:
        raise ValueError(f"{quoted(value)} is not a network; write one, such as {_network_meant(value)}") from None


def read_address(value: Any) -> Address:  # noqa: ANN401  # whatever stands in the file
    """An IP address."""
    address = parse_address(value) if isinstance(value, str) else None
    if address is None:
        raise ValueError(f'{quoted(value)} is not an IP address; write one, such as "192.0.2.1" or "2001:db8::1"')
    return address


def read_host(value: Any) -> str | Address:  # noqa: ANN401  # whatever stands in the file
    """A host: its name in canonical form, or its address."""
    address = parse_address(value) if isinstance(value, str) else None
    return address or read_domain(value)


def read_mailbox(value: Any) -> Mailbox:  # noqa: ANN401  # whatever stands in the file
    """An address of mail, in ASCII, at a domain."""
    mailbox = parse_mailbox(value) if isinstance(value, str) else Unreadable("", "not a text")
    if isinstance(mailbox, Unreadable):
        how = "" if mailbox.why.startswith("write ") else '; write an address, such as "user@example.com"'
        raise ValueError(f"{quoted(value)}: {mailbox.why}{how}")  # noqa: TRY004  # wrong text, or type
    if mailbox.needs_smtputf8 or not isinstance(mailbox.domain, str):
        raise ValueError(f'{quoted(value)} cannot be used here; write an address in ASCII, such as "user@example.com"')
    return mailbox


def read_path(value: Any, folder: str | Path, key: str = "") -> Path:  # noqa: ANN401  # whatever stands in the file
    """A path on one line; a relative one begins in the folder of the settings file."""
    if not isinstance(value, str) or not value or _CONTROL.search(value) or len(value) > LONGEST_PATH:
        example = _EXAMPLES.get(key, Path("/etc/postroad", key or "file"))
        raise ValueError(f'{quoted(value)} is not a path; write one, such as "{example}"')
    return Path(folder, value)


def read_place(value: Any) -> tuple[str | Address, int | None]:  # noqa: ANN401  # whatever stands in the file
    """A host with its port, if it has one: `smtp.example.net:587`, `192.0.2.1`, `[2001:db8::1]:25`."""
    text = value if isinstance(value, str) else ""
    if parse_address(text):
        return read_host(text), None
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]"):
        host, port = text, ""
    if colon and port and not (port.isascii() and port.isdigit() and 0 < int(port[:6]) < 2**16):
        raise ValueError(f"{quoted(value)} has no port from 1 to 65535 behind its colon")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    return read_host(bare), int(port) if port else None


def write_place(place: tuple[str | Address, int | None]) -> str:
    """The same as a text."""
    host, port = place
    if port is None:
        return str(host)
    return f"[{host}]:{port}" if ":" in str(host) else f"{host}:{port}"


def read_server(value: Any) -> str:  # noqa: ANN401  # whatever stands in the file
    """A name server: an address, with a port if it is not 53."""
    host, port = _place_or_none(value)
    if isinstance(host, str):
        raise ValueError(f'{quoted(value)} is not an address; write the name server\'s own, such as "192.0.2.53"')  # noqa: TRY004  # wrong text, or type
    return write_place((host, port))


def read_endpoint(value: Any) -> tuple[Address, int] | None:  # noqa: ANN401  # whatever stands in the file
    """An address and a port to listen on; none if the text is empty."""
    if value == "":
        return None
    host, port = _place_or_none(value)
    if isinstance(host, str) or port is None:
        raise ValueError(f'{quoted(value)} is not an address with a port; write both, such as "127.0.0.1:9925"')
    return host, port


def _place_or_none(value: Any) -> tuple[str | Address, int | None]:  # noqa: ANN401  # whatever stands in the file
    """A place as `read_place` has it; no host, where its errors would ask for the name that is no use either."""
    if isinstance(value, str) and any(not char.isprintable() or char.isspace() for char in value):
        return "", None
    return read_place(value) if isinstance(value, str) else ("", None)


def read_targets(value: Any) -> tuple[str, ...]:  # noqa: ANN401  # whatever stands in the file
    """What an alias leads to: one address or several, or the names of other aliases."""
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        raise ValueError(
            f'{quoted(value)} is not an address; write one, or a list such as ["a@example.com", "b@example.com"]'
        )
    return tuple(str(parse_target(item)).removesuffix("@") for item in items)


def write_targets(targets: tuple[str, ...]) -> str | list[str]:
    """One as a text, several as a list."""
    return targets[0] if len(targets) == 1 else list(targets)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value  # noqa: PLR0124  # nan is no number, and equals nothing


def _network_meant(value: object) -> str:
    try:
        return f'"{ip_network(value, strict=False)}"'  # type: ignore[arg-type]  # whatever it is
    except ValueError:
        return '"192.0.2.0/24" or "2001:db8::/32"'
