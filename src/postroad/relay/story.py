"""The attempts to deliver one message, each with its random choice repeated from the seed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from random import Random

from postroad.routing import (
    DICE,
    PROCEDURES,
    Dice,
    Plan,
    Route,
    draw,
    read_route,
    turned,
)
from postroad.spool import Record
from postroad.words.record import read_attempt
from postroad.words.trail import Attempt, Target


@dataclass(frozen=True, slots=True)
class Chapter:
    """One attempt of a message's history, with its choice drawn again from the seed and the route of that day.

    `plan` is the order as drawn; `unhealthy` are the addresses that were put last because they had just failed.
    """

    at: float
    recipients: tuple[str, ...]
    attempt: Attempt
    route: Route | None
    procedure: str
    plan: Plan
    unhealthy: tuple[str, ...]
    by: str = ""  # the name of the route of the settings, if it has one
    node: str = ""  # the relay that made it
    is_by_hand: bool = False  # no attempt, but what a person decided

    @property
    def holds(self) -> bool:
        """Whether the contacts came in the order drawn now: the proof that the choice was the seed's."""
        drawn = [target for target in self.plan.targets if str(target.address) not in self.unhealthy]
        drawn += [target for target in self.plan.targets if str(target.address) in self.unhealthy]
        seen = [contact.target for contact in self.attempt.contacts if not contact.clear_again]
        # What connections had to be is no part of the choice, and stands with the route
        return list(map(_place, seen)) == list(map(_place, drawn[: len(seen)]))


def _place(target: Target) -> tuple[str, str, int | None]:
    return target.exchange, target.where, target.port


def chapter(record: Record) -> Chapter:
    """A record, with its choice drawn again.

    Raises:
        ValueError: it is no record that this version can read.

    """
    shape = json.loads(record.text)
    attempt = read_attempt(shape)
    route = read_route(shape.get("route", {}))
    procedure = shape.get("procedure", "rfc5321")
    plan = Plan(())
    if route and attempt.seed is not None:
        dice = Dice(attempt.seed) if shape.get("dice") == DICE else Random(attempt.seed)
        plan = draw(turned(route, shape.get("turn", 0)), PROCEDURES[procedure], dice)
    recipients = tuple(shape.get("recipients", ()))
    unhealthy, by = tuple(shape.get("unhealthy", ())), shape.get("by", "")
    return Chapter(
        record.at, recipients, attempt, route, procedure, plan, unhealthy, by, record.node, shape.get("by_hand") is True
    )
