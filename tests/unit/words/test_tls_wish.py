"""What the header of a message asks of TLS."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.words.mail import Envelope, Mailbox, TlsWish, tls_wish_of

ANN = Mailbox("ann", "example.com")


@pytest.mark.parametrize(
    "field",
    [b"TLS-Required: No", b"tls-required:no", b"TLS-REQUIRED: NO\t", b"TLS-Required:\r\n No", b"Tls-Required : No"],
)
def test_field_that_says_no_makes_tls_optional(field):
    """In any case, folded or not (RFC 8689 section 3)."""
    for header in (field, b"Subject: x\r\n" + field, field + b"\r\nSubject: x"):
        assert TlsWish.OPTIONAL is tls_wish_of(header + b"\r\n\r\nbody\r\n")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\r\nTLS-Required: No\r\n",
        b"Subject: x\r\n\r\nTLS-Required: No\r\n",
        b"TLS-Required: Yes\r\n\r\n",
        b"TLS-Required:\r\n\r\n",
        b"TLS-Required: No, really\r\n\r\n",
        b"TLS-Required: No\r\nTLS-Required: No\r\n\r\n",  # MUST NOT appear twice: nobody knows what is meant
        b"TLS-Required: No\r\ntls-required: yes\r\n\r\n",
        b"X-TLS-Required: No\r\n\r\n",
        b"Subject: x\r\n TLS-Required: No\r\n\r\n",
        b"TLS-Requiredly: No\r\n\r\n",
    ],
)
def test_anything_else_asks_for_nothing(content):
    """Another value, twice, in the body, or in another field."""
    assert tls_wish_of(content) is None


PIECES = st.lists(st.sampled_from([b"TLS-Required", b":", b" ", b"No", b"\r\n", b"\r\n ", b"\n", b"\r", b"x", b"\0"]))


@given(PIECES.map(b"".join) | st.binary(max_size=200))
def test_any_octets_have_a_wish_or_none_and_never_require_tls(content):
    """A header can ask for less than the domains do, never for more."""
    wish = tls_wish_of(content)
    assert wish in (None, TlsWish.OPTIONAL)
    assert wish is None or content.lower().count(b"tls-required") >= 1


def test_bounce_is_rather_delivered_than_protected():
    """RFC 8689 section 5: the null reverse-path excepts it; other mail is rather not delivered."""
    required = {path: Envelope(path, (), tls=TlsWish.REQUIRED).must_be_protected for path in (ANN, None)}
    assert {ANN: True, None: False} == required
    assert not any(Envelope(ANN, (), tls=wish).must_be_protected for wish in (None, TlsWish.OPTIONAL))
