"""Postfix judges the same domains as `postroad tls`, by the same validator; see second_opinion for the table."""

import pytest
from tests.interop import second_opinion
from tests.interop.conftest import folder_for_others
from tests.interop.second_opinion import CASES
from tests.support.examples import in_whole_runs

pytestmark = [pytest.mark.root, in_whole_runs]
STRICTER_WORDS = {"customer.test": ("proven", "encrypted")}  # docs/howto/tls.md says why


@pytest.fixture(scope="module")
def opinions():
    """By domain."""
    if why := second_opinion.obstacle():
        pytest.skip(why)
    with folder_for_others() as folder:
        return {each.domain: each for each in second_opinion.in_namespace(folder)}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_postfix_does_what_we_say(opinions, case):
    """Mail that we would send goes with Postfix, as well protected; mail that we would keep waits there, too."""
    said = opinions[case.domain]
    same = (said.ours, said.ours)
    assert STRICTER_WORDS.get(case.domain, same) == (said.ours, said.theirs), said


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_posttls_finger_finds_a_proof_where_we_have_one(opinions, case):
    """And where we pass a host over, it finds none: no TLS, no session, or nothing that matches."""
    said = opinions[case.domain]
    kind = said.found.partition(":")[0]
    assert said.ours != "proven" or kind in ("Verified", "Trusted"), said
    assert said.ours != "passed-over" or kind in ("Untrusted", "no session", "no TLS"), said
