"""Advice in sections: the zone lines that change, and what that proves to change for senders."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import TYPE_CHECKING

from postroad.planning import Advice, Weight
from postroad.views.text.blocks import Table
from postroad.views.text.sections import HEADLINE, NOTE, AnswerSection, NamedPicture, Part, Sentences, ZoneLines
from postroad.words.phrasebook import percent

if TYPE_CHECKING:
    from postroad.planning import Scorecard
    from postroad.views.pictures import Picture

MOST_SEEN = 3  # findings of one rule
LEGEND = (
    "busiest: share of first contacts on the busiest machine; kept: mail that gets through at once, whichever "
    "machine refuses; questions: DNS questions for one message"
)


def title(advice: Advice) -> str:
    """The head of its page."""
    return f"Advice for {advice.before.records.snapshot.domain}"


def sections(advice: Advice, pictures: Iterable[Picture] = ()) -> Iterator[AnswerSection]:
    """The whole answer, with a picture of each set where there is room for it."""
    yield AnswerSection("summary", "", ((advice.headline, HEADLINE), *_because(advice)))
    if advice.listed:
        yield AnswerSection("policy", "The policy", tuple(_policy(advice)), follows=True)
    if advice.edits:
        yield AnswerSection("change", "The change", tuple(_change(advice)), follows=True)
    for name, words, card in (("before", "Before", advice.before), ("after", "After", advice.after)):
        if advice.edits and card:
            lines = tuple(map(str, card.records.lines))
            yield AnswerSection(name, words, (ZoneLines(lines, is_whole=True),), is_titled=True)
    if advice.proof:
        better, worse = (Sentences(each or ("Nothing.",)) for each in (advice.proof.better, advice.proof.worse))
        yield AnswerSection("better", "What gets better", (better,), is_titled=True)
        yield AnswerSection("worse", "What gets worse", (worse,), is_titled=True, follows=True)
        yield AnswerSection("proof", "Sender by sender", tuple(_proof(advice)))
    if told := tuple(_checked(advice)):
        yield AnswerSection("check", "What check finds", (Sentences(told),), follows=not advice.after)
    if advice.remarks:
        remarks = tuple(f"Note: {remark}" for remark in advice.remarks)
        yield AnswerSection("remarks", "Notes", (Sentences(remarks),), follows=True)
    for number, picture in enumerate(pictures):
        seen = tuple(NamedPicture(name, picture) for name in picture.names if name != "timeline")
        yield AnswerSection(f"picture-{number}", picture.title, seen, is_for_pages=True)


def _because(advice: Advice) -> Iterator[Part]:
    if advice.because:
        yield Sentences(advice.because)


def _policy(advice: Advice) -> Iterator[Part]:
    """What the policy has to list, and in which order that reaches senders (RFC 8461 section 8.1)."""
    domain = advice.before.records.snapshot.domain
    yield "Senders that enforce the MTA-STS policy pass over an exchanger that it does not list. Add to mta-sts.txt:"
    yield ZoneLines(tuple(f"+ mx: {name}" for name in advice.listed))
    then = "; only then change DNS" if advice.edits else ""
    yield f"Then give _mta-sts.{domain} a new id, and wait until its old TTL has passed{then}."


def _change(advice: Advice) -> Iterator[Part]:
    for edit in advice.edits:
        yield f"{edit.why}:"
        yield ZoneLines((*(f"- {line}" for line in edit.gone), *(f"+ {line}" for line in edit.new)))


def _checked(advice: Advice) -> Iterator[str]:
    """What `check` finds: those of a rule together, with the reason once."""
    then = "then " if advice.after else ""  # be it that it stays, or comes with the change
    for rule, group in groupby(advice.troubles, key=lambda each: each.rule):
        found = list(group)
        verb = "notes" if found[0].weight is Weight.NOTE else "finds"
        seen = [each.seen for each in found[:MOST_SEEN]]
        more = [f"and {len(found) - MOST_SEEN} more"] if len(found) > MOST_SEEN else []
        yield f"check {then}{verb} {rule}: {'; '.join((*seen, *more))}. {found[0].why}"


def _proof(advice: Advice) -> Iterator[Part]:
    """For each sender what it did with the old records, and does with the new ones."""
    pairs = [each.by_sender() for each in (advice.before, advice.after) if each]
    heads = ("sender", "busiest before", "busiest after", "kept before", "kept after", *_ASKED)
    rows = []
    for name in advice.before.whole.by:
        old, new = (each[name] for each in pairs)
        cells = [(percent(a), percent(b)) for a, b in ((old.busiest, new.busiest), (old.kept, new.kept))]
        asked = (f"{float(each.questions):.1f}" for each in (old, new))
        rows.append((name, *(cell for pair in (*cells, asked) for cell in pair)))
    yield Table(heads, rows, frozenset(heads[1:]))
    yield f"{LEGEND}.", NOTE
    if advice.before.mix.basis:
        yield f"{advice.before.mix.basis}.", NOTE


_ASKED = ("questions before", "questions after")


def cards(advice: Advice) -> Iterator[Scorecard]:
    """The sets of records that there are pictures of."""
    yield advice.before
    if advice.after:
        yield advice.after
