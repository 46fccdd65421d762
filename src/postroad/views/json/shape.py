"""What all JSON of ours has in common: its version, and objects whose keys are in snake_case."""

from __future__ import annotations

from typing import Any

VERSION = 1

Shape = dict[str, Any]
