"""Demands and proofs as stored records: what was written is read again."""

import json

from hypothesis import given
from hypothesis import strategies as st

from postroad.words.facts import Tlsa
from postroad.words.tls import Authority, Demand, Miss, Proof, TlsFailure, TlsLevel, in_words
from postroad.words.tlsrecord import demand_record, proof_record, read_demand, read_proof

TEXTS = st.text(max_size=12)
MISSES = st.builds(Miss, st.sampled_from(TlsFailure), TEXTS, st.sampled_from(["4.7.5", "4.7.4", "5.7.30"]))
OCTET = st.integers(0, 255)
NAMES = st.lists(TEXTS, max_size=2).map(tuple)
RECORDS = st.lists(st.builds(Tlsa, OCTET, OCTET, OCTET, st.binary(max_size=8)), max_size=2).map(tuple)


NOTHING = st.none()


def demands(watched=NOTHING):
    """Any demand."""
    fields = (st.sampled_from(TlsLevel), st.sampled_from(Authority), TEXTS, NAMES, RECORDS, TEXTS)
    return st.builds(Demand, *fields, st.none() | MISSES, st.booleans(), watched, st.booleans())


@given(demands(st.none() | demands()))
def test_demand_survives_its_record(demand):
    """Every field, through JSON."""
    assert demand == read_demand(json.loads(json.dumps(demand_record(demand))))


@given(st.builds(Proof, st.sampled_from(TlsLevel), TEXTS, st.none(), st.none() | MISSES))
def test_proof_survives_its_record(proof):
    """All but its terms, which are in the demand."""
    assert proof == read_proof(json.loads(json.dumps(proof_record(proof))))


@given(demands(st.none() | demands()))
def test_every_demand_can_be_said(demand):
    """In a part of a sentence."""
    assert in_words(demand)
