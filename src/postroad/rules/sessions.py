"""SMTP behaviour: what each address says in one polite session, and whether the addresses of a set agree."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from postroad.rules import limits
from postroad.rules.evidence import Evidence
from postroad.rules.finding import Place, Seen, Severity, unknown
from postroad.rules.lines import mx_line, remove
from postroad.rules.places import addresses, addresses_of, facts_of, text_of, whole
from postroad.rules.rule import Need, Topic, rule
from postroad.words.facts import Bogus, Temporary
from postroad.words.names import AddressLiteral, Unreadable, parse_address, parse_destination
from postroad.words.phrasebook import duration, seconds
from postroad.words.sessions import Probe

SERVER = "the server's configuration has to change"
_BEFORE_EHLO = ("connect", "greeting", "ehlo")
# What a message may need: where the server it falls to lacks it, the message is returned or changed on the way.
_NEEDED = {
    "8BITMIME": Severity.WARNING,
    "SMTPUTF8": Severity.WARNING,
    "PIPELINING": Severity.NOTE,
}


@dataclass(frozen=True, slots=True)
class ProbedAddress:
    """A probe, and the address it belongs to."""

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


def sessions(evidence: Evidence) -> list[ProbedAddress]:
    """The probes of all addresses, in the order of preference."""
    probes = evidence.probes or {}
    told = ((place, probes.get(place.address)) for place in addresses(evidence) if place.address)
    return [ProbedAddress(place, probe) for place, probe in told if probe]


def heard(evidence: Evidence) -> list[ProbedAddress]:
    """The sessions in which the server told what it can do."""
    return [session for session in sessions(evidence) if session.is_past_ehlo]


def _is_ours(evidence: Evidence, session: ProbedAddress) -> bool:
    """Whether it may be this machine that gets no connection: nothing proves that it can reach port 25 at all."""
    passed = [each.place.address for each in sessions(evidence) if each.probe.phase != "connect" or each.probe.ok]
    if session.probe.ours or (not evidence.reach.port_25 and not passed):
        return True
    by_ipv6 = any(address and address.version == 6 for address in passed)
    is_ipv6 = session.probe.address.version == 6
    return is_ipv6 and not evidence.reach.ipv6 and not by_ipv6


@rule(
    "smtp-no-answer",
    Severity.ERROR,
    Topic.SMTP,
    "An address does not answer on port 25",
    why="Senders that choose it wait until their connection times out, up to minutes; those that try only one address "
    "defer the mail.",
    source="RFC 5321 5.1",
    needs=(Need.PROBE,),
    no_fix="the server, or a firewall in front of it, has to be fixed",
)
def smtp_no_answer(evidence: Evidence) -> Iterator[Seen]:
    for session in sessions(evidence):
        if session.probe.ok or session.probe.phase != "connect":
            continue
        if _is_ours(evidence, session):
            yield unknown(session.place, f"{session.words} cannot be reached from here")
        else:
            seen = f"{session.words} does not answer on port 25: {session.probe.why}"
            yield Seen(session.place, seen)


def _greetings(evidence: Evidence) -> Iterator[tuple[ProbedAddress, str]]:
    """Sessions that ended at the greeting, and the first digit of its code, "" if none came."""
    for session in sessions(evidence):
        if not session.probe.ok and session.probe.phase == "greeting":
            why = session.probe.why
            yield session, why[0] if why[:3].isdigit() else ""


@rule(
    "smtp-greeting-refused",
    Severity.ERROR,
    Topic.SMTP,
    "A server refuses mail in its greeting",
    why="A 554 or 521 greeting says that there is no mail service here. Some senders return the message at once, even "
    "if there are other exchangers.",
    source="RFC 5321 3.1; RFC 7504 3",
    needs=(Need.PROBE,),
)
def smtp_greeting_refused(evidence: Evidence) -> Iterator[Seen]:
    for session, digit in _greetings(evidence):
        if digit == "5":
            seen = f"{session.words} greets with {session.probe.why}: it accepts no mail"
            record = mx_line(session.place.domain, session.place.preference or 0, str(session.place.exchange))
            fix = f"; if that is meant:\n{remove(record)}"
            yield Seen(session.place, seen, fix)


@rule(
    "smtp-greeting-deferred",
    Severity.WARNING,
    Topic.SMTP,
    "A server greets with a temporary refusal",
    why="It is busy, or it does not like this client. Senders go on to another exchanger or wait.",
    source="RFC 5321 4.2.2",
    needs=(Need.PROBE,),
    no_fix=SERVER,
)
def smtp_greeting_deferred(evidence: Evidence) -> Iterator[Seen]:
    for session, digit in _greetings(evidence):
        if digit == "4":
            seen = f"{session.words} greets with {session.probe.why}"
            yield Seen(session.place, seen)


@rule(
    "smtp-no-greeting",
    Severity.ERROR,
    Topic.SMTP,
    "A server accepts connections but sends no greeting",
    why="Senders may wait five minutes for the greeting before they turn to another exchanger.",
    source="RFC 5321 4.5.3.2.1",
    needs=(Need.PROBE,),
    no_fix=SERVER,
)
def smtp_no_greeting(evidence: Evidence) -> Iterator[Seen]:
    for session, digit in _greetings(evidence):
        if digit not in ("4", "5"):
            seen = f"{session.words} accepts the connection but sends no greeting: {session.probe.why}"
            yield Seen(session.place, seen)


@rule(
    "smtp-greeting-slow",
    Severity.NOTE,
    Topic.SMTP,
    f"The greeting takes longer than {duration(limits.SLOW_MS / 1000)}",
    why="Every message holds a connection for that long, and impatient senders take the server for dead. A delay of a "
    "few seconds may be intended, against spam.",
    source="RFC 5321 4.5.3.2.1",
    needs=(Need.PROBE,),
    no_fix=SERVER,
)
def smtp_greeting_slow(evidence: Evidence) -> Iterator[Seen]:
    for session in sessions(evidence):
        waited_ms = session.probe.greeting_ms
        if waited_ms > limits.SLOW_MS:
            severity = Severity.WARNING if waited_ms > limits.VERY_SLOW_MS else Severity.NOTE
            seen = f"{session.words} greets after {seconds(waited_ms / 1000)}"
            yield Seen(session.place, seen, severity=severity)


@rule(
    "smtp-ehlo-refused",
    Severity.WARNING,
    Topic.SMTP,
    "A server does not accept EHLO",
    why="Without EHLO there is no TLS, no 8-bit mail, and no size limit announced before the message is sent.",
    source="RFC 5321 4.5.1",
    needs=(Need.PROBE,),
    no_fix=SERVER,
)
def smtp_ehlo_refused(evidence: Evidence) -> Iterator[Seen]:
    for session in sessions(evidence):
        if not session.probe.ok and session.probe.phase == "ehlo":
            seen = f"{session.words} does not accept EHLO: {session.probe.why}"
            yield Seen(session.place, seen)


def _name(session: ProbedAddress) -> str:
    """What the server calls itself: in its reply to EHLO, else in its greeting."""
    greeting = session.probe.greeting.split()
    return (session.probe.hello or (greeting[0] if greeting else "")).rstrip(".").lower()


@rule(
    "smtp-name-not-full",
    Severity.NOTE,
    Topic.SMTP,
    "A server's own name is not a fully qualified domain name",
    why="The greeting and the EHLO reply should give the host's full name; it appears in logs and reports.",
    source="RFC 5321 4.3.1",
    needs=(Need.PROBE,),
    no_fix=SERVER,
)
def smtp_name_not_full(evidence: Evidence) -> Iterator[Seen]:
    for session in heard(evidence):
        name = _name(session)
        read = parse_destination(name)
        is_full = isinstance(read, AddressLiteral) or (not isinstance(read, Unreadable) and "." in read)
        if name and not is_full:
            seen = f"{session.words} calls itself {name}, which is not a fully qualified domain name"
            yield Seen(session.place, seen)


@rule(
    "smtp-name-elsewhere",
    Severity.NOTE,
    Topic.SMTP,
    "The name a server gives does not resolve to its address",
    why="Behind a load balancer that is normal. Otherwise it is a name that was not updated when the host moved, and "
    "the host also uses it when it sends.",
    source="RFC 5321 2.3.5",
    needs=(Need.PROBE,),
    no_fix=SERVER,
)
def smtp_name_elsewhere(evidence: Evidence) -> Iterator[Seen]:
    for session in heard(evidence):
        name, address = _name(session), session.probe.address
        facts = facts_of(evidence, name)
        if facts is None or address in addresses_of(facts) or parse_address(name):
            continue
        if isinstance(facts.a if address.version == 4 else facts.aaaa, Temporary | Bogus):
            yield unknown(session.place, f"the addresses of {name} could not be looked up")
        elif addresses_of(facts):
            seen = f"{session.words} calls itself {name}, which resolves to other addresses"
            yield Seen(session.place, seen, severity=Severity.INFO)
        else:
            seen = f"{session.words} calls itself {name}, which has no address"
            yield Seen(session.place, seen)


@rule(
    "smtp-capabilities-differ",
    Severity.WARNING,
    Topic.SMTP,
    "Some exchangers lack extensions that others have",
    why="Chance, or an outage, then decides whether a message with 8-bit text or an internationalised address gets "
    "through.",
    source="RFC 6152 3; RFC 6531 3.2",
    needs=(Need.PROBE,),
    no_fix=SERVER,
)
def smtp_capabilities_differ(evidence: Evidence) -> Iterator[Seen]:
    every = heard(evidence)
    for keyword, severity in _NEEDED.items():
        lacking = [session for session in every if keyword not in session.offers]
        if lacking and len(lacking) < len(every):
            who = ", ".join(session.words for session in lacking)
            seen = f"{who} does not offer {keyword}; the others do"
            yield Seen(lacking[0].place, seen, severity=severity)


@rule(
    "smtp-size-differs",
    Severity.WARNING,
    Topic.SMTP,
    "An exchanger accepts only smaller messages than the others",
    why="A large message that happens to go there is returned for good, although another exchanger would have "
    "accepted it.",
    source="RFC 1870 6.1",
    needs=(Need.PROBE,),
    no_fix=SERVER,
)
def smtp_size_differs(evidence: Evidence) -> Iterator[Seen]:
    limits = [(session, session.probe.size) for session in heard(evidence) if "SIZE" in session.offers]
    unlimited = any(not size for _, size in limits)
    largest = max((size for _, size in limits if size), default=0)
    for session, size in limits:
        if size and (unlimited or size < largest):
            more = "no limit" if unlimited else f"{largest} octets"
            seen = f"{session.words} accepts messages of at most {size} octets; another exchanger accepts {more}"
            yield Seen(session.place, seen)


@rule(
    "smtp-no-8bitmime",
    Severity.NOTE,
    Topic.SMTP,
    "No exchanger accepts 8-bit messages",
    why="Senders have to convert such messages, which breaks signatures, or return them.",
    source="RFC 5321 2.4",
    needs=(Need.PROBE,),
    no_fix=SERVER,
)
def smtp_no_8bitmime(evidence: Evidence) -> Iterator[Seen]:
    yield from _lacking(evidence, "8BITMIME")


@rule(
    "smtp-no-size",
    Severity.INFO,
    Topic.SMTP,
    "No exchanger announces a size limit",
    why="A message that is too large is sent in full before it is refused.",
    source="RFC 5321 4.5.3.1.7",
    needs=(Need.PROBE,),
    no_fix=SERVER,
)
def smtp_no_size(evidence: Evidence) -> Iterator[Seen]:
    yield from _lacking(evidence, "SIZE")


@rule(
    "smtp-no-enhanced-codes",
    Severity.INFO,
    Topic.SMTP,
    "No exchanger gives enhanced status codes",
    why="Bounces say less about why a message failed.",
    source="RFC 2034 3",
    needs=(Need.PROBE,),
    no_fix=SERVER,
)
def smtp_no_enhanced_codes(evidence: Evidence) -> Iterator[Seen]:
    yield from _lacking(evidence, "ENHANCEDSTATUSCODES")


def _lacking(evidence: Evidence, keyword: str) -> Iterator[Seen]:
    """Told once for the whole set: where only some lack it, that they differ counts for more."""
    every = heard(evidence)
    if every and not any(keyword in session.offers for session in every):
        yield Seen(whole(evidence), f"no exchanger that answered offers {keyword}")


@rule(
    "smtp-open-relay",
    Severity.ERROR,
    Topic.SMTP,
    "A server relays for anyone",
    why="Within hours it will be sending spam, and soon others will refuse all mail from its address.",
    source="RFC 5321 7.9",
    needs=(Need.PROBE,),
    no_fix=SERVER,
)
def smtp_open_relay(evidence: Evidence) -> Iterator[Seen]:
    for session in sessions(evidence):
        if session.probe.takes_strangers:
            seen = f"{session.words} accepts mail from a stranger to another stranger"
            yield Seen(session.place, seen)


@rule(
    "smtp-postmaster",
    Severity.WARNING,
    Topic.SMTP,
    "A server rejects mail for postmaster",
    why="Nobody can report a problem with this mail service.",
    source="RFC 5321 4.5.1",
    needs=(Need.PROBE,),
    no_fix=SERVER,
)
def smtp_postmaster(evidence: Evidence) -> Iterator[Seen]:
    for session in sessions(evidence):
        if session.probe.takes_postmaster is False:
            seen = f"{session.words} rejects postmaster@{session.place.domain}"
            yield Seen(session.place, seen)


@rule(
    "smtp-recipients-differ",
    Severity.WARNING,
    Topic.SMTP,
    "An exchanger accepts recipients that another rejects",
    why="It then has to bounce the mail that it cannot pass on, mostly to forged senders; spammers choose it for that.",
    source="RFC 5321 6.2",
    needs=(Need.PROBE,),
    no_fix=SERVER,
)
def smtp_recipients_differ(evidence: Evidence) -> Iterator[Seen]:
    every = sessions(evidence)
    strict = [session for session in every if session.probe.takes_unknown is False]
    for session in every:
        if session.probe.takes_unknown and strict:
            seen = f"{session.words} accepts an unknown recipient; {strict[0].words} rejects it"
            yield Seen(session.place, seen)
