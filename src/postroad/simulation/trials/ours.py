"""Our own sender as data, for trials only: they draw from the graph of `simulation.steps`, not of `simulation.own`.

Held against the exact forecast by tests. It does not know that names share an address.
"""

from __future__ import annotations

from dataclasses import replace

from postroad.routing import WalkPolicy
from postroad.senders import SENDERS
from postroad.senders.model import Inside, Sender, Then, Waits
from postroad.words.faults import Mode

_NOT_NOW = (Mode.R450, Mode.R550, Mode.D451, Mode.E451)


def as_data(sender: Sender) -> Sender:
    """Any other sender as it is."""
    if not sender.ours:
        return sender
    usual, walk = SENDERS["rfc5321"], WalkPolicy()
    return replace(
        usual,
        name=sender.name,
        title=sender.title,
        inside=Inside.TURNED,
        reactions={**usual.reactions, **dict.fromkeys(_NOT_NOW, Then.NEXT_EQUAL)},
        waits=Waits(30.0, overlap_s=walk.stagger_s, level_overlap_s=walk.level_stagger_s),
        memory=sender.memory,
        reuse=sender.reuse,
    )
