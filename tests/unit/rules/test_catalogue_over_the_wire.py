"""The catalogue of zones again, asked of the lab's nameserver: live DNS finds what the file tells."""

import asyncio
from dataclasses import replace

from tests.support import folders
from tests.support.examples import some
from tests.support.patience import PATIENCE_S

from postroad.dns import ServerAddress, WireResolver, WireSettings, parse_zones
from postroad.gather import gather, gather_more
from postroad.lab.nameserver import Nameserver
from postroad.routing import decide
from postroad.rules import Evidence

FROM_LINES = {"mx-wildcard", "mx-same-name-servers"}  # what only a file shows


def test_live_answers_give_the_findings_of_the_file():
    """For every fortieth zone of the catalogue, and all in a whole run, both ways find the same, but for places."""
    for path in some(sorted(folders.ROOT.glob("*/*/zone")), 40, 17):  # with the one whose answer needs TCP
        folder = folders.load(path.parent)
        live = asyncio.run(_live(str(folder.evidence.snapshot.domain), path.read_text()))
        offline = replace(folder.evidence, shares=None)
        assert (path.parent, _seen(offline)) == (path.parent, _seen(live))


def _seen(evidence):
    """What is found for certain, apart from where it is written."""
    found = [each for each in folders.findings(evidence) if not each.inconclusive and each.rule not in FROM_LINES]
    return sorted((each.rule, each.severity, str(each.place), each.seen) for each in found)


async def _live(domain, text):
    nameserver = Nameserver(parse_zones({"lab": text}))
    await nameserver.start()
    where = nameserver.endpoint
    try:
        async with asyncio.timeout(PATIENCE_S):
            resolver = WireResolver(WireSettings((ServerAddress(where.address, where.port),)))
            snapshot = await gather_more(await gather(domain, resolver), resolver)
    finally:
        await nameserver.stop()
    return Evidence(snapshot, decide(snapshot), now=0.0)
