"""The error that a caller's input cannot be used."""

from __future__ import annotations

from typing import TypeVar

from postroad.words.names import Unreadable

T = TypeVar("T")


class InputError(ValueError):
    """The error that something given by the caller cannot be used: the text says what, where, and how to fix it."""


class NotInZoneError(InputError):
    """The error that the zone files given do not have a domain."""


class NotNowError(InputError):
    """The error that something cannot be looked up now; later it may."""


def readable(answer: T | Unreadable) -> T:
    """What was read, or InputError with the reason it could not be."""
    if isinstance(answer, Unreadable):
        raise InputError(str(answer))
    return answer
