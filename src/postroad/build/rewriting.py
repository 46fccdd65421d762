"""Rewrites what a user of this machine submits, as the relay does with what it receives."""

from __future__ import annotations

from dataclasses import replace

from postroad.rewrite import Rewriting, SenderIdentity
from postroad.spool import StoredMail
from postroad.words.inputs import InputError
from postroad.words.mail import needs_smtputf8
from postroad.words.reply import Reply


class SenderError(InputError):
    """The error that this user may not use the sender, or that the message cannot be rewritten."""


def rewritten(mail: StoredMail, content: bytes, rewriting: Rewriting, user: str) -> tuple[StoredMail, bytes]:
    """The message of a user as it is to be sent; its origin keeps the sender it had.

    Raises:
        SenderError: it is not to be sent.

    """
    rewriter = rewriting.of(SenderIdentity(local_user=user))
    if rewriter is None:
        return mail, content
    said = mail.envelope.reverse_path
    made = rewriter.refusal(said) or rewriter.content(content)
    if isinstance(made, Reply):
        raise SenderError(made.text.partition(" ")[2])
    envelope = rewriter.envelope(mail.envelope)
    if envelope.smtputf8:
        envelope = replace(envelope, smtputf8=needs_smtputf8(envelope, made))
    origin = mail.origin if envelope.reverse_path == said else f"{mail.origin}, sent as {said}"
    return replace(mail, envelope=envelope, size=len(made), origin=origin), made
