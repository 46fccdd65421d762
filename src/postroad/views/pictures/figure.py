"""The pictures in a file: SVG as it is, PNG as matplotlib paints the same sheet."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from postroad.files import not_written
from postroad.views.pictures import palette
from postroad.views.pictures.drawings import poster
from postroad.views.pictures.picture import Picture
from postroad.views.pictures.sheet import Sheet, Words
from postroad.views.pictures.svg import BASELINE, svg_file
from postroad.words.inputs import InputError

MOST_PIXELS = 6000  # along one edge of a PNG
INCH = 96.0  # pixels of a sheet
HATCHES = {"deferred": "/////", "failed": "xxxxx"}
ACROSS = {"start": "left", "middle": "center", "end": "right"}


def suffix_of(path: Path) -> str:
    """The kind of figure that a file is named as.

    Raises:
        InputError: no kind that there is.
    """
    if (suffix := path.suffix.lower()) not in {".png", ".svg"}:
        raise InputError(f"{path}: a figure is a .png or an .svg file; name it so")
    return suffix


def save(picture: Picture, path: Path) -> None:
    """Draw the picture into a .png or .svg file: the same picture gives the same octets.

    Raises:
        InputError: another suffix, no matplotlib for a PNG, or a path that cannot be written; the text says which.
    """
    suffix = suffix_of(path)
    sheet = poster(picture)
    try:
        if suffix == ".svg":
            path.write_text(svg_file(sheet), encoding="utf-8")
        else:
            with _settings():
                _paint(sheet, path)
    except OSError as problem:
        raise not_written(path, problem) from problem


def _settings() -> AbstractContextManager[Any]:
    """Matplotlib told to draw the same everywhere, and to take no name for a formula."""
    try:
        import matplotlib as mpl  # noqa: PLC0415  # an extra, and slow to import
    except ImportError as problem:
        raise InputError(
            "a PNG needs matplotlib; install it with: pip install 'postroad[plot]', or write an .svg file"
        ) from problem
    # DejaVu comes with matplotlib
    return mpl.rc_context({"font.family": ["DejaVu Sans"], "hatch.linewidth": 0.7, "text.parse_math": False})


def _paint(sheet: Sheet, path: Path) -> None:
    from matplotlib.figure import Figure  # noqa: PLC0415  # an extra, and slow to import
    from matplotlib.patches import Rectangle  # noqa: PLC0415  # the same

    figure = Figure(figsize=(sheet.width / INCH, sheet.height / INCH), facecolor=palette.DAY["paper"])
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(0, sheet.width)
    axes.set_ylim(sheet.height, 0)
    for shape in sheet.shapes:
        if isinstance(shape, Words):
            _write(axes, shape)
        else:
            box = Rectangle((shape.x, shape.y), shape.width, shape.height, linewidth=0)
            box.set(facecolor=palette.colour(shape.ink), edgecolor=palette.DAY["paper"], hatch=HATCHES.get(shape.ink))
            axes.add_patch(box)
    figure.savefig(path, dpi=min(2 * INCH, MOST_PIXELS * INCH / max(sheet.width, sheet.height)))


def _write(axes: Any, words: Words) -> None:  # noqa: ANN401  # matplotlib's, which is an extra
    dx, dy = (BASELINE * words.size, 0.0) if words.is_upright else (0.0, BASELINE * words.size)
    axes.text(
        words.x + dx,
        words.y + dy,
        words.text,
        fontsize=words.size * 72 / INCH,
        color=palette.colour(words.ink),
        ha=("right" if words.is_upright else ACROSS[words.across]),
        va="bottom" if words.is_upright else "baseline",
        rotation=90 if words.is_upright else 0,
        fontweight="bold" if words.is_bold else "normal",
    )
