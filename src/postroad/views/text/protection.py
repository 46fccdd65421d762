"""What protects mail to a domain, for people, in sections."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import groupby

from postroad.examine import AddressSeen, ExchangerSeen, PolicySeen, Protection, TlsaSeen, TlsResult, TlsVerdict
from postroad.routing import Refusal
from postroad.tls import association
from postroad.views.text.blocks import Table
from postroad.views.text.sections import HEADLINE, NOTE, AnswerSection, Part, Sentences
from postroad.words.facts import Bogus, Found, Temporary
from postroad.words.names import to_unicode
from postroad.words.phrasebook import counted, listing, moment, seconds
from postroad.words.policies import StsPolicy, StsPublished
from postroad.words.sessions import Certificate
from postroad.words.tls import in_words

TITLE = "TLS on the way to {}"
MOST_NAMES = 5  # of a certificate
DIGITS = 16  # of a TLSA record's data

_MAIL = {
    TlsResult.PROVEN: "mail goes, proven",
    TlsResult.ENCRYPTED: "mail goes encrypted",
    TlsResult.CLEAR: "mail goes in the clear",
    TlsResult.PASSED_OVER: "passed over",
    TlsResult.UNKNOWN: "no conclusive answer",
    TlsResult.NOT_ASKED: "not contacted",
}


def sections(seen: Protection) -> Iterator[AnswerSection]:
    """The whole answer."""
    yield AnswerSection("verdict", "", tuple(_verdict(seen)))
    yield AnswerSection("published", "What is published", (Sentences(tuple(_published(seen))),), is_titled=True)
    for number, each in enumerate(seen.exchangers):
        yield _exchanger(each, number)
    if left_out := [f"{drop.exchange or '.'}: {drop.text}" for drop in seen.answer.dropped]:
        yield AnswerSection("left-out", "Left out", (Sentences(tuple(left_out)),), is_titled=True)


def _verdict(seen: Protection) -> Iterator[Part]:
    if seen.kept_unknown:
        domain = to_unicode(str(seen.destination))
        yield (
            f"{domain}: what the relay would do is unknown, because the policies in its spool cannot be read",
            HEADLINE,
        )
        yield f"{seen.kept_unknown}.", NOTE
        yield f"By the policy published now: {headline(seen)}", HEADLINE
    else:
        yield headline(seen), HEADLINE


def headline(seen: Protection) -> str:
    """What would happen to mail, in a sentence."""
    domain = to_unicode(str(seen.destination))
    if isinstance(seen.answer, Refusal):
        text = seen.answer.text
        return f"{text if text.startswith(domain) else f'{domain}: {text}'} ({seen.answer.enhanced})"
    out = _with(seen, TlsResult.PASSED_OVER)
    passed = f"{_names(out)} {'is' if len(out) == 1 else 'are'} passed over"
    match seen.verdict:
        case TlsVerdict.GOES:
            return f"{domain}: {_how(seen)}"
        case TlsVerdict.GOES_ELSEWHERE:
            goes = [each for each in seen.exchangers if each.result is not TlsResult.PASSED_OVER]
            return f"{domain}: mail goes to {_names(goes)}; {passed}"
        case TlsVerdict.WAITS:
            miss = seen.exchangers[0].addresses[0]
            return f"{domain}: mail is deferred ({_status(seen.exchangers[0], miss)}); {passed}"
        case TlsVerdict.UNKNOWN:
            also = f"; {passed}" if out else ""
            silent = _names(_with(seen, TlsResult.UNKNOWN))
            return f"{domain}: what would happen to mail is unknown: no session with {silent}{also}"
    return f"{domain}: no exchanger was contacted; this is what each one has to prove{f'; {passed}' if out else ''}"


def _names(exchangers: list[ExchangerSeen]) -> str:
    return listing((to_unicode(each.name) for each in exchangers), MOST_NAMES)


def _with(seen: Protection, result: TlsResult) -> list[ExchangerSeen]:
    return [each for each in seen.exchangers if each.result is result]


def _how(seen: Protection) -> str:
    """How well mail is protected that goes to any exchanger."""
    worst = max((each.result for each in seen.exchangers), key=list(TlsResult).index)
    if worst is TlsResult.PROVEN:
        return f"mail goes, and {'its' if len(seen.exchangers) == 1 else 'every'} exchanger proves who it is"
    proven = len(_with(seen, TlsResult.PROVEN))
    some = f"{proven} of {counted(len(seen.exchangers), 'exchanger')} {'proves' if proven == 1 else 'prove'} who it is"
    part = some if proven else "nothing proves who takes it"
    return f"mail goes {'encrypted' if worst is TlsResult.ENCRYPTED else 'to some in the clear'}; {part}"


def _published(seen: Protection) -> Iterator[str]:
    what = "the absence of MX records" if not isinstance(seen.routed.snapshot.mx, Found) else "the MX records"
    if seen.is_mx_secure:
        yield f"MX: DNSSEC vouches for {what}."
    elif any(each.demand.tlsa for each in seen.exchangers):
        yield f"MX: DNSSEC does not vouch for {what}: DANE proves hosts, but not that the domain chose them."
    else:
        yield f"MX: DNSSEC does not vouch for {what}."
    for policy in seen.policies:
        yield from _sts(policy, seen.at)
    if seen.dane_off:
        yield f"{seen.dane_off}."


def _sts(seen: PolicySeen, at: float) -> Iterator[str]:
    known, policy = seen.known, seen.known.policy
    if policy:
        age_s = at - (known.fetched_at or at)
        age = "fetched now" if age_s < 1 else f"fetched {seconds(age_s)} ago"
        yield (
            f"MTA-STS: {seen.domain} has a policy {_terms(policy)}; id {known.id}, {age}, "
            f"to be kept for {seconds(policy.max_age_s)}."
        )
    yield from _kept(seen, at)
    if known.why:
        yield f"MTA-STS: {known.why}."
    if seen.unheard and known.policy:
        yield f"MTA-STS: nothing is known of the policy that is published now: {seen.unheard}."
    if isinstance(seen.published, StsPublished):
        untold = (each for each in seen.published.record_faults if not known.why.endswith(str(each)))
        yield from (f"MTA-STS record: {each}." for each in untold)
        yield from (f"MTA-STS policy: {each}." for each in seen.published.policy_faults)


def _terms(policy: StsPolicy) -> str:
    names = f" for {listing(policy.mx, 8)}" if policy.mx else ""
    return f"in mode {policy.mode}{names}"


def _kept(seen: PolicySeen, at: float) -> Iterator[str]:
    """What the relay has in its spool, and how long that will last."""
    if seen.kept:
        which = "this policy" if seen.kept.policy == seen.known.policy else f"a policy {_terms(seen.kept.policy)}"
        since, end = moment(seen.kept.fetched_at), moment(seen.kept.ends_at)
        yield (
            f"MTA-STS: the relay has kept {which} since {since}, with the id {seen.kept.id}; "
            + (f"it holds until {end}." if seen.kept.holds(at) else f"it ended on {end}.")
        )
    if seen.kept and isinstance(seen.published, StsPublished) and seen.published.id not in ("", seen.kept.id):
        yield f"MTA-STS: {seen.domain} publishes the id {seen.published.id} now."
    if seen.refreshed:
        yield f"MTA-STS: the next refresh will find another policy, {_terms(seen.refreshed)}."


def _exchanger(each: ExchangerSeen, number: int) -> AnswerSection:
    title = f"{to_unicode(each.name)}, preference {each.preference}: {in_words(each.demand)}"
    parts: list[Part] = [*_tlsa(each)]
    if each.refreshed:
        parts.append((f"after the next refresh of the policy: {in_words(each.refreshed)}", NOTE))
    parts += [_of_address(each, address) for address in each.addresses]
    parts += [(line, NOTE) for line in (*_certificates(each), *_missing_records(each))]
    return AnswerSection(f"exchanger-{number + 1}", title, tuple(parts), is_titled=True)


def _tlsa(each: ExchangerSeen) -> Iterator[Part]:
    match each.dane.tlsa:
        case None:
            yield "TLSA records are not looked up: DNSSEC does not vouch for its addresses (RFC 7672 section 2.2.2)"
        case Found():
            heads = (f"TLSA of {each.dane.base}", "counts", "certificate")
            yield Table(heads, [_tlsa_row(record) for record in each.tlsa])
        case Temporary(why=why) | Bogus(why=why):
            yield f"TLSA records could not be looked up: {why}"
        case _:
            yield f"{each.dane.base} has no TLSA records"


def _tlsa_row(seen: TlsaSeen) -> tuple[str, str, str]:
    data = seen.record.data.hex()
    short = data if len(data) <= DIGITS else f"{data[:DIGITS]}..."
    kind = f"{seen.record.usage} {seen.record.selector} {seen.record.matching}"
    if seen.why_not or not (seen.matches or seen.differs):
        match = "-"
    elif not seen.differs:
        match = "matches"
    elif not seen.matches:
        match = "does not match"
    else:
        match = f"matches at {listing(map(str, seen.matches))} only"
    return f"{kind} {short}", f"no: {seen.why_not}" if seen.why_not else "yes", match


def _of_address(exchanger: ExchangerSeen, seen: AddressSeen) -> str:
    secure = "DNSSEC vouches for it" if seen.is_secure else "not vouched for by DNSSEC"
    over = f", {seen.tls}" if seen.tls else ""
    return f"{seen.address} ({secure}{over}): {_mail(exchanger, seen)}"


def _mail(exchanger: ExchangerSeen, seen: AddressSeen) -> str:
    """What would happen to mail there."""
    words = _MAIL[seen.result]
    if seen.result is TlsResult.NOT_ASKED:
        return words
    if seen.result is TlsResult.PASSED_OVER:
        return f"{words} ({_status(exchanger, seen)}): {seen.why}"
    missed = seen.proof.miss if seen.proof and exchanger.demand.watched else None
    if missed:
        return f"{words}, and a failure is reported: {missed.why}"
    return words if seen.result is TlsResult.ENCRYPTED else f"{words}: {seen.why}"


def _status(exchanger: ExchangerSeen, seen: AddressSeen) -> str:
    """The enhanced status of what is missed (RFC 3463)."""
    miss = exchanger.demand.missed or (seen.proof.miss if seen.proof else None)
    return miss.status if miss else "4.7.5"


def _certificates(each: ExchangerSeen) -> Iterator[str]:
    """Each certificate once, with the addresses that show it."""
    shown = sorted(((seen.shown, seen) for seen in each.addresses if seen.certificate), key=lambda pair: pair[0])
    for _, group in groupby(shown, key=lambda pair: pair[0]):
        those = [seen for _, seen in group]
        certificate = those[0].certificate
        if certificate:
            where = f" of {listing((str(seen.address) for seen in those), 8)}" if len(each.addresses) > 1 else ""
            yield f"certificate{where}: {certificate_in_words(certificate)}"


def _missing_records(each: ExchangerSeen) -> Iterator[str]:
    """The TLSA records that certificates are without, where there are any that count: what to publish."""
    if not any(not record.why_not for record in each.tlsa):
        return
    matched = {address for record in each.tlsa if not record.why_not for address in record.matches}
    bare = [seen for seen in each.addresses if seen.shown and seen.address not in matched]
    for record in dict.fromkeys(association(seen.shown[0]) for seen in bare):
        if record:
            yield f"a TLSA record that matches: _25._tcp.{each.dane.base}. TLSA {record}"


def certificate_in_words(certificate: Certificate) -> str:
    """Whom it is for, its expiry date, and who vouches for it."""
    if not certificate.issuer:
        return certificate.why_not
    names = listing(certificate.names, MOST_NAMES) or "no name"
    until = datetime.fromtimestamp(certificate.ends_at, UTC)
    trust = "which is trusted here" if certificate.is_trusted else f"not trusted: {certificate.why_not}"
    return f"for {names}; expires on {until:%Y-%m-%d}; signed by {certificate.issuer}, {trust}"
