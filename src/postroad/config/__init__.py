"""The settings (floor 5): one TOML file, every key with a default, every error a sentence.

Rule 1: what a setting is, is said once, in `model`: the reader, the errors, `config show` and the reference follow.
Rule 2: only `check` and `doubts` open what a setting names (certificates, folders), and changes nothing.
Rule 3: importing this costs pydantic: commands do it when they run.

Stops: `kinds` (times, sizes, networks as people write them), `model` (every setting), `problems` (what is wrong with a
file, in sentences), `show` (the settings in effect, as TOML, and the reference), `check` (whether what they name is
there and can be used), `doubts` (what can be used, but is hardly meant, or cannot work).
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from postroad.config.model import (
    Accept,
    Aliases,
    Auth,
    Check,
    Config,
    Deliver,
    Dns,
    Limits,
    Listen,
    Log,
    Metrics,
    Relay,
    Retry,
    RouteHost,
    Spool,
    StaticRoute,
    Timeouts,
    Tls,
)
from postroad.config.problems import sentences
from postroad.files import read_text
from postroad.words.names import Unreadable
from postroad.words.toml import parse_toml

__all__ = [
    "USUAL_FILE",
    "Accept",
    "Aliases",
    "Auth",
    "Check",
    "Config",
    "Deliver",
    "Dns",
    "Limits",
    "Listen",
    "Log",
    "Metrics",
    "Relay",
    "Retry",
    "RouteHost",
    "Spool",
    "StaticRoute",
    "Timeouts",
    "Tls",
    "find",
    "load",
    "read",
]

MOST = 1024**2  # octets of a file of settings
USUAL_FILE = Path("/etc/postroad/postroad.toml")


def find() -> Path | None:
    """The settings file when none is named: $POSTROAD_CONFIG, else the usual one if it is there."""
    named = os.environ.get("POSTROAD_CONFIG")
    return Path(named) if named else USUAL_FILE if USUAL_FILE.exists() else None


def load(path: Path | None = None) -> Config:
    """The settings in a file; None is the file that `find` has, and without any every setting has its default.

    Raises:
        InputError: it cannot be read, or is wrong: the text names the file, the key, and how to mend it.

    """
    path = path or find()
    if path is None:
        return Config()
    text = read_text(path, MOST)
    if isinstance(text, Unreadable):
        raise _error(path, [text.why])
    return read(text, path)


def read(text: str, path: Path) -> Config:
    """The settings in a text; `path` is where it stands, for errors and relative paths.

    Raises:
        InputError: as `load`.

    """
    tables = parse_toml(text)
    if isinstance(tables, Unreadable):
        raise _error(path, [f"it is no TOML: {tables.why}; texts stand in quotes"])
    try:
        # By way of JSON pydantic reads strictly (no "25" for 25), and still takes lists and texts for what they mean
        return Config.model_validate_json(json.dumps(tables, default=str), context={"folder": path.absolute().parent})
    except ValidationError as problem:
        raise _error(path, sentences(problem)) from None


def _error(path: Path, what: list[str]) -> Exception:
    from postroad.app import InputError  # noqa: PLC0415  # app costs a tenth of a second, and mostly nothing is wrong

    return InputError("\n".join(f"{path}: {sentence}" for sentence in what))


def dump(config: Config) -> dict[str, Any]:
    """The settings as a file would have them: times and sizes as texts."""
    return config.model_dump(mode="json")
