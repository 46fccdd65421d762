"""What SPF says (RFC 7208): whether it can be read, and what it says of the exchangers."""

from __future__ import annotations

import re
from collections.abc import Iterator

from postroad.rules import limits
from postroad.rules.evidence import Evidence
from postroad.rules.finding import Seen, Severity
from postroad.rules.lines import mx_line, remove, where, zone_line
from postroad.rules.places import whole
from postroad.rules.rule import Need, Topic, rule
from postroad.words.facts import Found, HostFacts, NoData, NoName
from postroad.words.names import parse_address

_MODIFIER = re.compile(r"[a-z][a-z0-9_.-]*\Z", re.IGNORECASE)
_MECHANISM = re.compile(r"[-+?~]?(?P<name>[a-z][a-z0-9]*)(?P<value>[:/].*)?\Z", re.IGNORECASE)
# `:domain`, `/24` for IPv4, `//64` for IPv6; the domain may have macros, which may have a slash between braces.
_REST = re.compile(
    r"(:(%\{[^}]*\}|[^/{}])+)?(?P<prefixes>(/(3[0-2]|[12]?[0-9]))?(//(12[0-8]|1[01][0-9]|[1-9]?[0-9]))?)\Z"
)


def records(evidence: Evidence) -> tuple[str, ...]:
    """The SPF records of the domain: those whose version is exactly v=spf1 (RFC 7208 section 4.5)."""
    answer = evidence.texts.spf if evidence.texts else None
    texts = answer.records if answer else ()
    return tuple(text for text in texts if text.lower().split(" ")[0] == "v=spf1")


def exchangers_send(evidence: Evidence) -> bool:
    """Whether SPF says that the exchangers of the domain send its mail."""
    return any(
        _names_exchangers(term, str(evidence.snapshot.domain)) for text in records(evidence) for term in text.split()
    )


def _names_exchangers(term: str, domain: str) -> bool:
    mechanism, _, named = term.lower().lstrip("+").partition("/")[0].partition(":")
    return mechanism == "mx" and named.rstrip(".") in ("", domain)


@rule(
    "spf-several",
    Severity.WARNING,
    Topic.POLICY,
    "There is more than one SPF record",
    why="Every SPF check then ends in permerror, and receivers treat mail from the domain accordingly.",
    source="RFC 7208 3.2; RFC 7208 4.5",
    needs=(Need.TEXT,),
)
def spf_several(evidence: Evidence) -> Iterator[Seen]:
    texts = records(evidence)
    if len(texts) > 1:
        seen = f"there are {len(texts)} SPF records: every check ends in permerror"
        yield Seen(
            whole(evidence), seen, "\n".join(remove(_txt(evidence, text)) for text in texts[1:]), _line(evidence)
        )


@rule(
    "spf-syntax",
    Severity.WARNING,
    Topic.POLICY,
    "The SPF record cannot be read",
    why="Every SPF check then ends in permerror, whoever sends, and receivers treat mail from the domain accordingly.",
    source="RFC 7208 4.6; RFC 7208 12",
    needs=(Need.TEXT,),
)
def spf_syntax(evidence: Evidence) -> Iterator[Seen]:
    for text in records(evidence):
        troubles = {term: why for term in text.split()[1:] if (why := trouble_with(term))}
        if troubles:
            seen = "; ".join(f"the SPF term {term} cannot be read: {why}" for term, why in troubles.items())
            kept = " ".join(term for term in text.split() if term not in troubles)
            fix = f"; correct what cannot be read, or leave it out:\n{_txt(evidence, kept)}"
            yield Seen(whole(evidence), seen, fix, _line(evidence))


@rule(
    "spf-all-pass",
    Severity.WARNING,
    Topic.POLICY,
    "SPF allows anyone to send",
    why="With +all any server in the world may send mail in the domain's name, and forged mail passes the check.",
    source="RFC 7208 5.1",
    needs=(Need.TEXT,),
)
def spf_all_pass(evidence: Evidence) -> Iterator[Seen]:
    """An `all` without a sign is `+all` (RFC 7208 section 4.6.2)."""
    for text in records(evidence):
        terms = text.split()
        passing = [term for term in terms if term.lower() in ("all", "+all")]
        if passing:
            seen = f"the SPF record has {passing[0]}: every server in the world may send for the domain"
            closed = " ".join("-all" if term in passing else term for term in terms)
            yield Seen(whole(evidence), seen, _txt(evidence, closed), _line(evidence))


