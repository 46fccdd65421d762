"""Numbers and names as people read them, the same in every picture."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction

from postroad.simulation import Example, Forecast, Step
from postroad.words.faults import Mode
from postroad.words.outcome import Result
from postroad.words.phrasebook import counted, listing, percent, seconds
from postroad.words.visible import defused

TITLE_FIRST = "Who is contacted first"
NONE = "-"  # a sender that cannot use these records at all

BESIDE = "In numbers: per cent delivered in the first attempt, and the longest wait."

RESULTS = {Result.DELIVERED: "delivered", Result.DEFERRED: "deferred: tried again", Result.FAILED: "failed"}
MET = {
    Mode.ACCEPT: "accepts",
    Mode.REFUSE: "refuses the connection",
    Mode.BLACKHOLE: "no answer",
    Mode.G421: "greets with 421",
    Mode.G554: "greets with 554",
    Mode.CLOSE: "greets, then closes",
    Mode.SLOW: "greets late",
    Mode.R450: "450 to RCPT",
    Mode.R550: "550 to RCPT",
    Mode.D451: "451 to DATA",
    Mode.E451: "451 after the final dot",
    Mode.DROP: "takes it, says nothing",
    Mode.TARPIT: "answers late",
    Mode.NO_STARTTLS: "offers no STARTTLS",
    Mode.MUTE: "never greets",
    Mode.STARTTLS_GOOD: "offers STARTTLS",
    Mode.STARTTLS_EXPIRED: "expired certificate",
    Mode.TLS_MISMATCH: "certificate of another host",
    Mode.STARTTLS_454: "454 to STARTTLS",
    Mode.STARTTLS_554: "554 to STARTTLS",
    Mode.STARTTLS_CLOSE: "closes at STARTTLS",
    Mode.STARTTLS_220_CLOSE: "closes before TLS",
    Mode.BROKEN_STARTTLS: "STARTTLS breaks",
}
BRIEFLY = {
    Mode.REFUSE: "refuses",
    Mode.BLACKHOLE: "silent",
    Mode.MUTE: "no greeting",
    Mode.G421: "greets 421",
    Mode.G554: "greets 554",
    Mode.R450: "RCPT 450",
    Mode.R550: "RCPT 550",
}
"""The faults that stand side by side, as the heads of columns."""

STEPS_SHOWN = 12  # of one delivery; what lies between is counted

TAKES = frozenset(
    {
        Mode.ACCEPT,
        Mode.SLOW,
        Mode.TARPIT,
        Mode.NO_STARTTLS,
        Mode.STARTTLS_GOOD,
        Mode.STARTTLS_EXPIRED,
        Mode.TLS_MISMATCH,
    }
)
"""What a server does and still takes the message."""

ORDERS = {
    "fixed": "DNS answers in the order of the zone",
    "rotate": "DNS rotates its answers",
    "rotate-apart": "DNS rotates each of its answers by itself",
    "random": "DNS shuffles its answers",
    "cached": "a resolver keeps one order for the TTL",
}


def short(text: str, room: int) -> str:
    """The defused text, its middle left out if it is longer than `room` characters."""
    text = defused(text)
    if len(text) <= room:
        return text
    tail = (room - 2) // 2
    return f"{text[: room - 2 - tail]}..{text[len(text) - tail :]}"


def chance(share: Fraction) -> str:
    """How many deliveries go one way: "all go this way", "1 in 2 goes this way"."""
    if share == 1:
        return "all go this way"
    count = f"{share.numerator} in {share.denominator}" if share.denominator <= 100 else percent(share)
    return f"{count} {'goes' if share.numerator == 1 else 'go'} this way"


def title_of_faults(server: str) -> str:
    """The title of the faults side by side."""
    return f"First attempts while {defused(server)} is at fault"


def ending(example: Example) -> str:
    """How a delivery ended, after how long."""
    if not example.steps:
        return f"{example.result} without a contact"
    contacts = counted(len(example.steps), "contact")
    return f"{example.result} after {contacts}, {seconds(max(step.at_s + step.waited_s for step in example.steps))}"


def headline(example: Example, sender: str = "") -> str:
    """The title of a timeline."""
    whose = f" by {defused(sender)}" if sender else ""
    return f"One delivery{whose}: {ending(example)}"


def manner(example: Example) -> str:
    """How often it goes so, how time is drawn, and what is left out."""
    left_out = len(example.steps) - len(shown(example.steps))
    less = f"; {counted(left_out, 'contact')} left out" if left_out else ""
    return f"{chance(example.chance)}; long waits are drawn shorter than they are{less}"


def decides(example: Example) -> int:
    """The index of the contact that decided: the one that took the message, or the last."""
    took = [index for index, step in enumerate(example.steps) if step.met in TAKES]
    return took[-1] if took and example.result is Result.DELIVERED else len(example.steps) - 1


def shown(steps: Sequence[Step]) -> list[tuple[int, Step]]:
    """The steps with their indices; of very many the first and the last."""
    every = list(enumerate(steps))
    return every if len(every) <= STEPS_SHOWN else [*every[: STEPS_SHOWN - 2], *every[-2:]]


def unable(forecasts: Iterable[tuple[str, Forecast]]) -> list[str]:
    """A sentence for each sender that cannot use the records."""
    return [f"{defused(sender)}: {defused(each.unable)}" for sender, each in forecasts if each.unable]


def sampled(forecasts: Iterable[tuple[str, Forecast]]) -> Iterator[str]:
    """Whose figures are not exact, in a sentence."""
    if names := [sender for sender, forecast in forecasts if forecast.sampled]:
        yield f"An attempt can go in too many ways to follow each: figures of {listing(names)} come from a sample."


def circumstances(forecasts: Iterable[Forecast]) -> str:
    """What all forecasts have in common: the order of the answers, and the ways in which servers are down."""
    cases = [forecast.case for forecast in forecasts]
    orders = list(dict.fromkeys(ORDERS[case.dns_order] for case in cases))
    modes = list(dict.fromkeys(MET[mode] for case in cases for mode in case.down.values()))
    return "; ".join([*orders, *([f"a lost machine: {', '.join(modes)}"] if modes else [])])
