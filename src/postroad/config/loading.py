"""Reads a settings file: every key is checked, every error is a sentence."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from postroad.config.finding import MOST, find
from postroad.config.model import Config
from postroad.config.problems import sentences, wrong_places
from postroad.config.table import LENIENT, SettingsTable
from postroad.config.unset import OwnPlace, own_place
from postroad.files import plain_text, read_text
from postroad.words.inputs import InputError, limited
from postroad.words.names import Unreadable
from postroad.words.toml import parse_toml

# To empty a file is how most programs begin to write it: its defaults would have other ports, and no routes
_EMPTY = "it has no settings, so it may be cut off, or still being written; set at least hostname"
_CUT_OFF = (
    "it ends within a line, and all before is as it was, so it may be cut off, or still being written; "
    "write it whole, with the end of its last line, and reload again"
)


def load(path: Path | None = None) -> Config:
    """The settings in a file; None is the file that `find` has, and without any every setting has its default.

    But for the place of a plain user's relay: see `own_place`.

    Raises:
        InputError: it cannot be read, or is wrong: the text names the file, the key, and how to fix it.

    """
    return SettingsFile(path).load()


class SettingsFile:
    """A settings file that is read now and again: one that is still being written, or was cut off, is no settings."""

    def __init__(self, path: Path | None = None, *, begins: bool = False) -> None:
        self._path = path
        self._text = ""
        self._begins = begins  # a relay: it may be the first of its user

    def load(self) -> Config:
        """As `load`; when it is read again, it is an error too that it ends within a line of what it was.

        Then it is a plain file, too: at a pipe a relay would wait, and do nothing else.
        """
        path = self._path or find()
        if path is None:
            return _unset(own_place(begins=self._begins))
        text = _text(path, plain_text if self._text else read_text)
        if self._text.startswith(text) and text != self._text and not text.endswith("\n"):
            raise _error(path, [_CUT_OFF])
        if not _tables(text, path):
            raise _error(path, [_EMPTY])
        config = read(text, path)
        self._text = text
        return config


def read(text: str, path: Path) -> Config:
    """The settings in a text; `path` is where it stands, for errors and relative paths.

    Raises:
        InputError: as `load`.

    """
    tables = _tables(text, path)
    try:
        return _made(tables, path)
    except ValidationError as problem:
        raise _error(path, sentences(problem)) from None


def refused(tables: Mapping[str, Any]) -> list[str]:
    """What is wrong with settings that stand in no file; nothing, if a relay would take them."""
    try:
        _made(dict(tables), Path())
    except ValidationError as problem:
        return sentences(problem)
    return []


def survey(path: Path) -> tuple[list[str], Config]:
    """What is wrong with the keys of a file, and the settings without them: what else is wrong shows all the same.

    Raises:
        InputError: the file cannot be read, or is no TOML at all.

    """
    tables = _tables(_text(path), path)
    if not tables:
        raise _error(path, [_EMPTY])
    try:
        return [], _made(tables, path)
    except ValidationError as problem:
        told, places = sentences(problem), wrong_places(problem)
    settings = _made_without(places, tables, path)
    gone = frozenset(str(place[0]) for place in places if place)
    told += [more for more in settings.disagreements_beside(gone) if more not in told]
    return [f"{path}: {sentence}" for sentence in limited(told)], settings


def _unset(own: OwnPlace | None) -> Config:
    """The settings of who has no file: as the reference has them, but for the place of a plain user."""
    usual = Config()
    if own is None:
        return usual
    listen = (usual.listen[0].model_copy(update={"port": own.port}),)
    return usual.model_copy(update={"spool": usual.spool.moved_to(own.spool), "listen": listen})


def _made_without(places: Sequence[Sequence[int | str]], tables: dict[str, Any], path: Path) -> Config:
    """The settings without the keys that are wrong; without their whole tables, where those are wrong then."""
    for place in places:
        _leave_out(tables, place)
    try:
        made = _made(tables, path, lenient=True)
        odd = {key for key, each in made if isinstance(each, SettingsTable) and any(each.disagreements())}
        return _made({key: each for key, each in tables.items() if key not in odd}, path, lenient=True)
    except ValidationError as more:
        gone = {place[0] for place in (*places, *(error["loc"] for error in more.errors())) if place}
    try:
        return _made({key: each for key, each in tables.items() if key not in gone}, path, lenient=True)
    except ValidationError:
        return Config()


def _leave_out(tables: dict[str, Any], place: Sequence[int | str]) -> None:
    """Without the key at this place; where that is one that is missing, without what it is missing in."""
    inner: Any = tables
    inside: Any = None
    for part in place:
        if isinstance(inner, list) and isinstance(part, int) and part < len(inner):
            inner = inner[part]  # a table of a list stays where it is: the others keep their numbers
        elif isinstance(inner, dict) and part in inner:
            inside, key, inner = inner, part, inner[part]
        else:
            break
    if inside is not None:
        inside.pop(key, None)


def _text(path: Path, read_it: Callable[[Path, int], str | Unreadable] = read_text) -> str:
    text = read_it(path, MOST)
    if isinstance(text, Unreadable):
        how = "give the path of a settings file that this user may read"
        raise _error(path, [f"{text.why}; {how}" if text.why.startswith("cannot be read") else text.why])
    return text


def _tables(text: str, path: Path) -> dict[str, Any]:
    tables = parse_toml(text)
    if isinstance(tables, Unreadable):
        raise _error(path, [f"it is not valid TOML: {tables.why}; put texts in quotes"])
    return tables


def _made(tables: dict[str, Any], path: Path, *, lenient: bool = False) -> Config:
    # By way of JSON pydantic reads strictly (no "25" for 25), and still takes lists and texts for what they mean
    context = {"folder": path.absolute().parent, LENIENT: lenient}
    return Config.model_validate_json(json.dumps(tables, default=str), context=context)


def _error(path: Path, what: list[str]) -> Exception:
    return InputError(*what, where=str(path))


def dump(config: Config) -> dict[str, Any]:
    """The settings as a file would have them: times and sizes as texts."""
    return config.model_dump(mode="json")
