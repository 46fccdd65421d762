"""The steps of a transaction: what the holder of the connection must do next."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from postroad.words.light import light
from postroad.words.outcome import Outcome


@light(frozen=True, slots=True)
class Write:
    """A step of a transaction: write these octets; what comes `then` is the next step."""

    octets: bytes
    then: Expect | More


@light(frozen=True, slots=True)
class Expect:
    """A step of a transaction: read replies, the first within so many seconds, and give to `hear` all that have come.

    `sign_s`: a host that has not even acknowledged what was sent by then, or later, is gone; so is one that has said
    nothing at the limit, for all that counts here.
    """

    limit_s: float
    sign_s: float | None = None


@dataclass(frozen=True, slots=True)
class More:
    """A step of a transaction: hand the next piece of the content to `give`."""


@dataclass(frozen=True, slots=True)
class Break:
    """The step that ends a session: nothing that could be said on the connection would help.

    The outcome is of host scope.
    """

    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Done:
    """The step that ends a transaction: another may follow."""


Step = Write | Expect | More | Break | Done
MORE, DONE = More(), Done()
expect = lru_cache(maxsize=64)(Expect)  # of the few time limits of the settings
