"""The JSON of every command as JSON Schema (draft 2020-12), drawn from the types that its functions give."""

from __future__ import annotations

from inspect import cleandoc
from types import NoneType, UnionType
from typing import Any, Literal, NotRequired, get_args, get_origin, get_type_hints, is_typeddict

from postroad.views.json.attempt import SendJson
from postroad.views.json.dkim import CheckedKeysJson, KeysJson, RotationJson
from postroad.views.json.errors import ErrorJson
from postroad.views.json.findings import CheckedJson, CheckJson, RuleJson, RulesJson
from postroad.views.json.lookup import LookupJson
from postroad.views.json.planned import AdviseJson, CompareJson, SetupsJson, SimulateJson
from postroad.views.json.protection import TlsJson
from postroad.views.json.queue import BounceJson, ChangeJson, ExplainJson, MessageJson, QueueJson, StatsJson, TraceJson
from postroad.views.json.route import RouteJson
from postroad.views.json.scenes import (
    ArrivalJson,
    ClusterJson,
    DemoJson,
    FaultWordsJson,
    LabFaultsJson,
    LabJson,
    LabUpJson,
    TrialJson,
)
from postroad.views.json.senders import SenderJson, SendersJson
from postroad.views.json.settings import ConfigJson, ImportJson, ProblemsJson, UserJson
from postroad.views.json.shape import Shape
from postroad.views.json.spools import MigrationJson, MovedJson, SpoolHealthJson
from postroad.views.json.tls_reports import TlsReportsJson

DRAFT = "https://json-schema.org/draft/2020-12/schema"

ANSWERS: dict[str, type] = {
    "advise": AdviseJson,
    "check": CheckJson,
    "check --format ndjson": CheckedJson,
    "compare": CompareJson,
    "config check": ProblemsJson,
    "config hash": UserJson,
    "config show": ConfigJson,
    "demo": DemoJson,
    "demo --cluster": ClusterJson,
    "dkim check": CheckedKeysJson,
    "dkim new": KeysJson,
    "dkim record": KeysJson,
    "dkim rotate": RotationJson,
    "explain": ExplainJson,
    "import": ImportJson,
    "lab fault": LabFaultsJson,
    "lab faults": LabFaultsJson,
    "lab faults --words": FaultWordsJson,
    "lab run": LabJson,
    "lab try": TrialJson,
    "lab up": LabUpJson,
    "lab up --show": ArrivalJson,
    "lookup": LookupJson,
    "queue bounce": BounceJson,
    "queue delete": ChangeJson,
    "queue hold": ChangeJson,
    "queue list": QueueJson,
    "queue move": ChangeJson,
    "queue release": ChangeJson,
    "queue retry": ChangeJson,
    "queue show": MessageJson,
    "queue stats": StatsJson,
    "queue trace": TraceJson,
    "route": RouteJson,
    "rules": RulesJson,
    "rules ID": RuleJson,
    "send": SendJson,
    "senders": SendersJson,
    "senders NAME": SenderJson,
    "setups": SetupsJson,
    "simulate": SimulateJson,
    "spool check": SpoolHealthJson,
    "spool migrate": MigrationJson,
    "spool move": MovedJson,
    "tls": TlsJson,
    "tls-report": TlsReportsJson,
    "an error": ErrorJson,
}
"""What each command prints with --json; and any of them on stderr, if it ends early."""

_PLAIN: dict[Any, Shape] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    NoneType: {"type": "null"},
    Any: {},
}


def schema() -> Shape:
    """One document: `answers` leads from a command to the definition of what it prints."""
    defs: dict[str, Shape] = {}
    answers = {command: _reference(kind, defs) for command, kind in ANSWERS.items()}
    return {
        "$schema": DRAFT,
        "title": "What the commands of Postroad print with --json",
        "description": "answers/COMMAND is the schema of what that command prints.",
        "answers": answers,
        "$defs": dict(sorted(defs.items())),
    }


def _reference(kind: type, defs: dict[str, Shape]) -> Shape:
    """To the definition of an object, which is added if it is not there."""
    name = kind.__name__.removesuffix("Json")
    if name not in defs:
        defs[name] = {}  # known from here on, should it have itself inside
        hints = get_type_hints(kind, include_extras=True)
        doc = cleandoc(kind.__doc__ or "")
        defs[name] = {
            **({"description": doc} if doc and not doc.startswith("dict(") else {}),
            "type": "object",
            "properties": {key: _of(hint, defs) for key, hint in hints.items()},
            "required": [key for key, hint in hints.items() if get_origin(hint) is not NotRequired],
            "additionalProperties": False,
        }
    return {"$ref": f"#/$defs/{name}"}


def _of(hint: Any, defs: dict[str, Shape]) -> Shape:  # noqa: ANN401  # whatever stands behind a key
    if is_typeddict(hint):
        return _reference(hint, defs)
    origin, inside = get_origin(hint), get_args(hint)
    if origin is NotRequired:
        return _of(inside[0], defs)
    if origin is list:
        return {"type": "array", "items": _of(inside[0], defs)}
    if origin is dict:
        return {"type": "object", "additionalProperties": _of(inside[1], defs)}
    if origin is Literal:
        return {"enum": list(inside)}
    if origin is UnionType:
        return {"anyOf": [_of(each, defs) for each in inside]}
    return _PLAIN[hint]
