"""Many domains, a few at a time: each result as soon as it is there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable

from postroad.examine.evidence import Sources, examine
from postroad.examine.verdict import CheckTerms, weigh
from postroad.rules import Checked, run
from postroad.words.names import Destination


async def check_all(
    destinations: Iterable[Destination], sources: Sources, terms: CheckTerms, *, at_once: int = 64
) -> AsyncIterator[Checked]:
    """Every domain checked, in the order they are done. Who stops listening stops the work."""
    waiting = iter(destinations)
    done: asyncio.Queue[Checked | BaseException | None] = asyncio.Queue(at_once)  # a slow reader slows the work

    async def work() -> None:
        try:
            for destination in waiting:
                await done.put(await check_one(destination, sources, terms))
        except Exception as problem:  # noqa: BLE001  # raised again where it is awaited
            await done.put(problem)
        else:
            await done.put(None)

    workers = [asyncio.create_task(work()) for _ in range(at_once)]
    try:
        left = len(workers)
        while left:
            told = await done.get()
            if told is None:
                left -= 1
            elif isinstance(told, BaseException):
                raise told
            else:
                yield told
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)


async def check_one(destination: Destination, sources: Sources, terms: CheckTerms) -> Checked:
    """One domain: its evidence, what the rules find in it, and what of that counts."""
    evidence = await examine(destination, sources)
    return weigh(evidence, run(evidence), terms)
