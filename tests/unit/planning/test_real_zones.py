"""Six zones as they stand in DNS, and what a postmaster would say of each: `advise` and `check` say the same."""

import asyncio
from functools import cache
from pathlib import Path

import pytest
from tests.support import plans
from tests.support.plans import SEVERAL, advised

from postroad.dns import ZoneResolver, load_zones
from postroad.gather import gather
from postroad.planning import Allowed, Edit, Records, measure
from postroad.planning.comparison import compare, difference
from postroad.planning.edits import edited
from postroad.planning.goals import COSTS, Goal
from postroad.routing import decide
from postroad.rules import Evidence, run

ZONES = Path(plans.__file__).parent / "zones"


@cache
def _records(name):
    path = ZONES / f"{name}.zone"
    domain = path.read_text().split("$ORIGIN ")[1].split("\n")[0].rstrip(".")
    return Records.of(asyncio.run(gather(domain, ZoneResolver(load_zones([path]).zone_data))))


@pytest.fixture(scope="module")
def advice():
    """What is advised for a zone; of several stories about one, it is worked out for the first."""
    return cache(lambda zone, *allowed: advised(_records(zone), SEVERAL, *allowed))


@pytest.mark.parametrize(
    ("zone", "lines", "words"),
    [
        ("one-dual-stack", 3, ""),
        ("same-net", 0, "mx-same-prefix: both addresses are in 192.0.2.0/24"),
        ("three-by-eight", 0, "24 machines stand behind 3 names, and are left there: a name for each takes"),
        ("two-by-fifteen", 0, "Make sure that the name servers rotate the addresses of a name: 3.3 % of first"),
        ("provider-fleet", 0, "6 machines stand behind 1 name, whose addresses are their operator's to change."),
        (
            "provider-fleet",
            0,
            "Ask their operator to make sure that the name servers rotate the addresses of a name: 16.7 %",
        ),
        ("provider-fleet", 0, "mx-single: customer-example.mail.provider.example is the only exchanger"),
        ("off-site-backup", 0, "stays a backup, as the preference says"),
    ],
)
def test_advice_is_what_a_postmaster_would_say(advice, zone, lines, words):
    """A lone machine gets a second; sane sites are left alone, with what only their owner can do, and check notes."""
    found = advice(zone)
    assert (lines, 0) == (len(found.new), len(found.gone))
    assert words in " ".join((*found.remarks, *(f"{each.rule}: {each.seen}" for each in found.troubles)))
    assert lines or "nothing to change" in found.headline


@pytest.mark.parametrize("zone", ["three-by-eight", "two-by-fifteen", "provider-fleet"])
def test_large_sites_are_not_split_into_more_than_their_budget(advice, zone):
    """One name for each of 24 or 30 machines is refused, even where it is asked for."""
    assert () == advice(zone, *Allowed).edits


@pytest.mark.parametrize("zone", [path.stem for path in sorted(ZONES.glob("*.zone"))])
def test_advice_changes_something_where_check_tells_of_one_machine(advice, zone):
    """`check` and `advise` count the same machines."""
    known = _records(zone)
    found = {each.rule for each in run(Evidence(known.snapshot, decide(known.snapshot), 0.0))}
    assert ("mx-single-address" in found) == bool(advice(zone).edits)


def test_the_off_site_backup_is_judged_for_what_it_is():
    """Without it all mail waits for one machine; with it none does. It costs DNS questions and records."""
    whole = _records("off-site-backup")
    backup = tuple(line for line in whole.lines if "relay.example" in str(line))
    lone = Records.of(edited(whole.snapshot, [Edit("no backup", backup)]))
    found = difference(measure("alone", lone, SEVERAL), measure("with backup", whole, SEVERAL))
    assert [["fail-over", "network loss"], ["DNS cost", "simplicity"]] == [
        [each.split(":")[0] for each in side] for side in (found.better, found.worse)
    ]
    assert "Before: with its one machine lost, all mail waits" in found.better[0]


@pytest.mark.parametrize("zone", [path.stem for path in sorted(ZONES.glob("*.zone"))])
@pytest.mark.parametrize("allowed", [(), (Allowed.BACKUPS,)], ids=["as it is", "with backups"])
def test_what_is_advised_is_better_in_its_own_comparison(advice, zone, allowed):
    """The comparison that is printed as proof calls the change better, and worse at nothing but its costs."""
    found = advice(zone, *allowed)
    goals = (
        [{each.split(":")[0] for each in side} for side in (found.proof.better, found.proof.worse)]
        if found.after
        else []
    )
    assert bool(found.edits) == bool(goals and goals[0])
    assert not goals or goals[1] <= set(COSTS)


def test_six_zones_side_by_side_read_well():
    """Who is best is told in a few names, and what they do in the words of each."""
    cards = [measure(path.stem, _records(path.stem), SEVERAL) for path in sorted(ZONES.glob("*.zone"))]
    told = {each.goal: each for each in compare(cards).verdicts}
    assert "all but one-dual-stack" == told[Goal.FAILOVER].winners
    assert [
        "network loss: best with off-site-backup and provider-fleet: off-site-backup: with either of 2 networks gone, "
        "all mail gets through at once; provider-fleet: with any one of 3 networks gone, all mail gets through at once."
    ] == [told[Goal.NETWORK].sentence]
