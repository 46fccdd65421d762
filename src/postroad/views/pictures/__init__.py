"""Pictures of a simulation: who gets the first contact, what survives, how long one delivery waits.

Rule 1: a number is printed wherever a colour or a length tells it: nothing is lost without colour, or without eyes.
Rule 2: names come from DNS, so from strangers: `labels` makes them harmless and short before they are shown.
Rule 3: the three forms (terminal, figure, page) share words, colours and the axis, and differ in ink only.

Stops: `picture` (what is shown), `columns` (the servers), `labels` (numbers and names in words), `bars` (what becomes
of mail), `axis` (time with its long waits folded), `palette` (colours); `terminal` with its `pen`, `figure` (PNG, SVG)
with its `poster` and `sheet`; the page is in `views.html`.
"""

from typing import TYPE_CHECKING

from postroad.words.doors import door

if TYPE_CHECKING:
    from postroad.views.pictures.picture import Picture

__getattr__ = door(
    __name__,
    picture="Picture",
)
