"""The colours: one ramp of blue for shares, and for results three hues that the colour-blind tell apart.

The results are Okabe and Ito's blue, orange and vermilion ("Color Universal Design", 2008), made quieter; each has a
pattern or a glyph besides.
"""

from __future__ import annotations

from postroad.words.outcome import Result

LIGHT = ("#eef4f9", "#cfe1ef", "#a3c8e2", "#6ba6cf", "#3a7fb4", "#1c5a91", "#0d3a66")
DARK = ("#1a2733", "#1c3a52", "#205274", "#2a7099", "#4693bd", "#7bb9db", "#c4e3f5")
DAY = {
    "paper": "#ffffff", "ink": "#16202a", "muted": "#5c6873", "line": "#d5dbe1", "code": "#f4f6f8", "accent": "#1c5a91",
    "delivered": "#3a7fb4", "deferred": "#e3a53c", "failed": "#b8431f", "wait": "#6b7480",
}  # fmt: skip
NIGHT = {
    "paper": "#11181f", "ink": "#e4eaf0", "muted": "#9aa8b5", "line": "#2c3843", "code": "#19222b", "accent": "#7bb9db",
    "delivered": "#4693bd", "deferred": "#d9a04a", "failed": "#d0603d", "wait": "#8c97a3",
}  # fmt: skip

SPREAD = 0.7  # many servers have small shares each: straight, they would all be pale
SHADES = 20  # classes of colour between no share and all

RESULTS = {result: DAY[result.value] for result in Result}


def colour(ink: str) -> str:
    """An ink on paper: one by name, or that of a shade (`s7`) or of the words on it (`i7`)."""
    if ink in DAY:
        return DAY[ink]
    tile = shade(int(ink[1:]) / SHADES)
    return tile if ink.startswith("s") else ink_on(tile)


def shade(share: float, ramp: tuple[str, ...] = LIGHT) -> str:
    """The colour of a share between 0 and 1."""
    place = min(max(share, 0.0), 1.0) ** SPREAD * (len(ramp) - 1)
    low = min(int(place), len(ramp) - 2)
    pairs = zip(_rgb(ramp[low]), _rgb(ramp[low + 1]), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * (place - low)):02x}" for a, b in pairs)


def ink_on(colour: str) -> str:
    """Black or white, whichever reads better on a colour: one of the two has a contrast of 4.5 on any."""
    return max(("#000000", "#ffffff"), key=lambda ink: contrast(ink, colour))


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours, 1 to 21 (WCAG 2.2, "contrast ratio"); text wants 4.5."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: str) -> float:
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in (c / 255 for c in _rgb(colour))]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
