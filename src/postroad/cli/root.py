"""The whole command tree, for what looks at all of it: the pages of the reference, and whoever runs many commands."""

from __future__ import annotations

from postroad.cli.commands import tree

app = tree()

__all__ = ["app"]
