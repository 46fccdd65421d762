"""The systems whose settings can be taken over: where their files are, and who reads them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from postroad.adopt.dma import from_dma
from postroad.adopt.draft import Adoption, Read
from postroad.adopt.exim import from_exim
from postroad.adopt.msmtp import from_msmtp
from postroad.adopt.nullmailer import from_nullmailer
from postroad.adopt.postfix import from_postfix


@dataclass(frozen=True, slots=True)
class System:
    """Another mail system: its usual place, the file there that has to exist, and what takes its settings over.

    `main` is empty where the place is a file itself. `adopt` gets a function that reads a file by its name (below the
    place, or absolute), and the folder where files with passwords will be.
    """

    place: str
    main: str
    adopt: Callable[[Read, str], Adoption]


SYSTEMS: Mapping[str, System] = MappingProxyType(
    {
        "postfix": System("/etc/postfix", "main.cf", from_postfix),
        "nullmailer": System("/etc/nullmailer", "remotes", from_nullmailer),
        "msmtp": System("/etc/msmtprc", "", from_msmtp),
        "dma": System("/etc/dma", "dma.conf", from_dma),
        "exim": System("/etc/exim4", "update-exim4.conf.conf", from_exim),
    }
)
