"""The faults of one machine side by side: what separates senders is not a machine that refuses, but how they wait."""

from __future__ import annotations

from collections.abc import Mapping

from postroad.planning.mix import Forecasts, View
from postroad.planning.scorecard import Scorecard
from postroad.words.faults import Mode

SHOWN = (Mode.REFUSE, Mode.BLACKHOLE, Mode.MUTE, Mode.G421, Mode.G554, Mode.R450, Mode.R550)


def faults_of(card: Scorecard, view: View) -> Mapping[Mode, Forecasts]:
    """The forecasts with the busiest machine at fault, in each way that senders answer differently."""
    if card.busiest is None:
        return {}
    return {mode: view.look_without(card.records, [card.busiest], card.whole, mode) for mode in SHOWN}
