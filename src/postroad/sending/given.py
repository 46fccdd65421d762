"""What a program gives to be sent: checked before anything is loaded that sends."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from postroad.words.bounds import OutOfBoundsError, require, require_all
from postroad.words.inputs import shown


def must_not_run(name: str) -> None:
    """Nothing, or that the caller is in a coroutine, where it would block everybody.

    Raises:
        RuntimeError: an event loop runs in this thread.

    """
    asyncio = sys.modules.get("asyncio")  # which takes as long to load as the rest: no loop runs where it is not loaded
    try:
        if asyncio is None or not asyncio.get_running_loop():
            return
    except RuntimeError:
        return
    raise RuntimeError(f"postroad.{name}_sync() blocks, and an event loop runs here; write: await postroad.{name}(...)")


def check_given(message: object, sender: object, recipients: object) -> str | list[str] | None:
    """The kinds of what a program gives; the recipients, which may come one by one.

    Raises:
        InputError: one of them is of another.

    """
    from email.message import Message as ParsedMessage  # noqa: PLC0415  # only where something is sent

    require_all("message", [message], bytes, str, ParsedMessage)
    if sender is not ...:
        require("sender", sender, str)
        if sender == "":  # of a variable that nobody has set, rather: reports would come back to nobody
            raise OutOfBoundsError("sender", "it is empty; write an address, or None for the null reverse-path")
    if recipients is None or isinstance(recipients, str):
        return recipients
    if isinstance(recipients, bytes) or not isinstance(recipients, Iterable):
        raise OutOfBoundsError("recipients", f"{shown(recipients)} is not an address; write text, or a list of texts")
    every = list(recipients)
    require_all("recipients", every, str)
    return every
