"""The servers of these tests: each started once, when the first test asks for it."""

import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.interop import places, servers
from tests.interop.boxes import Box
from tests.interop.letters import Sender
from tests.interop.packages import want_packages, want_root


@contextmanager
def folder_for_others():
    """One that other users may enter, which pytest's are not: the servers change to users of their own."""
    folder = Path(tempfile.mkdtemp(prefix="postroad-peers-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def ports():
    """Where mail is taken."""
    return places.Ports.free()


@pytest.fixture(scope="session")
def box(ports):
    """Where all mail ends."""
    made = Box(places.BOX, ports.smtp)
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="session")
def relay(ports, box):
    """Our relay, as a process: STARTTLS, implicit TLS, and a user ann."""
    with folder_for_others() as folder:
        process = servers.relay(folder, ports)
        process.await_greeting((places.RELAY, ports.relay))
        yield process
        process.stop()


@pytest.fixture(scope="session")
def postfix(ports, box):
    """Postfix, which hands on to the box or to our relay."""
    want_packages()
    want_root()
    with folder_for_others() as folder:
        process = servers.postfix(folder, ports)
        process.await_greeting(
            *((place, ports.smtp) for place in (places.POSTFIX, places.POSTFIX_TLS, places.POSTFIX_FIVE))
        )
        yield process
        process.stop()


@pytest.fixture(scope="session")
def exim(ports, box):
    """Exim, which hands on to the box or to our relay."""
    want_packages()
    want_root()
    with folder_for_others() as folder:
        process = servers.exim(folder, ports)
        process.await_greeting((places.EXIM, ports.smtp))
        yield process
        process.stop()


@pytest.fixture(scope="session")
def send(ports, tmp_path_factory):
    """`postroad.send`, which finds everyone by their zones."""
    zone = tmp_path_factory.mktemp("peers") / "zone"
    zone.write_text(places.ZONE)
    sender = Sender(ports.smtp, zones=[zone])
    sender.start()
    yield sender
    sender.stop()
