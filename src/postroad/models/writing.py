"""A sender that was measured as a file: what is known of it, and in comments what is not."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from postroad.models.model import PHASES, Asks, AttemptLimits, FaultPhase, Sender, Then, Waits
from postroad.words.faults import Mode
from postroad.words.visible import visible

_TABLES = ("limits", "waits", "asks")
_OF = {"limits": AttemptLimits, "waits": Waits, "asks": Asks}
_HINTS = {
    "version": '"Program 1.2.3"  # write the version that you measured',
    "literals": '"passed-over"  # used, passed-over or failed: an MX record whose name is an address',
    "implicit_on_nxdomain": "true  # whether the address of a domain is used where its MX answer is NXDOMAIN",
    "limits.family_share": "false  # whether neither family takes more than its half of the limit",
    "memory": '{ modes = ["refuse"], for_s = 900 }  # what it remembers of an address, and for how long',
    "reuse": "{ messages = 100, idle_s = 2 }  # connections that are kept for other messages",
    "picks": "{ queue_run = true }  # one draw for all mail of a queue run",
    "recipients": '{ alone = true, told = "at-the-end" }  # several recipients of one message',
    "clear_later": "{ modes = [], after_s = 300 }  # a later attempt without TLS",
    "sts": "true  # enforces MTA-STS",
    "dane": "true  # enforces DANE",
    "retry": '{ source = "its documentation", intervals_s = [300, 600, 1200], then_s = 3600, expiry_s = 432000 }',
}
_MET = tuple(mode for phase, modes in PHASES.items() if phase is not FaultPhase.PROOF for mode in modes)
_ORDER = (
    "unit", "equals", "inside", "families", "preference", "drops_duplicates", "drops_names", "mixed_null_is_null",
    "empty_name_fails", "implicit_on_nodata", "exhausted", "refusals", "keeps",
)  # fmt: skip


_UNSEEN = (
    "literals", "implicit_on_nxdomain", "sts", "dane", "memory", "reuse", "picks", "recipients", "clear_later", "retry"
)  # fmt: skip


def sender_file(sender: Sender, known: Collection[str], unsure: Mapping[str, str], about: Collection[str] = ()) -> str:
    """The file: fields that are known, as `unit` or `waits.connect_s`; and those that something else explains too."""
    lines = [f"# {visible(line)}" for line in about]
    lines += [f"title = {_text(sender.title)}", f'kind = "{sender.kind}"', f"# version = {_HINTS['version']}"]
    lines += [f"sources = [{', '.join(map(_text, sender.sources))}]", ""]
    lines += [_line(name, getattr(sender, name), known, unsure, name) for name in _ORDER]
    lines += [f"# {name} = {_HINTS[name]}" for name in ("literals", "implicit_on_nxdomain", "sts", "dane")]
    lines += [
        f"# {name} = {_HINTS[name]}" for name in ("memory", "reuse", "picks", "recipients", "clear_later", "retry")
    ]
    for name in _TABLES:
        lines += ["", f"[{name}]", *_table(name, getattr(sender, name), known, unsure)]
    lines += ["", "[reactions]", *_reactions(sender.reactions, "reactions", unsure)]
    lines += [f'# {mode} = "next-address"  # not seen' for mode in _MET if mode not in sender.reactions]
    if sender.races:
        lines += ["", "[races]  # what happened as well", *_reactions(sender.races, "races", unsure)]
    if sender.refused:
        lines += ["", "[refused]", *(f'{status} = "{result}"' for status, result in sender.refused.items())]
    return "\n".join([*lines, ""])


def _table(name: str, table: object, known: Collection[str], unsure: Mapping[str, str]) -> Iterator[str]:
    usual = _OF[name]()
    for key in usual.__dataclass_fields__:
        path, value = f"{name}.{key}", getattr(table, key)
        is_known = name in known and (name != "waits" or path in known)
        if path in _HINTS:
            yield f"# {key} = {_HINTS[path]}"
        elif is_known or value != getattr(usual, key):
            yield _line(key, value, {key}, unsure, path)
        elif name != "waits" or key in ("connect_s", "greeting_s"):
            yield f"# {key} = {_value(value)}  # not seen"


def _line(key: str, value: object, known: Collection[str], unsure: Mapping[str, str], path: str) -> str:
    if key not in known:
        return f"# {key} = {_value(value)}  # not seen"
    if path in unsure:
        return f"{key} = {_value(value)}  # or {unsure[path]}: nothing told them apart"
    return f"{key} = {_value(value)}"


def _reactions(reactions: Mapping[Mode, Then], path: str, unsure: Mapping[str, str]) -> Iterator[str]:
    for mode, then in reactions.items():
        yield _line(mode, then, {mode}, unsure, f"{path}.{mode}")


def _value(value: object) -> str:
    if value is None:
        return '"none"'
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return f"{value:g}"
    if isinstance(value, frozenset):
        return f"[{', '.join(sorted(map(_text, value)))}]"
    return _text(str(value))


def _text(text: str) -> str:
    r"""A basic string of TOML: what may not stand in one is written `\u00xx`."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(char if char.isprintable() else f"\\U{ord(char):08x}" for char in escaped) + '"'
