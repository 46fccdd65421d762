"""Mixes of senders by name."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from types import MappingProxyType

MIXES: Mapping[str, Mapping[str, Fraction]] = MappingProxyType(
    {
        "internet": MappingProxyType(
            {
                name: Fraction(percent, 100)
                for name, percent in {
                    "rfc5321": 50,
                    "exim": 22,
                    "postfix": 15,
                    "sendmail": 2,
                    "dns-order": 5,
                    "mx-connect": 2,
                    "haraka": 1,
                    "opensmtpd": 1,
                    "first-mx-only": 2,
                }.items()
            }
        )
    }
)
"""Mixes of senders, their weights summing to one.

"internet" is an assumption, not a measurement: nobody publishes which software sends how much mail. Half of it stands
for the large providers, who say nothing of their senders and are taken at the word of RFC 5321. Of the other half some
four fifths are divided as a survey of servers that tell their name (Security Space, December 2023: Exim 56 %, Postfix
38 %, sendmail 3 %), though it counts receiving machines and not messages; the rest are senders without any shuffle.
"""
