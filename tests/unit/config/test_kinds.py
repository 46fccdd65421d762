"""Times, sizes and the like, as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.config import values as kinds


@pytest.mark.parametrize(
    ("written", "seconds"),
    [(90, 90.0), (0.25, 0.25), ("90s", 90.0), ("5m", 300.0), ("4h", 14400.0), ("5d", 432000.0), ("250ms", 0.25),
     ("1h30m", 5400.0), ("1h 30m", 5400.0), ("1.5h", 5400.0), (0, 0.0)],
)  # fmt: skip
def test_times_are_seconds_or_texts(written, seconds):
    """A number is seconds; a text names its units."""
    assert seconds == kinds.read_duration(written)


@pytest.mark.parametrize("written", ["", "5", "5 minutes", "m", "-5m", -1, True, float("nan"), None, "5m?"])
def test_what_is_no_time_is_refused(written):
    """It says what to write instead."""
    with pytest.raises(ValueError, match='is not a time; write seconds, or a text such as "90s"'):
        kinds.read_duration(written)


@pytest.mark.parametrize("written", [float("inf"), 1e308, 10**400, f"{'9' * 400}d", "3661 days", 10 * 366 * 86400 + 1])
def test_no_time_is_longer_than_ten_years(written):
    """Nobody waits so long; what adds such times up would end with an infinity."""
    with pytest.raises(ValueError, match="is longer than ten years, the longest time allowed"):
        kinds.read_duration(written)


def test_days_are_written_out_too():
    """As people say them."""
    assert [86400, 5 * 86400, 90061.0] == [kinds.read_duration(text) for text in ("1 day", "5 days", "1d 1h 1m 1s")]


@pytest.mark.parametrize("written", [f"{'9' * 400}MB", 10**400, 2**51])
def test_no_size_is_larger_than_a_disk(written):
    """A number with hundreds of digits is no infinity either."""
    with pytest.raises(ValueError, match="is more than 1048576 GiB, the largest size allowed"):
        kinds.read_size(written)


@given(st.integers(0, 10**9))
def test_times_are_read_as_they_were_written(milliseconds):
    """What `config show` prints means the same again."""
    assert milliseconds / 1000 == pytest.approx(kinds.read_duration(kinds.write_duration(milliseconds / 1000)))


@pytest.mark.parametrize(
    ("written", "octets"),
    [(1000, 1000), ("50MiB", 52428800), ("10MB", 10_000_000), ("1.5 KiB", 1536), ("512", 512), ("1GiB", 2**30)],
)
def test_sizes_are_octets_or_texts(written, octets):
    """A number is octets; a text may name a unit, decimal or binary."""
    assert octets == kinds.read_size(written)


@pytest.mark.parametrize("written", ["", "50mb", "MiB", -1, 1.5, True, "-1"])
def test_what_is_no_size_is_refused(written):
    """It says what to write instead."""
    with pytest.raises(ValueError, match='is not a size; write octets, or a text such as "500KiB"'):
        kinds.read_size(written)


@given(st.integers(0, 2**40))
def test_sizes_are_read_as_they_were_written(octets):
    """What `config show` prints means the same again."""
    assert octets == kinds.read_size(kinds.write_size(octets))


@pytest.mark.parametrize(
    ("written", "host", "port"),
    [
        ("smtp.Example.net:587", "smtp.example.net", 587),
        ("smtp.example.net", "smtp.example.net", None),
        ("192.0.2.1", "192.0.2.1", None),
        ("192.0.2.1:2525", "192.0.2.1", 2525),
        ("2001:db8::1", "2001:db8::1", None),
        ("[2001:db8::1]:25", "2001:db8::1", 25),
        ("[2001:db8::1]", "2001:db8::1", None),
    ],
)
def test_a_host_may_have_a_port(written, host, port):
    """Addresses of version 6 stand in brackets before a port; all are written back as they mean."""
    place = kinds.read_place(written)
    assert (host, port) == (str(place[0]), place[1])
    assert place == kinds.read_place(kinds.write_place(place))


@pytest.mark.parametrize("written", ["a:0", "a:65536", "a:smtp", "", ":25", "a b:25", 25])
def test_what_is_no_host_is_refused(written):
    """With a sentence."""
    with pytest.raises(ValueError, match=r"write|port"):
        kinds.read_place(written)


def test_a_network_with_host_bits_is_told_what_it_meant():
    """The sentence has the network that was meant."""
    with pytest.raises(ValueError, match=r'"192.0.2.7/24" is not a network; write one, such as "192.0.2.0/24"'):
        kinds.read_network("192.0.2.7/24")
