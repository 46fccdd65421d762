"""What a domain's records mean (floor 1): who is overloaded, what survives, what a change does, what to change.

Rule 1: pure, and every number is a forecast of `simulation`; what is sampled or rests on assumptions says so.
Rule 2: one word for what is lost at once, Machine: the IPv4 and the IPv6 address of a host, one address of several
names. Shares, survival, comparison, advice and the rules of `check` count machines.
Rule 3: a snapshot is read once, into Records; nothing else asks what is behind its names.

Stops: `records` (machines, networks and lines of a snapshot), `mix` (several senders asked together), `survival` and
`fates` (what is lost with what), `refusals` (who is not used for want of TLS), `traffic` (DNS questions and octets),
`scorecard` (all of that for one set of records), `goals` (the one judgement of what is better), `comparison` (sets side
by side), `edits` (changes that are possible), `covering` (what must be published before them), `advice` (those worth
it), `setups` and `answers` (the reference set-ups).
"""

from typing import TYPE_CHECKING

from postroad.words.doors import door

if TYPE_CHECKING:
    from postroad.planning.advice import Advice, Check, CheckTrouble, Weight, advise
    from postroad.planning.answers import AnsweredQuestion, answer_all
    from postroad.planning.comparison import Comparison, Difference, compare
    from postroad.planning.edits import Allowed, Edit, new_names
    from postroad.planning.goals import Goal, Ranking, dns_figures, numbers, silence
    from postroad.planning.mix import EXAMPLES, Conditions, Forecasts, Mix, part_delivered
    from postroad.planning.records import Line, Machine, Records, is_stand_in, machines, shown
    from postroad.planning.refusals import ExchangerRefusal, RefusalCause
    from postroad.planning.scorecard import Scorecard, faults_of, measure
    from postroad.planning.setups import SETUPS, SETUPS_BY_NAME, setup_named

__getattr__, __dir__ = door(
    __name__,
    advice="Advice Check CheckTrouble Weight advise",
    answers="AnsweredQuestion answer_all",
    comparison="Comparison Difference compare",
    edits="Allowed Edit new_names",
    goals="Goal Ranking dns_figures numbers silence",
    mix="EXAMPLES Forecasts Mix Conditions part_delivered",
    records="Line Machine Records is_stand_in machines shown",
    refusals="ExchangerRefusal RefusalCause",
    scorecard="Scorecard faults_of measure",
    setups="SETUPS SETUPS_BY_NAME setup_named",
)
