"""Where the settings are."""

from __future__ import annotations

import os
from pathlib import Path

MOST = 1024**2  # octets of a file of settings
USUAL_FILE = Path("/etc/postroad/postroad.toml")


def find() -> Path | None:
    """The settings file when none is named: $POSTROAD_CONFIG, else the usual one if it is there."""
    named = os.environ.get("POSTROAD_CONFIG")
    return Path(named) if named else USUAL_FILE if USUAL_FILE.exists() else None
