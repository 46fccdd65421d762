"""The fuzz corpus and some mutations of it, in every test run: more in a whole run, and `make fuzz` goes on."""

from random import Random

import pytest
from tests.fuzz import targets
from tests.support.examples import examples, stride


@pytest.mark.parametrize("name", sorted(targets.TARGETS))
def test_corpus_and_mutations_keep_the_invariants(name):
    """Nothing raises; whole and byte by byte are the same; what is read can be written."""
    rng = Random(20261121)
    for octets in targets.corpus(name):
        targets.TARGETS[name](octets)
        for _ in range(examples(60 // stride(3))):
            targets.TARGETS[name](targets.mutated(rng, octets))
