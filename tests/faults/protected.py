"""Domains whose mail must never go in the clear, nor to a host that has not shown who it is, whatever fails.

`enforced.example` has an MTA-STS policy, which changes; `proven.example` is signed, and its hosts have TLSA records of
one key. One address is a host of both: what it proves to one of them may be nothing to the other.
"""

from collections import Counter
from ipaddress import ip_address

from tests.faults.ports import free_port
from tests.faults.stage import Stage

from postroad.dns import parse_zones
from postroad.gather import KIND, kept_policies
from postroad.lab import CertificateKind, DnsFault, Nameserver
from postroad.lab.certificate import LEAF_KEY, lab_context, mismatched_context
from postroad.lab.web import PolicyServer
from postroad.spool.sqlite import SqliteSpool

NETWORK = 37
MOST = 30  # messages accepted between two turns
ENFORCED, PROVEN = "enforced.example", "proven.example"
ZONE = """
$TTL 1
{1}. SOA ns.{1}. h.{1}. 1 2 3 4 1
{1}. MX 10 e1.{1}.
{1}. MX 10 e2.{1}.
{1}. MX 10 e3.{1}.
e1.{1}. A {0}1
e2.{1}. A {0}2
e3.{1}. A {0}3
mta-sts.{1}. A {0}80
{2}. SOA ns.{2}. h.{2}. 1 2 3 4 1
{2}. DNSKEY 257 3 13 AAAA
{2}. MX 10 p2.{2}.
{2}. MX 20 p3.{2}.
p2.{2}. A {0}2
p3.{2}. A {0}3
_25._tcp.p2.{2}. TLSA 3 1 1 {3}
_25._tcp.p3.{2}. TLSA 3 1 1 {3}
"""
RECORD = '_mta-sts.{}. TXT "v=STSv1; id={};"\n'
POLICY = "version: STSv1\nmode: enforce\nmax_age: 86400\n"
LISTED = ("e1", "e2")  # in every policy; e3 is in none
OTHER_KEY = "other-key"
PROVES = {  # what a session may have shown that took mail for the domain
    ENFORCED: {CertificateKind.GOOD},
    PROVEN: set(CertificateKind),
}
NAMES = ((f"e1.{ENFORCED}",), (f"e2.{ENFORCED}", f"p2.{PROVEN}"), (f"e3.{ENFORCED}", f"p3.{PROVEN}"))


async def policies(scale):
    """Certificates, policies, HTTPS and DNS come and go, and kill -9: mail waits, and none is ever given away."""
    web = PolicyServer({ENFORCED: POLICY}, [ip_address(f"127.0.{NETWORK}.80")])
    web.hold(0)
    names = free_port([f"127.0.{NETWORK}.53"])
    settings = {
        "deliver": {"tls": "auto"},
        "dns": {"zones": [], "resolvers": [f"127.0.{NETWORK}.53:{names}"]},
    }
    stage = Stage("policies", NETWORK, scale, settings=settings, forgiving=True, https_port=web.port)
    async with stage, _World(stage, web, names) as world:
        return await _play(stage, world)


async def _play(stage, world):
    stage.letters.domains = (ENFORCED, PROVEN)
    await stage.relay.start()
    async with stage.load(connections=5):
        await world.is_known()
        for _ in range(stage.scale.kills):
            world.turn()
            await stage.accepted(stage.rng.randrange(MOST))
            await stage.kill()
            await stage.relay.start()
            await stage.accepted(
                stage.rng.randrange(MOST)
            )  # in the same weather, with nothing remembered but what is kept
    world.clear_up()
    await stage.drain()
    witnessed = sum((sink.witnessed for sink in stage.sinks), Counter())
    given = {each for each in witnessed if each[1] not in PROVES[each[0]]}
    stage.figures.must(not given, f"given to a host that had not shown who it is: {given}")
    unlisted = stage.sinks[2].witnessed.keys() - {(PROVEN, shown) for shown in PROVES[PROVEN]}
    stage.figures.must(not unlisted, f"given to a host that no policy lists: {unlisted}")
    stage.figures.notes |= {f"{domain} {shown}": count for (domain, shown), count in witnessed.items()}
    return stage.close()


class _World:
    """The name server, the web server and the certificates: fair at first, and of any kind after each turn."""

    def __init__(self, stage, web, port):
        self._stage = stage
        self._web = web
        self._port = port
        self._turns = 0
        self._nameserver = Nameserver(self._zones())
        self._weathers = (self._fair, self._no_web, self._odd_policy, self._no_record, self._no_tlsa, self._no_names)
        for sink, names in zip(stage.sinks, NAMES, strict=True):
            sink.shows = {CertificateKind.GOOD: lab_context(CertificateKind.GOOD, names)}

    async def __aenter__(self):
        self._fair()
        await self._web.start()
        await self._nameserver.start(self._stage.address(53), self._port)
        return self

    async def __aexit__(self, *_):
        await self._nameserver.stop()
        await self._web.stop()

    async def is_known(self):
        """Wait until the relay has kept the policy: before, nobody could know that there is one."""
        spool = await SqliteSpool.open(self._stage.spool, node="")
        try:
            while not self._stage.figures.wrong and ENFORCED not in kept_policies(await spool.recall(KIND)):
                await self._stage.accepted(1)
        finally:
            await spool.close()

    def turn(self):
        """Another policy, other certificates, other weather."""
        self._turns += 1
        self._fair()
        self._stage.rng.choice(self._weathers)()
        for sink, names in zip(self._stage.sinks, NAMES, strict=True):
            sink.shows = {kind: lab_context(kind, names) for kind in CertificateKind}
            sink.shows |= {OTHER_KEY: mismatched_context(), None: None}

    def clear_up(self):
        """All is well again."""
        self._fair()
        for sink in self._stage.sinks:
            sink.shows = {CertificateKind.GOOD: sink.shows[CertificateKind.GOOD]}

    def _zones(self, *, record=True):
        text = ZONE.format(self._stage.net, ENFORCED, PROVEN, LEAF_KEY)
        return parse_zones({"zone": text + (RECORD.format(ENFORCED, self._turns) if record else "")})

    def _fair(self):
        self._nameserver.zones, self._nameserver.troubles = self._zones(), {}
        listed = self._stage.rng.sample(LISTED, len(LISTED))
        self._web.policies[ENFORCED] = POLICY + "".join(f"mx: {name}.{ENFORCED}\n" for name in listed)

    def _no_web(self):
        self._web.policies.clear()

    def _odd_policy(self):
        self._web.policies[ENFORCED] = "<html>"

    def _no_record(self):
        self._nameserver.zones = self._zones(record=False)
        self._web.policies.clear()

    def _no_tlsa(self):
        self._trouble(f"_25._tcp.p2.{PROVEN}", f"_25._tcp.p3.{PROVEN}", f"_mta-sts.{ENFORCED}")

    def _no_names(self):
        self._trouble(*(key[0].to_text(omit_final_dot=True) for key in self._nameserver.zones.rrsets))

    def _trouble(self, *names):
        self._nameserver.troubles = dict.fromkeys(((name, "*") for name in names), DnsFault.SERVFAIL)
