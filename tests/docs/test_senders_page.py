"""The page of the senders is what their data say, and its example can be read."""

import re

from senders_page import PAGE, senders_page

from postroad.senders import read_senders
from postroad.senders.model import Equals, Unit


def test_the_page_has_every_sender():
    """senders.md is what the data say; `python -m tests.docs.senders_page` writes it anew."""
    assert senders_page() == PAGE.read_text()


def test_the_example_of_the_page_can_be_read():
    """Who copies it has a sender and a mix."""
    (example,) = re.findall(r"```toml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    own = read_senders(example)
    assert (Unit.HOST, Equals.GIVEN) == (own.senders["gateway"].unit, own.senders["gateway"].equals)
    assert 1 == sum(own.mixes["ours"].values())
