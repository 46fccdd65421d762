"""How all commands show things: the screen, errors, JSON, exit codes. No command writes in any other way.

A text is shown as one line, with what a terminal would obey written out (`words.visible`); styles are added behind
that, and no text is read as markup.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cached_property
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Literal, NoReturn, TextIO, TypeVar

import typer

from postroad.cli.door import EX_IOERR, OutputStream
from postroad.cli.lines import document, error, remark, say  # noqa: F401  # say: a line of a command's answer, as the rest here
from postroad.views.text.blocks import Styled, Table, Verbatim
from postroad.words.visible import json_text, visible

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text

    from postroad.views.text.blocks import Block
    from postroad.words.trace import Event, Listener

T = TypeVar("T")

DONE = 0
FINDINGS = 1
USAGE = 2
TEMPORARY = 3

EXIT_CODES = {"delivered": DONE, "failed": FINDINGS, "deferred": TEMPORARY}
WIDTH_OF_A_PIPE = 200  # of pictures
AS_WIDE_AS_NEEDED = 1_000_000
GAP = 2  # between the columns of a table
A_MOMENT_S = 0.5  # what takes less needs no bar


class Screen:
    """The output of a command: colour at a terminal unless NO_COLOR is set, plain text into a pipe.

    Nothing is wrapped or cut in a pipe: COLUMNS says how wide a picture is there, and nothing else.
    """

    def __init__(self) -> None:
        is_forced = os.environ.get("FORCE_COLOR") or os.environ.get("TTY_COMPATIBLE") == "1"  # as rich has it
        self._is_plain = not sys.stdout.isatty() and not is_forced  # what draws at a terminal takes 30 ms to load

    @cached_property
    def _console(self) -> Console:
        return _console(sys.stdout)

    @property
    def width(self) -> int:
        """How many columns a picture has."""
        return self._console.width

    @property
    def has_colour(self) -> bool:
        """Whether a style is seen."""
        return not self._is_plain and self._console.is_terminal and "NO_COLOR" not in os.environ

    def line(self, *parts: Styled, style: str = "") -> None:
        """One line, whatever is in its texts; the terminal alone breaks one that people copy."""
        if self._is_plain:
            document("".join(map(_shown, parts)) + "\n")
        else:
            is_copied = any(isinstance(part if isinstance(part, str) else part[0], Verbatim) for part in parts)
            self._console.print(_text(parts, style), soft_wrap=is_copied or None)

    def lines(self, texts: Iterable[str], style: str = "") -> None:
        """Several."""
        for text in texts:
            self.line(text, style=style)

    def table(self, table: Table) -> None:
        """A table; in a pipe it is as wide as need be."""
        if self._is_plain:
            document(_columns(table))
            return
        console = self._console if sys.stdout.isatty() else _console(sys.stdout, AS_WIDE_AS_NEEDED)
        fitting = _fitting(table, console.width)
        if table.heads and _least(fitting) > console.width:
            self.lines(_in_sentences(table))
        else:
            console.print(_drawn(fitting, is_whole=bool(table.heads)))

    def show(self, blocks: Iterable[Block | RenderableType]) -> None:
        """Lines, tables and pictures of `views`, whose labels are fit to be shown."""
        for block in blocks:
            if isinstance(block, Table):
                self.table(block)
            elif isinstance(block, str | tuple):
                self.line(block)
            else:
                self._console.print(block)

    @contextmanager
    def live(self) -> Iterator[Callable[..., None]]:
        """Lines and tables that are drawn anew in their place whenever there are others."""
        from rich.console import Group
        from rich.live import Live

        with _moving(sys.stdout), Live(console=self._console, refresh_per_second=8) as shown:
            yield lambda *blocks: shown.update(
                Group(*(_drawn(each) if isinstance(each, Table) else _text([each]) for each in blocks))
            )


def is_terminal() -> bool:
    """Whether somebody watches stdout."""
    return sys.stdout.isatty()


def is_ascii_only() -> bool:
    """Whether stdout has no more than ASCII."""
    return not (sys.stdout.encoding or "").lower().startswith("utf")


def print_json(shape: Mapping[str, object]) -> None:
    """One JSON object, indented for people; jq and programs do not mind."""
    document(_json(shape, indent=2))


def print_line(shape: Mapping[str, object]) -> None:
    """One JSON object on one line, at once: for what goes on (NDJSON)."""
    document(_json(shape))


def _json(shape: Mapping[str, object], indent: int | None = None) -> str:
    from postroad.views.json import rounded

    return json_text(rounded(shape), indent=indent) + "\n"


def fail(text: str, code: int = USAGE) -> NoReturn:
    """End with an error for people on stderr."""
    error(text, code)
    raise typer.Exit(code)


class Watched:
    """A listener that shows events on the screen.

    One that fails holds up no mail: it shows no more, and `end` says why.
    """

    def __init__(self, show: Listener, failed: Callable[[], None] = lambda: None) -> None:
        self._show = show
        self._failed = failed
        self._trouble: OSError | None = None

    def __call__(self, event: Event) -> None:
        """Show an event, if the last could be shown."""
        if self._trouble is None:
            try:
                self._show(event)
            except OSError as trouble:
                self._trouble = trouble
                self._failed()

    def end(self) -> None:
        """Raise what went wrong."""
        if self._trouble:
            raise self._trouble


@contextmanager
def progress(*, wanted: bool = True) -> Iterator[Callable[[str], Callable[[float], None]]]:
    """Bars on stderr, at a terminal only: begin one by its name, then tell which part is done."""
    if not wanted or not sys.stderr.isatty():
        yield lambda _name: lambda _part: None
        return
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn(), TimeRemainingColumn()
    )  # fmt: skip
    with _moving(sys.stderr), Progress(*columns, console=_console(sys.stderr), transient=True) as bars:

        def begin(name: str) -> Callable[[float], None]:
            task = bars.add_task(visible(name), total=1.0)
            return lambda part: bars.update(task, completed=part)

        yield begin


@contextmanager
def working(name: str, counted: str = "computed") -> Iterator[Callable[[], None]]:
    """At a terminal, once it has taken a moment: what is being done, how much of it is done, and for how long."""
    if not sys.stderr.isatty():
        yield lambda: None
        return
    from threading import Timer

    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        *([TextColumn(f"{{task.completed:.0f}} {counted}")] if counted else []),
        TimeElapsedColumn(),
    )
    with _moving(sys.stderr):
        bar = Progress(*columns, console=_console(sys.stderr), transient=True)
        task = bar.add_task(visible(name), total=None)
        soon = Timer(A_MOMENT_S, bar.start)
        soon.start()
        try:
            yield lambda: bar.advance(task)
        finally:
            soon.cancel()
            soon.join()
            bar.stop()


def run(main: Callable[[], Coroutine[Any, Any, T]], waiting: str = "") -> T:
    """Run a command's coroutine on the fastest loop there is; bad input ends with its sentence and code 2.

    `waiting` says at a terminal what it waits for, once that takes a moment.

    So does a limit on open files that is too low to work with: the loop itself would end with a traceback, or without a
    word.
    """
    import asyncio

    from postroad.build import loop_factory
    from postroad.net import open_more

    if problem := open_more():
        fail(problem)
    shown = working(waiting, counted="") if waiting else nullcontext()
    with input_errors(), shown, asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(main())


@contextmanager
def input_errors() -> Iterator[None]:
    """Bad input ends with a sentence and 2; a domain not in the zones with 1, for now with 3, a full disk with 74."""
    from postroad.files import UnwrittenError
    from postroad.words.inputs import InputError, NotInZoneError, NotNowError

    try:
        yield
    except UnwrittenError as problem:
        fail(str(problem), EX_IOERR)
    except NotInZoneError as problem:
        fail(str(problem), FINDINGS)
    except NotNowError as problem:
        fail(str(problem), TEMPORARY)
    except InputError as problem:
        fail(str(problem))


def _console(stream: TextIO, width: int | None = None) -> Console:
    from rich.console import Console

    if width is None and not stream.isatty() and "COLUMNS" not in os.environ:
        width = WIDTH_OF_A_PIPE
    return Console(file=stream, width=width, highlight=False, soft_wrap=not stream.isatty())


def _moving(stream: TextIO) -> AbstractContextManager[None]:
    return stream.moving() if isinstance(stream, OutputStream) else nullcontext()


def _text(parts: Iterable[Styled], style: str = "") -> Text:
    from rich.text import Text

    styled = ((part, "") if isinstance(part, str) else part for part in parts)
    return Text.assemble(*((visible(text), of_part) for text, of_part in styled), style=style)


def _columns(table: Table) -> str:
    """A table in a pipe, where nothing is wrapped or cut; no line of it ends in blanks."""
    heads = [table.heads] if table.heads else []
    rows = [list(map(_shown, row)) for row in (*heads, *table.rows)]
    columns = [_aligned(column, column[0] in table.right) for column in zip_longest(*rows, fillvalue="")]
    gap = " " * GAP
    return "".join(f"{gap.join(row).rstrip()}\n" for row in zip(*columns, strict=True))


def _aligned(cells: Sequence[str], is_right: bool) -> list[str]:
    width = max(map(_width, cells))
    blanks = [" " * (width - _width(cell)) for cell in cells]
    return [blank + cell if is_right else cell + blank for cell, blank in zip(cells, blanks, strict=True)]


def _width(text: str) -> int:
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def _shown(part: Styled) -> str:
    return visible(part if isinstance(part, str) else part[0])


def _fitting(table: Table, width: int) -> Table:
    """The table, on its side where that keeps words whole: many figures of few rows are easier to read so, too."""
    if not table.heads or _least(table, table.right) <= width:
        return table
    columns = zip(table.heads, *table.rows, strict=True)
    heads, *rows = ([cell if isinstance(cell, str) else cell[0] for cell in column] for column in columns)
    side = Table(heads, rows, frozenset(heads[1:]))
    return side if len(set(heads)) == len(heads) and _least(side) <= width else table


def _in_sentences(table: Table) -> Iterator[str]:
    """The table where a word of it would be broken whichever way it lies: each row says what its cells are."""
    _, *heads = table.heads
    for first, *cells in ([cell if isinstance(cell, str) else cell[0] for cell in row] for row in table.rows):
        yield first
        yield f"  {'; '.join(f'{head} {cell}' for head, cell in zip(heads, cells, strict=True))}"


def _least(table: Table, whole: frozenset[str] = frozenset()) -> int:
    """The width that a table takes with no word broken, and nothing parted in its first column and in these."""
    columns = [
        [cell if isinstance(cell, str) else cell[0] for cell in column]
        for column in zip(table.heads, *table.rows, strict=True)
    ]
    words = [
        max((len(word) for cell in column for word in ([cell] if column[0] in whole else cell.split())), default=0)
        for column in columns[1:]
    ]
    return max(map(len, columns[0])) + sum(words) + GAP * len(words)


def _drawn(table: Table, *, is_whole: bool = False) -> RenderableType:
    """`is_whole`: there is room for the first column as it is."""
    from rich.table import Table as Grid

    drawn = Grid(box=None, pad_edge=False, padding=(0, GAP, 0, 0), show_header=bool(table.heads))
    for place, head in enumerate(table.heads or [""] * max(map(len, table.rows), default=0)):
        side: Literal["left", "right"] = "right" if head in table.right else "left"
        drawn.add_column(head, justify=side, header_style="bold", overflow="fold", no_wrap=is_whole and not place)
    for row in table.rows:
        drawn.add_row(*(_text([cell]) for cell in row))
    return drawn
