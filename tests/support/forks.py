"""A process to kill, or to limit: a fork of this one, for an interpreter takes twenty times as long to start."""

import os
import signal
import traceback
import warnings


def killed(work, lines):
    """What a process said until it was killed, once it had said so many lines: `work` gets what to say it with."""
    pid, reading = _begun(work)
    with os.fdopen(reading, "rb") as said:
        told = [line for line in (said.readline() for _ in range(lines)) if line]
        os.kill(pid, signal.SIGKILL)
        told += said.readlines()
    os.waitpid(pid, 0)
    assert lines <= len(told), "it ended by itself: its output says why"
    return [line.decode().strip() for line in told]


def said_by(work):
    """What a process said that did `work`, given what to say with."""
    pid, reading = _begun(work)
    with os.fdopen(reading) as said:
        told = said.read()
    os.waitpid(pid, 0)
    return told


def _begun(work):
    reading, writing = os.pipe()
    pid = _forked()
    if not pid:
        _do(work, writing)
    os.close(writing)
    return pid, reading


def _forked():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of threads: those of loops are idle
        return os.fork()


def _do(work, writing):
    try:
        work(lambda line: os.write(writing, f"{line}\n".encode()))
    except BaseException:  # noqa: BLE001  # nobody above would show it
        traceback.print_exc()
    finally:
        os._exit(1)
