"""The process that delivers, seen from the one that has started it: watched, and asked to end."""

import asyncio

from postroad.relay import child as module
from postroad.relay.child import Child


class Process:
    """What asyncio has of a process: it ends when it is killed, or with a status of its own."""

    pid = 7

    def __init__(self, status=None):
        self.status = status
        self._ended = asyncio.Event()

    async def wait(self):
        """Its status."""
        if self.status is None:
            await self._ended.wait()
        return self.status

    def kill(self):
        """As the system does."""
        self.status = -9
        self._ended.set()


class Link:
    """Our end of a link: each call is answered with 3."""

    async def call(self, _word, *_values):
        """Ask."""
        return 3

    def close(self):
        """Say no more."""


class Reporting(Child):
    """One that has reported, or not, each time that it is looked at."""

    reports = ()

    @property
    def has_reported(self):
        """Between two looks."""
        return self.reports.pop(0)

    @has_reported.setter
    def has_reported(self, _has):
        pass


def lived(story):
    """What a story of a process says in the end."""
    return asyncio.run(story())


def begun(kind, process):
    """One whose link is closed as soon as it ends, and what is told of it."""
    told = []
    it = kind(None, process, told.append)
    it.link = Link()
    it._lost.set()
    return it, told


def test_one_that_is_silent_three_times_in_a_row_is_killed(monkeypatch):
    """A report in between begins the count anew."""
    monkeypatch.setattr(module, "LOOK_S", 0.0)

    async def story():
        it, told = begun(Reporting, Process())
        it.reports = [True, False, False, True, False, False, False]
        return await it.ended(), it.reports, [event.fields["why"] for event in told]

    assert (-9, [], ["it has not answered for 0 s and is killed"]) == lived(story)


def test_one_that_is_not_ready_has_nothing_to_end():
    """It is killed without a word."""

    async def story():
        process = Process()
        it, told = begun(Child, process)
        return await it.drain(1.0), process.status, told

    assert (0, -9, []) == lived(story)


def test_end_with_a_status_is_told():
    """What it gave up is known, and that its end was not in order."""

    async def story(status):
        it, told = begun(Child, Process(status))
        it.ready.set()
        return await it.drain(1.0), [event.fields["why"] for event in told]

    assert (3, ["ended with status 1"]) == lived(lambda: story(1))
    assert (3, []) == lived(lambda: story(0))
