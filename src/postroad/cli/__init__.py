"""The command line (floor 5): one file a command; arguments, one call, one exit code.

Rule 1: a command decides nothing. It reads its arguments, calls `app`, and shows the answer.
Rule 2: exit codes everywhere: 0 done, 1 findings or not deliverable, 2 wrong usage, 3 temporary or inconclusive.
Rule 3: what a command needs is imported when it runs, so that `--help` is there at once.
"""

from postroad.cli.root import main

__all__ = ["main"]
