"""A local user's messages: each is made whole, signed, and handed to the relay."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from postroad.cli.sendmail.draft import Draft, Origin, finish
from postroad.cli.sendmail.handing import Deposited, hand_over
from postroad.config import aliases_of, hostname_of
from postroad.spool import MessageIds, StoredMail, sendmail_origin
from postroad.words.mail import Envelope, distinct, needs_smtputf8, tls_wish_of

if TYPE_CHECKING:
    from postroad.config import Brief
    from postroad.sign import SigningPolicy


class LocalUser:
    """A local user who hands messages over, and the settings by which that is done.

    Raises:
        InputError: an alias leads nowhere, or a key cannot be used.

    """

    def __init__(self, config: Brief, full_name: str | None = None) -> None:
        self.config = config
        self.hostname = hostname_of(config)
        self.aliases = aliases_of(config)
        self._signing = _signing(config)
        self._full_name = full_name
        self._ids = MessageIds()

    def origin(self) -> Origin:
        """Who hands over a message, now, and its id."""
        user, real_name = self._person
        full_name = self._full_name or os.environ.get("NAME", "") or real_name
        return Origin(self.hostname, user, os.getuid(), full_name, self._ids.id(), time.time())

    def hand(self, draft: Draft, envelope: Envelope, origin: Origin) -> Deposited:
        """Hand a message to the relay; on return it is durable, but for those who were refused.

        Raises:
            SpoolError: the spool cannot take it now, or is not for this user and no port of the relay is for them.

        """
        content = finish(draft, origin, envelope.reverse_path)
        envelope = self.aliases.expanded(
            replace(
                envelope,
                recipients=distinct(envelope.recipients),
                # An eight-bit header alone is what cron and PHP write: no host would have to take it as SMTPUTF8
                smtputf8=needs_smtputf8(envelope, content if envelope.smtputf8 else b""),
                eight_bit=envelope.eight_bit or not content.isascii(),
                tls=envelope.tls or tls_wish_of(content),
            )
        )
        if self._signing:
            content = self._signing.signed(content, origin.at)
        told = sendmail_origin(origin.user, origin.uid)
        mail = StoredMail(origin.id, envelope, origin.at, self._ids.seed(), len(content), told)
        return hand_over(mail, content, self.config, self.hostname)

    @cached_property
    def _person(self) -> tuple[str, str]:
        """The name of the user, and the real one."""
        import pwd

        uid = os.getuid()
        try:
            entry = pwd.getpwuid(uid)
        except KeyError:  # a container may run under a number without a name
            return f"uid{uid}", ""
        return entry.pw_name, entry.pw_gecos.partition(",")[0]


def _signing(config: Brief) -> SigningPolicy | None:
    """How mail is signed that goes into the spool. Who may not write there has it signed at the relay's port."""
    if config.dkim.keys is None or isinstance(config.spool, str) or not os.access(config.spool, os.W_OK):
        return None
    from postroad.build import build_signing

    return build_signing(config.dkim)
