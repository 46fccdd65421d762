"""The settings of a relay as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from postroad.views.json.shape import VERSION

if TYPE_CHECKING:
    from postroad.adopt import Adoption
    from postroad.config import Config


class ConfigJson(TypedDict):
    """`postroad config show --json`."""

    version: int
    file: str | None
    settings: dict[str, Any]
    defaults: list[str]


class ProblemsJson(TypedDict):
    """`postroad config check --json`."""

    version: int
    file: str
    problems: list[str]
    warnings: list[str]


class UserJson(TypedDict):
    """`postroad config hash --json`."""

    version: int
    user: str
    line: str


class LeftJson(TypedDict):
    """A setting of another system that is not taken over, and what to do about it."""

    where: str
    what: str
    why: str


class ImportJson(TypedDict):
    """`postroad import --json`."""

    version: int
    file: str | None
    settings: str
    secrets: list[str]
    left: list[LeftJson]


def config_shape(config: Config, file: Path | None) -> ConfigJson:
    """`postroad config show --json`: times and sizes as the file has them."""
    from postroad.config import defaults  # noqa: PLC0415  # only this shape costs pydantic

    return {
        "version": VERSION,
        "file": str(file) if file else None,
        "settings": config.model_dump(mode="json"),
        "defaults": list(defaults(config)),
    }


def problems_shape(file: Path | None, problems: Sequence[str], warnings: Sequence[str]) -> ProblemsJson:
    """`postroad config check --json`."""
    return {"version": VERSION, "file": str(file), "problems": list(problems), "warnings": list(warnings)}


def user_shape(user: str, line: str) -> UserJson:
    """`postroad config hash --json`."""
    return {"version": VERSION, "user": user, "line": line}


def import_shape(draft: Adoption, text: str, to: Path | None) -> ImportJson:
    """`postroad import --json`: the file as text, the names of files with passwords, and what is left."""
    return {
        "version": VERSION,
        "file": str(to / "postroad.toml") if to else None,
        "settings": text,
        "secrets": sorted(draft.secrets),
        "left": [{"where": each.where, "what": each.what, "why": each.why} for each in draft.left],
    }
