"""Which packets are attempts to connect."""

import struct
from ipaddress import ip_address

from postroad.lab.capture import attempted

SYN, SYN_ACK, ACK = 0x02, 0x12, 0x10
TO_4, TO_6 = ip_address("10.88.1.11"), ip_address("fd88::1:13")


def packet(target, flags=SYN, *, protocol=6, options=0):
    """As the kernel hands it on, from the IP header."""
    segment = struct.pack("!HHIIBB", 40000, 25, 7, 0, 5 << 4, flags) + bytes(6)
    if target.version == 4:
        head = bytes([0x45 + options]) + bytes(8) + bytes([protocol]) + bytes(2) + target.packed + target.packed
        return head + bytes(4 * options) + segment
    return b"\x60" + bytes(5) + bytes([protocol, 64]) + target.packed + target.packed + segment


def test_an_attempt_is_a_syn_of_either_family_told_from_others():
    """Whatever else passes is none, however short; the same SYN sent again is the same attempt."""
    cases = {
        packet(TO_4): (TO_4, 25),
        packet(TO_4, options=2): (TO_4, 25),
        packet(TO_6): (TO_6, 25),
        packet(TO_4, SYN_ACK): None,
        packet(TO_6, ACK): None,
        packet(TO_4, protocol=17): None,
        packet(TO_6, protocol=17): None,
    }
    assert list(cases.values()) == [found and found[1:] for found in map(attempted, cases)]
    assert {None} == {attempted(packet(to)[:size]) for to in (TO_4, TO_6) for size in range(33)}
    assert attempted(packet(TO_4))[0] == attempted(packet(TO_4))[0] != attempted(packet(TO_6))[0]
