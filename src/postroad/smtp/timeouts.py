"""How long a client waits, phase by phase (RFC 5321 section 4.5.3.2)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timeouts:
    """The time limits of a client session in seconds, no shorter than RFC 5321 section 4.5.3.2 asks."""

    connect_s: float = 30.0  # no RFC names it; Postfix and Haraka wait this long
    greeting_s: float = 300.0
    ehlo_s: float = 300.0
    starttls_s: float = 120.0
    mail_s: float = 300.0
    rcpt_s: float = 300.0
    # On a connection that rested the host may have vanished: after this time, and again, its kernel is looked to for a
    # sign of life. No content has been sent yet, so another exchanger may be asked.
    resting_s: float = 0.25
    resting_most_s: float = 3.0  # a host that stands still acknowledges and says nothing; it is asked anew, or another
    data_s: float = 120.0
    block_s: float = 180.0  # for each piece of the message
    dot_s: float = 600.0  # long on purpose: giving up early makes duplicates (RFC 1047)
    quit_s: float = 2.0  # all is settled by then; the reply to QUIT changes nothing
