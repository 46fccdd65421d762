"""Advice in words: the zone lines that change, and what that proves to change for senders."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from postroad.planning import Advice, Weight
from postroad.views.text.blocks import Block, Table
from postroad.words.phrasebook import percent

MOST_SEEN = 3  # findings of one rule
_LEGEND = (
    "busiest: share of first contacts on the busiest machine; kept: mail that gets through at once, whichever "
    "machine refuses"
)


def text(advice: Advice) -> Iterator[Block]:
    """For a terminal or a pipe."""
    yield advice.headline, "bold"
    for reason in advice.because:
        yield f"  {reason}"
    if advice.after:
        yield from _change(advice)
    yield from _checked(advice)
    for remark in advice.remarks:
        yield f"note: {remark}"


def _checked(advice: Advice) -> Iterator[Block]:
    """What `check` finds: those of a rule together, with the reason once."""
    then = "then " if advice.after else ""  # be it that it stays, or comes with the change
    for rule, group in groupby(advice.troubles, key=lambda each: each.rule):
        found = list(group)
        verb = "notes" if found[0].weight is Weight.NOTE else "finds"
        seen = [each.seen for each in found[:MOST_SEEN]]
        more = [f"and {len(found) - MOST_SEEN} more"] if len(found) > MOST_SEEN else []
        yield f"check {then}{verb} {rule}: {'; '.join((*seen, *more))}"
        yield f"  {found[0].why}", "dim"


def _change(advice: Advice) -> Iterator[Block]:
    for edit in advice.edits:
        yield f"  {edit.why}:"
        for sign, lines, style in (("-", edit.gone, "red"), ("+", edit.new, "green")):
            for line in lines:
                yield f"    {sign} {line}", style
    for title, card in (("before", advice.before), ("after", advice.after)):
        yield ""
        yield f"; {title}", "bold"
        for line in card.records.lines if card else ():
            yield str(line)
    yield ""
    for title, sentences in (
        ("What gets better", advice.proof.better if advice.proof else ()),
        ("What gets worse", advice.proof.worse if advice.proof else ()),
    ):
        yield title, "bold"
        for sentence in sentences or ("nothing.",):
            yield f"  {sentence}"
    if advice.before.mix.basis:
        yield f"{advice.before.mix.basis}.", "dim"
    yield ""
    yield from _proof(advice)
    yield ""


def _proof(advice: Advice) -> Iterator[Block]:
    """For each sender what it did with the old records, and does with the new ones."""
    pairs = [each.by_sender() for each in (advice.before, advice.after) if each]
    heads = ("sender", "busiest before", "after", "kept before", "after", "questions before", "after")
    rows = []
    for name in advice.before.whole.by:
        old, new = (each[name] for each in pairs)
        cells = [(percent(a), percent(b)) for a, b in ((old.busiest, new.busiest), (old.kept, new.kept))]
        asked = (f"{float(old.questions):g}", f"{float(new.questions):g}")
        rows.append((name, *(cell for pair in (*cells, asked) for cell in pair)))
    yield Table(heads, rows, frozenset(heads[1:]))
    yield _LEGEND, "dim"
