"""Byte streams to other machines (floor 2): connect, listen, TLS.

Rule 1: addresses only; names are `dns`'s business.
Rule 2: whatever goes wrong on the way is a `NetError` with a sentence for people and a kind for programs.
Rule 3: time limits for reading and writing are the caller's, with a `Deadline`; only `connect` has its own.
Rule 4: octets are read in a task, or heard by a plain call; who only waits needs no task.

Stops: `sockets` (what needs no loop: `NetError`, `bind`), `stream` (the contract), `tcp` (`connect`), `ports`
(`listen`, `serve`, `accept`), `memory` (`pair`, the same contract without a network), `deadline` (a time limit that
moves along), `interfaces` (the addresses of this machine), `descriptors` (how many files and sockets may be open).
"""

from typing import TYPE_CHECKING

from postroad.words.doors import door

if TYPE_CHECKING:
    from postroad.net.deadline import NEVER, Deadline
    from postroad.net.descriptors import open_more
    from postroad.net.interfaces import host_name, interface_addresses, source_towards
    from postroad.net.memory import pair
    from postroad.net.ports import Listener, accept, listen, serve
    from postroad.net.sockets import Endpoint, NetError, NetErrorKind, bind
    from postroad.net.stream import Stream
    from postroad.net.tcp import connect

__getattr__, __dir__ = door(
    __name__,
    deadline="NEVER Deadline",
    descriptors="open_more",
    interfaces="host_name interface_addresses source_towards",
    memory="pair",
    ports="Listener accept listen serve",
    sockets="Endpoint NetErrorKind NetError bind",
    stream="Stream",
    tcp="connect",
)
