"""Rewrites what a user of this machine submits, as the relay does with what it receives."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from postroad.words.inputs import InputError
from postroad.words.mail import Envelope, needs_smtputf8
from postroad.words.reply import Reply

if TYPE_CHECKING:
    from postroad.rewrite import Rewriting


class SenderError(InputError):
    """The error that this user may not use the sender, or that the message cannot be rewritten."""


def rewritten(content: bytes, envelope: Envelope, rewriting: Rewriting, user: str) -> tuple[bytes, Envelope]:
    """The message of a user as it is to be sent.

    Raises:
        SenderError: it is not to be sent.

    """
    from postroad.rewrite import SenderIdentity  # noqa: PLC0415  # where something is rewritten

    rewriter = rewriting.of(SenderIdentity(local_user=user))
    if rewriter is None:
        return content, envelope
    made = rewriter.refusal(envelope.reverse_path) or rewriter.content(content)
    if isinstance(made, Reply):
        raise SenderError(made.text.partition(" ")[2])
    envelope = rewriter.envelope(envelope)
    return made, replace(envelope, smtputf8=envelope.smtputf8 and needs_smtputf8(envelope, made))
