"""Runs the tests in several processes, forked once the product is loaded: each collects the files that it runs."""

import contextlib
import gc
import os
import signal
import struct
import traceback
from importlib import import_module
from itertools import chain, pairwise
from multiprocessing.connection import Pipe, wait
from pathlib import Path
from pkgutil import walk_packages

from hypothesis import strategies as st
from hypothesis.internal.entropy import deterministic_PRNG

import postroad

NUMBER = struct.Struct("H")
MANY = 50  # files: so many import most of what there is
PEERS = ("aiosmtpd", "exim", "opendkim", "postfix", "protected", "python", "rspamd", "swaks")
TOGETHER = {  # in one process
    **{f"tests/interop/test_{name}.py": "interop" for name in PEERS},  # these share servers
}


def run_tests(session, processes):
    """Each process takes the tests of a file, so that what they share is made once, and then those of the next."""
    files = _by_file(session.items or _modules(session))
    if len(files) >= MANY:
        _load()
    keep_what_is_loaded()
    with deterministic_PRNG():  # the first time it looks for garbage, which is nowhere as little as now
        pass
    session.config._tmp_path_factory.getbasetemp()  # the folders of all are in one
    session.config.pluginmanager.getplugin("terminalreporter").showfspath = False  # it changes with each test
    queue, children = _queue(len(files)), {}
    try:
        for number in range(processes):
            connection, pid = _forked(session, number, queue, files)
            children[connection] = pid
        _listen(session, children, len(files))
    finally:
        os.close(queue)
        for pid in children.values():
            os.kill(pid, signal.SIGTERM)
            os.waitpid(pid, 0)


def keep_what_is_loaded():
    """It is no work for the collector of garbage in each test, nor is what a test makes, a hundred times over."""
    gc.freeze()
    gc.enable()
    gc.set_threshold(200_000, 50, 100)


def is_left_to_processes(session):
    """Whether each process collects the files that it takes: unless tests are chosen by what they are called."""
    option = session.config.option
    chosen = option.keyword or option.markexpr or option.deselect or option.collectonly or option.usepdb
    return option.processes > 1 and not chosen and not any("::" in each for each in session.config.args)


def _modules(session):
    """The files, none of them imported."""
    paths = map(Path, session.config.args)
    files = chain.from_iterable(sorted(path.rglob("test_*.py")) if path.is_dir() else [path] for path in paths)
    return session.perform_collect(list(map(str, files)), genitems=False)


def _load():
    """What most tests import, and what else takes its time, once for all processes."""
    names = {each.name for each in walk_packages(postroad.__path__, "postroad.")} - {"postroad.__main__"}
    for name in sorted(names):
        with contextlib.suppress(ImportError):  # an extra that is not installed
            import_module(name)
    st.text().validate()  # its table of Unicode takes a second to make


def _by_file(nodes):
    files = {}
    for node in nodes:
        which = (group for start, group in TOGETHER.items() if node.nodeid.startswith(start))
        files.setdefault(next(which, node.path), []).append(node)
    return list(files.values())


def _queue(length):
    """A pipe with the number of each file: who has time reads the next."""
    reader, writer = os.pipe()
    os.write(writer, b"".join(map(NUMBER.pack, range(length))))
    os.close(writer)
    return reader


def _taken(queue):
    """The numbers that fall to this process."""
    while number := os.read(queue, NUMBER.size):
        yield NUMBER.unpack(number)[0]


def _forked(session, number, queue, files):
    """A new process: where its reports come out, and its id."""
    there, here = Pipe(duplex=False)
    pid = os.fork()
    if pid:
        here.close()
        return there, pid
    status = 1
    try:
        _work(session, number, (files[each] for each in _taken(queue)), here)
        status = 0
    except KeyboardInterrupt:
        pass  # the first process says so
    except BaseException:  # noqa: BLE001  # nobody above would show it
        traceback.print_exc()
    finally:
        os._exit(status)


def _work(session, number, files, connection):
    """Test after test, with an output and a folder that are no other process's."""
    config = session.config
    capturing = config.pluginmanager.getplugin("capturemanager")
    capturing.stop_global_capturing()
    capturing.start_global_capturing()
    factory = config._tmp_path_factory
    factory._basetemp /= f"process{number}"
    factory._basetemp.mkdir(mode=0o700)
    config.pluginmanager.unregister(name="terminalreporter")
    teller = Teller(config, connection)
    config.pluginmanager.register(teller)
    items = chain.from_iterable(_collected(session, nodes, teller) for nodes in files)
    for item, following in pairwise(chain(items, [None])):
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
    config._ensure_unconfigure()


def _collected(session, nodes, teller):
    """The tests of a file, or of files that belong together."""
    items = list(chain.from_iterable(map(session.genitems, nodes)))
    session.config.hook.pytest_collection_modifyitems(session=session, config=session.config, items=items)
    teller.begin(items)
    return items


class Teller:
    """Sends which tests there are, and the reports of each when it is over."""

    def __init__(self, config, connection):
        self._config, self._connection = config, connection
        self._reports = []

    def begin(self, items):
        """The tests of one more file, which follow."""
        self._connection.send([item.nodeid for item in items])

    def pytest_collectreport(self, report):
        if report.failed:
            self._connection.send([self._plain(report)])

    def pytest_runtest_logreport(self, report):
        self._reports.append(self._plain(report))
        if report.when == "teardown":
            self._connection.send(self._reports)
            self._reports = []

    def _plain(self, report):
        return self._config.hook.pytest_report_to_serializable(config=self._config, report=report)


def _listen(session, children, files):
    """Until all are done: the reports of each, to whoever counts or prints them."""
    missing, begun, collected, statuses = set(), 0, 0, []
    while children:
        for connection in wait(list(children)):
            try:
                said = connection.recv()
            except EOFError:
                statuses.append(os.waitpid(children.pop(connection), 0)[1])
                continue
            if not said or isinstance(said[0], str):
                begun += 1
                missing.update(said)
                collected += len(said)
                session.testscollected = collected * files // begun  # so far a guess: the percentage is of it
            else:
                missing.discard(_pass_on(session, said))
        if session.shouldfail:
            raise session.Failed(session.shouldfail)
    if missing or begun < files or any(statuses):
        lost = f"{len(missing)} tests did not: {sorted(missing)[:5]}, nor did {files - begun} files"
        session.shouldfail = f"processes ended with {statuses}, and {lost}"
        raise session.Failed(session.shouldfail)


def _pass_on(session, told):
    """The test that these reports are about."""
    config, hook = session.config, session.config.hook
    reports = [hook.pytest_report_from_serializable(config=config, data=data) for data in told]
    if reports[0].when == "collect":
        hook.pytest_collectreport(report=reports[0])
        return None
    nodeid, location = reports[0].nodeid, reports[0].location
    hook.pytest_runtest_logstart(nodeid=nodeid, location=location)
    for report in reports:
        hook.pytest_runtest_logreport(report=report)
    hook.pytest_runtest_logfinish(nodeid=nodeid, location=location)
    return nodeid
