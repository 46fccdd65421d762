"""The senders known by name: one file each, in this folder, ordered by what they are based on."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from types import MappingProxyType

from postroad.models.model import Basis, Sender
from postroad.models.procedures import OUR_SENDER
from postroad.models.reading import schedule_from, sender_from
from postroad.models.schedule import Schedule
from postroad.words.names import Unreadable
from postroad.words.toml import parse_toml

_ENDING = ".toml"
_ELSEWHERE = "schedules.toml"


def _texts() -> dict[str, str]:
    folder = files("postroad.models")
    return {each.name: each.read_text("utf-8") for each in folder.iterdir() if each.name.endswith(_ENDING)}


def file_of(name: str) -> str | None:
    """The file of a sender that is known, as it lies beside; None: it is made from what this program does."""
    return _texts().get(f"{name}{_ENDING}")


def _table(text: str) -> dict[str, object]:
    table = parse_toml(text)
    assert not isinstance(table, Unreadable), table  # noqa: S101  # a file of the package, which a test has read
    return table


def _load() -> dict[str, Sender]:
    """Each one after that which it is like; ours is no file, for it is made from what it does."""
    tables = {name.removesuffix(_ENDING): _table(text) for name, text in _texts().items() if name != _ELSEWHERE}
    known = {OUR_SENDER.name: OUR_SENDER}

    def know(name: str) -> None:
        if name not in known:
            like = tables[name].get("like")
            if like in tables:
                know(str(like))
            known[name] = sender_from(name, tables[name], known, name)

    for name in sorted(tables):
        know(name)
    kinds = list(Basis)
    return {each.name: each for each in sorted(known.values(), key=lambda each: (kinds.index(each.kind), each.name))}


SENDERS: Mapping[str, Sender] = MappingProxyType(_load())
"""Every sender with a name: ours, then the procedures, those measured, and those assumed."""

SCHEDULES: Mapping[str, Schedule] = MappingProxyType(
    {
        **{each.retry.name: each.retry for each in SENDERS.values()},
        **{name: schedule_from(name, table) for name, table in _table(_texts()[_ELSEWHERE]).items()},
    }
)
"""Every timetable of retries by name: those of the senders, and of others of whom no more is known."""
