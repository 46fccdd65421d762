"""Runs what was collected in several processes, forked once all is loaded: nothing is imported or collected twice."""

import os
import signal
import struct
import traceback
from itertools import chain, pairwise
from multiprocessing.connection import Pipe, wait

from hypothesis import strategies as st

NUMBER = struct.Struct("H")
TOGETHER = {  # in one process
    "tests/interop/": "interop",  # these share servers on fixed ports
    "tests/test_layers.py": "sources",  # these read all our files, and parse each once
    "tests/docs/test_glossary.py": "sources",
    "tests/docs/test_rfc.py": "sources",
    "tests/unit/cli/test_screen.py": "sources",
    "tests/unit/words/test_phrasebook.py": "sources",
}


def run_tests(session, processes):
    """Each process takes the tests of a file, so that what they share is made once, and then those of the next."""
    files = _by_file(session.items)
    st.text().validate()  # its table of Unicode takes a second to make
    session.config._tmp_path_factory.getbasetemp()  # the folders of all are in one
    session.config.pluginmanager.getplugin("terminalreporter").showfspath = False  # it changes with each test
    queue, children = _queue(len(files)), {}
    try:
        for number in range(processes):
            connection, pid = _forked(session, number, queue, files)
            children[connection] = pid
        _listen(session, children)
    finally:
        os.close(queue)
        for pid in children.values():
            os.kill(pid, signal.SIGTERM)
            os.waitpid(pid, 0)


def _by_file(items):
    files = {}
    for item in items:
        which = (group for start, group in TOGETHER.items() if item.nodeid.startswith(start))
        files.setdefault(next(which, item.path), []).append(item)
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
        _work(session, number, chain.from_iterable(files[each] for each in _taken(queue)), here)
        status = 0
    except KeyboardInterrupt:
        pass  # the first process says so
    except BaseException:  # noqa: BLE001  # nobody above would show it
        traceback.print_exc()
    finally:
        os._exit(status)


def _work(session, number, items, connection):
    """Test after test, with an output and a folder that are no other process's."""
    config = session.config
    capturing = config.pluginmanager.getplugin("capturemanager")
    capturing.stop_global_capturing()
    capturing.start_global_capturing()
    factory = config._tmp_path_factory
    factory._basetemp /= f"process{number}"
    factory._basetemp.mkdir(mode=0o700)
    config.pluginmanager.unregister(name="terminalreporter")
    config.pluginmanager.register(Teller(config, connection))
    for item, following in pairwise(chain(items, [None])):
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
    config._ensure_unconfigure()


class Teller:
    """Sends the reports of each test when it is over."""

    def __init__(self, config, connection):
        self._config, self._connection = config, connection
        self._reports = []

    def pytest_runtest_logreport(self, report):
        self._reports.append(self._config.hook.pytest_report_to_serializable(config=self._config, report=report))
        if report.when == "teardown":
            self._connection.send(self._reports)
            self._reports = []


def _listen(session, children):
    """Until all are done: the reports of each, to whoever counts or prints them."""
    missing, statuses = {item.nodeid for item in session.items}, []
    while children:
        for connection in wait(list(children)):
            try:
                missing.discard(_pass_on(session, connection.recv()))
            except EOFError:
                statuses.append(os.waitpid(children.pop(connection), 0)[1])
        if session.shouldfail:
            raise session.Failed(session.shouldfail)
    if missing or any(statuses):
        session.shouldfail = f"processes ended with {statuses}, and {len(missing)} tests did not: {sorted(missing)[:5]}"
        raise session.Failed(session.shouldfail)


def _pass_on(session, told):
    """The test that these reports are about."""
    config, hook = session.config, session.config.hook
    reports = [hook.pytest_report_from_serializable(config=config, data=data) for data in told]
    nodeid, location = reports[0].nodeid, reports[0].location
    hook.pytest_runtest_logstart(nodeid=nodeid, location=location)
    for report in reports:
        hook.pytest_runtest_logreport(report=report)
    hook.pytest_runtest_logfinish(nodeid=nodeid, location=location)
    return nodeid
