"""Replies of a host that talks too much: what it means counts, and little of what it says is kept."""

from postroad.smtp.wire import Limits, Line, ReplyReader


def test_little_of_a_long_reply_is_kept():
    """A message has a reply for each of up to 1000 recipients, and a record of them all: a megabyte each is too much."""
    limits = Limits()
    reader = ReplyReader(limits)
    for _ in range(2):
        assert [None] * 255 == [reader.read(Line(b"550-" + b"x" * 4000)) for _ in range(255)]
        reply = reader.read(Line(b"550 end"))
        assert (550, None) == (reply.code, reader.problem)
        assert 0 < sum(map(len, reply.lines)) <= limits.reply_kept


def test_lines_are_counted_also_where_they_are_not_kept():
    """A reply that never ends is none."""
    reader = ReplyReader(Limits())
    for _ in range(257):
        reader.read(Line(b"550-" + b"x" * 4000))
    assert "a reply of more than 256 lines" == reader.problem
