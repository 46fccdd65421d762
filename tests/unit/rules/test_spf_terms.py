"""Terms of SPF records: read as RFC 7208 section 12 has them, or refused with a reason."""

from hypothesis import given
from hypothesis import strategies as st

from postroad.rules.spf import trouble_with

SIGNS = st.sampled_from(("", "+", "-", "~", "?"))
DOMAINS = st.sampled_from(("example.com", "_spf.%{d2}", "%{ir}.%{v}._spf.%{d}", "%{l1r-/}._spf.example.org"))
SUFFIXES = st.builds(
    lambda four, six: (f"/{four}" if four is not None else "") + (f"//{six}" if six is not None else ""),
    st.none() | st.integers(0, 32),
    st.none() | st.integers(0, 128),
)
TARGETS = st.just("") | DOMAINS.map(":{}".format)
BODIES = st.one_of(
    st.just("all"),
    st.builds("{}:{}".format, st.sampled_from(("include", "exists")), DOMAINS),
    st.builds("{}{}{}".format, st.sampled_from(("a", "mx")), TARGETS, SUFFIXES),
    st.builds("ptr{}".format, TARGETS),
    st.ip_addresses(v=4).map("ip4:{}".format),
    st.builds("ip4:{}/{}".format, st.ip_addresses(v=4), st.integers(0, 32)),
    st.builds("ip6:{}/{}".format, st.ip_addresses(v=6), st.integers(0, 128)),
)
MODIFIERS = st.builds("{}={}".format, st.sampled_from(("redirect", "exp", "x-tra.1")), DOMAINS)


@given(st.builds("{}{}".format, SIGNS, BODIES) | MODIFIERS)
def test_a_term_that_rfc_7208_allows_is_read(term):
    """Every mechanism with every sign, macros and prefixes; known modifiers and others; in any case."""
    assert ["", ""] == [trouble_with(term), trouble_with(term.upper())]


UNREADABLE = [
    ("ip4:300.1.1.1", "300.1.1.1 is not an IPv4 address"),
    ("ip4:192.0.2.0/33", "/33 is not a prefix length of an IPv4 address"),
    ("ip4:192.0.2.0/255.255.255.0", "/255.255.255.0 is not a prefix length of an IPv4 address"),
    ("ip4:192.0.2.0/", "/ is not a prefix length of an IPv4 address"),
    ("ip4", "nothing is not an IPv4 address"),
    ("ip4:2001:db8::1", "2001:db8::1 is not an IPv4 address"),
    ("ip6:192.0.2.1", "192.0.2.1 is not an IPv6 address"),
    ("ipv4:192.0.2.1", "there is no mechanism ipv4"),
    ("192.0.2.1", "there is no mechanism 192.0.2.1"),
    ("include", "include needs a domain"),
    ("exists:", "exists needs a domain"),
    ("redirect=", "redirect needs a domain"),
    ("-all:x", "all takes no value"),
    ("a/33", "/33 is not a domain or prefix"),
    ("mx:/24", ":/24 is not a domain or prefix"),
    ("ptr/24", "/24 is not a domain or prefix"),
    ("--all", "there is no mechanism --all"),
]


def test_a_term_that_cannot_be_read_says_why():
    """The words are for whoever wrote the record."""
    assert dict(UNREADABLE) == {term: trouble_with(term) for term, _ in UNREADABLE}


@given(st.text(st.characters(exclude_categories=("Z", "Cc", "Cs")), min_size=1))
def test_any_term_is_read_or_refused(term):
    """Nothing a stranger publishes raises."""
    assert trouble_with(term) is not None
