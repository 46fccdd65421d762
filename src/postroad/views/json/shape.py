"""What all our JSON has in common: its version, and objects with keys in snake_case."""

from __future__ import annotations

from typing import Any

VERSION = 1

Shape = dict[str, Any]
