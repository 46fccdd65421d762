"""What TLS has to do on the way to an exchanger, and what a session did: demands and proofs, no policy."""

from __future__ import annotations

from dataclasses import field
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING

from postroad.words.light import light
from postroad.words.outcome import Result, result_of

if TYPE_CHECKING:
    from postroad.words.facts import Tlsa


class TlsLevel(IntEnum):
    """How far a connection is protected: each level includes those below it."""

    CLEAR = 0  # anything goes, mail in the clear too
    ENCRYPTED = 1  # against listeners, whoever the host is (RFC 7435)
    PROVEN = 2  # the host has shown who it is


class Authority(StrEnum):
    """Whose demand it is: what decided how a connection to an exchanger must be protected."""

    NONE = "none"  # nobody's: TLS is used where it is offered
    ROUTE = "route"  # our own settings
    DANE = "dane"  # RFC 7672
    MTA_STS = "mta-sts"  # RFC 8461
    MESSAGE = "message"  # its sender, by REQUIRETLS or TLS-Required (RFC 8689)


class TlsFailure(StrEnum):
    """A kind of failure to be told to the receiving domain (RFC 8460 section 4.3)."""

    STARTTLS_NOT_SUPPORTED = "starttls-not-supported"
    HOST_MISMATCH = "certificate-host-mismatch"
    EXPIRED = "certificate-expired"
    NOT_TRUSTED = "certificate-not-trusted"
    VALIDATION = "validation-failure"  # any other, of the negotiation too
    TLSA_INVALID = "tlsa-invalid"
    DNSSEC_INVALID = "dnssec-invalid"
    DANE_REQUIRED = "dane-required"
    STS_FETCH = "sts-policy-fetch-error"
    STS_INVALID = "sts-policy-invalid"
    STS_WEBPKI = "sts-webpki-invalid"


@light(frozen=True, slots=True)
class Miss:
    """A demand that was not met, or cannot be: the kind, why in words, and the enhanced status (RFC 3463)."""

    failure: TlsFailure
    why: str
    status: str = "4.7.5"

    @property
    def result(self) -> Result:
        """What it means for mail: it waits, unless nothing would change that."""
        return result_of(self.status)


@light(frozen=True, slots=True)
class Demand:
    """What a connection to an exchanger has to be before mail goes over it.

    `why` says in words what demands it. PROVEN takes an association of `tlsa` if there are any, else a certificate
    that an authority vouches for; one of `names` must be in it. `server_name` is asked for in the handshake, "" for
    the name of the exchanger. `missed`: the exchanger cannot meet it, and is not even connected to. `uses_tls`: ours
    to offer; otherwise STARTTLS is left alone. `watched` is what a policy in mode testing demands: it is only reported.
    `is_vouched`: that mail for the domain goes to this exchanger is no stranger's word, but that of DNSSEC, of an
    enforced policy or of our settings (RFC 8689 section 2).
    """

    level: TlsLevel = field(default=TlsLevel.CLEAR, hash=False)
    by: Authority = field(default=Authority.NONE, hash=False)
    why: str = ""  # enough to hash: plans look up their addresses by the million
    names: tuple[str, ...] = field(default=(), hash=False)
    tlsa: tuple[Tlsa, ...] = field(default=(), hash=False)
    server_name: str = field(default="", hash=False)
    missed: Miss | None = field(default=None, hash=False)
    uses_tls: bool = field(default=True, hash=False)
    watched: Demand | None = field(default=None, hash=False)
    is_vouched: bool = field(default=False, hash=False)

    @property
    def allows_clear(self) -> bool:
        """Whether mail may go in the clear."""
        return self.level is TlsLevel.CLEAR

    @property
    def is_usual(self) -> bool:
        """Whether it is what every host is met with: TLS where it is offered."""
        return self.level is TlsLevel.CLEAR and self.uses_tls and self.watched is None and self.by is Authority.NONE

    def refusal(self, miss: Miss) -> Miss:
        """A miss with what it means for mail under this demand.

        What a domain or our settings ask of all mail may come right: it waits. What only the sender of a message asks
        was never promised: it fails at once (RFC 8689 section 4.2.1).
        """
        if self.by is not Authority.MESSAGE:
            return miss
        return Miss(miss.failure, f"{self.why}, but {miss.why}", "5.7.10")

    @property
    def terms(self) -> tuple[tuple[str, ...], tuple[Tlsa, ...]]:
        """What has to be proven: two demands with the same terms are met by the same proof."""
        return self.names, self.tlsa


OPPORTUNISTIC = Demand()
"""TLS where it is offered, with whoever is there; in the clear otherwise (RFC 7435)."""


@light(frozen=True, slots=True)
class Proof:
    """What a connection achieved: its level, how in words, and the terms that were proven.

    `miss` is what it lacks of the demand, or of the watched one, that it was judged by.
    """

    level: TlsLevel = TlsLevel.CLEAR
    how: str = ""
    terms: tuple[tuple[str, ...], tuple[Tlsa, ...]] | None = None
    miss: Miss | None = None

    def meets(self, demand: Demand) -> bool:
        """Whether mail under a demand may go over this connection."""
        if demand.missed:
            return False
        if demand.level is TlsLevel.PROVEN:
            return self.level is TlsLevel.PROVEN and self.terms == demand.terms
        return self.level >= demand.level


IN_CLEAR = Proof()
"""A connection without TLS."""


def in_words(demand: Demand) -> str:
    """A demand as part of a sentence: what is asked, and who asks."""
    asked = demand.watched or demand
    if asked.missed:
        what = "the host is passed over"
    elif not demand.uses_tls:
        what = "TLS is not used"
    elif asked.tlsa:
        kinds = ", ".join(dict.fromkeys(f"{each.usage} {each.selector} {each.matching}" for each in asked.tlsa))
        what = f"its certificate must match a TLSA record ({kinds})"
    elif asked.level is TlsLevel.PROVEN:
        what = f"its certificate must be valid for {' or '.join(asked.names)}"
    elif asked.level is TlsLevel.ENCRYPTED:
        what = "the connection must be encrypted"
    else:
        what = "the connection is encrypted if the host offers STARTTLS"
    would = f"{what}, or the failure is reported" if demand.watched else what
    why = asked.missed.why if asked.missed else demand.why
    return f"{would} ({why})" if why else would
