"""Tables about senders as people write them, read early: what is rewritten, and who may send as whom."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from postroad.config.values import read_mailbox, read_network
from postroad.rewrite import (
    AddressPattern,
    AllowedSenders,
    Clients,
    FixedSender,
    Rewriting,
    parse_address_pattern,
    parse_sender_rules,
)
from postroad.words.inputs import quoted
from postroad.words.names import Unreadable

LONGEST_VALUE = 900  # of a field, which is one line of 998 octets at most (RFC 5322 section 2.1.1)

_NAME = re.compile(r"[!-9;-~]{1,70}\Z")  # RFC 5322 section 2.2
_VALUE = re.compile(rf"[ -~]{{0,{LONGEST_VALUE}}}\Z")
# What a mail system reads: who it is from has tables of its own, loops are known by Received, and the rest says how
# the body is to be read, which nobody may change.
_OURS = frozenset({"from", "sender", "received", "return-path", "date", "message-id", "mime-version"})
_WHOM = {"networks", "users", "local_users"}

Table = Mapping[str, Any]


def read_rules(value: Any) -> Mapping[str, str]:  # noqa: ANN401  # whatever stands in the file
    """What becomes of addresses, by their patterns."""
    table = _texts(value, 'a table of addresses, such as {"root@web3" = "web3@example.com"}')
    parse_sender_rules(table)
    return table


def read_headers(value: Any) -> Mapping[str, str]:  # noqa: ANN401  # whatever stands in the file
    """The values of header fields, by their names; an empty one removes the field."""
    table = _texts(value, 'a table of header fields, such as {X-Env = "staging", X-Originating-IP = ""}')
    if len({name.lower() for name in table}) < len(table):
        raise ValueError("a field is there twice; leave one out")
    for name, text in table.items():
        if not _NAME.match(name):
            raise ValueError(f'{quoted(name)} is not the name of a header field; write one, such as "X-Env"')
        if name.lower() in _OURS or name.lower().startswith("content-"):
            raise ValueError(f"{name} cannot be set or removed here; senders are rewritten by [rewrite.senders]")
        if not _VALUE.match(text):
            raise ValueError(
                f"{quoted(text)} cannot be the value of {name}; write one line of printable ASCII, {LONGEST_VALUE}"
                " characters at most"
            )
    return table


def read_senders(value: Any) -> AddressPattern:  # noqa: ANN401  # whatever stands in the file
    """A pattern of addresses."""
    pattern = parse_address_pattern(value) if isinstance(value, str) else Unreadable("", "not a text")
    if isinstance(pattern, Unreadable):
        raise ValueError(f"{quoted(value)}: {pattern.why}")  # noqa: TRY004  # wrong text, or type
    return pattern


def plain_rewriting(rewrite: Table, allowed: Any, hostname: str) -> Rewriting | None:  # noqa: ANN401  # as above
    """What tables say that say nothing unusual; some error of others."""
    _known(rewrite, {"senders", "headers", "always_bcc", "fixed"})
    made = Rewriting(
        hostname,
        parse_sender_rules(read_rules(rewrite.get("senders", {}))),
        tuple(map(read_mailbox, _list(rewrite.get("always_bcc", []), str))),
        tuple(read_headers(rewrite.get("headers", {})).items()),
        tuple(map(_fixed, _list(rewrite.get("fixed", []), dict))),
        tuple(map(_allowed, _list(allowed, dict))),
    )
    return made or None


def _fixed(table: Table) -> FixedSender:
    _known(table, _WHOM | {"sender", "reply_to"})
    return FixedSender(_clients(table), read_mailbox(table["sender"]), _flag(table, "reply_to"))


def _allowed(table: Table) -> AllowedSenders:
    _known(table, _WHOM | {"senders", "header"})
    senders = tuple(map(read_senders, _list(table["senders"], str)))
    if not senders:
        raise ValueError
    return AllowedSenders(_clients(table), senders, _flag(table, "header"))


def _clients(table: Table) -> Clients:
    networks, users, local = (_list(table.get(key, []), str) for key in ("networks", "users", "local_users"))
    if not (networks or users or local):
        raise ValueError
    return Clients(tuple(map(read_network, networks)), frozenset(users), frozenset(local))


def _flag(table: Table, key: str) -> bool:
    value = table.get(key, False)
    if not isinstance(value, bool):
        raise TypeError
    return value


def _known(table: Table, keys: set[str]) -> None:
    if not table.keys() <= keys:
        raise KeyError


def _list(value: Any, kind: type) -> Sequence[Any]:  # noqa: ANN401  # as above
    if not isinstance(value, list) or not all(isinstance(each, kind) for each in value):
        raise TypeError
    return value


def _texts(value: Any, example: str) -> Mapping[str, str]:  # noqa: ANN401  # as above
    if not isinstance(value, dict) or not all(isinstance(each, str) for each in value.values()):
        raise ValueError(f"write {example}")
    return value
