"""SMTP behaviour: what each address said in one polite session, and whether the addresses of a set say the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from postroad.checks.nouns import Check, Evidence, Finding, Need, Place, Probe, Rule, Severity, Source, Topic
from postroad.checks.places import addresses, addresses_of, facts_of, text_of, unknown, whole
from postroad.words.facts import Bogus, Temporary
from postroad.words.names import AddressLiteral, Unreadable, parse_address, parse_destination

SLOW_S = 5.0
VERY_SLOW_S = 30.0
_BEFORE_EHLO = ("connect", "greeting", "ehlo")
# What a message may need: where the server it falls to lacks it, the message is returned or changed on the way.
_NEEDED = {
    "8BITMIME": Severity.WARNING,
    "SMTPUTF8": Severity.WARNING,
    "PIPELINING": Severity.NOTE,
}


@dataclass(frozen=True, slots=True)
class Session:
    """A probe, and where it belongs."""

    place: Place
    probe: Probe

    @property
    def is_past_ehlo(self) -> bool:
        """Whether the server told what it can do."""
        return self.probe.ok or self.probe.phase not in _BEFORE_EHLO

    @property
    def offers(self) -> frozenset[str]:
        """Its keywords, those in the clear and those under TLS."""
        return self.probe.capabilities

    @property
    def words(self) -> str:
        """The exchanger and its address, for people."""
        return text_of(self.place)


def sessions(evidence: Evidence) -> list[Session]:
    """The probes of all addresses, in the order of preference."""
    probes = evidence.probes or {}
    told = ((place, probes.get(place.address)) for place in addresses(evidence) if place.address)
    return [Session(place, probe) for place, probe in told if probe]


def heard(evidence: Evidence) -> list[Session]:
    """The sessions in which the server told what it can do."""
    return [session for session in sessions(evidence) if session.is_past_ehlo]


def _is_ours(evidence: Evidence, session: Session) -> bool:
    """Whether it may be this machine that gets no connection: nothing proves that it can reach port 25 at all."""
    passed = [each.place.address for each in sessions(evidence) if each.probe.phase != "connect" or each.probe.ok]
    if session.probe.ours or ("port-25" not in evidence.known and not passed):
        return True
    by_ipv6 = any(address and address.version == 6 for address in passed)
    is_ipv6 = session.probe.address.version == 6
    return is_ipv6 and "ipv6" not in evidence.known and not by_ipv6


def smtp_no_answer(evidence: Evidence) -> Iterator[Finding]:
    """Nobody answers on port 25."""
    for session in sessions(evidence):
        if session.probe.ok or session.probe.phase != "connect":
            continue
        if _is_ours(evidence, session):
            yield unknown("smtp-no-answer", session.place, f"{session.words} cannot be reached from here")
        else:
            seen = f"{session.words} does not answer on port 25: {session.probe.why}"
            yield Finding("smtp-no-answer", Severity.ERROR, session.place, seen)


def _greetings(evidence: Evidence) -> Iterator[tuple[Session, str]]:
    """Sessions that ended at the greeting, and the first digit of its code, "" if none came."""
    for session in sessions(evidence):
        if not session.probe.ok and session.probe.phase == "greeting":
            why = session.probe.why
            yield session, why[0] if why[:3].isdigit() else ""


def smtp_greeting_refused(evidence: Evidence) -> Iterator[Finding]:
    """The greeting is a refusal for good."""
    for session, digit in _greetings(evidence):
        if digit == "5":
            seen = f"{session.words} greets with {session.probe.why}: it takes no mail"
            mend = f"; take {session.place.exchange} out of the MX set if that is meant"
            yield Finding("smtp-greeting-refused", Severity.ERROR, session.place, seen, mend)


def smtp_greeting_deferred(evidence: Evidence) -> Iterator[Finding]:
    """The greeting says not now."""
    for session, digit in _greetings(evidence):
        if digit == "4":
            seen = f"{session.words} greets with {session.probe.why}"
            yield Finding("smtp-greeting-deferred", Severity.WARNING, session.place, seen)


def smtp_no_greeting(evidence: Evidence) -> Iterator[Finding]:
    """A connection opens, and no greeting comes."""
    for session, digit in _greetings(evidence):
        if digit not in ("4", "5"):
            seen = f"{session.words} takes the connection and does not greet: {session.probe.why}"
            yield Finding("smtp-no-greeting", Severity.ERROR, session.place, seen)


def smtp_greeting_slow(evidence: Evidence) -> Iterator[Finding]:
    """The greeting takes its time."""
    for session in sessions(evidence):
        seconds = session.probe.greeting_ms / 1000
        if seconds > SLOW_S:
            severity = Severity.WARNING if seconds > VERY_SLOW_S else Severity.NOTE
            seen = f"{session.words} greets after {seconds:.0f} s"
            yield Finding("smtp-greeting-slow", severity, session.place, seen)


def smtp_ehlo_refused(evidence: Evidence) -> Iterator[Finding]:
    """EHLO is not taken."""
    for session in sessions(evidence):
        if not session.probe.ok and session.probe.phase == "ehlo":
            seen = f"{session.words} does not take EHLO: {session.probe.why}"
            yield Finding("smtp-ehlo-refused", Severity.WARNING, session.place, seen)


def _name(session: Session) -> str:
    """What the server calls itself: in its reply to EHLO, else in its greeting."""
    greeting = session.probe.greeting.split()
    return (session.probe.hello or (greeting[0] if greeting else "")).rstrip(".").lower()


def smtp_name_not_full(evidence: Evidence) -> Iterator[Finding]:
    """A server calls itself by something that is no full domain name."""
    for session in heard(evidence):
        name = _name(session)
        read = parse_destination(name)
        is_full = isinstance(read, AddressLiteral) or (not isinstance(read, Unreadable) and "." in read)
        if name and not is_full:
            seen = f"{session.words} calls itself {name}: no full domain name"
            yield Finding("smtp-name-not-full", Severity.NOTE, session.place, seen)


def smtp_name_elsewhere(evidence: Evidence) -> Iterator[Finding]:
    """The name a server calls itself by does not lead to its address."""
    for session in heard(evidence):
        name, address = _name(session), session.probe.address
        facts = facts_of(evidence, name)
        if facts is None or address in addresses_of(facts) or parse_address(name):
            continue
        if isinstance(facts.a if address.version == 4 else facts.aaaa, Temporary | Bogus):
            yield unknown("smtp-name-elsewhere", session.place, f"the addresses of {name} could not be looked up")
        elif addresses_of(facts):
            seen = f"{session.words} calls itself {name}, which leads elsewhere"
            yield Finding("smtp-name-elsewhere", Severity.INFO, session.place, seen)
        else:
            seen = f"{session.words} calls itself {name}, which has no address"
            yield Finding("smtp-name-elsewhere", Severity.NOTE, session.place, seen)


def smtp_capabilities_differ(evidence: Evidence) -> Iterator[Finding]:
    """Some servers of the set can do what others cannot."""
    every = heard(evidence)
    for keyword, severity in _NEEDED.items():
        lacking = [session for session in every if keyword not in session.offers]
        if lacking and len(lacking) < len(every):
            who = ", ".join(session.words for session in lacking)
            seen = f"{keyword} is missing at {who}; the others have it"
            yield Finding("smtp-capabilities-differ", severity, lacking[0].place, seen)


def smtp_size_differs(evidence: Evidence) -> Iterator[Finding]:
    """A server takes smaller messages than another of the set."""
    limits = [(session, session.probe.size) for session in heard(evidence) if "SIZE" in session.offers]
    unlimited = any(not size for _, size in limits)
    largest = max((size for _, size in limits if size), default=0)
    for session, size in limits:
        if size and (unlimited or size < largest):
            more = "no limit" if unlimited else f"{largest} octets"
            seen = f"{session.words} takes messages of {size} octets at most; another exchanger takes {more}"
            yield Finding("smtp-size-differs", Severity.WARNING, session.place, seen)


def smtp_no_8bitmime(evidence: Evidence) -> Iterator[Finding]:
    """No server of the set takes 8-bit messages."""
    yield from _lacking(evidence, "smtp-no-8bitmime", Severity.NOTE, "8BITMIME")


def smtp_no_size(evidence: Evidence) -> Iterator[Finding]:
    """A server does not say how large a message it takes."""
    yield from _lacking(evidence, "smtp-no-size", Severity.INFO, "SIZE")


def smtp_no_enhanced_codes(evidence: Evidence) -> Iterator[Finding]:
    """No server of the set gives enhanced status codes."""
    yield from _lacking(evidence, "smtp-no-enhanced-codes", Severity.INFO, "ENHANCEDSTATUSCODES")


def _lacking(evidence: Evidence, rule: str, severity: Severity, keyword: str) -> Iterator[Finding]:
    """Told once for the whole set: where only some lack it, that they differ counts for more."""
    every = heard(evidence)
    if every and not any(keyword in session.offers for session in every):
        yield Finding(rule, severity, whole(evidence), f"no exchanger that answered offers {keyword}")


def smtp_open_relay(evidence: Evidence) -> Iterator[Finding]:
    """A server relays for anyone."""
    for session in sessions(evidence):
        if session.probe.takes_strangers:
            seen = f"{session.words} takes mail from a stranger for another stranger"
            yield Finding("smtp-open-relay", Severity.ERROR, session.place, seen)


def smtp_postmaster(evidence: Evidence) -> Iterator[Finding]:
    """A server refuses mail for postmaster."""
    for session in sessions(evidence):
        if session.probe.takes_postmaster is False:
            seen = f"{session.words} refuses postmaster@{session.place.domain}"
            yield Finding("smtp-postmaster", Severity.WARNING, session.place, seen)


def smtp_recipients_differ(evidence: Evidence) -> Iterator[Finding]:
    """A server takes a recipient that a server of lower preference refuses."""
    every = sessions(evidence)
    strict = [session for session in every if session.probe.takes_unknown is False]
    for session in every:
        if session.probe.takes_unknown and strict:
            seen = f"{session.words} takes a recipient nobody has; {strict[0].words} refuses it"
            yield Finding("smtp-recipients-differ", Severity.WARNING, session.place, seen)


_PROBE = frozenset({Need.PROBE})
_PRACTICE = Source("practice")


def _rule(check: Check, name: str, severity: Severity, title: str, why: str, *sources: Source) -> Rule:
    return Rule(name, severity, Topic.SMTP, title, why, sources or (_PRACTICE,), check, _PROBE)


RULES: tuple[Rule, ...] = (
    _rule(
        smtp_no_answer,
        "smtp-no-answer",
        Severity.ERROR,
        "An address does not answer on port 25",
        "Senders that draw it wait until they give up connecting, up to minutes; those that try one address defer.",
        Source("RFC 5321", "5.1"),
    ),
    _rule(
        smtp_greeting_refused,
        "smtp-greeting-refused",
        Severity.ERROR,
        "A server greets with a refusal",
        "A 554 or 521 greeting says that there is no mail service here. Some senders return the message at once, "
        "whatever other exchangers there are.",
        Source("RFC 5321", "3.1"),
        Source("RFC 7504", "3", is_checked=False),
    ),
    _rule(
        smtp_greeting_deferred,
        "smtp-greeting-deferred",
        Severity.WARNING,
        "A server greets with not now",
        "It is busy, or it does not like this client. Senders go on to another exchanger or wait.",
        Source("RFC 5321", "4.2.2"),
    ),
    _rule(
        smtp_no_greeting,
        "smtp-no-greeting",
        Severity.ERROR,
        "A server takes a connection and does not greet",
        "Senders may wait five minutes for the greeting before they turn to another exchanger.",
        Source("RFC 5321", "4.5.3.2.1"),
    ),
    _rule(
        smtp_greeting_slow,
        "smtp-greeting-slow",
        Severity.NOTE,
        f"The greeting takes longer than {SLOW_S:.0f} seconds",
        "Senders hold a connection for that long with each message; impatient ones take the server for dead. A delay "
        "of a few seconds may be meant, against spam.",
        Source("RFC 5321", "4.5.3.2.1"),
    ),
    _rule(
        smtp_ehlo_refused,
        "smtp-ehlo-refused",
        Severity.WARNING,
        "A server does not take EHLO",
        "Without it there is no TLS, no 8-bit mail and no limit on size told before the message is sent.",
        Source("RFC 5321", "4.5.1"),
    ),
    _rule(
        smtp_name_not_full,
        "smtp-name-not-full",
        Severity.NOTE,
        "A server calls itself by something that is no full domain name",
        "The greeting and the reply to EHLO are to have the full name of the host; it stands in logs and reports.",
        Source("RFC 5321", "4.3.1"),
    ),
    _rule(
        smtp_name_elsewhere,
        "smtp-name-elsewhere",
        Severity.NOTE,
        "The name a server calls itself by does not lead to its address",
        "Behind a balancer that is as it should be. Else it tells of a name that was forgotten when a host moved, and "
        "the host greets others with it when it sends.",
        Source("RFC 5321", "2.3.5"),
    ),
    _rule(
        smtp_capabilities_differ,
        "smtp-capabilities-differ",
        Severity.WARNING,
        "Some exchangers of the set cannot do what others can",
        "Chance, or a failure, then decides whether a message with 8-bit text or an internationalised address gets "
        "through.",
        Source("RFC 6152", "3", is_checked=False),
        Source("RFC 6531", "3.2", is_checked=False),
    ),
    _rule(
        smtp_size_differs,
        "smtp-size-differs",
        Severity.WARNING,
        "An exchanger takes smaller messages than the others",
        "A large message that falls to it is returned for good, though another exchanger would have taken it.",
        Source("RFC 1870", "6.1", is_checked=False),
    ),
    _rule(
        smtp_no_8bitmime,
        "smtp-no-8bitmime",
        Severity.NOTE,
        "No exchanger takes 8-bit messages",
        "Senders must recode them, which breaks signatures, or return them.",
        Source("RFC 5321", "2.4"),
    ),
    _rule(
        smtp_no_size,
        "smtp-no-size",
        Severity.INFO,
        "No exchanger says how large a message it takes",
        "What is too large is sent in full before it is refused.",
        Source("RFC 5321", "4.5.3.1.7"),
    ),
    _rule(
        smtp_no_enhanced_codes,
        "smtp-no-enhanced-codes",
        Severity.INFO,
        "No exchanger gives enhanced status codes",
        "Reports to senders say less of why a message failed.",
        Source("RFC 2034", "3", is_checked=False),
    ),
    _rule(
        smtp_open_relay,
        "smtp-open-relay",
        Severity.ERROR,
        "A server relays for anyone",
        "Within hours it sends spam, and soon others refuse all mail from its address.",
        Source("RFC 5321", "7.9"),
    ),
    _rule(
        smtp_postmaster,
        "smtp-postmaster",
        Severity.WARNING,
        "A server refuses mail for postmaster",
        "Whoever wants to tell that something is wrong with this mail service cannot.",
        Source("RFC 5321", "4.5.1"),
    ),
    _rule(
        smtp_recipients_differ,
        "smtp-recipients-differ",
        Severity.WARNING,
        "An exchanger takes recipients that another refuses",
        "It must then return the mail it could not hand on, mostly to forged senders; spammers choose it for that.",
        Source("RFC 5321", "6.2"),
    ),
)
