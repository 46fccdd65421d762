"""A name server on loopback that says what a test wants, the impossible included."""

import asyncio
import contextlib
from ipaddress import ip_address

import dns.flags
import dns.message
import dns.rrset

from postroad.dns import ServerAddress

SOA = "example.com. 600 IN SOA ns.example.com. hostmaster.example.com. 1 7200 900 604800 300"


def reply(query, *records, rcode="NOERROR", authority=(), flags=0):
    """A well-formed reply: records as lines of a master file, those of one RRset together."""
    message = dns.message.make_response(query)
    message.set_rcode(dns.rcode.from_text(rcode))
    message.flags |= flags
    for section, lines in ((message.answer, records), (message.authority, authority)):
        for line in lines:
            owner, ttl, _, kind, data = line.split(maxsplit=4)
            rrset = dns.rrset.from_text(owner, int(ttl), "IN", kind, data)
            known = [known for known in section if known.match(rrset.name, rrset.rdclass, rrset.rdtype, rrset.covers)]
            known[0].update(rrset) if known else section.append(rrset)
    return message


def cut(query):
    """The reply that sends a client to TCP."""
    return reply(query, flags=dns.flags.TC)


def _wire(message):
    return message.to_wire(max_size=65535, want_shuffle=False)  # dnspython shuffles RRsets unless told not to


class Nameserver(asyncio.DatagramProtocol):
    """`answer(query, over)` gives a message, octets, a list of either, or None to stay silent."""

    def __init__(self, answer):
        self._answer = answer
        self.asked = []
        self.queries = []

    @property
    def server(self):
        """Where it listens."""
        return ServerAddress(ip_address("127.0.0.1"), self.port)

    async def start(self):
        """Listen on UDP and TCP of one free port."""
        loop = asyncio.get_running_loop()
        self._tcp = await asyncio.start_server(self._converse, "127.0.0.1", 0)
        self.port = self._tcp.sockets[0].getsockname()[1]
        self._udp, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", self.port))

    async def stop(self):
        """Close both."""
        self._udp.close()
        self._tcp.close()
        await self._tcp.wait_closed()

    def datagram_received(self, data, addr):
        for octets in self._octets(data, "udp"):
            self._udp.sendto(octets, addr)

    async def _converse(self, reader, writer):
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            data = await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))
            for octets in self._octets(data, "tcp"):
                writer.write(len(octets).to_bytes(2, "big") + octets)
            await writer.drain()
        writer.close()

    def _octets(self, data, over):
        query = dns.message.from_wire(data)
        self.queries.append(query)
        question = query.question[0]
        self.asked.append((question.name.to_text(), dns.rdatatype.to_text(question.rdtype), over))
        said = self._answer(query, over)
        said = said if isinstance(said, list) else [said]
        return [one if isinstance(one, bytes) else _wire(one) for one in said if one is not None]


@contextlib.asynccontextmanager
async def nameserver(answer):
    """A name server while the block lasts."""
    server = Nameserver(answer)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()
