"""A comparison for people, in sections."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from postroad.planning import Comparison, Difference, dns_figures, silence
from postroad.views.pictures import Picture
from postroad.views.text.blocks import Block, Table
from postroad.views.text.left_out import left_out
from postroad.views.text.sections import HEADLINE, NOTE, AnswerSection, NamedPicture, Sentences, ZoneLines
from postroad.words.phrasebook import percent

if TYPE_CHECKING:
    from postroad.planning import Scorecard

TITLE = "MX records compared"
HEADS = ("set", "machines", "delivered", "busiest", "even", "caught", "silent", "questions", "octets", "records")
LEGEND = (
    "delivered: mail that gets through at once while all machines are up; busiest: share of first contacts on the "
    "busiest machine; even: what each machine of the best preference would get if all got the same; caught: of the "
    "mail of a machine that refuses, what the others take at once, whichever it is; silent: how long a message takes "
    "on average if it meets the busiest machine silent; questions, octets: DNS traffic for one message"
)


def headline(comparison: Comparison) -> str:
    """The first line: who does best at what."""
    told = [f"{each.goal}: {each.winners}" for each in comparison.verdicts if not each.is_even]
    same = [each.goal for each in comparison.verdicts if each.is_even]
    parts = (f"Best at {'; '.join(told)}" if told else "", f"No difference: {', '.join(same)}" if same else "")
    return ". ".join(filter(None, parts))


def legend(comparison: Comparison) -> str:
    """What the columns are, and what the figures rest on."""
    basis = comparison.cards[0].mix.basis
    return " ".join((f"{LEGEND}.", *([f"{basis}."] if basis else []), *comparison.caveats))


def row(card: Scorecard) -> tuple[str, ...]:
    """The numbers of one set of records."""
    return (
        card.name,
        str(len(card.records.machines)),
        card.mix.told(card.whole.delivered_by),
        card.load_in_short,
        percent(card.even) if card.records.machines else "-",
        card.mix.percent(card.marks.caught),
        silence(card),
        *dns_figures(card),
        str(len(card.records.lines)),
    )


def sections(
    comparison: Comparison, pictures: Iterable[Picture] = (), *, is_verbose: bool = False
) -> Iterator[AnswerSection]:
    """The whole answer, with a picture of each set where there is room for it."""
    yield AnswerSection("summary", "", ((headline(comparison), HEADLINE),))
    yield AnswerSection("numbers", "The sets in numbers", tuple(table(comparison)))
    if told := list(dict.fromkeys(_left_out(comparison))):
        yield AnswerSection("left-out", "What is left out", (Sentences(tuple(told)),), follows=True)
    if told := list(_refused(comparison)):
        yield AnswerSection("tls", "Who refuses for lack of TLS", (Sentences(tuple(told)),), follows=True)
    if told := verdicts(comparison):
        title = "Where they do not differ" if _is_told_below(comparison) else "Who does best"
        yield AnswerSection("verdicts", title, (Sentences(tuple(told)),))
    for number, each in enumerate(comparison.differences):
        parts = ZoneLines(tuple(lines(each))), Sentences(tuple(meaning(each, is_verbose=is_verbose)))
        yield AnswerSection(f"difference-{number}", f"{each.before} -> {each.after}", parts, is_titled=True)
    for number, picture in enumerate(pictures):
        seen = tuple(NamedPicture(name, picture) for name in picture.names if name != "timeline")
        yield AnswerSection(f"picture-{number}", picture.title, seen, is_for_pages=True)


def _left_out(comparison: Comparison) -> Iterator[str]:
    """Of each set that some mail reaches; why none reaches another stands with the numbers."""
    return (text for card in comparison.cards if card.records.machines for text in left_out(card.records, card.name))


def _refused(comparison: Comparison) -> Iterator[str]:
    """Of each set by its name: whom senders pass over who enforce what the domain publishes."""
    for card in comparison.cards:
        yield from (f"{card.name}: {each.told(card.mix)}" for each in card.refusals)


def verdicts(comparison: Comparison) -> list[str]:
    """A sentence for each goal; of two sets held side by side only where they do not differ, for the rest follows."""
    return [each.sentence for each in comparison.verdicts if each.is_even or not _is_told_below(comparison)]


def _is_told_below(comparison: Comparison) -> bool:
    return len(comparison.cards) == 2 and bool(comparison.differences)


def table(comparison: Comparison) -> Iterator[Block]:
    """The numbers side by side, with what they are beneath."""
    yield Table(HEADS, [row(card) for card in comparison.cards], frozenset(HEADS[1:]))
    yield legend(comparison), NOTE


def meaning(difference: Difference, *, is_verbose: bool = False) -> list[str]:
    """What gets better, what gets worse, and what changes: for the mix, or sender by sender."""
    sides = ((each, word) for word in ("better", "worse") for each in getattr(difference, word))
    told = [f"{word}: {sentence}" for sentence, word in sides]
    return [*told, *(difference.meaning if is_verbose else difference.summary)] or ["No sender notices."]


def lines(difference: Difference) -> list[str]:
    """The zone lines that go and come."""
    changed = [*(f"- {line}" for line in difference.gone), *(f"+ {line}" for line in difference.new)]
    return changed or ["  the same records"]
