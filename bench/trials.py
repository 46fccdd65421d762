"""How many deliveries a second a trial plays, and how much faster that is than the same in plain Python.

    python bench/trials.py [MESSAGES]

A plain delivery is to two equal exchangers, all up; six more trials are not so plain, with a tenth of the messages.
"""

from __future__ import annotations

import asyncio
import resource
import sys
import time
from collections import Counter
from dataclasses import replace
from random import Random

from postroad.build import zone_of
from postroad.dns import ZoneResolver, parse_zones
from postroad.gather import gather
from postroad.planning import SETUPS
from postroad.routing import PROCEDURES, decide, draw
from postroad.simulation import SENDERS, DnsOrder
from postroad.simulation.trials import Greylist, Outage, Trial, Trials, Workload, run
from postroad.words.snapshot import Snapshot

MESSAGES = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000_000
SEED = 1
HOUR_S = 3600.0


def snapshot(name):
    """The records of a reference set-up."""
    zone = zone_of(name).read_text()
    return asyncio.run(gather(SETUPS[name].domain, ZoneResolver(parse_zones({name: zone}))))


def timed(title: str, trial: Trial) -> tuple[Trials, float]:
    """Play a trial, and print its speed."""
    began = time.perf_counter()
    found = run(trial, SEED)
    rate = trial.workload.messages / (time.perf_counter() - began)
    print(f"{title:58} {trial.workload.messages:12,} {rate:14,.0f}")
    return found, rate


def one_by_one(records: Snapshot, messages: int) -> float:
    """The same plain deliveries, each decided by the code that decides a real one, and counted in a loop."""
    policy = PROCEDURES["rfc5321"]
    route = decide(records, policy)
    rng, first, windows, asked = Random(SEED), Counter(), Counter(), set()
    began = time.perf_counter()
    for message in range(messages):
        source, at_s = message % 1000, rng.random() * 24 * HOUR_S
        target = draw(route, policy, rng).targets[0]
        first[target.address] += 1
        windows[int(at_s / HOUR_S), target.address] += 1
        asked.add((source, int(at_s / 300)))
    return messages / (time.perf_counter() - began)


def main() -> None:
    """All of it, in one table."""
    print(f"{'trial':58} {'messages':>12} {'a second':>14}")
    t1 = snapshot("t1")
    plain = Trial(t1, SENDERS["rfc5321"], Workload(messages=MESSAGES))
    found, rate = timed("t1, two equal exchangers, all up", plain)
    some = replace(plain, workload=Workload(messages=MESSAGES // 10))
    dead = next(iter(found.first))
    timed("t6, nine addresses, postfix", replace(some, snapshot=snapshot("t6"), sender=SENDERS["postfix"]))
    timed(
        "t1, order cached for the TTL, dns-order", replace(some, sender=SENDERS["dns-order"], dns_order=DnsOrder.CACHED)
    )
    timed("t1, greylisted", replace(some, greylist=Greylist()))
    timed("t1, one server down for 6 hours", replace(some, outages=(Outage(dead, until_s=6 * HOUR_S),)))
    timed(
        "t1, the same, exim remembers",
        replace(some, sender=SENDERS["exim"], outages=(Outage(dead, until_s=6 * HOUR_S),)),
    )
    burst = Workload(messages=MESSAGES // 10, sources=max(MESSAGES // 3000, 1), over_s=1.0, session_s=0.015)
    timed(
        "t1, bursts of 300, postfix keeps connections", replace(some, sender=SENDERS["postfix-reuse"], workload=burst)
    )
    few = max(MESSAGES // 50, 1)
    slow = one_by_one(t1, few)
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{'the first once more, one by one in plain Python':58} {few:12,} {slow:14,.0f}")
    print(f"trials are {rate / slow:.0f} times as fast as a loop; {peak_mib:.0f} MiB at most")


if __name__ == "__main__":
    main()
