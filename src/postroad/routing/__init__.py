"""RFC 5321 section 5 (floor 1): from what DNS said to where a message goes next. The heart.

Rule 1: pure. Time comes in as `now`, chance as `Dice` with a seed; nothing here waits or asks.
Rule 2: bad records are answers, not exceptions: a `Refusal`, or a `Dropped` with its reason.
Rule 3: the same code decides a real delivery, explains it and simulates it.

Stops: `policy` (the procedures as data), `own` (who we are), `aliases` (mail for our own names), `rules` (Snapshot ->
Route or Refusal), `picking`, `receivers`, `static` and `rejection` (routes of our own settings), `order` (Route ->
odds, and a drawn Plan), `dice` (what a seed means), `turn` (a host's addresses in turn), `walk` (Plan -> Try, Wait or
Verdict, told what happened), `forking` (a walk that goes every way), `record` (a route that lasts), `explain` (all of
it in sentences).
"""

from typing import TYPE_CHECKING

from postroad.words.doors import door

if TYPE_CHECKING:
    from postroad.routing.aliases import LOCALHOST, Alias, Aliases, parse_aliases, parse_target, resolve_aliases
    from postroad.routing.dice import DICE, Chance, Dice
    from postroad.routing.explain import explain_attempt, explain_demands, explain_plan, explain_route
    from postroad.routing.forking import ForkingWalk
    from postroad.routing.order import Filling, Odds, Plan, Throw, draw, odds, plan_of, throw
    from postroad.routing.own import Own, embedded
    from postroad.routing.picking import EVERYTHING, by_domain, pick
    from postroad.routing.policy import PROCEDURES, EqualsPolicy, Onward, RoutePolicy, WalkPolicy
    from postroad.routing.receivers import Picked, Routes
    from postroad.routing.record import read_route, route_record
    from postroad.routing.rejection import OnReject, parse_pattern
    from postroad.routing.rules import (
        Dropped,
        DropReason,
        Exchanger,
        Level,
        Note,
        Refusal,
        Route,
        Source,
        Status,
        decide,
        target_fault,
    )
    from postroad.routing.static import (
        StaticHost,
        StaticRoute,
        by_hand,
        decide_static,
        no_longer_there,
        noted,
        on_behalf,
    )
    from postroad.routing.turn import turned, turned_addresses, turns_of
    from postroad.routing.walk import Connected, Ended, Greeted, Try, Verdict, Wait, Walk

__getattr__, __dir__ = door(
    __name__,
    aliases="LOCALHOST Alias Aliases parse_aliases parse_target resolve_aliases",
    dice="DICE Chance Dice",
    explain="explain_attempt explain_demands explain_plan explain_route",
    forking="ForkingWalk",
    order="Filling Odds Plan Throw draw odds plan_of throw",
    own="Own embedded",
    policy="PROCEDURES EqualsPolicy Onward RoutePolicy WalkPolicy",
    record="read_route route_record",
    rules="Dropped DropReason Exchanger Level Note Refusal Route Source Status decide target_fault",
    picking="EVERYTHING by_domain pick",
    receivers="Picked Routes",
    rejection="OnReject parse_pattern",
    static="StaticHost StaticRoute by_hand decide_static no_longer_there noted on_behalf",
    turn="turned turned_addresses turns_of",
    walk="Connected Ended Greeted Try Verdict Wait Walk",
)
