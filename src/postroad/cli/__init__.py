"""The command line (floor 8): one file per command; each has arguments, one call and one exit status.

Rule 1: a command decides nothing. It reads its arguments, calls a room, and shows the answer.
Rule 2: exit codes everywhere: 0 done, 1 findings or not deliverable, 2 usage error, 3 temporary or inconclusive.
Rule 3: what a command needs is imported when it runs, so that `--help` is there at once.

Stops: `advise`, `check`, `compare`, `config`, `demo`, `dkim`, `explain`, `importing`, `lab`, `lookup`, `queue`,
`relay`, `route`, `rules`, `send`, `senders`, `sendmail`, `setups`, `simulate`, `spool`, `tls`, `tls_report` (the
commands). Of several: `commands` (each by its name), `root` (the tree of them all), `tree` (its groups), `options`,
`check_run` (what `check` is made of), `sender_options` (records and senders), `workload` and `replies` (of `simulate`),
`mailers` (of `route` and `tls`), `opened` (how the queue is found), `cluster` (of `demo`), `lab_up` and `lab_try` (of
`lab`), `deliverer` (of `relay`). What is shown: `door` (what stands in place of stdout), `lines` (plain ones), `screen`
(all else, and the exit codes).
"""

from __future__ import annotations

import gc
import signal
import sys

from postroad.cli.door import through
from postroad.cli.sendmail import called_as_sendmail, run, spelled_out


def main() -> None:
    """Run the command line."""
    gc.set_threshold(100_000)  # what is imported stays: to look through it every 700 objects finds nothing
    try:
        _run()
    finally:
        gc.freeze()  # nor is it looked through at the end, which took a tenth of a start


def _run() -> None:
    sys.argv[:] = spelled_out(sys.argv)
    words = called_as_sendmail(sys.argv)
    if words is not None:  # its options are not of typer's kind, `--` must come through, and it is to be quick
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # it ends without a word: what is kept is kept as a whole
        through(lambda: sys.exit(run(words)), is_answer=False)
        return
    from postroad.cli.commands import tree  # of all that are not as sendmail

    through(tree(sys.argv[1:]))
