"""What happens to several recipients of one message, each with its own reply from the best exchangers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

from postroad.models import RefusalNews, Sender
from postroad.simulation import Fare
from postroad.views.text.blocks import Table
from postroad.views.text.sections import Part, Sentences
from postroad.views.text.senders import TOLD
from postroad.words.names import Address
from postroad.words.outcome import Result
from postroad.words.phrasebook import percent


@dataclass(frozen=True, slots=True)
class RecipientFares:
    """What was asked, and how each recipient fares by sender."""

    servers: frozenset[Address]
    replies: tuple[int, ...]
    by: Mapping[str, tuple[Sender, tuple[Fare, ...]]]


def recipients(told: RecipientFares) -> Iterator[Part]:
    """A line for each sender: what becomes of each recipient; and who does not return the refused at once."""
    yield f"Answered {', '.join(map(str, told.replies))} by {', '.join(sorted(map(str, told.servers)))}:"
    heads = ("sender", *(str(reply) for reply in told.replies))
    yield Table(heads, [(name, *(_fare(each, told.servers) for each in fares)) for name, (_, fares) in told.by.items()])
    some_refused = any(reply // 100 == 5 for reply in told.replies)
    late = [
        f"With {name}, {TOLD[sender.recipients.told]}."
        for name, (sender, _fares) in told.by.items()
        if some_refused and sender.recipients.told is not RefusalNews.AT_ONCE
    ]
    if late:
        yield Sentences(tuple(late))


def _fare(fare: Fare, servers: frozenset[Address]) -> str:
    """As in "delivered by 192.0.2.2", "waits" or "returned"; with their chances where there are several."""
    elsewhere = {address: share for address, share in fare.accepted.items() if share and address not in servers}
    nothing = Fraction(0)
    parts = [("delivered", sum((fare.accepted[each] for each in servers & fare.accepted.keys()), nothing))]
    parts += [(f"delivered by {address}", share) for address, share in elsewhere.items()]
    parts += [("waits", fare.outcome.get(Result.DEFERRED, nothing))]
    parts += [("returned", fare.outcome.get(Result.FAILED, nothing))]
    certain = [(words, share) for words, share in parts if share]
    if len(certain) == 1:
        return certain[0][0]
    return ", ".join(f"{words} {percent(share)}" for words, share in certain) or "-"
