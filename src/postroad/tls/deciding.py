"""What a connection to an exchanger has to be: our settings first, then DANE where the host has it, then MTA-STS.

One table: `TABLE` has a row for each thing that can be known, the first that applies decides.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from postroad.tls.sts import Listing
from postroad.tls.tlsa import usable
from postroad.words.facts import Bogus, Found, Temporary
from postroad.words.policies import DaneFacts, StsPolicy
from postroad.words.tls import Authority, Demand, Miss, TlsFailure, TlsLevel


class TlsMode(StrEnum):
    """What a route of the settings asks of TLS. AUTO: what the receiving domain publishes."""

    AUTO = "auto"
    OFF = "off"
    OPPORTUNISTIC = "opportunistic"
    ENCRYPT = "encrypt"
    DANE = "dane"
    DANE_ONLY = "dane-only"
    VERIFY = "verify"


@dataclass(frozen=True, slots=True)
class Override:
    """What a route says of TLS: a mode, and for VERIFY other names than that of the host."""

    mode: TlsMode = TlsMode.AUTO
    names: tuple[str, ...] = ()


AUTO = Override()
NOT_ASKED = DaneFacts()


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of an exchanger: its name, what DNSSEC vouches for, the policy of its domain, and our settings.

    `is_named`: that it is an exchanger of the domain is vouched for by DNSSEC, or said by our settings. `listing` is
    what the policy lists, for whoever asks about many exchangers: a policy may have thousands of lines.
    """

    exchange: str
    override: Override = AUTO
    dane: DaneFacts = NOT_ASKED
    sts: StsPolicy | None = None
    is_named: bool = False
    listing: Listing | None = None

    @property
    def mode(self) -> TlsMode:
        """What our settings ask for."""
        return self.override.mode

    @property
    def uses_dane(self) -> bool:
        """Whether TLSA records count: somebody asked for them, DNSSEC vouches for them, and our settings want it."""
        return self.mode in (TlsMode.AUTO, TlsMode.DANE, TlsMode.DANE_ONLY) and self.dane.tlsa is not None

    @property
    def is_forbidden(self) -> bool:
        """Whether the domain's policy does not list this exchanger."""
        return self.sts is not None and self.exchange not in (self.listing or Listing(self.sts.mx))

    def has_sts(self, mode: str) -> bool:
        """Whether the domain has a policy of this mode that counts."""
        return self.mode is TlsMode.AUTO and self.sts is not None and self.sts.mode == mode

    @property
    def is_vouched(self) -> bool:
        """Whether it is known for sure that mail for the domain goes there (RFC 8689 section 2)."""
        return self.is_named or self.dane.is_mx_secure or (self.has_sts("enforce") and not self.is_forbidden)

    @property
    def has_tlsa(self) -> bool:
        """Whether it publishes associations that DNSSEC vouches for."""
        return self.uses_dane and isinstance(self.dane.tlsa, Found) and self.dane.tlsa.authentic

    @property
    def is_tlsa_lost(self) -> bool:
        """Whether it may publish some, and nobody can say: an attacker would see to that (RFC 7672 section 2.1.2)."""
        return self.uses_dane and isinstance(self.dane.tlsa, Temporary | Bogus)


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table: when it applies, in code and in words, and what it demands."""

    when: str
    applies: Callable[[Known], bool]
    demand: Callable[[Known], Demand]


def demanded(known: Known) -> Demand:
    """The demand of the first row that applies."""
    demand = next(row for row in TABLE if row.applies(known)).demand(known)
    return replace(demand, is_vouched=True) if known.is_vouched else demand


def _by_route(level: TlsLevel, **fields: object) -> Callable[[Known], Demand]:
    def demand(known: Known) -> Demand:
        return Demand(level, Authority.ROUTE, f'the settings say tls = "{known.mode}"', **fields)  # type: ignore[arg-type]  # fields of it

    return demand


def _verified(known: Known) -> Demand:
    names = known.override.names or (known.exchange,)
    return Demand(TlsLevel.PROVEN, Authority.ROUTE, 'the settings say tls = "verify"', names)


def _without_tlsa(known: Known) -> Demand:
    why = f"{known.exchange} has no TLSA records that DNSSEC vouches for"
    miss = Miss(TlsFailure.DANE_REQUIRED, f'{why}, and the settings say tls = "dane-only"')
    return Demand(TlsLevel.PROVEN, Authority.ROUTE, 'the settings say tls = "dane-only"', missed=miss)


def _tlsa_lost(known: Known) -> Demand:
    """Never "no DANE" (RFC 7672 section 2.1.2): the exchanger counts as unreachable."""
    trouble = known.dane.tlsa
    assert isinstance(trouble, Temporary | Bogus)  # noqa: S101  # its row
    why = f"the TLSA records of {known.exchange} could not be looked up ({trouble.why})"
    return Demand(TlsLevel.PROVEN, Authority.DANE, why, missed=Miss(TlsFailure.DNSSEC_INVALID, why, "4.4.3"))


def _by_tlsa(known: Known) -> Demand:
    """As strict as its records can be used (RFC 7672 section 2.2)."""
    assert isinstance(known.dane.tlsa, Found)  # noqa: S101  # its row
    base = known.dane.base or known.exchange
    records = usable(known.dane.tlsa.records)
    if not records:
        return Demand(
            TlsLevel.ENCRYPTED, Authority.DANE, f"{base} has TLSA records, but none that can be used", server_name=base
        )
    # A key is proven whatever names are in the certificate: sessions of all its domains may share connections
    names = (known.dane.names or (base,)) if any(record.usage == 2 for record in records) else ()
    return Demand(TlsLevel.PROVEN, Authority.DANE, f"{base} has TLSA records", names, records, base)


def _uncovered(known: Known) -> Demand:
    why = f"the MTA-STS policy does not list {known.exchange}"
    return Demand(TlsLevel.PROVEN, Authority.MTA_STS, why, missed=Miss(TlsFailure.VALIDATION, why))


def _by_sts(known: Known) -> Demand:
    """The certificate is compared with the name in the MX record, not with the pattern (RFC 8461 section 4.2)."""
    return Demand(TlsLevel.PROVEN, Authority.MTA_STS, "the MTA-STS policy is enforced", (known.exchange,))


def _by_sts_in_testing(known: Known) -> Demand:
    watched = _uncovered(known) if known.is_forbidden else _by_sts(known)
    return Demand(by=Authority.MTA_STS, why="the MTA-STS policy is in mode testing: failures are only reported",
                  watched=watched)  # fmt: skip


TABLE = (
    Row('our route says `tls = "off"`', lambda k: k.mode is TlsMode.OFF, _by_route(TlsLevel.CLEAR, uses_tls=False)),
    Row('our route says `tls = "opportunistic"`', lambda k: k.mode is TlsMode.OPPORTUNISTIC, _by_route(TlsLevel.CLEAR)),
    Row('our route says `tls = "encrypt"`', lambda k: k.mode is TlsMode.ENCRYPT, _by_route(TlsLevel.ENCRYPTED)),
    Row('our route says `tls = "verify"`', lambda k: k.mode is TlsMode.VERIFY, _verified),
    Row(
        "the domain's MTA-STS policy is enforced and does not list the exchanger (RFC 8461 section 4)",
        lambda k: k.has_sts("enforce") and k.is_forbidden,
        _uncovered,
    ),
    Row(
        "DNSSEC vouches for its addresses, and its TLSA records cannot be looked up (RFC 7672 section 2.1.2)",
        lambda k: k.is_tlsa_lost,
        _tlsa_lost,
    ),
    Row("it has TLSA records (RFC 7672 section 2.2)", lambda k: k.has_tlsa, _by_tlsa),
    Row('our route says `tls = "dane-only"`', lambda k: k.mode is TlsMode.DANE_ONLY, _without_tlsa),
    Row("the domain's MTA-STS policy is enforced (RFC 8461 section 5)", lambda k: k.has_sts("enforce"), _by_sts),
    Row(
        "the domain's MTA-STS policy is in mode testing (RFC 8461 section 5)",
        lambda k: k.has_sts("testing"),
        _by_sts_in_testing,
    ),
    Row("otherwise", lambda _: True, lambda _: Demand()),
)
"""First come our settings, then what protects most. That a policy leaves an exchanger out holds under DANE as well."""
