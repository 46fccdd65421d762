"""Which refusals send mail another way: codes and words, no regular expressions.

An expression that backtracks would let whoever writes the reply hold up all mail. These patterns take time in
proportion to the reply, and need no quoting: `5.7.1` is no expression for `5a7b1`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from postroad.words.names import Unreadable
from postroad.words.outcome import Outcome
from postroad.words.reply import Reply
from postroad.words.trail import Attempt

ANY = "*"
LONGEST = 200  # characters of a pattern

_CODE = re.compile(r"[0-9]{3}\Z")
_ENHANCED = re.compile(r"[0-9]\.[0-9]{1,3}\.(?:[0-9]{1,3}|\*)\Z")
_LIKE_A_CODE = re.compile(r"[0-9][0-9.xX*]*\Z")
_LIKE_AN_EXPRESSION = re.compile(r"[|^$\\]|\.\*|\.\+")


@dataclass(frozen=True, slots=True)
class OnReject:
    """What a route does with mail that all its hosts refuse for good: if the reply matches, it takes another route.

    `match` has reply codes (`550`), enhanced codes (`5.7.1`, `5.7.*`), and words of the text, in any case, in which `*`
    stands for anything. One of them is enough.
    """

    match: tuple[str, ...]
    route: str

    def __str__(self) -> str:
        what = "for good" if ANY in self.match else f"for good ({', '.join(self.match)})"
        return f'Mail that is refused {what} takes the route "{self.route}"'

    def matches(self, reply: Reply) -> bool:
        """Whether a permanent refusal is one of those."""
        return reply.is_permanent and any(_fits(pattern, reply) for pattern in self.match)

    def refused(self, attempt: Attempt) -> frozenset[int]:
        """The recipients of an attempt whose mail takes the other route: no host said anything but a permanent no.

        A refusal in place of the greeting counts: it defers mail that has no other way, but it is a no.
        """
        return frozenset(
            index for index, outcome in enumerate(attempt.outcomes) if self._takes(attempt, index, outcome)
        )

    def _takes(self, attempt: Attempt, index: int, outcome: Outcome) -> bool:
        if outcome.reply is None or not self.matches(outcome.reply):
            return False
        return all(answer.reply and answer.reply.is_permanent for _contact, answer in attempt.story_of(index))


def parse_pattern(text: str) -> str | Unreadable:
    """A pattern of refusals, with the blanks at its ends taken off."""
    pattern = text.strip()
    if not pattern.isprintable():
        return Unreadable(text, "it has a character that cannot be seen, which no reply has; write it without")
    if not pattern or len(pattern) > LONGEST:
        return Unreadable(text, f"write a code or some words, {LONGEST} characters at most")
    if _CODE.match(pattern) or _ENHANCED.match(pattern):
        if not pattern.startswith("5"):
            return Unreadable(text, "only permanent refusals are matched; write a code that begins with 5")
    elif _LIKE_A_CODE.match(pattern):
        return Unreadable(text, 'this is not a whole code; write one, such as "550", "5.7.1" or "5.7.*"')
    elif _LIKE_AN_EXPRESSION.search(pattern):
        hint = 'write codes and words, several as a list: ["5.7.1", "blocked"]'
        return Unreadable(text, f"a regular expression cannot be used here; {hint}")
    return pattern


def _fits(pattern: str, reply: Reply) -> bool:
    if _CODE.match(pattern):
        return str(reply.code) == pattern
    if _ENHANCED.match(pattern):
        given = reply.enhanced or ""
        return given.startswith(pattern[:-1]) if pattern.endswith("*") else given == pattern
    return _has(reply.text.casefold(), pattern.casefold())


def _has(text: str, pattern: str) -> bool:
    """Whether all parts between the stars are in a text, one after the other; the first place of each is as good."""
    place = 0
    for part in pattern.split("*"):
        found = text.find(part, place)
        if found < 0:
            return False
        place = found + len(part)
    return True
