"""A domain with something of each kind, one where all is well, and one named by somebody with bad intent."""

from datetime import date
from ipaddress import ip_address as ip

from postroad.rules import Accepted, Checked, CheckedExchanger, Citation, Finding, Need, Place, Rule, Severity, Topic
from postroad.views.findings import render

AT = 1_780_000_000.0  # 2026-05-28 20:26:40 UTC
DOMAIN = "example.com"


def _finds_nothing(_evidence):
    yield from ()


def rule(name, severity, topic, title, why, *sources, needs=frozenset({Need.RECORDS})):
    """A rule that only has words."""
    return Rule(name, severity, topic, title, why, sources, _finds_nothing, needs)


RULES = {
    each.id: each
    for each in (
        rule(
            "mx-dup-address",
            Severity.WARNING,
            Topic.REDUNDANCY,
            "exchangers share an address",
            "One address is one server: when it dies, both names are gone. People count names.",
            Citation("practice"),
        ),
        rule(
            "mx-target-no-address",
            Severity.ERROR,
            Topic.TARGETS,
            "an exchanger has no address",
            "There is nowhere to connect to.",
            Citation("RFC 5321", "5.1"),
        ),
        rule("mx-unequal", Severity.NOTE, Topic.REDUNDANCY, "unequal", "Shares differ.", Citation("RFC 974")),
        rule("mx-ttl-low", Severity.INFO, Topic.DNS, "a short TTL", "It costs questions.", Citation("RFC 1035")),
        rule(
            "smtp-unreachable",
            Severity.WARNING,
            Topic.SMTP,
            "no answer on port 25",
            "Mail waits.",
            Citation("RFC 5321", "5.1"),
            needs=frozenset({Need.RECORDS, Need.PROBE}),
        ),
    )
}
BAD = Checked(
    DOMAIN,
    AT,
    (
        CheckedExchanger(10, "mail1.example.com", (ip("192.0.2.11"), ip("2001:db8::11"))),
        CheckedExchanger(10, "mail2.example.com", (ip("192.0.2.11"),)),
        CheckedExchanger(20, "backup.example.net"),
    ),
    (
        Finding("mx-ttl-low", Severity.INFO, Place(DOMAIN), "the MX records live 30 s"),
        Finding(
            "mx-dup-address",
            Severity.WARNING,
            Place(DOMAIN, 10, "mail2.example.com", ip("192.0.2.11")),
            "mail1 and mail2 lead to one address",
            "mail2.example.com.  A  192.0.2.12",
            "zones/a b.zone:9",
        ),
        Finding(
            "mx-target-no-address",
            Severity.ERROR,
            Place(DOMAIN, 20, "backup.example.net"),
            "neither A nor AAAA",
            "backup.example.net.  A  192.0.2.13\nbackup.example.net.  AAAA  2001:db8::13",
            "zones/a b.zone:5",
        ),
        Finding(
            "smtp-unreachable",
            Severity.WARNING,
            Place(DOMAIN, 10, "mail1.example.com", ip("2001:db8::11")),
            "no IPv6 from here",
            inconclusive=True,
        ),
    ),
    (
        Accepted(
            Finding("mx-unequal", Severity.NOTE, Place(DOMAIN, 10), "2 addresses and 1"),
            "mail2 is small",
            date(2027, 3, 1),
        ),
    ),
    frozenset(Need),
)
SANE = Checked("example.org", AT, (CheckedExchanger(10, "mx.example.org", (ip("198.51.100.1"),)),))
NASTY = "<script>alert(1)</script>|`*_]]>&\x1b[31m\u202e\n@all"
EVIL = Checked(
    NASTY,
    AT,
    (CheckedExchanger(10, NASTY, (ip("192.0.2.1"),)),),
    (Finding("mx-dup-address", Severity.WARNING, Place(NASTY, 10, NASTY), f"={NASTY}", NASTY, f"{NASTY}:3"),),
    (Accepted(Finding("mx-unequal", Severity.NOTE, Place(NASTY), NASTY), NASTY),),
)


def show(form, *results, color=False, width=80, **options):
    """The results in a form, with the rules above."""
    return render(results or (BAD, SANE), form, color=color, width=width, rules=RULES, **options)
