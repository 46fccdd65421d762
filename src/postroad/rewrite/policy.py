"""Whose mail is rewritten how, and who may send as whom."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from ipaddress import IPv4Network, IPv6Network

from postroad.rewrite.header import HeaderEdits, edited, readable_from
from postroad.rewrite.patterns import AddressPattern
from postroad.rewrite.senders import SenderRules
from postroad.words.mail import Envelope, Mailbox, Recipient
from postroad.words.names import Address
from postroad.words.reply import Reply

Network = IPv4Network | IPv6Network

ANYONE = "*"
USER = "{user}"
NEVER = frozenset({"NEVER"})

TOO_LONG = Reply(554, ("5.3.4 the header is too long to be rewritten",))
UNREADABLE = Reply(550, ("5.7.1 the From of the message cannot be read, so it is not known whom it is from",))


@dataclass(frozen=True, slots=True)
class SenderIdentity:
    """Who hands mail over: by SMTP from an address, perhaps as a user who has logged in, or a user of this machine."""

    address: Address | None = None
    user: str | None = None
    local_user: str | None = None

    def __str__(self) -> str:
        """For people."""
        if self.user is not None:
            return f"user {self.user}"
        return f"local user {self.local_user}" if self.local_user is not None else f"client {self.address}"


@dataclass(frozen=True, slots=True)
class Clients:
    """Whom an entry of a table is for: anyone it names. `*` is every user."""

    networks: tuple[Network, ...] = ()
    users: frozenset[str] = frozenset()
    local_users: frozenset[str] = frozenset()

    def has(self, who: SenderIdentity) -> bool:
        """Whether it is for them."""
        return (
            (who.user is not None and bool(self.users & {who.user, ANYONE}))
            or (who.local_user is not None and bool(self.local_users & {who.local_user, ANYONE}))
            or (who.address is not None and any(who.address in network for network in self.networks))
        )


@dataclass(frozen=True, slots=True)
class FixedSender:
    """The sender that all mail of some clients has; with `keeps_reply_to` answers go to the one it had."""

    clients: Clients
    sender: Mailbox
    keeps_reply_to: bool = False


@dataclass(frozen=True, slots=True)
class AllowedSenders:
    """The senders that some clients may use: in the envelope, with `header` in From too.

    `{user}` for a local part stands for the name of the user.
    """

    clients: Clients
    senders: tuple[AddressPattern, ...]
    header: bool = False


@dataclass(frozen=True, slots=True)
class Rewriting:
    """All of it, as the settings have it. The first fixed sender that is for a client is theirs.

    What several entries allow a client, is all allowed; who is in none of them may use any sender.
    """

    hostname: str
    rules: SenderRules = field(default_factory=SenderRules)
    always_bcc: tuple[Mailbox, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    fixed: tuple[FixedSender, ...] = ()
    allowed: tuple[AllowedSenders, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.rules or self.always_bcc or self.headers or self.fixed or self.allowed)

    def of(self, who: SenderIdentity) -> Rewriter | None:
        """What is done to their mail; None for nothing."""
        fixed = next((each for each in self.fixed if each.clients.has(who)), None)
        allowed = tuple(each for each in self.allowed if each.clients.has(who))
        edits = HeaderEdits(
            self.rules.rewritten,
            self.hostname,
            self.headers,
            fixed.sender if fixed else None,
            keeps_reply_to=bool(fixed and fixed.keeps_reply_to),
        )
        is_idle = not (self.rules or self.always_bcc or self.headers or fixed or allowed)
        return None if is_idle else Rewriter(who, edits, self.always_bcc, allowed)


@dataclass(frozen=True, slots=True)
class Rewriter:
    """What is done to the mail of one client."""

    who: SenderIdentity
    edits: HeaderEdits
    always_bcc: tuple[Mailbox, ...] = ()
    allowed: tuple[AllowedSenders, ...] = ()

    def sender(self, reverse_path: Mailbox | None) -> Mailbox | None:
        """The reverse-path as it is to be. The null one stays: RFC 5321 section 4.5.5 has it for reports."""
        return reverse_path and (self.edits.fixed or self.edits.change(reverse_path))

    def envelope(self, envelope: Envelope) -> Envelope:
        """The envelope as it is to be, with whoever gets a copy of all mail but reports.

        Nobody hears of a copy that cannot be delivered (NOTIFY=NEVER, as with Postfix): the sender knows of none, and
        a report to them would be copied again.
        """
        if envelope.reverse_path is None:
            return envelope
        there = {each.mailbox for each in envelope.recipients}
        copies = tuple(Recipient(mailbox, NEVER) for mailbox in self.always_bcc if mailbox not in there)
        sender = self.sender(envelope.reverse_path)
        if not copies and sender == envelope.reverse_path:
            return envelope
        return replace(envelope, reverse_path=sender, recipients=envelope.recipients + copies)

    def content(self, octets: bytes) -> bytes | Reply:
        """The message, or all of its header and some of the rest, as it is to be; or why it is refused."""
        made = edited(octets, self.edits)
        if made is None:
            return TOO_LONG
        if not any(each.header for each in self.allowed):
            return made
        authors = readable_from(made, self.edits.hostname)
        if authors is None:
            return UNREADABLE
        wrong = next((each for each in authors if not self._may_use(each)), None)
        # 553 is no reply to a message (RFC 5321 section 4.3.2)
        return made if wrong is None else Reply(550, (f"5.7.1 From: {self._not_owned(wrong)}",))

    def refusal(self, reverse_path: Mailbox | None) -> Reply | None:
        """The reply to MAIL if they may not use this sender: of what it is to be, not of what it was."""
        sender = self.sender(reverse_path)
        if not self.allowed or sender is None or self._may_use(sender):
            return None
        return Reply(553, (f"5.7.1 {self._not_owned(sender)}",))

    def _may_use(self, mailbox: Mailbox) -> bool:
        return any(self._fits(pattern, mailbox) for each in self.allowed for pattern in each.senders)

    def _fits(self, pattern: AddressPattern, mailbox: Mailbox) -> bool:
        if pattern.local is None or USER not in pattern.local:
            return pattern.fits(mailbox)
        user = (self.who.user or self.who.local_user or "").lower()
        if not user or "*" in user:  # a name that would be a pattern itself
            return False
        return replace(pattern, local=pattern.local.replace(USER, user)).fits(mailbox)

    def _not_owned(self, mailbox: Mailbox) -> str:
        """In Postfix's words, which log tools know. Replies are ASCII."""
        shown = f"<{mailbox}>: " if mailbox.text.isascii() and mailbox.text.isprintable() else ""
        who = str(self.who)
        return f"{shown}Sender address rejected: not owned by {who if who.isascii() and who.isprintable() else 'user'}"
