"""All of a spool goes to another one: the states of docs/design/spool.md as stories."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.moves import FATES, filled, move, play, seen

from postroad.spool import PIECE

DATABASE = ""
PLAN = [
    (2, 30, b"", "waits"),
    (1, 2 * PIECE + 9, b"DKIM-Signature: x\r\n", "waits"),
    (3, 40, b"", "claimed"),
    (2, 40, b"", "finishes"),
    (2, 40, b"", "defers"),
    (1, PIECE + 7, b"", "reroutes"),
    (2, 40, b"", "holds"),
    (1, 0, b"", "waits"),
]


def test_there_and_back(tmp_path):
    """From a folder into the database and into another folder: the same as before, and nothing stays behind."""

    async def story():
        first, last = tmp_path / "first", tmp_path / "last"
        await filled(first, PLAN)
        before = await seen(first, without_nul=True)
        one = await move(first, DATABASE)
        there = await seen(DATABASE)
        two = await move(DATABASE, last)
        assert before == there
        assert before == await seen(last)
        assert one == two
        assert (8, 1, 2, 0) == (one.messages, one.finished, one.lessons, one.left)
        for left in (first, DATABASE):
            found, lessons, queue, counts, _ = await seen(left)
            assert ({}, [(), ()], [], (0, 0, 0, 0, 0)) == (found, lessons, queue, counts)

    play(story())
