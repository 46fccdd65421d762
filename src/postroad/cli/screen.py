"""What commands share in showing: exit codes, errors, JSON, colour and pipes."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import typer

if TYPE_CHECKING:
    from rich.console import Console

T = TypeVar("T")

DONE = 0
FINDINGS = 1
USAGE = 2
TEMPORARY = 3

EXIT_CODES = {"delivered": DONE, "failed": FINDINGS, "deferred": TEMPORARY}


def console(*, stderr: bool = False) -> Console:
    """A rich console: colour at a terminal unless NO_COLOR is set, plain text of full width into a pipe."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or "COLUMNS" in os.environ else 200
    return Console(file=stream, width=width, highlight=False, soft_wrap=not stream.isatty())


def print_json(shape: dict[str, Any]) -> None:
    """One JSON object, indented for people; jq and programs do not mind."""
    typer.echo(json.dumps(shape, indent=2, ensure_ascii=False))


def print_line(shape: dict[str, Any]) -> None:
    """One JSON object on one line, at once: for what goes on (NDJSON)."""
    typer.echo(json.dumps(shape, ensure_ascii=False, default=str))


def fail(text: str, code: int = USAGE) -> NoReturn:
    """End with an error for people on stderr."""
    typer.echo(f"postroad: {text}", err=True)
    raise typer.Exit(code)


def run(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a command's coroutine on the fastest loop there is; bad input ends with its sentence and code 2."""
    import asyncio

    with input_errors(), asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(main())


@contextmanager
def input_errors() -> Iterator[None]:
    """Bad input ends with its sentences and code 2."""
    from postroad.app import InputError

    try:
        yield
    except InputError as problem:
        fail(str(problem).replace("\n", "\npostroad: "))


def _loop_factory() -> Callable[[], Any] | None:
    try:
        import uvloop
    except ImportError:  # no uvloop for Windows: asyncio's own loop does the same, slower
        return None
    return uvloop.new_event_loop
