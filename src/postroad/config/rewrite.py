"""The tables of the settings about senders: what is rewritten while mail arrives, and who may send as whom."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated

from pydantic import Field, PlainSerializer, PlainValidator

from postroad.config.kinds import MailAddress, NetworkRange
from postroad.config.senders import read_headers, read_rules, read_senders
from postroad.config.table import SettingsTable
from postroad.rewrite import (
    AddressPattern,
    AllowedSenders,
    Clients,
    FixedSender,
    Rewriting,
    parse_sender_rules,
)

SenderTable = Annotated[Mapping[str, str], PlainValidator(read_rules)]
HeaderTable = Annotated[Mapping[str, str], PlainValidator(read_headers)]
Senders = Annotated[AddressPattern, PlainValidator(read_senders), PlainSerializer(str)]


class ClientsTable(SettingsTable):
    """Whom a table is for."""

    networks: tuple[NetworkRange, ...] = Field(default=(), description="Clients in these networks.")
    users: tuple[str, ...] = Field(default=(), description='Users after AUTH, by name; `"*"`: all of them.')
    local_users: tuple[str, ...] = Field(
        default=(),
        description='Users of this machine who run `postroad sendmail`, by name; `"*"`: all of them.',
    )

    @property
    def clients(self) -> Clients:
        """The same for decisions."""
        return Clients(self.networks, frozenset(self.users), frozenset(self.local_users))

    def disagreements(self) -> Iterator[str]:
        """What its keys contradict each other in."""
        if not (self.networks or self.users or self.local_users):
            yield "it applies to nobody; add networks, users or local_users"


class AllowedTable(ClientsTable):
    """The only senders that some clients may use. A client that is in no such table may use any sender.

    A client in several of them may use the senders of each. The sender is checked as it is after `[rewrite]`; any other
    is refused with 553 5.7.1.
    """

    senders: tuple[Senders, ...] = Field(
        min_length=1,
        description='Addresses, domains (`"example.com"`), all below one (`".example.com"`), or `"*"`.'
        ' `"{user}@example.com"` has the name of the user.',
    )
    header: bool = Field(
        default=False,
        description="Also check every address in From of the message; one that cannot be read is refused.",
    )

    @property
    def allowed(self) -> AllowedSenders:
        """The same for decisions."""
        return AllowedSenders(self.clients, self.senders, self.header)


class FixedTable(ClientsTable):
    """One sender for all mail of some clients, such as scanners and other devices. The first that fits applies."""

    sender: MailAddress = Field(description="The address for the envelope, From and Sender. A name in From stays.")
    reply_to: bool = Field(default=False, description="Whether the old From becomes Reply-To, if the message has none.")

    @property
    def fixed(self) -> FixedSender:
        """The same for decisions."""
        return FixedSender(self.clients, self.sender, self.reply_to)


class RewriteTable(SettingsTable):
    """What is rewritten in mail of clients that may relay, while it arrives and before it is signed.

    A signature that a message has already does not survive a change of a field that it covers.
    """

    senders: SenderTable = Field(
        default_factory=dict,
        description="What becomes of addresses in the envelope, From, Sender and Reply-To: the key is an address, a "
        'domain, `".domain"` for all below it, `"user@*"` or `"*"`; the value an address, or a domain, which keeps the'
        " user. `{user}` and `{host}` stand for the old user, and the first label of the old domain.",
    )
    headers: HeaderTable = Field(
        default_factory=dict,
        description='Header fields to set, whatever they were: `X-Env = "staging"`; an empty value removes the field.',
    )
    always_bcc: tuple[MailAddress, ...] = Field(
        default=(),
        description="Who gets a copy of all mail except reports. The sender never hears if a copy cannot be delivered.",
    )
    fixed: tuple[FixedTable, ...] = Field(
        default=(), description="A sender for devices; better written as `[[rewrite.fixed]]` tables."
    )


def rewriting_of(table: RewriteTable, allowed: Iterable[AllowedTable], hostname: str) -> Rewriting | None:
    """What is done to mail that arrives; None for nothing."""
    made = Rewriting(
        hostname,
        parse_sender_rules(table.senders),
        table.always_bcc,
        tuple(table.headers.items()),
        tuple(each.fixed for each in table.fixed),
        tuple(each.allowed for each in allowed),
    )
    return made or None
