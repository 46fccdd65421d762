"""Run commands, each in a process of its own, with a stdout that cannot be written, or few files; tell how each ended.

`python behind_the_door.py CASES.json`: a list of {"words": [...], "ways": ["full", ...]}. The modules are loaded once
and each process is a fork, for that takes a tenth of the time. Where stdout is closed it ends as any process; else it
does at its end what others see of it, for to take down all that is loaded would be most of its time.
"""

import atexit
import gc
import json
import os
import resource
import sys
import tempfile
import threading
from importlib import import_module
from pathlib import Path

from postroad.cli import main

LOADED = (
    "asyncio", "rich.console", "rich.table", "uvloop", "postroad.build.mailer", "postroad.examine",
    "postroad.build.spools", "postroad.build.view", "postroad.cli.check_run", "postroad.cli.root",
    "postroad.cli.sendmail.handing", "postroad.config", "postroad.config.loading", "postroad.dns.master",
    "postroad.net.descriptors", "postroad.relay", "postroad.relay.check",
    "postroad.views.findings", "postroad.views.json", "postroad.views.pictures.terminal", "postroad.planning.answers",
    "postroad.planning.comparison", "postroad.spool.sqlite.spool", "postroad.scenarios.takes",
)  # fmt: skip
for name in LOADED:
    import_module(name)
gc.freeze()  # what is loaded is no work for the collector of each process

FEW = 12  # more than are open while a command starts, fewer than it takes to ask anybody
MESSAGE = b"Subject: x\n\nx\n"


def _spoil(how):
    """Make stdout one that cannot be written, or the files few that may be open."""
    if how == "few":
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        resource.setrlimit(resource.RLIMIT_NOFILE, (FEW, FEW))
    elif how == "full":
        os.dup2(os.open("/dev/full", os.O_WRONLY), 1)
    elif how == "unread":
        reading, writing = os.pipe()
        os.close(reading)
        os.dup2(writing, 1)
    else:
        os.close(1)
        sys.stdout = None  # as the interpreter has it where it is started so


def run(case, how):
    """The exit status, that of a signal negative, and what was said on stderr."""
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as given:
        given.write(MESSAGE)
        given.seek(0)
        child = os.fork()
        if not child:
            os.dup2(given.fileno(), 0)
            os.dup2(said.fileno(), 2)
            _spoil(how)
            sys.argv = ["postroad", *case["words"]]
            main() if how == "closed" else end_at_once(main)
            sys.exit()
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        said.seek(0)
        return status, said.read().decode()


def end_at_once(command):
    """Py_FinalizeEx without the modules: the threads, what is registered, the streams (120 if they cannot be)."""
    try:
        command()
        status = 0
    except SystemExit as end:
        if isinstance(end.code, str):
            raise
        status = end.code or 0
    threading._shutdown()
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        status = 120
    os._exit(status)


cases = json.loads(Path(sys.argv[1]).read_text())
print(json.dumps([{how: run(case, how) for how in case["ways"]} for case in cases]))  # noqa: T201  # to the test
