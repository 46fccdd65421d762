"""A sheet as SVG: in a file of its own, or within a page, with its title and all it says in words."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from postroad.views.pictures import palette
from postroad.views.pictures.sheet import Box, Sheet, Words
from postroad.words.outcome import Result
from postroad.words.visible import defused

HATCHES = {Result.DEFERRED: "M-2 10L10 -2M-2 2L2 -2M6 10L10 6", Result.FAILED: "M0 0L8 8M8 0L0 8"}
NAMESPACE = "http://www.w3.org/2000/svg"
FACE = 'system-ui, "Segoe UI", "Noto Sans", "DejaVu Sans", sans-serif'
BASELINE = 0.35  # of its size, that a text's middle is above its line


def svg(sheet: Sheet, mark: str) -> str:
    """The picture for a page that wears `inks`; its ids begin with the mark."""
    return (
        f'<svg class="drawn" role="img" aria-labelledby="{mark}-title {mark}-told" '
        f'viewBox="0 0 {sheet.width:.0f} {sheet.height:.0f}" width="{sheet.width:.0f}" height="{sheet.height:.0f}">\n'
        f'<title id="{mark}-title">{_text(sheet.title)}</title>\n<desc id="{mark}-told">{_text(sheet.told)}</desc>\n'
        f"{_defs(sheet, mark)}{''.join(_drawn(sheet, mark))}</svg>\n"
    )


def svg_file(sheet: Sheet) -> str:
    """The same as a file that needs nothing else; in the dark it is dark."""
    whole, _, rest = svg(sheet, "picture").replace("<svg", f'<svg xmlns="{NAMESPACE}"', 1).partition("\n")
    ground = '<rect width="100%" height="100%" class="paper"/>\n'
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{whole}\n<style>\n{inks()}</style>\n{ground}{rest}'


def inks() -> str:
    """The colours as a style sheet: on paper, and in the dark."""
    dark = "".join(_inks(palette.NIGHT, palette.DARK))
    plain = "".join(_inks(palette.DAY, palette.LIGHT))
    return (
        f"{plain}@media (prefers-color-scheme: dark) {{\n{dark}}}\n.drawn text {{ font-family: {FACE}; }}\n"
        ".drawn .bold { font-weight: 600; }\n.drawn .stripe { stroke-width: 1.4; fill: none; }\n"
    )


def _inks(plain: dict[str, str], ramp: tuple[str, ...]) -> Iterator[str]:
    yield ":root { " + " ".join(f"--{name}: {colour};" for name, colour in plain.items()) + " }\n"
    yield from (f".drawn .{name} {{ fill: {colour}; }}\n" for name, colour in plain.items())
    yield f".drawn .stripe {{ stroke: {plain['paper']}; }}\n"
    for step in range(palette.SHADES + 1):
        tile = palette.shade(step / palette.SHADES, ramp)
        yield f".drawn .s{step} {{ fill: {tile}; }} .drawn .i{step} {{ fill: {palette.ink_on(tile)}; }}\n"


def _defs(sheet: Sheet, mark: str) -> str:
    """The patterns that tell results apart without colour, where they are used."""
    used = {shape.ink for shape in sheet.shapes if isinstance(shape, Box)}
    patterns = "".join(
        f'<pattern id="{mark}-{result}" width="8" height="8" patternUnits="userSpaceOnUse"><rect width="8" height="8" '
        f'class="{result}"/><path d="{path}" class="stripe"/></pattern>'
        for result, path in HATCHES.items()
        if result.value in used
    )
    return f"<defs>{patterns}</defs>\n" if patterns else ""


def _drawn(sheet: Sheet, mark: str) -> Iterator[str]:
    hatched = {result.value for result in HATCHES}
    for shape in sheet.shapes:
        if isinstance(shape, Words):
            yield _words(shape)
        else:
            paint = f'fill="url(#{mark}-{shape.ink})"' if shape.ink in hatched else f'class="{shape.ink}"'
            size = f'width="{shape.width:.1f}" height="{shape.height:.1f}"'
            yield f'<rect x="{shape.x:.1f}" y="{shape.y:.1f}" {size} {paint}/>\n'


def _words(words: Words) -> str:
    dx, dy = (BASELINE * words.size, 0.0) if words.is_upright else (0.0, BASELINE * words.size)
    x, y = words.x + dx, words.y + dy
    turn = f' transform="rotate(-90 {x:.1f} {y:.1f})"' if words.is_upright else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{words.size:g}" text-anchor="{words.across}" '
        f'class="{words.ink}{" bold" if words.is_bold else ""}"{turn}>{_text(words.text)}</text>\n'
    )


def _text(words: str) -> str:
    return escape(defused(words))
