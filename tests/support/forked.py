"""The command line in a process that is a fork of this one: all is loaded, so it takes 20 ms, not 100.

Such a process has the streams that it is given, no other open file, and the end that Python gives to one. What only a
new interpreter shows is not to be seen so: what a start loads, and that our end is the interpreter's. Nor can it start
processes of its own in uvloop: libuv keeps a pipe to lock signals by, which is among the files that are closed.
"""

import atexit
import gc
import os
import signal
import sys
import threading
from io import TextIOWrapper
from tempfile import TemporaryFile
from typing import NamedTuple

from tests.support.forks import fork

from postroad.cli import main

CLOSED = -1  # in place of a file: that stream is closed


class Ended(NamedTuple):
    """How a command ended: its exit status, that of a signal negative, and what it wrote."""

    status: int
    stdout: str
    stderr: str


def run(words, given=b"", **more):
    """Run `postroad WORDS` with this input; `more` is what `begin` takes. What is not written elsewhere is told."""
    with TemporaryFile() as stdin, TemporaryFile() as stdout, TemporaryFile() as stderr:
        stdin.write(given)
        stdin.seek(0)
        files = {"stdin": stdin.fileno(), "stdout": stdout.fileno(), "stderr": stderr.fileno()}
        status = wait(begin(words, **files | more))
        stdout.seek(0)
        stderr.seek(0)
        return Ended(status, stdout.read().decode(), stderr.read().decode())


def wait(pid):
    """The exit status of a process that was begun, that of a signal negative."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def begin(words, command=main, *, stdin=0, stdout=1, stderr=2, env=None):
    """The id of a new process that runs `postroad WORDS`, or `command`, with these files, or numbers of them."""
    if pid := fork():
        return pid
    try:
        _become((stdin, stdout, stderr))
        if env is not None:
            os.environ.clear()
            os.environ.update(env)
        open_streams()
        sys.argv = ["postroad", *map(str, words)]
        status = status_of(command)
        threading._shutdown()
        atexit._run_exitfuncs()
        os._exit(flushed(status))
    finally:
        os._exit(70)  # it did not even begin


def _become(files):
    """Have these files, and nothing of the test's that would be seen: what it has to do at its end, what it opened."""
    gc.freeze()  # nothing of it is closed by the collector when its number is that of another file
    kept = [file if file == CLOSED else os.dup(file) for file in files]
    for number, file in enumerate(kept):
        os.close(number) if file == CLOSED else os.dup2(file, number)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests may be run by nohup
    atexit._clear()
    sys.unraisablehook = sys.__unraisablehook__


def open_streams():
    """The standard streams as the interpreter makes them when it starts: None is one that is closed."""
    is_raw = bool(os.environ.get("PYTHONUNBUFFERED"))
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            octets = open(number, "wb" if number else "rb", 0 if is_raw and number else -1, closefd=False)  # noqa: SIM115
        except OSError:
            setattr(sys, name, None)
        else:
            errors = "backslashreplace" if number == 2 else "strict"
            setattr(sys, name, TextIOWrapper(octets, "utf-8", errors, None, number == 2 or octets.isatty(), is_raw))


def status_of(command):
    """The exit status that the interpreter has of it: _Py_HandleSystemExit, and 1 after a traceback."""
    try:
        command()
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        print(end.code, file=sys.stderr)  # noqa: T201  # as the interpreter does
        return 1
    except BaseException:  # noqa: BLE001  # the same
        sys.__excepthook__(*sys.exc_info())
        return 1
    return 0


def flushed(status):
    """What becomes of the exit status when the streams are flushed: flush_std_files of Py_FinalizeEx, and its 120."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None and not stream.closed:
                stream.flush()
        except OSError:
            status = 120
    return status
