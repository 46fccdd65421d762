"""Snapshots in one line: what DNS says of a made-up domain, written as a dict."""

from ipaddress import IPv4Address, ip_address

from postroad.words.facts import Found, HostFacts, Mx, NoData, NoName, Temporary
from postroad.words.snapshot import Snapshot

DOMAIN = "example.com"
SERVFAIL = Temporary("SERVFAIL")


def host(*addresses, a=None, aaaa=None):
    """The addresses of one name, split by family; `a` or `aaaa` override a family's answer."""
    parsed = [ip_address(address) for address in addresses]
    v4 = tuple(address for address in parsed if isinstance(address, IPv4Address))
    v6 = tuple(address for address in parsed if not isinstance(address, IPv4Address))
    return HostFacts(a or (Found(v4) if v4 else NoData()), aaaa or (Found(v6) if v6 else NoData()))


NOWHERE = HostFacts(NoName(), NoName())


def domain(*mx, answer=None, **hosts):
    """A snapshot of example.com: `domain((10, "a"), a=host("192.0.2.1"))`; names are bare for brevity."""
    records = tuple(Mx(preference, exchange) for preference, exchange in mx)
    mx_answer = answer or (Found(records) if records else NoData())
    return Snapshot(DOMAIN, mx_answer, {name.replace("_", "."): facts for name, facts in hosts.items()})


T1 = domain((10, "mail1"), (10, "mail2"), mail1=host("192.0.2.11"), mail2=host("192.0.2.12"))
T2 = domain((10, "mail"), mail=host("192.0.2.11", "192.0.2.12"))
T3 = domain(
    (10, "mail1"),
    (10, "mail2"),
    mail1=host("192.0.2.11", "192.0.2.12"),
    mail2=host("192.0.2.12", "192.0.2.11"),
)
T4 = domain(
    (10, "a"), (10, "b"), (20, "c"), (30, "d"),
    a=host("192.0.2.11"), b=host("192.0.2.12"), c=host("192.0.2.11"), d=host("192.0.2.12"),
)  # fmt: skip
T5 = domain((10, "a"), (20, "b"), a=host("192.0.2.11"), b=host("192.0.2.12"))
T6 = domain(
    (10, "a"), (10, "b"), (10, "c"),
    a=host("192.0.2.11", "192.0.2.12", "192.0.2.13"),
    b=host("192.0.2.21", "192.0.2.22", "192.0.2.23", "192.0.2.24", "192.0.2.25"),
    c=host("192.0.2.31"),
)  # fmt: skip
