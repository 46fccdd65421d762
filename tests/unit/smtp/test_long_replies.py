"""Replies of a host that talks too much: what it means counts, and little of what it says is kept."""

from postroad.smtp.wire import Limits, ReplyReader

LINE = b"550-" + b"x" * 4000 + b"\r\n"


def test_little_of_a_long_reply_is_kept():
    """A message may have a reply for each of 1000 recipients, all recorded: a megabyte each would be too much."""
    limits = Limits()
    reader = ReplyReader(limits)
    for _ in range(2):
        assert [] == reader.read(LINE * 255)
        (reply,) = reader.read(b"550 end\r\n")
        assert (550, "") == (reply.code, reader.problem)
        assert 0 < sum(map(len, reply.lines)) <= limits.reply_kept


def test_lines_are_counted_also_where_they_are_not_kept():
    """A reply that never ends is none."""
    reader = ReplyReader(Limits())
    assert [] == reader.read(LINE * 257)
    assert "a reply of more than 256 lines" == reader.problem
