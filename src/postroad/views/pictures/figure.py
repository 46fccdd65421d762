"""The pictures as one figure, in a PNG or SVG file, by matplotlib."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from postroad.views.pictures.picture import Picture
from postroad.words.inputs import InputError

MOST_PIXELS = 6000  # along one edge of a PNG


def save(picture: Picture, path: Path) -> None:
    """Draw the picture into a .png or .svg file: the same picture gives the same octets.

    Raises:
        InputError: another suffix, no matplotlib, or a path that cannot be written; the text says which.
    """
    suffix = path.suffix.lower()
    if suffix not in {".png", ".svg"}:
        raise InputError(f"{path}: a figure is a .png or an .svg file; name it so")
    with _settings():
        from postroad.views.pictures.poster import poster  # noqa: PLC0415  # imports matplotlib

        figure = poster(picture).finish()
        dpi = min(150, int(MOST_PIXELS / max(figure.get_size_inches())))
        try:
            figure.savefig(path, dpi=dpi, metadata={"Date": None} if suffix == ".svg" else {})
        except OSError as problem:
            raise InputError(f"{path}: cannot be written: {problem.strerror or problem}") from problem


def _settings() -> AbstractContextManager[Any]:
    """Matplotlib told to draw the same everywhere, and to take no name for a formula."""
    try:
        import matplotlib as mpl  # noqa: PLC0415  # an extra, and slow to import
    except ImportError as problem:
        raise InputError("a figure needs matplotlib; install it with: pip install 'postroad[plot]'") from problem
    return mpl.rc_context(
        {
            "font.family": ["DejaVu Sans"],  # matplotlib brings it along
            "hatch.linewidth": 0.7,
            "svg.fonttype": "none",  # text stays text: it can be searched and read aloud
            "svg.hashsalt": "postroad",
            "text.parse_math": False,
        }
    )
