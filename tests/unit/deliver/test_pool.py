"""Connections that rest: used again while young, ended when old, never too many."""

import asyncio
from dataclasses import replace
from ipaddress import ip_address

from postroad.deliver import DeliverSettings, ReusePolicy
from postroad.deliver.pool import Pool, door_of
from postroad.words.tls import IN_CLEAR, OPPORTUNISTIC, Demand, Proof, TlsLevel
from postroad.words.trail import Target

HERE = ("192.0.2.1", 25, 1)
THERE = ("192.0.2.1", 25, 2)
POLICY = ReusePolicy(idle_s=2.0, age_s=300.0, messages=3, most=2)


class Resting:
    """A session as the pool sees it."""

    def __init__(self, opened_at=0.0, proof=IN_CLEAR):
        self.opened_at = opened_at
        self.messages = 1
        self.is_reusable = True
        self.has_quit = False
        self.proof = proof

    def rest(self):
        """No limit runs."""

    async def quit(self):
        """Goodbye."""
        self.has_quit = True


def tell(story, policy=POLICY):
    """Run a story with a pool whose clock moves by hand."""

    async def main():
        clock = [0.0]
        pool = Pool(policy, lambda: clock[0])
        try:
            return await story(pool, clock)
        finally:
            await pool.close()

    return asyncio.run(main())


def test_connection_is_used_again_at_its_own_door_only():
    """Another route, with other settings, has other connections to the same address."""

    async def story(pool, _clock):
        session = Resting()
        pool.give(HERE, session)
        return pool.take(THERE), pool.take(HERE) is session, pool.take(HERE), pool.resting

    assert (None, True, None, 0) == tell(story)


def test_no_two_settings_share_a_door():
    """Not even equal ones of which one is gone: after many reloads a connection is not taken for another route's."""
    target = Target("mx.test", ip_address("192.0.2.1"), 10)
    doors = {door_of(target, replace(DeliverSettings())) for _ in range(100)}
    assert 100 == len(doors)


PROVEN = Demand(TlsLevel.PROVEN, names=("mx.test",))
BY_ITS_NAME = Proof(TlsLevel.PROVEN, terms=PROVEN.terms)


def test_connection_is_used_again_only_for_mail_whose_demand_it_meets():
    """Two domains, one exchanger: what is good enough for one may not be for the other, and stays for the one."""

    async def story(pool, _clock):
        clear, proven = Resting(), Resting(proof=BY_ITS_NAME)
        pool.give(HERE, clear)
        other = Demand(TlsLevel.PROVEN, names=("other.test",))
        refused = [pool.take(HERE, each) for each in (PROVEN, other, Demand(TlsLevel.ENCRYPTED))]
        pool.give(HERE, proven)
        pool.give(HERE, clear_too := pool.take(HERE, Demand(TlsLevel.ENCRYPTED)))  # the proven one, though not the last
        taken = pool.take(HERE, PROVEN), pool.take(HERE, PROVEN), pool.take(HERE, OPPORTUNISTIC)
        return refused, clear_too is proven, [each and each.proof for each in taken], pool.resting

    assert ([None] * 3, True, [BY_ITS_NAME, None, IN_CLEAR], 0) == tell(story)


def test_connection_that_proves_too_much_is_good_for_all_else():
    """Mail that asks for nothing goes over any of them: the reuse of the other domain is not hurt."""

    async def story(pool, _clock):
        pool.give(HERE, Resting(proof=BY_ITS_NAME))
        return pool.take(HERE).proof

    assert BY_ITS_NAME == tell(story)


def test_connection_that_has_served_enough_is_ended():
    """So many messages, or so long: then a new one, so that the host may count, and change its mind."""

    async def story(pool, clock):
        often, long = Resting(), Resting()
        often.messages = 3
        pool.give(HERE, often)
        taken = pool.take(HERE)
        clock[0] = 300.0
        pool.give(HERE, long)
        return taken, pool.take(HERE)

    assert (None, None) == tell(story)


def test_connection_that_rested_too_long_is_ended():
    """The host may have closed it by then."""

    async def story(pool, clock):
        session = Resting()
        pool.give(HERE, session)
        clock[0] = 2.1
        taken = pool.take(HERE)
        await pool.close()
        return taken, session.has_quit

    assert (None, True) == tell(story)


def test_old_and_much_used_connections_are_ended():
    """Reuse is limited by time and by number; what cannot be used does not rest either."""

    async def story(pool, clock):
        clock[0] = 400.0
        old, used, broken = Resting(0.0), Resting(399.0), Resting(399.0)
        used.messages = 3
        broken.is_reusable = False
        for session in (old, used, broken):
            pool.give(HERE, session)
        await pool.close()
        return pool.resting, [session.has_quit for session in (old, used, broken)]

    assert (0, [True, True, True]) == tell(story)


def test_only_so_many_rest():
    """One too many is ended at once."""

    async def story(pool, _clock):
        sessions = [Resting() for _ in range(3)]
        for session in sessions:
            pool.give(HERE, session)
        resting = pool.resting
        await asyncio.gather(*pool._leaving)
        return resting, [session.has_quit for session in sessions]

    assert (2, [False, False, True]) == tell(story)


def test_youngest_is_used_first():
    """So that the others can end."""

    async def story(pool, clock):
        sessions = [Resting(), Resting()]
        for session in sessions:
            pool.give(HERE, session)
            clock[0] += 1
        return pool.take(HERE) is sessions[1]

    assert tell(story)


def test_sweep_ends_those_nobody_came_back_for():
    """Idle connections are closed though no mail comes any more."""

    async def story(pool, clock):
        session = Resting()
        pool.give(HERE, session)
        clock[0] = 2.5
        pool._sweep()
        await asyncio.gather(*pool._leaving)
        return session.has_quit, pool.resting, pool._resting

    assert (True, 0, {}) == tell(story)


def test_no_reuse_means_none():
    """With an age of 0 no connection rests."""

    async def story(pool, _clock):
        pool.give(HERE, Resting())
        return pool.resting

    assert 0 == tell(story, ReusePolicy(age_s=0.0))
