"""The process that delivers beside `postroad relay --workers 2`: no command, for only that relay starts it."""

from __future__ import annotations

import asyncio
import gc
import sys

from postroad.build import loop_factory
from postroad.cli import lines
from postroad.relay import deliver
from postroad.words.inputs import InputError


def main() -> None:
    """Deliver; the first word is the descriptor of our end of the link. It ends as a command does."""
    gc.set_threshold(100_000)  # as for any start
    try:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(deliver(int(sys.argv[1])))
    except InputError as problem:
        lines.error(str(problem), 2)
        sys.exit(2)
    finally:
        gc.freeze()
