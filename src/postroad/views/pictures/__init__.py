"""Pictures of a simulation: who gets the first contact, what survives, how long one delivery waits.

Rule 1: a number is printed wherever a colour or a length tells it: nothing is lost without colour, or without eyes.
Rule 2: names come from DNS, so from strangers: `labels` makes them harmless and short before they are shown.
Rule 3: a picture is laid out once, on a sheet: a page embeds it as SVG, a PNG is painted from the same shapes.

Stops: `picture` (what is shown), `columns` (the servers), `labels` (what things are called), `bars` (what becomes of
mail), `folds` (faults side by side, what is alike as one), `axis` (time with its long waits folded), `palette`
(colours); `terminal` with its `pen`; `drawings` (the layout) on a `sheet`, written by `svg`, or by `figure` to a file.
"""

from typing import TYPE_CHECKING

from postroad.words.doors import door

if TYPE_CHECKING:
    from postroad.views.pictures.figure import save, suffix_of
    from postroad.views.pictures.picture import Picture, picture_of

__getattr__, __dir__ = door(
    __name__,
    figure="save suffix_of",
    picture="Picture picture_of",
)
