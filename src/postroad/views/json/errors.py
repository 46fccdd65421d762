"""An error as JSON, on stderr."""

from __future__ import annotations

from postroad.views.json.shape import VERSION, Shape


def error_shape(text: str, code: int) -> Shape:
    """What any command with --json says when it ends early: the sentences, and its exit status."""
    return {"version": VERSION, "error": text, "exit_status": code}
