"""The ids of messages: safe in file names, in order of time, and unlike."""

from hypothesis import given
from hypothesis import strategies as st

from postroad.spool.ids import SEED_BITS, MessageIds, local_origin

DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def number_of(id_):
    """The 80 bits of an id, as Crockford's base 32 has them."""
    assert 16 == len(id_)
    number = 0
    for digit in id_:
        number = number * 32 + DIGITS.index(digit)
    return number


class Chance:
    """Gives these bits, and notes how many were asked for."""

    def __init__(self, bits):
        self.bits = bits
        self.asked = []

    def getrandbits(self, count):
        """The bits."""
        self.asked.append(count)
        return self.bits


@given(st.integers(0, 2**50 - 1), st.integers(0, 2**30 - 1))
def test_an_id_is_the_milliseconds_and_then_chance(milliseconds, bits):
    """50 bits of one and 30 of the other, so that ids sort by time: each octet of both is there."""
    ids = MessageIds(lambda: (milliseconds + 0.5) / 1000)
    ids._rng = Chance(bits)
    assert milliseconds << 30 | bits == number_of(ids.id())
    assert bits == ids.seed()
    assert [30, SEED_BITS] == ids._rng.asked


def test_mail_of_this_machine_names_its_user():
    """For people, in the queue and in the header."""
    assert "user ann (uid 1000) by sendmail" == local_origin("ann", 1000, "sendmail")
