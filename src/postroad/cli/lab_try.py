"""`postroad lab try`: a sender is run in a lab of its own, and described."""

from __future__ import annotations

import asyncio
import shlex
import shutil
import signal
from collections.abc import Sequence
from difflib import get_close_matches

import typer

from postroad.cli import screen
from postroad.lab import split_off
from postroad.scenarios import (
    SITUATIONS,
    SenderTrial,
    Situation,
    TryOptions,
    TryProgress,
    TrySeen,
    describe_sender,
    try_sender,
)
from postroad.words.inputs import InputError

INTERRUPTED = 128 + signal.SIGINT  # as a shell has it
RECIPIENT = "{to}"
READS_HEADER = "-t"  # as sendmail: the recipient is in the message, which every command gets on standard input


def options_of(command: Sequence[str], daemon: str, only: Sequence[str], limit_s: float, settle_s: float) -> TryOptions:
    """What is asked for.

    Raises:
        InputError: a command that is not there, or has no recipient, or a situation that does not exist.

    """
    if not command:
        raise InputError(
            "give the command that sends a message, such as: postroad lab try -- swaks --to {to} --from {from}"
        )
    if READS_HEADER not in command and not any(RECIPIENT in word for word in command):
        raise InputError(f"the command does not say whom to send to; put {RECIPIENT} in it (or -t, as for sendmail)")
    try:
        behind = tuple(shlex.split(daemon))
    except ValueError as problem:
        raise InputError(f"--daemon {daemon!r}: {problem}; quote it as in a shell") from None
    for word in (command[0], *behind[:1]):
        if shutil.which(word) is None:
            raise InputError(f"{word}: there is no such command; write its name or path")
    return TryOptions(tuple(command), behind, limit_s, settle_s, _chosen(only))


def _chosen(names: Sequence[str]) -> tuple[Situation, ...]:
    known = {each.name: each for each in SITUATIONS}
    for name in names:
        if name not in known:
            near = get_close_matches(name, known)
            guess = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(known)}"
            raise InputError(f"--only {name!r}: there is no such situation; {guess}")
    return tuple(known[name] for name in dict.fromkeys(names)) or SITUATIONS


def run_trial(options: TryOptions, title: str) -> SenderTrial:
    """The sender in its namespace; whoever is outside ends here, with the status of what went on inside."""
    with screen.input_errors():
        status = split_off()
    if status is not None:
        raise typer.Exit(status)
    with screen.progress() as begin:
        bar = begin("messages")
        seen = screen.run(lambda: _until_told(options, lambda _name, done, every: bar(done / every)))
    return describe_sender(seen, options.command, title)


async def _until_told(options: TryOptions, progress: TryProgress) -> TrySeen:
    """Try it; the first process of a namespace hears only the signals that it has asked for."""
    task = asyncio.current_task()
    assert task is not None  # noqa: S101  # a coroutine that runs has one
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, task.cancel)
    try:
        return await try_sender(options, progress)
    except asyncio.CancelledError:
        raise typer.Exit(INTERRUPTED) from None
