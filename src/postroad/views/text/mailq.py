"""The queue as `mailq` has always shown it: the columns of Postfix, which monitoring reads."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from itertools import groupby

from postroad.spool import Listed, State, Stats
from postroad.words.phrasebook import counted

EMPTY = "Mail queue is empty"  # as Postfix has it, word for word; so are the head and the end
_HEAD = "-Queue ID-  --Size-- ----Arrival Time---- -Sender/Recipient-------"
_MARKS = {State.CLAIMED: "*", State.HELD: "!", State.WAITING: ""}  # Postfix's: active, hold, deferred
_TO = " " * 41


def mailq(parcels: Sequence[Listed], numbers: Stats) -> Iterator[str]:
    """The messages with whom each still goes to, and the last answer above those it was for; in the end how many."""
    if not parcels:
        yield EMPTY
        return
    yield _HEAD
    shown = 0
    for _, parts in groupby(parcels, lambda each: each.parcel.mail.id):
        yield from _message(list(parts))
        yield ""
        shown += 1
    if shown < numbers.messages:
        yield f"({counted(numbers.messages - shown, 'more message')}: see `postroad queue list --limit N`)"
        yield ""
    yield f"-- {-(-numbers.octets // 1024)} Kbytes in {counted(numbers.messages, 'Request')}."


def _message(parts: Sequence[Listed]) -> Iterator[str]:
    mail = parts[0].parcel.mail
    states = {each.state for each in parts}
    state = State.CLAIMED if State.CLAIMED in states else min(states)  # held before waiting
    arrival = time.asctime(time.localtime(mail.received_at))[:19]
    sender = mail.envelope.reverse_path or "MAILER-DAEMON"
    yield f"{mail.id + _MARKS[state]:<11} {mail.size:>8} {arrival}  {sender}"
    for each in parts:
        if each.said:
            yield f"({each.said})"
        yield from (f"{_TO}{recipient.mailbox}" for recipient in each.parcel.mail.envelope.recipients)
