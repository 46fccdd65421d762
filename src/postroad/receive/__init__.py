"""Incoming mail (floor 4): listeners that accept it by SMTP and hand it to a keeper.

Rule 1: closed by default. Who is in none of the networks and not authenticated relays nothing.
Rule 2: 250 follows the keeper's word that the message is durable, and nothing else does.
Rule 3: no client can hold more than its share of memory, time or connections; each limit has its own reply.
Rule 4: a session is driven by what comes, without a task; what takes time goes on in a callback when it is done.
Rule 5: nothing waits in the loop: one timer watches all deadlines, and one read's work is cut into breaths.

Stops: `settings`, `policy` (who may relay), `auth` (users and passwords), `verifier`, `headers` (what is put in front),
`limits` (what is counted), `turns` (who is next), `keeper` (who is handed the mail), `shared` (what sessions share),
`signatures` (threads that sign), `incoming` (one message). Of one connection: `connection` (its life), `patience` (its
time), `judge` (what it may do), `messages`, `login` (its AUTH), `session_events`, `session` (what drives them).
`listener` (all ports).
"""

from typing import TYPE_CHECKING

from postroad.words.doors import door

if TYPE_CHECKING:
    from postroad.receive.auth import PasswordHash, hash_password, parse_users, verify
    from postroad.receive.headers import format_date
    from postroad.receive.keeper import Arrival, Keeper, Kept
    from postroad.receive.listener import Receiver
    from postroad.receive.settings import LOOPBACK, ListenSettings, ReceiveLimits, ReceiveSettings, ReceiveTimeouts, Tls

__getattr__, __dir__ = door(
    __name__,
    auth="PasswordHash hash_password parse_users verify",
    headers="format_date",
    keeper="Arrival Keeper Kept",
    listener="Receiver",
    settings="LOOPBACK ListenSettings ReceiveLimits ReceiveSettings ReceiveTimeouts Tls",
)
