"""A message of a program on this machine, made into mail that a spool keeps: for `sendmail` and for `enqueue`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from postroad.build.draft import Origin, addresses_named, finish_draft, parse_draft, qualified
from postroad.build.holding import release_of
from postroad.words.inputs import InputError, readable
from postroad.words.mail import Envelope, Mailbox, Recipient, distinct, needs_smtputf8, parse_mailbox, tls_wish_of

if TYPE_CHECKING:
    from postroad.rewrite import Rewriting
    from postroad.routing import Aliases
    from postroad.sign import SigningPolicy
    from postroad.spool import StoredMail


@dataclass(frozen=True, slots=True)
class Submission:
    """A message as a program hands it over, and what it says of the envelope, with addresses as they are written.

    With `from_header` the recipients of To, Cc and Bcc get it, too. A `sender` of "" is the null reverse-path, None
    the user who runs the program.
    """

    octets: bytes
    recipients: Sequence[str]
    from_header: bool
    sender: str | None
    notify: frozenset[str] = frozenset()
    ret: str | None = None
    envid: str | None = None
    eight_bit: bool = False
    release_at: float | None = None  # not to be delivered before


@dataclass(frozen=True, slots=True)
class SubmissionRules:
    """What the settings of this machine do with mail of its own programs: rewrite it, expand aliases, and sign.

    Mail for later is held for `hold_s` at most.
    """

    aliases: Aliases
    signing: SigningPolicy | None
    where_aliases: str  # to set an alias, for people
    rewriting: Rewriting | None = None
    hold_s: float = 0.0


class NoAliasError(InputError):
    """The error that a recipient is a user of this machine, which has no mailboxes, without an alias."""


def origin_of(hostname: str, full_name: str = "") -> Origin:
    """The user who runs this program, now; an id for the message."""
    import os  # noqa: PLC0415  # this and the next few only where mail is kept
    import pwd  # noqa: PLC0415  # as above
    import time  # noqa: PLC0415  # as above

    from postroad.spool import MessageIds  # noqa: PLC0415  # as above

    uid = os.getuid()
    try:
        entry = pwd.getpwuid(uid)
        user, real_name = entry.pw_name, entry.pw_gecos.partition(",")[0]
    except KeyError:  # a container may run under a number without a name
        user, real_name = f"uid{uid}", ""
    return Origin(hostname, user, uid, full_name or real_name, MessageIds().id(), time.time())


def mail_of(submission: Submission, origin: Origin, rules: SubmissionRules, by: str) -> tuple[StoredMail, bytes]:
    """What is kept of a message: completed, signed, for the addresses that aliases stand for. `by` is the program.

    Raises:
        InputError: an address cannot be read, or there is no recipient.
        NoAliasError: a recipient would have to be on this machine.
        SenderError: this user may not use the sender.

    """
    content, envelope = _completed(submission, origin)
    return _kept(content, envelope, origin, rules, by, submission.release_at)


def mail_sent(
    octets: bytes, envelope: Envelope, origin: Origin, rules: SubmissionRules, by: str
) -> tuple[StoredMail, bytes]:
    """The same of a message with an envelope, as SMTP has them.

    Raises:
        InputError: its sender may not be used, or it is held for too long, or always goes to a user without an alias.

    """
    content = finish_draft(parse_draft(octets), origin, envelope.reverse_path)
    whole = replace(
        envelope,
        recipients=distinct(envelope.recipients),
        # RFC 6531 section 3.3: a client may say SMTPUTF8 of any message, and one without may have an eight-bit header
        smtputf8=needs_smtputf8(envelope, content if envelope.smtputf8 else b""),
        eight_bit=envelope.eight_bit or not content.isascii(),
        tls=envelope.tls or tls_wish_of(content),
        release_at=None,
    )
    return _kept(content, whole, origin, rules, by, envelope.release_at)


def _kept(  # all that is known of it
    content: bytes, envelope: Envelope, origin: Origin, rules: SubmissionRules, by: str, at: float | None
) -> tuple[StoredMail, bytes]:
    from postroad.spool import MessageIds, StoredMail, local_origin  # noqa: PLC0415  # only where mail is kept

    release_at = release_of(at, origin.at, rules.hold_s)
    said = envelope.reverse_path
    if rules.rewriting:
        from postroad.build.rewriting import rewritten  # noqa: PLC0415  # as above

        content, envelope = rewritten(content, envelope, rules.rewriting, origin.user)
    if rules.signing:
        content = rules.signing.signed(content, origin.at)
    unknown = [to.mailbox for to in envelope.recipients if rules.aliases.refusal(to.mailbox, None)]
    if unknown:
        raise NoAliasError(*(_no_alias(each, rules) for each in unknown))
    told = local_origin(origin.user, origin.uid, by) + ("" if envelope.reverse_path == said else f", sent as {said}")
    envelope = rules.aliases.expanded(envelope)
    return StoredMail(origin.id, envelope, origin.at, MessageIds().seed(), len(content), told, release_at), content


def _completed(submission: Submission, origin: Origin) -> tuple[bytes, Envelope]:
    """The message with the fields that it lacks, and the envelope."""
    draft, hostname = parse_draft(submission.octets), origin.hostname
    named = addresses_named(submission.recipients) + (draft.recipients() if submission.from_header else [])
    boxes = dict.fromkeys(readable(parse_mailbox(each)) for each in qualified(named, hostname))
    if not boxes:
        raise InputError(f"there is no recipient{' in To, Cc or Bcc' if submission.from_header else ''}")
    named_sender = submission.sender
    sender = origin.user if named_sender is None else "".join(addresses_named([named_sender])[:1])
    reverse_path = readable(parse_mailbox(qualified([sender], hostname)[0])) if sender else None
    content = finish_draft(draft, origin, reverse_path)
    envelope = Envelope(
        reverse_path,
        tuple(Recipient(box, submission.notify) for box in boxes),
        smtputf8=any(box.needs_smtputf8 for box in (*boxes, reverse_path) if box),
        eight_bit=submission.eight_bit or not content.isascii(),
        ret=submission.ret,
        envid=submission.envid,
        tls=tls_wish_of(content),
    )
    return content, envelope


def _no_alias(mailbox: Mailbox, rules: SubmissionRules) -> str:
    return f"{mailbox}: this machine has no mailboxes, and there is no alias for {mailbox.local}; {rules.where_aliases}"
