"""What a server showed in one SMTP session, and what this machine can reach at all."""

from __future__ import annotations

from dataclasses import dataclass

from postroad.words.names import Address


@dataclass(frozen=True, slots=True)
class Certificate:
    """The certificate of a server: its names, its end (epoch seconds), whether a known authority vouches for it.

    `issuer` is who has signed it, known or not.
    """

    names: tuple[str, ...]
    ends_at: float
    is_trusted: bool
    why_not: str = ""
    issuer: str = ""


@dataclass(frozen=True, slots=True)
class Probe:
    """One polite SMTP session with an address: connect, greeting, EHLO, STARTTLS, EHLO, QUIT.

    `phase` is where it ended.
    """

    address: Address
    phase: str
    ok: bool
    why: str = ""  # it ended early: the reply or the error
    ours: bool = False  # the trouble is on our side: no route to port 25 from here
    greeting_ms: float = 0.0
    greeting: str = ""
    hello: str = ""  # the name it calls itself in its reply to EHLO
    capabilities: frozenset[str] = frozenset()  # keywords, upper case
    size: int | None = None
    tls: str | None = None
    certificate: Certificate | None = None
    takes_strangers: bool | None = None  # --deep: relays for anyone
    takes_postmaster: bool | None = None  # --deep
    takes_unknown: bool | None = None  # --deep: a recipient nobody has


@dataclass(frozen=True, slots=True)
class Reach:
    """The proof of what works from here; without it, a failure may be our own.

    Where it is not, a failure may be ours, and no one else is blamed for it.
    """

    port_25: bool = False
    ipv6: bool = False
    resolver: bool = False  # it answered a control question
