"""What a command shows at a terminal."""

import io
from contextlib import suppress

from postroad.cli import door
from postroad.cli.root import app


def shown_at(width, words, monkeypatch):
    """The lines of a command at a terminal of this width, without their paint."""
    written = io.StringIO()
    written.isatty = lambda: True
    with monkeypatch.context() as patch:
        patch.setattr("sys.stdout", written)
        for name, value in {"COLUMNS": str(width), "TERM": "xterm", "NO_COLOR": "1"}.items():
            patch.setenv(name, value)
        with suppress(SystemExit):
            app([str(word) for word in words])
    return [line.rstrip() for line in door.COLOUR.sub("", written.getvalue()).splitlines()]
