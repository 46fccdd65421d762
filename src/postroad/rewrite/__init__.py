"""Addresses and headers rewritten while mail arrives, and who may send as whom (floor 1).

Rule 1: what is rewritten once is never rewritten to anything else: twice is once.
Rule 2: an octet that no rule is about stays, and a field that cannot be read stays as it is.
Rule 3: the null reverse-path stays null: a report stays a report.

Stops: `patterns` (which addresses are meant), `senders` (addresses and what becomes of them), `spans` (where the
addresses of a field are), `header` (its fields), `policy` (whose mail is rewritten how, and who may send as whom).
"""

from typing import TYPE_CHECKING

from postroad.words.doors import door

if TYPE_CHECKING:
    from postroad.rewrite.header import HEADER_SIZE, HeaderEdits, ReadableFrom, edited, readable_from
    from postroad.rewrite.patterns import AddressPattern, parse_address_pattern
    from postroad.rewrite.policy import AllowedSenders, Clients, FixedSender, Rewriter, Rewriting, SenderIdentity
    from postroad.rewrite.senders import SenderRules, parse_sender_rules
    from postroad.rewrite.spans import AddressSpan, address_spans

__getattr__, __dir__ = door(
    __name__,
    header="HEADER_SIZE HeaderEdits ReadableFrom edited readable_from",
    patterns="AddressPattern parse_address_pattern",
    policy="AllowedSenders Clients FixedSender Rewriter Rewriting SenderIdentity",
    senders="SenderRules parse_sender_rules",
    spans="AddressSpan address_spans",
)
