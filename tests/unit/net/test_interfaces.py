"""The addresses of this machine."""

import struct
import sys
from ipaddress import ip_address

import pytest

from postroad.net import interface_addresses
from postroad.net.interfaces import parse_if_inet6, parse_ifreqs


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere none are known")
def test_this_machine_has_its_loopback_address():
    """It is one of the interfaces', whatever else there is."""
    assert ip_address("127.0.0.1") in interface_addresses()


def test_ipv4_addresses_are_read_from_the_structures():
    """One for each address, so an interface with two stands there twice."""
    pad = 40 if struct.calcsize("P") == 8 else 32
    texts = ["127.0.0.1", "192.0.2.1", "192.0.2.2"]
    octets = b"".join(
        struct.pack("16sHH4s", b"eth0", 2, 0, ip_address(text).packed).ljust(pad, b"\0") for text in texts
    )
    assert [ip_address(text) for text in texts] == list(parse_ifreqs(octets))


def test_ipv6_addresses_are_read_from_the_text():
    """The digits are those of proc(5)."""
    text = (
        "fe8000000000000000fc00fffe000001 04 40 20 80     eth0\n"
        "20010db8000000000000000000000002 04 40 00 82     eth0\n"
        "00000000000000000000000000000001 01 80 10 80       lo\n"
    )
    assert ["fe80::fc:ff:fe00:1", "2001:db8::2", "::1"] == list(map(str, parse_if_inet6(text)))
