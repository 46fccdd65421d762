"""The models against the measured rows: `make truth` prints the table."""

from dataclasses import replace

import pytest
from tests.support.examples import some
from tests.truth.judge import Verdict, judge
from tests.truth.rows import all_rows

ROWS = all_rows()
SENDERS = sorted({row.sender for row in ROWS})
EIGHT_DOWN = [row for row in ROWS if len(row.faults) == 8]
KEPT = [row for row in ROWS if row.kind == "shares" and row.data["msgs_per_conn_max"] > 1]
COSTLY = {(row.file, row.number) for row in EIGHT_DOWN + KEPT}
OTHERS = [row for row in ROWS if (row.file, row.number) not in COSTLY]
JUDGED = some(OTHERS, 3) + some(EIGHT_DOWN, 12) + some(KEPT, 10)


@pytest.mark.parametrize("sender", SENDERS)
def test_a_model_explains_every_row_that_is_judged(sender):
    """Shares, sequences, waits, recipients and questions could have come from the model.

    With eight servers down mail goes in thousands of ways, and a stream over kept connections at hundreds of paces: of
    these rows a few are judged, of the others every third, and each in a whole run.
    """
    judgements = [judge(row) for row in JUDGED if row.sender == sender]
    missed = {str(each.row): each.why for each in judgements if each.verdict is Verdict.MISSED}
    assert {} == missed


def test_a_row_compared_in_part_is_not_held():
    """Mail over kept connections is judged by its possible places only, and counted aside."""
    burst = [row for row in ROWS if row.sender == "postfix" and row.data.get("how") == "burst"]
    told = {judge(row).verdict for row in burst if len(row.data["first"]) > 1}
    assert {Verdict.ASIDE} == told


def test_a_stream_through_routes_is_possible_at_some_pace_or_missed():
    """140, 60 and 100 of OpenSMTPD come close to what its routes give at 30 ms a message; most on the second cannot."""
    (row,) = (row for row in ROWS if row.sender == "opensmtpd" and row.data.get("how") == "paced" and _uses(row, 3))
    assert (Verdict.ASIDE, "(likest: 137/63/100)") == (judge(row).verdict, judge(row).why[-20:])
    impossible = replace(row, data={**row.data, "first": {".11": 30, ".12": 150, ".13": 120}})
    assert Verdict.MISSED is judge(impossible).verdict


def _uses(row, addresses):
    return len(row.data["first"]) == addresses
