"""JSON as text, for what is written with every message: records and lines of the log."""

from __future__ import annotations

import json
from collections.abc import Callable
from json import encoder as _library
from typing import Any

Encode = Callable[[Any], str]


def encoder(*, ascii_only: bool, separators: tuple[str, str]) -> Encode:
    """What makes texts of dicts. The `encode` of a JSONEncoder sets itself up anew for each, which takes half its time.

    What refers to itself is not looked for: who writes shapes of facts makes none.
    """
    plain = json.JSONEncoder(ensure_ascii=ascii_only, separators=separators, check_circular=False)
    make = getattr(_library, "c_make_encoder", None)
    if make is None:  # a Python without the C half of its json
        return plain.encode
    quote = _library.encode_basestring_ascii if ascii_only else _library.encode_basestring
    item, key = separators
    pieces = make(None, plain.default, quote, None, key, item, False, False, True)  # noqa: FBT003  # C has no names
    return lambda shape: "".join(pieces(shape, 0))
