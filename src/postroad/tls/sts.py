"""MTA-STS: which exchangers a policy lists."""

from __future__ import annotations


def covers(pattern: str, name: str) -> bool:
    """Whether a name, or a wildcard for one whole left-most label, matches a name (RFC 8461 section 4.1)."""
    pattern, name = pattern.lower().rstrip("."), name.lower().rstrip(".")
    if pattern.startswith("*."):
        label, _, parent = name.partition(".")
        return bool(label) and parent == pattern[2:]
    return pattern == name
