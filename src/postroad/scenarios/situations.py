"""The reference situations: small sets of records, each with faults, that tell one kind of sender from another.

Each message has a domain and addresses of its own, so that nothing a sender remembers of one matters to the next.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address

from postroad.words.faults import Mode
from postroad.words.names import Address

SUFFIX = "try.test"
HOME = f"home.{SUFFIX}"  # where reports go
HOME_ADDRESS = ip_address("10.88.255.25")
V6 = "6"  # in front of the number of an address

Hosts = tuple[tuple[int, str, str], ...]


@dataclass(frozen=True, slots=True)
class Situation:
    """Records and faults, and what is to be learned from them.

    `hosts` are MX records: preference, name, and the numbers of its addresses, as "11 612" for an IPv4 and an IPv6 one.
    The name "nx" does not exist, "empty" has no address, "" is the null MX, and "@" the domain itself, without an MX
    record. `by_host`: it only matters which host is asked, not which of its addresses.
    """

    name: str
    about: str
    hosts: Hosts
    faults: Mapping[str, Mode] = field(default_factory=dict)
    times: int = 1
    by_host: bool = False

    @property
    def is_long(self) -> bool:
        """Whether a sender waits for something that never comes."""
        return bool({Mode.BLACKHOLE, Mode.MUTE} & set(self.faults.values()))

    @property
    def has_ipv6(self) -> bool:
        """Whether there are IPv6 addresses."""
        return any(number.startswith(V6) for _, _, numbers in self.hosts for number in numbers.split())


@dataclass(frozen=True, slots=True)
class Slot:
    """One message of a situation, with a number of its own."""

    situation: Situation
    number: int

    @property
    def domain(self) -> str:
        """Where it goes."""
        return f"{self.situation.name}-{self.number}.{SUFFIX}"

    @property
    def sender(self) -> str:
        """Who sends it, and hears if it is returned."""
        return f"s{self.number}@{HOME}"

    def address(self, number: str) -> Address:
        """The address with a number of the situation."""
        if number.startswith(V6):
            return ip_address(f"fd88::{self.number:x}:{number[1:]}")
        return ip_address(f"10.88.{self.number}.{number}")

    @property
    def addresses(self) -> Mapping[Address, str]:
        """All of them, each with its number."""
        numbers = (number for _, _, numbers in self.situation.hosts for number in numbers.split())
        return {self.address(number): number for number in numbers}

    def records(self) -> Iterator[str]:
        """Lines of a zone file."""
        yield f"$ORIGIN {self.domain}."
        for preference, name, numbers in self.situation.hosts:
            if name != "@":
                yield f"@ MX {preference} {name or '.'}"
            if name == "empty":
                yield 'empty TXT "no address"'
            for number in numbers.split():
                yield f"{name} {'AAAA' if number.startswith(V6) else 'A'} {self.address(number)}"


def slots_of(situations: Iterable[Situation]) -> list[Slot]:
    """The messages of situations, as often as each is repeated."""
    repeated = (each for each in situations for _ in range(each.times))
    return [Slot(situation, number) for number, situation in enumerate(repeated, 1)]


def zone_of_slots(slots: list[Slot]) -> str:
    """One zone for all: the root, so that no name is anybody else's."""
    lines = ["$TTL 60", "$ORIGIN .", "@ SOA lab.test. lab.test. 1 60 60 60 60"]
    lines += [f"{HOME}. MX 10 mail.{HOME}.", f"mail.{HOME}. A {HOME_ADDRESS}"]
    return "\n".join([*lines, *(line for slot in slots for line in dict.fromkeys(slot.records())), ""])


def _refusing(name: str, about: str, hosts: Hosts, times: int = 1) -> Situation:
    numbers = (number for _, _, numbers in hosts for number in numbers.split())
    return Situation(name, about, hosts, dict.fromkeys(numbers, Mode.REFUSE), times)


