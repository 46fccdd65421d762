"""What DNS says, in typed answers (floor 2): from name servers on the wire, from zone files, through a cache.

Rule 1: an answer is a value of `words.facts`, whatever came over the wire; nothing a server says raises.
Rule 2: the wire format and the master file format are dnspython's business, the meaning is ours.
Rule 3: names go in and come out as `words.names` writes them: lower case, no final dot, the root and the null MX "".

Stops: `resolver` (the protocol and the record types), `servers` (whom to ask), `answers` (replies -> answers,
following aliases), `wire` (asks name servers), `line` (the socket that some dozens of questions share), `plain` and
`lean` (the plain reply, and the usual one, read without dnspython), `direct` (one question to one server, and how its
answer travelled), `paced` (not too many at once), `cache` (keeps answers for their time, hands them out in turn),
`entries` and `master` (master files read, plain lines without dnspython), `zones` (answers from them, and where each
record stands).
"""

from typing import TYPE_CHECKING

from postroad.words.doors import door

if TYPE_CHECKING:
    from postroad.dns.cache import CacheSettings, CachingResolver
    from postroad.dns.direct import Direct, ask_server
    from postroad.dns.master import ZoneFault, ZoneProblem, load_zones, parse_zones
    from postroad.dns.paced import PacedResolver, PacedServers
    from postroad.dns.resolver import (
        RecordType,
        Resolver,
        Soa,
        resolve_a,
        resolve_aaaa,
        resolve_ns,
        resolve_tlsa,
        resolve_txt,
    )
    from postroad.dns.servers import DNS_PORT, ServerAddress, parse_server, system_servers
    from postroad.dns.wire import WireResolver, WireSettings
    from postroad.dns.zones import ZoneAnswer, ZoneLine, ZoneResolver, Zones

__getattr__, __dir__ = door(
    __name__,
    cache="CacheSettings CachingResolver",
    direct="Direct ask_server",
    master="ZoneFault ZoneProblem load_zones parse_zones",
    paced="PacedResolver PacedServers",
    resolver="RecordType Resolver Soa resolve_a resolve_aaaa resolve_ns resolve_tlsa resolve_txt",
    servers="DNS_PORT ServerAddress parse_server system_servers",
    wire="WireResolver WireSettings",
    zones="ZoneAnswer ZoneLine ZoneResolver Zones",
)
