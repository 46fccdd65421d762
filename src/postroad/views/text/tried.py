"""What a sender did in the reference situations, and which models explain that."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from postroad.scenarios import ModelLikeness, SenderTrial, Tried, address_text
from postroad.views.text.blocks import Block, Table
from postroad.words.names import cut
from postroad.words.phrasebook import counted, seconds

MOST_WAYS = 6  # of a situation: of equals that are shuffled there are many
MOST_MODELS = 5
MOST_DIFFERENCES = 8
SLOW_S = 0.5  # what comes sooner comes at once


def text(trial: SenderTrial) -> Iterator[Block]:
    """The situations, the models, and what they would do otherwise."""
    for name in trial.seen.snapshots:
        yield from _situation(trial.seen.of(name))
    if not trial.nearest:
        return
    yield ""
    yield (f"Known senders, compared with what was seen ({counted(len(trial.seen.tried), 'message')})", "bold")
    yield Table(
        ("sender", "explains", "likelihood"),
        [
            (each.sender, f"{each.explained} of {each.tried}", f"{each.log_likelihood:.0f}")
            for each in trial.nearest[:MOST_MODELS]
        ],
        frozenset(("explains", "likelihood")),
    )
    yield from _otherwise(trial.nearest[0])


def remarks(trial: SenderTrial) -> Iterator[str]:
    """What is odd enough to be said first."""
    seen = trial.seen
    if not any(each.steps for each in seen.tried):
        said = next((each.said.strip().splitlines()[-1] for each in seen.tried if each.said.strip()), "")
        yield "no message made a contact: does the command send to {to}, by MX records, to port 25?"
        if said:
            yield f"the command said: {cut(said)}"
    elif not trial.nearest:
        yield (
            "it did not look up MX records: it sends to the host it was given, as a client of a relay, so there is no"
            " file for it"
        )
    unended = sum(each.result is None for each in seen.tried)
    if unended:
        yield f"{counted(unended, 'message')} had not ended when --limit came; a higher limit shows how long it waits"


def _situation(rows: list[Tried]) -> Iterator[Block]:
    situation = rows[0].situation
    yield ""
    yield (f"{situation.name}: {situation.about}", "bold")
    ways = Counter((_contacts(each), _end(each)) for each in rows)
    for (contacts, end), count in ways.most_common(MOST_WAYS):
        yield f"  {count:>3} x  {contacts}  {end}"
    if len(ways) > MOST_WAYS:
        yield f"         {len(ways) - MOST_WAYS} more orders"


def _contacts(tried: Tried) -> str:
    told = []
    before = 0.0
    for number, at_s in zip(tried.steps, tried.at_s, strict=True):
        wait = f"(after {seconds(_rounded(at_s - before))}) " if at_s - before >= SLOW_S else ""
        told.append(wait + address_text(number))
        before = at_s
    return ", ".join(told) or "no contact"


def _rounded(span_s: float) -> float:
    """To what two messages have in common."""
    return round(span_s, 1) if span_s < 10 else float(round(span_s))


def _end(tried: Tried) -> str:
    if tried.result is None:
        return "not over"
    status = f" (exit status {tried.status})" if tried.status else ""
    return f"{tried.result}{status}"


def _otherwise(model: ModelLikeness) -> Iterator[Block]:
    if not model.differences:
        yield f"{model.sender} explains everything that was seen"
        return
    yield ""
    yield (f"What {model.sender} does differently", "bold")
    yield Table(
        ("situation", "seen", model.sender),
        [(each.situation, each.seen, each.model) for each in model.differences[:MOST_DIFFERENCES]],
    )
    if len(model.differences) > MOST_DIFFERENCES:
        yield f"and in {len(model.differences) - MOST_DIFFERENCES} more situations"
