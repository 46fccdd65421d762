"""The same octets read twice: by the lean decoder, and by dnspython and what `answers` makes of it."""

from ipaddress import ip_address

import dns.flags
import dns.name
import dns.rdatatype

from postroad.dns import ServerAddress, lean, wire
from postroad.dns.answers import DnsReply, _Chain
from postroad.dns.line import UnreadableError

_SERVER = ServerAddress(ip_address("192.0.2.53"))


def query(name, kind):
    """The question as the lean encoder has it."""
    return lean.question(name, kind, 1232)


def slow(octets, name, kind):
    """The answer by dnspython; None where it is no reply, cut, trouble, or an alias that leads out."""
    try:
        message = wire.decoded(octets, query(name, kind).octets)
    except UnreadableError:
        return None
    if message is None or message.flags & dns.flags.TC:
        return None
    said = wire._judged(_SERVER, message)
    if not isinstance(said, DnsReply):
        return None
    return _Chain(dns.name.from_text(name), dns.rdatatype.from_text(kind)).follow(said)


def both(octets, name, kind):
    """The two readings."""
    return lean.read(octets, query(name, kind)), slow(octets, name, kind)