@rule(
    "spf-mx-over-ten",
    Severity.WARNING,
    Topic.POLICY,
    f"SPF includes the exchangers, and there are more than {limits.SPF_EXCHANGERS}",
    why="This exceeds the limit on look-ups, and SPF checks of mail from the domain end in permerror.",
    source="RFC 7208 4.6.4",
    needs=(Need.TEXT,),
)
def spf_mx_over_ten(evidence: Evidence) -> Iterator[Seen]:
    mx = evidence.snapshot.mx
    if not exchangers_send(evidence) or not isinstance(mx, Found) or len(mx.records) <= limits.SPF_EXCHANGERS:
        return
    seen = f"SPF has the mechanism mx, and the domain has {len(mx.records)} exchangers: SPF checks end in permerror"
    fix = f"; instead of mx:\n{_txt(evidence, 'v=spf1 ip4:<a network that sends> -all')}"
    yield Seen(whole(evidence), seen, fix, _line(evidence))


@rule(
    "spf-mx-void",
    Severity.NOTE,
    Topic.POLICY,
    f"SPF includes the exchangers, and more than {limits.SPF_VOID} have no address",
    why="Receivers give up with permerror after two look-ups that find nothing.",
    source="RFC 7208 4.6.4",
    needs=(Need.TEXT,),
)
def spf_mx_void(evidence: Evidence) -> Iterator[Seen]:
    mx = evidence.snapshot.mx
    told = mx.records
    void = [each for each in told if _is_void(evidence.snapshot.hosts.get(each.exchange))]
    if exchangers_send(evidence) and len({each.exchange for each in void}) > limits.SPF_VOID:
        names = ", ".join(dict.fromkeys(each.exchange for each in void))
        seen = f"SPF has the mechanism mx, and {len(void)} exchangers have no address ({names})"
        domain = str(evidence.snapshot.domain)
        fix = "\n".join(remove(mx_line(domain, each.preference, each.exchange)) for each in void)
        yield Seen(whole(evidence), seen, fix, _line(evidence))


def trouble_with(term: str) -> str:
    """Why a term of an SPF record cannot be read (RFC 7208 section 12); "" if it can."""
    name, equals, value = term.partition("=")
    if equals and _MODIFIER.match(name):
        needs_domain = name.lower() in ("redirect", "exp") and not value
        return f"{name} needs a domain" if needs_domain else ""
    found = _MECHANISM.match(term)
    name, value = (found["name"].lower(), found["value"] or "") if found else ("", "")
    if name in ("ip4", "ip6"):
        return _trouble_with_network(int(name[2]), value.removeprefix(":"))
    if name == "all":
        return "all takes no value" if value else ""
    if name in ("include", "exists"):
        return "" if value[:1] == ":" and value[1:] else f"{name} needs a domain"
    if name in ("a", "mx", "ptr"):
        rest = _REST.match(value)
        is_read = rest and (name != "ptr" or not rest["prefixes"])
        return "" if is_read else f"{value} is not a domain or prefix"
    return f"there is no mechanism {name or term}"


def _trouble_with_network(version: int, text: str) -> str:
    address, slash, length = text.partition("/")
    read = parse_address(address)
    if read is None or read.version != version:
        return f"{address or 'nothing'} is not an IPv{version} address"
    if slash and not (length.isascii() and length.isdigit() and int(length) <= read.max_prefixlen):
        return f"/{length} is not a prefix length of an IPv{version} address"
    return ""


def _is_void(facts: HostFacts | None) -> bool:
    return facts is not None and all(isinstance(each, NoData | NoName) for each in (facts.a, facts.aaaa))


def _line(evidence: Evidence) -> str:
    return where(evidence, str(evidence.snapshot.domain), "TXT")


def _txt(evidence: Evidence, text: str) -> str:
    return zone_line(str(evidence.snapshot.domain), "TXT", f'"{text}"')
