"""The page of the senders is what their files say, and its examples can be read."""

import re

from tests.docs.senders_page import PAGE, senders_page

from postroad.models import read_sender, read_senders
from postroad.models.model import EqualsOrder, Unit


def test_the_page_has_every_sender():
    """senders.md is what the files say; `python -m tests.docs.senders_page` writes it anew."""
    assert senders_page() == PAGE.read_text()


def test_the_examples_of_the_page_can_be_read():
    """Who copies them has a sender, or several and a mix."""
    one, several = re.findall(r"```toml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    gateway = read_sender("gateway", one)
    assert (Unit.HOST, EqualsOrder.GIVEN) == (gateway.unit, gateway.equals)
    own = read_senders(several)
    assert Unit.HOST is own.senders["gateway"].unit
    assert 1 == sum(own.mixes["ours"].values())
