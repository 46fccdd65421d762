"""When a message is to be delivered that its sender holds back."""

from __future__ import annotations

import math

from postroad.words.inputs import InputError


def release_of(at: float | None, now: float, longest_s: float) -> int | None:
    """The second from which a message may be delivered; None: at once.

    Args:
        at: when its sender wants that, None for at once.
        now: the time.
        longest_s: how far ahead that may be, as `limits.hold` of the settings has it.

    Raises:
        InputError: it is further ahead.

    """
    if at is None or at <= now:
        return None
    if not longest_s:
        raise InputError("mail is not held for later, because limits.hold is 0; set it, or send the message then")
    if at > now + longest_s:
        from postroad.words.phrasebook import duration, moment  # noqa: PLC0415  # for an error

        raise InputError(
            f"{moment(at)} is too far ahead: mail is held for {duration(longest_s)} at most; raise limits.hold"
        )
    return math.ceil(at)
