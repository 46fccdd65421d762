"""The part of a report that people read: what happened, the replies, what to do, and every attempt."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from postroad.dsn.lines import address, date, plain, said
from postroad.dsn.report import Action, Report, ReportedAttempt, ReportedRecipient
from postroad.words.outcome import Outcome, Phase
from postroad.words.phrasebook import counted, duration
from postroad.words.trail import Contact

_NEWS = {
    Action.FAILED: "could not be delivered to {}. No further attempt will be made.",
    Action.DELAYED: "has not been delivered to {} yet. Delivery will be retried{}.",
    Action.RELAYED: "was passed on to the next mail server for {}. That server does not confirm delivery.",
    Action.DELIVERED: "was delivered to {}.",
}
_ADVICE = {
    Action.FAILED: "",
    Action.DELAYED: "You do not need to do anything: you will get another report if it cannot be delivered.",
    Action.RELAYED: "You do not need to do anything: you get this report because you asked for it.",
    Action.DELIVERED: "You do not need to do anything: you get this report because you asked for it.",
}
_DOUBLE = (
    "A report, sent under the null reverse-path <>, could not be delivered to {}: the sender of the message that the"
    " report is about. No further attempt will be made. You get this as the postmaster, and nobody else has been told."
)

# What the sender of failed mail can do, by the beginning of the enhanced status (RFC 3463).
_HINTS = {
    "4": "Send it again later, or contact the recipient some other way.",
    "5.1": "Check the address for a typing error. If it is right, ask the recipient for their current address.",
    "5.1.7": "Check your own address, the one the message was sent from: it was refused.",
    "5.1.8": "Check your own address, the one the message was sent from: it was refused.",
    "5.1.10": "Check the part after the @: that domain accepts no mail at all.",
    "5.2.2": "The mailbox is full. Contact the recipient some other way, or send the message again later.",
    "5.2.3": "The message is too large for this mailbox. Make it smaller, or share it some other way.",
    "5.3.4": "The message is too large for the receiving server. Make it smaller, or share it some other way.",
    "5.7.10": "The message may only travel over protected connections, and none could be made there. Encrypt the"
    " message itself, or contact the recipient some other way.",
    "5.7.30": "You required protection on the whole way (REQUIRETLS), and no server of the recipient promises that."
    " Send the message again without it, or encrypt the message itself.",
    "5.7": "A rule of the receiving server forbids it. Only its postmaster can change that: forward them this report.",
}
_ELSE = "Forward this report to the postmaster of the receiving server: it has all they need to find the cause."
_OURS = "Ask your postmaster, who runs this mail system, and forward them this report."


def tell(report: Report) -> str:
    """The text, lines ended by newlines."""
    lines = [f"This is the mail system at {plain(report.hostname)}.", ""]
    for action in Action:
        told = [each for each in report.reported if each.action is action]
        if told:
            lines += [*_news(report, action, len(told)), ""]
        for each in told:
            lines += [*_result(report, each), ""]
    for group in _groups(report):
        names = [address(each.recipient.mailbox) for each in group]
        for attempt in zip(*(each.told for each in group), strict=True):
            tries = [(name, tried) for name, (_, tried) in zip(names, attempt, strict=True)]
            lines += [*_table(attempt[0][0], tries), ""]
    what = "the report that could not be delivered" if report.is_double else "your message"
    lines += _wrapped(
        f"The next part of this report is for programs. The last part is {what}, or its header alone.", ""
    )
    return "\n".join(lines) + "\n"


def _news(report: Report, action: Action, count: int) -> list[str]:
    whom = "the address below" if count == 1 else f"the {counted(count, 'address', 'es')} below"
    if report.is_double:
        return _wrapped(_DOUBLE.format(whom), "")
    until = f" until {date(report.will_retry_until)}" if report.will_retry_until is not None else ""
    news = f"{_NEWS[action].format(whom, until)} {_ADVICE[action]}"
    return _wrapped(f"Your message, which arrived here on {date(report.received_at)}, {news}", "")


def _result(report: Report, each: ReportedRecipient) -> list[str]:
    """One recipient: its address, the last word of the other side as it was said, and what the sender can do."""
    lines = [f"  {address(each.recipient.mailbox)}"]
    lines += _given_up(report, each) if each.is_given_up else _answered(each)
    is_hint_wanted = each.action is Action.FAILED and not report.is_double
    return lines + (_wrapped(_hint(each.outcome)) if is_hint_wanted else [])


def _answered(each: ReportedRecipient) -> list[str]:
    """Who said what last; and when, if that was not in the last attempt."""
    word = each.last_word
    outcome = word.outcome if word else each.outcome
    if outcome.for_sender:
        return _wrapped(f"The mail system here has a fault: {outcome.for_sender}.")
    who = _server(word.contact) if word else "The mail server"
    when = f" on {date(word.at)}" if word and word.at != each.trail[-1].at else ""
    if outcome.reply:
        return [*_wrapped(f"{who} replied{when}:"), *_quoted(outcome)]
    if outcome.phase is Phase.POLICY:
        return _wrapped(f"{who} was not contacted{when}: {outcome.text}.")
    return _wrapped(f"{who}{when}: {outcome.text}." if word else f"{outcome.text}.")


def _given_up(report: Report, each: ReportedRecipient) -> list[str]:
    """How long it was tried and how often, and what was met last."""
    asked = sum(bool(tried.attempt.story_of(tried.index)) for tried in each.trail)
    tries = f", in {counted(len(each.trail), 'attempt')}" if asked else ""
    if 0 < asked < len(each.trail):
        tries += f", of which {asked:,} got as far as a server"
    news = f"It could not be delivered within {duration(report.now - report.received_at)}{tries}."
    if each.outcome.for_sender:
        return _wrapped(f"{news} The mail system here has a fault: {each.outcome.for_sender}.")
    word = each.last_word
    if word is None:
        return _wrapped(f"{news} No server could be contacted: {each.outcome.text}.")
    who, when = _server(word.contact), date(word.at)
    if word.outcome.reply:
        return [*_wrapped(f"{news} The last server to answer was {who}, on {when}:"), *_quoted(word.outcome)]
    return _wrapped(f"{news} The last server tried was {who}, on {when}: {word.outcome.text}.")


def _quoted(outcome: Outcome) -> list[str]:
    reply = outcome.reply
    return [line for text in reply.lines for line in _wrapped(f"{reply.code} {text}", " " * 8)] if reply else []


def _hint(outcome: Outcome) -> str:
    if outcome.for_sender:
        return _OURS
    parts = outcome.status.split(".")
    starts = (".".join(parts[:count]) for count in range(len(parts), 0, -1))
    return next((_HINTS[start] for start in starts if start in _HINTS), _ELSE)


def _groups(report: Report) -> list[list[ReportedRecipient]]:
    """Those who have their attempts in common: these are told of once."""
    groups: dict[tuple[tuple[float, str], ...], list[ReportedRecipient]] = {}
    for each in report.reported:
        key = tuple((tried.at, str(tried.attempt.destination)) for tried in each.trail)
        groups.setdefault(key, []).append(each)
    return list(groups.values())


def _table(number: int, tries: list[tuple[str, ReportedAttempt]]) -> list[str]:
    """One attempt: a line for each answer to these recipients, with the milliseconds since the attempt began."""
    attempt, at = tries[0][1].attempt, tries[0][1].at
    head = f"Attempt {number} for {plain(str(attempt.destination))}, {date(at)}:"
    told = [(contact, answers) for contact in attempt.contacts if (answers := _answers(contact, tries))]
    if not told:
        reasons = dict.fromkeys(_without_contact(tried.attempt.outcomes[tried.index]) for _, tried in tries)
        return [head, *(line for reason in reasons for line in _wrapped(reason))]
    width = min(max(len(_server(contact)) for contact, _ in told), 60)
    rows = [row for contact, answers in told for row in _rows(contact, answers, width)]
    return [head, f"{'ms':>8}  {'server':{width}}  {'phase':8}  result", *rows, *_sent_on(tries)]


def _without_contact(outcome: Outcome) -> str:
    """Why an attempt has no contacts: with a fault of ours nobody knows how far it came."""
    if outcome.for_sender:
        return f"The mail system here had a fault: {outcome.for_sender}."
    return f"No server was contacted: {outcome.text}."


def _sent_on(tries: list[tuple[str, ReportedAttempt]]) -> Iterator[str]:
    """That the refusal was not the last word."""
    outcomes = (tried.attempt.outcomes[tried.index] for _, tried in tries)
    for route in dict.fromkeys(outcome.next_route for outcome in outcomes if outcome.next_route):
        yield from _wrapped(f'After this refusal the message was sent another way: by the route "{route}".')


def _rows(contact: Contact, answers: list[tuple[Phase, str]], width: int) -> Iterator[str]:
    (phase, first), *others = answers
    yield f"{contact.started_ms:8.0f}  {_server(contact):{width}}  {phase:8}  {first}"
    yield from (f"{'':{8 + 2 + width + 2}}{later:8}  {other}" for later, other in others)


def _server(contact: Contact) -> str:
    return said(str(contact.target), 320)


def _answers(contact: Contact, tries: list[tuple[str, ReportedAttempt]]) -> list[tuple[Phase, str]]:
    """What a contact meant for these recipients, at which phase, with whom it was for unless it was for all of them."""
    if contact.is_unused:
        return [(contact.phase, "unused: another server greeted first")]
    answers: dict[Outcome, list[str]] = {}
    for name, tried in tries:
        if tried.index in contact.recipients:
            answers.setdefault(contact.recipients[tried.index], []).append(name)
    return [
        (
            contact.phase_of(outcome),
            said(f"{outcome.result}: {outcome.text}", 200)
            + (f" ({_people(names)})" if len(names) < len(tries) else ""),
        )
        for outcome, names in answers.items()
    ]


def _people(names: list[str]) -> str:
    return said(names[0], 320) + (f" and {len(names) - 1} more" if len(names) > 1 else "")


def _wrapped(text: str, indent: str = "    ") -> list[str]:
    return textwrap.wrap(
        said(text), 78, initial_indent=indent, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
