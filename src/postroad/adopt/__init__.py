"""Settings of other mail systems, taken over as far as they go (floor 1).

Rule 1: pure. Whoever asks brings a function that reads files; nothing here opens one, or writes one.
Rule 2: what is not taken over is named, with what to do about it: nothing is lost in silence.
Rule 3: a password is never part of the settings: it becomes a file of its own.

Stops: `postfix`, `nullmailer`, `msmtp`, `dma`, `exim` (Debian's questions): each one system; `main_cf` (how Postfix
writes its own), `postfix_routes` (where it sends mail), `hops` (how all write a next hop), `systems` (each by its
name), `draft` (what is taken over so far), `sifting` (out of that what a relay would refuse).
"""

from typing import TYPE_CHECKING

from postroad.words.doors import door

if TYPE_CHECKING:
    from postroad.adopt.draft import Adoption, Left
    from postroad.adopt.sifting import sift
    from postroad.adopt.systems import SYSTEMS, System

__getattr__, __dir__ = door(__name__, draft="Adoption Left", sifting="sift", systems="SYSTEMS System")
