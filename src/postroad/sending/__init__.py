"""Mail from programs (floor 8): sent now, or put into a spool for a relay to deliver.

Rule 1: an address, a message or an option that cannot be used is an InputError, before anything is sent.
Rule 2: whatever DNS, the network or a host does is an outcome in what is returned; nothing is raised for it.

Stops: `options` (how to send), `given` (what is to be sent), `client` (sends, one message or many), `queueing` (into a
spool).
"""

from typing import TYPE_CHECKING

from postroad.words.doors import door

if TYPE_CHECKING:
    from postroad.sending.client import Client, send, send_sync
    from postroad.sending.options import SendOptions
    from postroad.sending.queueing import Queued, enqueue, enqueue_sync

__getattr__, __dir__ = door(
    __name__,
    client="Client send send_sync",
    options="SendOptions",
    queueing="Queued enqueue enqueue_sync",
)
