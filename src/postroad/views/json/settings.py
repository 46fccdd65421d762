"""The settings of a relay as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from postroad.views.json.shape import VERSION, Shape

if TYPE_CHECKING:
    from postroad.config import Config


def config_shape(config: Config, file: Path | None) -> Shape:
    """`postroad config show --json`: times and sizes as the file has them."""
    from postroad.config.show import defaults  # noqa: PLC0415  # only this shape costs pydantic

    return {
        "version": VERSION,
        "file": str(file) if file else None,
        "settings": config.model_dump(mode="json"),
        "defaults": list(defaults(config)),
    }


def problems_shape(file: Path | None, problems: Sequence[str], warnings: Sequence[str]) -> Shape:
    """`postroad config check --json`."""
    return {"version": VERSION, "file": str(file), "problems": list(problems), "warnings": list(warnings)}


def user_shape(user: str, line: str) -> Shape:
    """`postroad config hash --json`."""
    return {"version": VERSION, "user": user, "line": line}
