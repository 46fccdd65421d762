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
                    "exchange-online": 20,
                    "rfc5321": 15,
                    "ipv4-only": 15,
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

"internet" is an assumption, not a measurement: nobody publishes which software sends how much mail. What each weight
rests on is in docs/design/internet-mix.md, and how far it may be off in `simulation.ranges`.
"""
