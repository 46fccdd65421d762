"""JSON written by one encoder for all texts: the same octets as the library's own."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.examples import examples

from postroad.words.jsontext import encoder
from postroad.words.outcome import Result

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(Result),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
SEPARATORS = [(",", ":"), (", ", ": ")]


@given(st.booleans(), st.sampled_from(SEPARATORS), st.dictionaries(st.text(), VALUES, max_size=4))
@settings(max_examples=examples(120))
def test_text_is_what_the_library_writes(ascii_only, separators, shape):
    """Of whatever JSON can say, enumerated words too."""
    written = json.dumps(shape, ensure_ascii=ascii_only, separators=separators)
    assert written == encoder(ascii_only=ascii_only, separators=separators)(shape)


def test_what_is_no_json_is_refused():
    """As the library does it: a log line tells of it, and a settlement is not half written."""
    with pytest.raises(TypeError, match="not JSON serializable"):
        encoder(ascii_only=True, separators=(",", ":"))({"x": object()})


def test_python_without_the_fast_half_writes_the_same(monkeypatch):
    """The C encoder is not promised by the language."""
    monkeypatch.setattr("json.encoder.c_make_encoder", None)
    assert '{"a":["\\u00e4",1.5]}' == encoder(ascii_only=True, separators=(",", ":"))({"a": ["\u00e4", 1.5]})
