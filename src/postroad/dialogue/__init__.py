"""SMTP as a client, over one connection (floor 3): for delivery, for probes and for checks alike.

Rule 1: no decision is taken here. What may be said, and what a reply means, is decided in `smtp`.
Rule 2: whatever the network or the host does ends as a `HostError`, which has an Outcome of host scope.

Stops: `settings` (who we say we are, and our patience), `message` (what is sent), `hearing` (what
the host has said), `conversation` (the one driver: commands and replies in step), `secured` (its TLS, judged), `login`
(who we are), `session` (from the greeting to the last message).
"""

from typing import TYPE_CHECKING

from postroad.words.doors import door

if TYPE_CHECKING:
    from postroad.dialogue.conversation import NO_TIME_LEFT, HostError
    from postroad.dialogue.message import PIECE, Message, Pieces
    from postroad.dialogue.session import Session
    from postroad.dialogue.settings import ClientSettings, Credentials

__getattr__, __dir__ = door(
    __name__,
    message="PIECE Message Pieces",
    conversation="NO_TIME_LEFT HostError",
    session="Session",
    settings="ClientSettings Credentials",
)