# The names are in another order than the records, so that an order by name is seen
_EQUALS = ((10, "c", "11"), (10, "a", "12"), (10, "b", "13"))
_BACKUP = ((20, "b", "12"), (10, "a", "11"))
_PAIR = ((10, "a", "11 12"), (20, "b", "13"))
_EIGHT = tuple(str(number) for number in range(11, 19))
_MODES = (
    Mode.REFUSE, Mode.G421, Mode.G554, Mode.CLOSE, Mode.R450, Mode.R550, Mode.D451, Mode.E451, Mode.DROP,
    Mode.STARTTLS_454, Mode.STARTTLS_554, Mode.STARTTLS_CLOSE, Mode.STARTTLS_220_CLOSE, Mode.BROKEN_STARTTLS,
    Mode.BLACKHOLE, Mode.MUTE,
)  # fmt: skip
_ENDINGS = (
    ("end-554", {"11": Mode.G554, "12": Mode.G554}),
    ("end-refuse-554", {"11": Mode.REFUSE, "12": Mode.G554}),
    ("end-554-refuse", {"11": Mode.G554, "12": Mode.REFUSE}),
    ("end-450-554", {"11": Mode.R450, "12": Mode.G554}),
)
_TWO = ((10, "a", "11"), (20, "b", "12"))

SITUATIONS: tuple[Situation, ...] = (
    Situation("equals", "three equal hosts, all well", _EQUALS, times=24),
    _refusing("equals-refuse", "three equal hosts that refuse", _EQUALS, 12),
    _refusing("uneven-refuse", "an equal host with one address and one with three, all refuse",
              ((10, "a", "11"), (10, "b", "12 13 14")), 12),
    _refusing("preference", "a backup listed before the best host, both refuse", _BACKUP, 8),
    _refusing("families", "one host with two IPv4 and two IPv6 addresses, all refuse",
              ((10, "a", "11 12 613 614"),), 8),
    _refusing("families-equals", "two equal hosts, each with an IPv4 and an IPv6 address, all refuse",
              ((10, "a", "11 613"), (10, "b", "12 614")), 8),
    _refusing("many-addresses", "a host with eight addresses that refuse", ((10, "a", " ".join(_EIGHT)),)),
    _refusing("many-hosts", "eight equal hosts that refuse",
              tuple((10, f"m{each}", each) for each in _EIGHT)),
    _refusing("many-levels", "six equal hosts and two backups, all refuse",
              tuple((10 if each < "17" else 10 * (int(each) - 15), f"m{each}", each) for each in _EIGHT)),
    Situation("many-sessions", "eight equal hosts that answer RCPT with 450",
              tuple((10, f"m{each}", each) for each in _EIGHT), dict.fromkeys(_EIGHT, Mode.R450)),
    *(
        Situation(f"met-{mode}", f"two addresses of the best host with {mode}, and a backup", _PAIR,
                  dict.fromkeys(("11", "12"), mode), by_host=True, times=2)
        for mode in _MODES
    ),
    Situation("silent", "a silent host and a backup", _TWO, {"11": Mode.BLACKHOLE}),
    *(Situation(name, "how an attempt ends: " + ", then ".join(faults.values()), _TWO, faults)
      for name, faults in _ENDINGS),
    _refusing("same-address", "two equal hosts with one address, which refuses", ((10, "a", "11"), (10, "b", "11")), 2),
    _refusing("same-name", "one host at two preferences before another, all refuse",
              ((10, "a", "11"), (20, "a", "11"), (30, "b", "12")), 2),
    Situation("null-mx", "a null MX (RFC 7505)", ((0, "", ""),)),
    Situation("null-mixed", "a null MX beside a host", ((0, "", ""), (10, "a", "11"))),
    Situation("no-domain", "a domain that does not exist", ()),
    Situation("no-address", "an exchanger without an address", ((10, "empty", ""),)),
    Situation("implicit", "no MX record, an address", ((0, "@", "11"),)),
    Situation("one-empty", "an exchanger without an address beside a good one", ((10, "empty", ""), (10, "a", "11"))),
)  # fmt: skip
