"""The part of a report that people read: what happened, what was said, what to do, and the whole way of the mail."""

from __future__ import annotations

import textwrap

from postroad.dsn.lines import address, date, plain, said
from postroad.dsn.report import Action, Report, Reported, Tried
from postroad.words.outcome import Result
from postroad.words.trail import Contact

_NEWS = {
    Action.FAILED: "could not be delivered to {}. No further attempt will be made.",
    Action.DELAYED: "has not been delivered yet to {}. It is still being tried{}.",
    Action.RELAYED: "was taken by the next mail server for {}, which does not report what becomes of it.",
    Action.DELIVERED: "was delivered to {}.",
}
_ADVICE = {
    Action.FAILED: "",
    Action.DELAYED: "You need not do anything: you will be told if it cannot be delivered in the end.",
    Action.RELAYED: "You need not do anything: you asked to be told.",
    Action.DELIVERED: "You need not do anything: you asked to be told.",
}

# What the sender of failed mail can do, by the beginning of the enhanced status (RFC 3463).
_HINTS = {
    "4": "Send it again later, or reach the recipient another way.",
    "5.1": "Check the address for a typing error. If it is right, ask the recipient for the one they use now.",
    "5.1.7": "Check your own address, the one the message was sent from: it was refused.",
    "5.1.8": "Check your own address, the one the message was sent from: it was refused.",
    "5.1.10": "Check the part after the @: that domain takes no mail at all.",
    "5.2.2": "The mailbox is full. Reach the recipient another way, and send it again later.",
    "5.2.3": "The message is too large for this mailbox. Send less, or send it another way.",
    "5.3.4": "The message is too large for the other side. Send less, or send it another way.",
    "5.7": "It was refused by a rule of the other side, which only their postmaster can change: pass this report on.",
}
_ELSE = "Pass this report on to the postmaster of the other side: it has all they need to find the cause."


def tell(report: Report) -> str:
    """The text, lines ended by newlines."""
    lines = [f"This is the mail system at {plain(report.hostname)}.", ""]
    for action in Action:
        told = [each for each in report.reported if each.action is action]
        if told:
            lines += [*_news(report, action, len(told)), ""]
        for each in told:
            lines += [*_result(each), ""]
    for trail in _trails(report):
        for number, tried in trail:
            lines += [*_table(number, tried), ""]
    lines += _wrapped("The next part of this report is for programs; the last one is your message, or its header.", "")
    return "\n".join(lines) + "\n"


def _news(report: Report, action: Action, count: int) -> list[str]:
    until = f", until {date(report.will_retry_until)}" if report.will_retry_until is not None else ""
    news = _NEWS[action].format("the address below" if count == 1 else f"the {count} addresses below", until)
    return _wrapped(f"Your message that arrived here on {date(report.received_at)} {news} {_ADVICE[action]}", "")


def _result(each: Reported) -> list[str]:
    """One recipient: its address, the last word of the other side as it was said, and what the sender can do."""
    outcome, failed = each.outcome, each.action is Action.FAILED
    lines = [f"  {address(each.recipient.mailbox)}"]
    if failed and outcome.result is Result.DEFERRED:
        lines += _wrapped("It could not be delivered in the time given to it. The last attempt ended like this:")
    if outcome.reply:
        who = each.last_word.target if each.last_word else "The mail server"
        lines += _wrapped(f"{said(str(who))} said:")
        lines += [line for text in outcome.reply.lines for line in _wrapped(f"{outcome.reply.code} {text}", " " * 8)]
    else:
        lines += _wrapped(f"{outcome.text}.")
    return lines + (_wrapped(_hint(outcome.status)) if failed else [])


def _hint(status: str) -> str:
    parts = status.split(".")
    starts = (".".join(parts[:count]) for count in range(len(parts), 0, -1))
    return next((_HINTS[start] for start in starts if start in _HINTS), _ELSE)


def _trails(report: Report) -> list[tuple[tuple[int, Tried], ...]]:
    """The attempts to tell of, once each: the recipients of a destination have them in common."""
    trails = {
        tuple((tried.at, str(tried.attempt.destination)) for tried in each.trail): each.told for each in report.reported
    }
    return list(trails.values())


def _table(number: int, tried: Tried) -> list[str]:
    """One attempt: a line for each contact, with the milliseconds since the attempt began."""
    contacts, outcomes = tried.attempt.contacts, tried.attempt.outcomes
    head = f"Attempt {number} for {plain(str(tried.attempt.destination))}, {date(tried.at)}:"
    if not contacts:
        return [head, *_wrapped(f"No server was contacted: {outcomes[0].text}." if outcomes else "Nothing was tried.")]
    servers = [said(str(contact.target), 320) for contact in contacts]
    width = min(max(len(server) for server in servers), 60)
    rows = [
        f"{contact.started_ms:8.0f}  {server:{width}}  {contact.phase:8}  {_ending(contact)}"
        for contact, server in zip(contacts, servers, strict=True)
    ]
    return [head, f"{'ms':>8}  {'server':{width}}  {'phase':8}  result", *rows]


def _ending(contact: Contact) -> str:
    if contact.ending is None:
        return "unused: another server greeted first"
    return said(f"{contact.word}: {contact.ending.text}", 200)


def _wrapped(text: str, indent: str = "    ") -> list[str]:
    return textwrap.wrap(
        said(text), 78, initial_indent=indent, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
