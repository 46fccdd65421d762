"""What `check` does with a domain (floor 5): gather the evidence, run the rules, weigh the findings.

Rule 1: what may be asked is said in `Sources`, once for all domains; offline sources never touch the network.
Rule 2: domains share what they have in common: each name is resolved once, each address probed once.
Rule 3: a domain in trouble is a result; only bad input is an error.

Stops: `evidence` (a domain -> Evidence), `shares` (who is asked first, once for each shape), `sources` (live DNS, zone
files, saved look-ups), `verdict` (what is ignored or accepted, and the exit status), `bulk` (many domains, a few at a
time), `resume` (what an earlier run has done), `troubles` (what advice must know of it).
"""

from postroad.checking.bulk import check_all, check_one
from postroad.checking.evidence import Sources, examine
from postroad.checking.resume import done_in
from postroad.checking.sources import Choice, build_sources, read_snapshot
from postroad.checking.verdict import Terms, Tolerated, exit_status, weigh, worst

__all__ = [
    "Choice",
    "Sources",
    "Terms",
    "Tolerated",
    "build_sources",
    "check_all",
    "check_one",
    "done_in",
    "examine",
    "exit_status",
    "read_snapshot",
    "weigh",
    "worst",
]
