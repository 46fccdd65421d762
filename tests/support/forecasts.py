"""Records and cases that forecasts are made of."""

from ipaddress import ip_address

from hypothesis import strategies as st

from postroad.simulation import Case, DnsOrder
from postroad.words.facts import Found, HostFacts, Mx, NoData
from postroad.words.faults import Mode
from postroad.words.snapshot import Snapshot


def snapshot(*records):
    """A domain of (preference, name, address, address...)."""
    hosts = {}
    for _preference, name, *texts in records:
        addresses = [ip_address(text) for text in texts]
        v4 = tuple(address for address in addresses if address.version == 4)
        v6 = tuple(address for address in addresses if address.version == 6)
        hosts[name] = HostFacts(Found(v4) if v4 else NoData(), Found(v6) if v6 else NoData())
    return Snapshot("example.com", Found(tuple(Mx(record[0], record[1]) for record in records)), hosts)


EQUALS = snapshot((10, "a", "192.0.2.1"), (10, "b", "192.0.2.2"))

BACKUP = snapshot((10, "a", "192.0.2.1"), (20, "b", "192.0.2.2"))

MODES = st.sampled_from([*Mode, *[Mode.ACCEPT] * 6])

ADDRESSES = [ip_address(text) for text in ("192.0.2.1", "192.0.2.2", "192.0.2.3", "2001:db8::1", "2001:db8::2")]

ORDERS = st.sampled_from(list(DnsOrder))


@st.composite
def cases(draw, *, names=3, each=2):
    """A small domain with servers down; names may share addresses."""
    records = draw(
        st.lists(
            st.tuples(
                st.sampled_from([10, 10, 20]),
                st.lists(st.sampled_from(ADDRESSES), min_size=1, max_size=each, unique=True),
            ),
            min_size=1,
            max_size=names,
        )
    )
    facts = snapshot(*((pref, f"mx{place}", *map(str, found)) for place, (pref, found) in enumerate(records)))
    down = draw(st.fixed_dictionaries(dict.fromkeys(ADDRESSES, MODES)))
    return Case(facts, "", draw(ORDERS), down)
