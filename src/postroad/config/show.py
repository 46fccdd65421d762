"""Shows the settings: those in effect as a TOML file, and all of them as a page of the reference."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from postroad.config.model import Config
from postroad.config.problems import is_list, section_in
from postroad.config.values import SPOOL

_BARE = re.compile(r"[A-Za-z0-9_-]+\Z")

ABOUT = """\
One TOML file: `--config FILE`, else `$POSTROAD_CONFIG`, else `/etc/postroad/postroad.toml`. Every key has a default, so
an empty file is a relay for this machine. `postroad config check FILE` tests one, `postroad config show` prints the
settings in effect.

Times are seconds, or texts as `"250ms"`, `"90s"`, `"5m"`, `"4h"`, `"1h30m"`, `"5d"`. Sizes are octets, or texts as
`"500KiB"`, `"50MiB"`. Relative paths begin in the folder of the file. In errors, tables in double brackets are counted
from 1: `listen[2].port`.
"""
HEAD = f"""# Settings

{ABOUT}
This page is written by `python -m tests.docs.generate` from `src/postroad/config/model.py`; a test compares them.
An example: [postroad.toml](../examples/postroad.toml).
"""


@dataclass(frozen=True, slots=True)
class TableText:
    """What a manual says of one table of the settings: for each key its default and its meaning, in Markdown."""

    title: str
    about: str
    keys: Sequence[tuple[str, str, str]]


def toml(config: Config) -> str:
    """The settings as a file of its own, each with its meaning; those left at their default say so."""
    return "\n".join(_file(config, config.model_dump(mode="json"))).lstrip()


def defaults(config: BaseModel, prefix: str = "") -> Iterator[str]:
    """The keys that no file has set, by their place: `limits.hops`. Lists of tables are wholly set or not at all."""
    for name, field in type(config).model_fields.items():
        value = getattr(config, name)
        if section_in(field.annotation) and not is_list(field.annotation):
            yield from defaults(value, f"{prefix}{name}.")
        elif name not in config.model_fields_set:
            yield prefix + name


def reference() -> str:
    """The page with every setting: key, default, meaning."""
    return "\n".join([HEAD, *(line for table in tables() for line in _page(table))])


def tables() -> Iterator[TableText]:
    """Every table that a file of settings may have, in order."""
    yield _table("Above all tables", Config)
    for name, field in Config.model_fields.items():
        section = section_in(field.annotation)
        if section:
            yield _table(f"[[{name}]]" if is_list(field.annotation) else f"[{name}]", section)
            yield from _inner(name, section, is_listed=is_list(field.annotation))


def _file(config: Config, dumped: Mapping[str, Any]) -> Iterator[str]:
    tables = {name: field for name, field in Config.model_fields.items() if section_in(field.annotation)}
    yield from _lines(config, dumped)
    for name, field in tables.items():
        if is_list(field.annotation):
            for each, shape in zip(getattr(config, name), dumped[name], strict=True):
                yield from ("", f"[[{name}]]", *_lines(each, shape))
        else:
            yield from ("", f"[{name}]", *_lines(getattr(config, name), dumped[name]))


def _lines(section: BaseModel, dumped: Mapping[str, Any]) -> Iterator[str]:
    for name, field in type(section).model_fields.items():
        if isinstance(section, Config) and section_in(field.annotation):
            continue
        mark = "" if name in section.model_fields_set else " (default)"
        yield f"# {meaning(field)}{mark}"
        yield f"# {name} =" if dumped[name] is None else f"{name} = {value(dumped[name])}"
    yield from (f"{value(name)} = {value(dumped[name])}" for name in section.model_extra or ())


def meaning(field: FieldInfo) -> str:
    """What a setting is for, with its choices if it has some."""
    found = choices(field.annotation)
    return (
        f"{field.description} One of {', '.join(f'`{value(each)}`' for each in found)}."
        if found
        else str(field.description)
    )


def choices(kind: Any) -> tuple[Any, ...]:  # noqa: ANN401  # any annotation
    """The values that a Literal in an annotation allows."""
    if get_origin(kind) is Literal:
        return get_args(kind)
    return next((found for inner in get_args(kind) if (found := choices(inner))), ())


def value(dumped: object) -> str:
    """A value as TOML writes it."""
    if isinstance(dumped, dict):
        return (
            "{" + ", ".join(f"{_bare(name)} = {value(each)}" for name, each in dumped.items() if each is not None) + "}"
        )
    if isinstance(dumped, list):
        return "[" + ", ".join(value(each) for each in dumped) + "]"
    return json.dumps(dumped, ensure_ascii=False)


def _bare(key: str) -> str:
    """A key, in quotes where it needs some."""
    return key if _BARE.match(key) else value(key)


def _page(table: TableText) -> list[str]:
    rows = [f"| `{name}` | {default} | {meaning} |" for name, default, meaning in table.keys]
    return [f"## {table.title}\n", f"{table.about}\n", "| key | default | meaning |", "| --- | --- | --- |", *rows, ""]


def _table(title: str, section: type[BaseModel]) -> TableText:
    keys = [
        (name, _default(name, section), meaning(field))
        for name, field in section.model_fields.items()
        if section is not Config or not section_in(field.annotation)
    ]
    return TableText(title, "\n".join(line.strip() for line in (section.__doc__ or "").strip().splitlines()), keys)


def _inner(name: str, section: type[BaseModel], *, is_listed: bool) -> Iterator[TableText]:
    for key, field in section.model_fields.items():
        inner = section_in(field.annotation)
        if inner:
            yield _table(f"{key} of [[{name}]]" if is_listed else f"[[{name}.{key}]]", inner)


def _default(name: str, section: type[BaseModel]) -> str:
    field = section.model_fields[name]
    if field.is_required():
        return ""
    if name == "path":
        return f'`"{SPOOL}"`'  # whatever the environment says where this page is written
    made = section.model_construct().model_dump(mode="json")[name]
    return "" if made is None else f"`{value(made)}`"
