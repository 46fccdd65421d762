"""What is wrong with a settings file, in sentences: where, what, and how to fix it."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from functools import cache
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

from postroad.config.model import Config
from postroad.config.table import DisagreementError
from postroad.words.inputs import quoted
from postroad.words.names import cut
from postroad.words.visible import visible

Place = tuple[int | str, ...]

_KINDS = {
    "int_type": "a whole number, such as 10",
    "int_from_float": "a whole number, such as 10",
    "float_type": "a number, such as 2 or 0.5",
    "finite_number": "a number, such as 2 or 0.5",
    "bool_type": "true or false",
    "string_type": 'a text in quotes, such as "text"',
    "tuple_type": 'a list in brackets, such as ["one", "two"]',
}
_BOUNDS = {
    "greater_than_equal": "{ge} or more",
    "less_than_equal": "{le} or less",
    "less_than": "less than {lt}",
    "greater_than": "more than {gt}",
    "string_too_long": "{max_length} characters at most",
}


def sentences(problem: ValidationError) -> list[str]:
    """One for each thing that is wrong: `limits.recipients: "many" is ...; write ...`."""
    return [f"{_key(error['loc'])}{each}" for error in problem.errors() for each in _sentences(error)]


def wrong_places(problem: ValidationError) -> list[Place]:
    """Keys that are wrong, and tables that contradict themselves: but a route, or the whole file, can be used so."""
    return [
        error["loc"]
        for error in problem.errors()
        if _disagreement(error) is None or (error["loc"] and error["loc"][0] != "route")
    ]


def _sentences(error: Any) -> tuple[str, ...]:  # noqa: ANN401  # pydantic's ErrorDetails, whose ctx is anything
    found = _disagreement(error)
    return found.sentences if found else (_sentence(error),)


def _disagreement(error: Any) -> DisagreementError | None:  # noqa: ANN401  # as above
    found = error.get("ctx", {}).get("error")
    return found if isinstance(found, DisagreementError) else None


def _key(loc: Place) -> str:
    """`listen[1].port: ` as one would say it; tables in a list are counted from 1."""
    text = ""
    for part in loc:
        text += f"[{part + 1}]" if isinstance(part, int) else f".{visible(cut(part))}"
    return text.removeprefix(".") + ": " if text else ""


def _sentence(error: Any) -> str:  # noqa: ANN401  # pydantic's ErrorDetails, whose ctx is anything
    kind, ctx = error["type"], error.get("ctx", {})
    shown = quoted(error["input"])
    if kind == "value_error":
        return str(ctx["error"])
    if kind == "extra_forbidden":
        return _unknown(error["loc"])
    if kind == "missing":
        return "this key is missing; it has no default"
    if kind == "literal_error":
        return f"{shown} is not one of the choices; write {ctx['expected'].replace(chr(39), chr(34))}"
    if kind.startswith("date_"):
        return f'{shown} is not a day; write one, such as "2026-12-31"'
    if kind in _BOUNDS:
        return f"{shown} is out of range; write {_BOUNDS[kind].format(**ctx)}"
    if kind in ("too_short", "string_too_short"):
        return "it is empty; write at least one"
    return _about_tables(error) or f"{shown} has the wrong type; write {_KINDS.get(kind, error['msg'])}"


def _about_tables(error: Any) -> str:  # noqa: ANN401  # as above
    """Where a table should stand and does not, or several; "" if none should."""
    kind, loc = error["type"], error["loc"]
    table = ".".join(part for part in loc if isinstance(part, str))
    if kind == "tuple_type" and _section(loc):
        return f"there may be several of these tables; write [[{table}]] in double brackets"
    if kind not in ("model_type", "model_attributes_type"):
        return ""
    if isinstance(loc[-1], int):
        return f"each of these is a table; write {_inline(error)}, or [[{table}]] and its keys below that"
    return f"this is a table with its own keys; write [{table}] and the keys below it"


def _inline(error: Any) -> str:  # noqa: ANN401  # as above
    """A table that has what was written as its first key."""
    first, value = next(iter(_fields(error["loc"]))), error["input"]
    return f"{{{first} = {quoted(value) if isinstance(value, str) else '...'}}}"


def _unknown(loc: Place) -> str:
    known = list(_fields(loc[:-1]))
    asked = cut(str(loc[-1]))  # however long it is, it is compared with keys
    near = get_close_matches(asked, known, n=1, cutoff=0.5)
    elsewhere = [header for header, section in _sections() if loc[-1] in section.model_fields]
    if elsewhere and not get_close_matches(asked, near, cutoff=0.6):  # hardly alike: the key itself says more
        return f"there is no such key here; it belongs in {elsewhere[0]}"
    if near:
        return f"there is no such key; did you mean {near[0]}?"
    return f"there is no such key; the keys here are {', '.join(known)}"


def _fields(loc: Place) -> Sequence[str]:
    section = _section(loc)
    return list(section.model_fields) if section else ()


@cache
def _sections() -> tuple[tuple[str, type[BaseModel]], ...]:
    """Each table of the file, with its header."""
    return tuple(
        (f"[[{name}]]" if is_list(field.annotation) else f"[{name}]", section)
        for name, field in Config.model_fields.items()
        if (section := section_in(field.annotation))
    )


def _section(loc: Place) -> type[BaseModel] | None:
    """The table at a place of the file; None if no table stands there."""
    section: type[BaseModel] | None = Config
    for part in loc:
        if isinstance(part, str):
            field = section.model_fields.get(part) if section else None
            section = section_in(field.annotation) if field else None
    return section


def section_in(kind: Any) -> type[BaseModel] | None:  # noqa: ANN401  # any annotation
    """The table that an annotation speaks of: itself, or within `| None` or a tuple."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return kind
    return next((found for inner in get_args(kind) if (found := section_in(inner))), None)


def is_list(kind: Any) -> bool:  # noqa: ANN401  # a type, or what looks like one
    """Whether an annotation is a tuple."""
    return get_origin(kind) is tuple
