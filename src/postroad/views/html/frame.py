"""What all pages share: the frame with the style sheet, and the way from words to HTML."""

from __future__ import annotations

from html import escape
from importlib.resources import files

from postroad.views.pictures.svg import inks
from postroad.words.visible import defused


def framed(title: str, body: str) -> str:
    """The whole file around its body. Its Content-Security-Policy allows its own style sheet and nothing more."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{text(title)}</title>\n<style>\n{_style()}</style>\n</head>\n"
        f"<body>\n<main>\n{body}</main>\n</body>\n</html>\n"
    )


def text(words: str) -> str:
    """Words from outside, harmless between tags and in a quoted attribute."""
    return escape(defused(words))


def scrolled(mark: str, table: str) -> str:
    """A table that scrolls sideways by itself, and so takes the focus for the arrow keys; `mark` is its heading."""
    return f'<div class="wide" tabindex="0" role="region" aria-labelledby="{mark}">\n{table}</div>\n'


def _style() -> str:
    """The inks of the pictures, and the style sheet."""
    return inks() + files("postroad.views.html").joinpath("style.css").read_text(encoding="utf-8")
