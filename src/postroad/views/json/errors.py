"""An error as JSON, on stderr."""

from __future__ import annotations

from typing import TypedDict

from postroad.views.json.shape import VERSION


class ErrorJson(TypedDict):
    """What any command with --json says on stderr when it ends early."""

    version: int
    error: str
    exit_status: int


def error_shape(text: str, code: int) -> ErrorJson:
    """What any command with --json says when it ends early: the sentences, and its exit status."""
    return {"version": VERSION, "error": text, "exit_status": code}
