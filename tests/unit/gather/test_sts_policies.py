"""The MTA-STS policy that mail is under: found, kept over restarts, refreshed; and never in the way of mail."""

import asyncio
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.examples import examples
from tests.support.patience import PATIENCE_S

from postroad.dns import RecordType
from postroad.gather import Fetched, StsPolicies, StsWorld, kept_policies
from postroad.gather import policies as room
from postroad.gather.policies import KIND, MOST_ASKING
from postroad.spool import Lesson, SpoolError, Trouble
from postroad.spool.memory import MemoryLearned, MemorySpool
from postroad.spool.sqlite import SqliteSpool
from postroad.tls import StsKept, StsSettings
from postroad.words.facts import Bogus, Found, NoData, NoName, Temporary
from postroad.words.names import AddressLiteral, parse_address
from postroad.words.policies import StsPolicy
from postroad.words.tls import TlsFailure

NOW = 1_800_000_000.0
DAY_S = 86400.0
WEEK_S = 7 * DAY_S
MX = "mail.example.org"
GONE = NoData(300)


def document(mode="enforce", mx=MX, max_age=int(WEEK_S)):
    """A policy on its web server."""
    lines = ["version: STSv1", f"mode: {mode}", *([f"mx: {mx}"] if mx else []), f"max_age: {max_age}"]
    return Fetched("\r\n".join(lines).encode(), "text/plain")


def record(id_):
    """A record in DNS."""
    return Found((f"v=STSv1; id={id_};",), 300)


class Domain:
    """What example.org publishes, which may change; and how often it was asked."""

    def __init__(self, txt=None, web=None):
        self.txt = txt or record("a1")
        self.web = web or document()
        self.fetches = 0
        self.asked = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def resolve(self, name, kind):
        self.asked.append(name)
        assert kind is RecordType.TXT
        return self.txt if name.endswith(("example.org", ".test")) else NoName(300)

    async def fetch(self, _resolver, host, path):
        assert (host.startswith("mta-sts."), path) == (True, "/.well-known/mta-sts.txt")
        self.fetches += 1
        await self.gate.wait()
        return self.web


class Relay:
    """Policies over a store, with a clock of its own."""

    def __init__(self, store=None, *, domain=None, at=NOW, budget_s=60.0):
        self.domain = domain or Domain()
        self.wall = at
        self.passed = 5000.0
        self.told = []
        self.store = store or MemoryLearned()
        world = StsWorld(
            self.domain.fetch, self.store, lambda: self.wall, lambda: self.passed, Random(1), self.told.append
        )
        self.policies = StsPolicies(self.domain, world, StsSettings(budget_s=budget_s))

    def wait(self, seconds):
        """Time passes."""
        self.wall += seconds
        self.passed += seconds

    async def known(self, name="example.org", **how):
        """What mail is under; what was learned of it is written before it returns."""
        told = await self.policies.known(name, **how)
        await self.policies.close()
        return told

    async def mode(self):
        """Only the mode."""
        told = await self.known()
        return told.policy and told.policy.mode

    def news(self):
        """The events, by name."""
        return [event.name for event in self.told]


def play(story):
    """Run a story."""
    asyncio.run(story())


def test_first_contact_waits_for_the_policy():
    """Fetched once; the same id is not asked for again, and all of it is told."""

    async def story():
        relay = Relay()
        told = await relay.known()
        assert (StsPolicy("enforce", (MX,), int(WEEK_S)), "a1", NOW, "", None) == (
            told.policy, told.id, told.fetched_at, told.why, told.failure,
        )  # fmt: skip
        assert "enforce" == await relay.mode()
        assert (1, ["gather.sts.complete"]) == (relay.domain.fetches, relay.news())

    play(story)


TROUBLE = Fetched(why_not="https://mta-sts.example.org/x answers 404, and only 200 is valid")
UNTRUSTED = Fetched(why_not="certificate has expired", is_untrusted=True)
INVALID = Fetched(b"mode: enforce\n", "text/plain")


@pytest.mark.parametrize("txt", [GONE, NoName(300), Temporary("SERVFAIL"), Bogus("alias loop"), Found(("v=STSv1;",))])
@pytest.mark.parametrize("web", [TROUBLE, UNTRUSTED, INVALID, document(mode="none", max_age=1)])
def test_a_policy_that_holds_is_applied_whatever_dns_and_https_say(txt, web):
    """T6, RFC 8461 section 3.3: until its max_age is over, also after a restart; then it is forgotten."""

    async def story():
        store = MemoryLearned()
        before = Relay(store)
        await before.known()
        for relay in (before, Relay(store, at=NOW + 1)):
            relay.wait(NOW + WEEK_S - 10 - relay.wall)
            relay.domain.txt, relay.domain.web = txt, web
            told = await relay.known()
            assert ("enforce", "a1") == (told.policy.mode, told.id)
            assert "the policy fetched on 2027-01-15 08:00:00 UTC still holds" in told.why
            assert told.life_s <= 10
            relay.wait(10)
            assert None is await relay.mode()

    play(story)


@pytest.mark.parametrize(
    ("txt", "web", "failure", "why"),
    [
        (GONE, None, None, "example.org publishes no MTA-STS record"),
        (NoName(300), None, None, "example.org publishes no MTA-STS record"),
        (Temporary("SERVFAIL"), None, None, "the MTA-STS record of example.org cannot be looked up: SERVFAIL"),
        (Found(("v=STSv1; id=-",)), None, None, "the MTA-STS record of example.org cannot be used: its id is '-'"),
        (Found(("v=STSv1; id=1", "v=STSv1; id=2")), None, None, "cannot be used: there are 2 records"),
        (record("a1"), TROUBLE, TlsFailure.STS_FETCH, "answers 404, and only 200 is valid: mail goes as without"),
        (record("a1"), UNTRUSTED, TlsFailure.STS_WEBPKI, "certificate has expired: mail goes as without a policy"),
        (record("a1"), INVALID, TlsFailure.STS_INVALID, "is not a valid policy: it has no line `version: STSv1`"),
    ],
)
def test_without_a_policy_mail_goes_and_says_why(txt, web, failure, why):
    """RFC 8461 section 3.3: "as though the domain has not implemented MTA-STS"."""

    async def story():
        relay = Relay(domain=Domain(txt, web))
        told = await relay.known()
        assert (None, failure, True) == (told.policy, told.failure, why in told.why)
        assert (["gather.sts.failed"] if failure else []) == relay.news()

    play(story)


def test_another_id_is_another_policy():
    """A change of the record has the policy fetched anew; its old one is over then, mode none and testing too."""

    async def story():
        relay = Relay()
        modes = []
        for number, mode in enumerate(("enforce", "testing", "none", "enforce")):
            relay.domain.txt, relay.domain.web = record(f"id{number}"), document(mode)
            modes.append((await relay.mode(), relay.domain.fetches))
        assert [("enforce", 1), ("testing", 2), ("none", 3), ("enforce", 4)] == modes
        assert 4 == relay.news().count("gather.sts.complete")

    play(story)


def test_a_policy_of_mode_none_survives_too():
    """RFC 8461 section 8.3: it ends the old one, at the next start as well."""

    async def story():
        store = MemoryLearned()
        relay = Relay(store)
        await relay.known()
        relay.domain.txt, relay.domain.web = record("b"), document("none", mx="")
        assert "none" == await relay.mode()
        after = Relay(store, domain=Domain(GONE, TROUBLE))
        assert "none" == await after.mode()

    play(story)


def test_a_failed_fetch_is_tried_again_after_five_minutes():
    """Not for each message meanwhile; another id is fetched at once. People hear of it once."""

    async def story():
        relay = Relay(domain=Domain(web=TROUBLE))
        fetches = []
        for seconds, id_ in ((0, "a1"), (1, "a1"), (298, "a1"), (1, "a1"), (1, "b2"), (1, "b2")):
            relay.wait(seconds)
            relay.domain.txt = record(id_)
            told = await relay.known()
            assert (None, TlsFailure.STS_FETCH) == (told.policy, told.failure)
            fetches.append(relay.domain.fetches)
        assert [1, 1, 1, 2, 3, 3] == fetches
        assert ["gather.sts.failed"] * 2 == relay.news()

    play(story)


def test_a_changed_policy_that_cannot_be_fetched_leaves_the_old_one():
    """The new id is known, its document is not: what was fetched before still holds, and the failure is told."""

    async def story():
        relay = Relay()
        await relay.known()
        relay.domain.txt, relay.domain.web = record("b2"), TROUBLE
        told = await relay.known()
        assert ("enforce", "a1", TlsFailure.STS_FETCH) == (told.policy.mode, told.id, told.failure)
        assert "answers 404, and only 200 is valid; the policy fetched on" in told.why
        told = relay.told[-1].fields
        assert ("enforce", "2027-01-22 08:00:00 UTC", "b2") == (told["mode"], told["until"], told["id"])

    play(story)


def test_mail_waits_for_the_budget_and_no_longer():
    """What takes longer goes on: the next message is covered, and why tells which of the two it was."""

    async def story():
        relay = Relay(budget_s=0.0)
        relay.domain.gate.clear()
        first = await relay.policies.known("example.org")
        why = "its policy was not found within 0 s: mail goes as without one, and later mail may have it"
        assert (None, why, 5.0) == (first.policy, first.why, first.life_s)
        relay.domain.gate.set()
        second = await relay.policies.known("example.org", budget_s=60)
        assert ("enforce", "", 1) == (second.policy.mode, second.why, relay.domain.fetches)

    play(story)


def test_a_web_server_that_hangs_holds_up_mail_once():
    """The budget counts from the first who asked: those who come later wait for what is left of it."""

    async def story():
        relay = Relay(budget_s=60.0)
        relay.domain.gate.clear()
        first = asyncio.create_task(relay.policies.known("example.org"))
        await asyncio.sleep(0)
        relay.wait(60)
        async with asyncio.timeout(PATIENCE_S):
            told = await relay.policies.known("example.org")
        assert (None, 5.0, False) == (told.policy, told.life_s, first.done())
        relay.domain.gate.set()
        assert "enforce" == (await first).policy.mode

    play(story)


def test_while_a_change_is_fetched_too_slowly_the_old_policy_holds():
    """An attacker who holds up the fetch gains nothing."""

    async def story():
        relay = Relay()
        await relay.known()
        relay.domain.gate.clear()
        relay.domain.txt = record("b2")
        told = await relay.policies.known("example.org", budget_s=0.0)
        assert ("enforce", "a1", 5.0) == (told.policy.mode, told.id, told.life_s)
        assert "not found within 0 s; the policy fetched on 2027-01-15 08:00:00 UTC still holds" in told.why

    play(story)


def test_all_who_want_a_policy_at_once_wait_for_one_fetch():
    """A thousand messages to one domain ask its web server once; one that is given up ends it for nobody."""

    async def story():
        relay = Relay()
        relay.domain.gate.clear()
        asked = [asyncio.create_task(relay.policies.known("example.org")) for _ in range(1000)]
        await asyncio.sleep(0)
        asked[0].cancel()
        relay.domain.gate.set()
        told = await asyncio.gather(*asked[1:])
        assert ({"enforce"}, 1) == ({each.policy.mode for each in told}, relay.domain.fetches)

    play(story)


def test_web_servers_that_hang_hold_up_no_more_than_they_may(monkeypatch):
    """So many fetches at once and no more; so many domains in question, and the next goes as without a policy."""
    monkeypatch.setattr(room, "MOST_FETCHES", 3)
    monkeypatch.setattr(room, "MOST_ASKING", 10)

    async def story():
        relay = Relay()
        relay.domain.gate.clear()
        asked = [asyncio.create_task(relay.policies.known(f"d{place}.test")) for place in range(10)]
        for _ in range(10):
            await asyncio.sleep(0)
        assert 3 == relay.domain.fetches
        told = await relay.policies.known("one-more.test")
        assert (None, True) == (told.policy, told.why.startswith("too many policies are being looked for"))
        relay.domain.gate.set()
        assert {"enforce"} == {each.policy.mode for each in await asyncio.gather(*asked)}
        assert MOST_ASKING > 10

    play(story)


def test_neither_an_address_nor_a_parent_nor_a_setting_of_off_is_asked_about():
    """RFC 8461 section 3.4: address literals have no policy, and nobody asks above the name; off asks nothing."""

    async def story():
        relay = Relay()
        assert None is (await relay.known(AddressLiteral(parse_address("192.0.2.1")))).policy
        assert [] == relay.domain.asked
        await relay.known("a.b.example.org")
        assert ["_mta-sts.a.b.example.org"] == relay.domain.asked
        relay.policies.reload(relay.domain, relay.domain.fetch, StsSettings(is_on=False))
        told = await relay.known()
        assert (None, "MTA-STS is turned off in the settings") == (told.policy, told.why)
        assert 1 == len(relay.domain.asked)

    play(story)


def test_a_refresh_makes_a_policy_outlive_its_max_age():
    """Fetched anew within a day, whatever DNS says: it holds for its max_age from the last fetch."""

    async def story():
        relay = Relay(domain=Domain(web=document(max_age=int(2 * DAY_S))))
        await relay.known()
        for _ in range(5):
            relay.wait(DAY_S)
            relay.domain.txt = GONE  # whoever forges that must not make us forget
            await relay.policies.refresh()
        assert "enforce" == await relay.mode()
        assert (6, ["gather.sts.complete"]) == (relay.domain.fetches, relay.news())

    play(story)


def test_a_refresh_that_fails_is_told_once_a_day_and_not_of_what_is_withdrawn():
    """RFC 8461 section 3.3: administrators are alerted, "unless the cached policy mode is none"."""

    async def story(mode, expected):
        relay = Relay(domain=Domain(web=document(mode, max_age=int(DAY_S))))
        await relay.known()
        relay.domain.web = TROUBLE
        for _ in range(23):
            relay.wait(3600)
            await relay.policies.refresh()
        assert expected == (relay.domain.fetches > 2, relay.news().count("gather.sts.failed"))

    asyncio.run(story("enforce", (True, 1)))
    asyncio.run(story("none", (False, 0)))


def test_that_a_withdrawn_policy_cannot_be_fetched_anew_is_told_to_nobody():
    """Not even where mail asks because the record has changed once more (RFC 8461 section 3.3)."""

    async def story(mode):
        relay = Relay(domain=Domain(web=document(mode)))
        await relay.known()
        relay.domain.txt, relay.domain.web = record("a2"), TROUBLE
        await relay.known()
        return relay.news().count("gather.sts.failed")

    assert [1, 0] == [asyncio.run(story(mode)) for mode in ("enforce", "none")]


def test_that_mail_needed_a_policy_is_kept_over_a_restart():
    """Or one in daily use would count as unused for a month, and end."""

    async def story():
        relay = Relay()
        await relay.known()
        relay.wait(2 * DAY_S)
        await relay.known()
        assert NOW + 2 * DAY_S == kept_policies(await relay.store.recall(KIND))["example.org"].used_at

    play(story)


def test_a_relay_that_has_just_started_refreshes_what_no_mail_has_asked_for_yet():
    """From its store: a quiet domain's policy would end otherwise."""

    async def story():
        first = Relay(domain=Domain(web=document(max_age=int(2 * DAY_S))))
        await first.known()
        then = Relay(first.store, at=NOW + DAY_S)
        then.wait(DAY_S / 2)
        for _ in range(3):
            then.wait(DAY_S / 6)
            await then.policies.refresh()
        assert 1 <= then.domain.fetches

    play(story)


@pytest.mark.parametrize("odd", ["v=STSv1; id=a-b;", "v=STSv1; id=a2; ;", "v=STSv1;"])
def test_a_refresh_goes_by_no_record_that_mail_does_not_go_by(odd):
    """Its id is none: what is fetched meanwhile is kept under the one before."""

    async def story():
        relay = Relay(domain=Domain(web=document(max_age=int(2 * DAY_S))))
        await relay.known()
        relay.domain.txt = Found((odd,), 300)
        relay.wait(DAY_S)
        await relay.policies.refresh()
        await relay.policies.close()
        assert (2, "a1") == (relay.domain.fetches, kept_policies(await relay.store.recall(KIND))["example.org"].id)

    play(story)


def test_what_no_mail_needs_ends_by_itself():
    """After a month it is not refreshed any more; mail that comes back to it finds it over, and fetches it."""

    async def story():
        relay = Relay(domain=Domain(web=document(max_age=int(10 * DAY_S))))
        await relay.known()
        for _ in range(50):
            relay.wait(DAY_S)
            await relay.policies.refresh()
        assert 25 < relay.domain.fetches < 40
        assert () == await relay.store.recall(KIND)
        before = relay.domain.fetches
        assert ("enforce", before + 1) == (await relay.mode(), relay.domain.fetches)

    play(story)


class Broken(MemoryLearned):
    """A store whose disk fails while it is told to."""

    is_broken = True
    learned = 0

    async def learn(self, lessons):
        self.fail()
        self.learned += 1
        await super().learn(lessons)

    async def recall(self, kind, begin=""):
        self.fail()
        return await super().recall(kind, begin)

    async def forget(self, kind, keys):
        self.fail()
        return await super().forget(kind, keys)

    def fail(self):
        """As a disk does."""
        if self.is_broken:
            raise SpoolError(Trouble.FULL, "no space left")


def test_a_store_in_trouble_is_told_once_and_mail_goes_on():
    """The policy is in memory meanwhile, and is written once the disk has room."""

    async def story():
        store = Broken()
        relay = Relay(store)
        assert ["enforce", "enforce"] == [await relay.mode(), await relay.mode()]
        assert ["gather.store.failed", "gather.sts.complete"] == relay.news()
        store.is_broken = False
        await relay.policies.refresh()
        await relay.policies.close()
        assert [("example.org", "a1")] == [
            (one.key, "a1" if "a1" in one.text else "") for one in await store.recall(KIND)
        ]
        assert "enforce" == await Relay(store, domain=Domain(GONE)).mode()
        await relay.policies.refresh()
        assert 1 == store.learned  # what is written is not written again
        store.is_broken = True
        relay.domain.txt = record("b2")
        await relay.known()
        assert 2 == relay.news().count("gather.store.failed")

    play(story)


def test_a_store_that_cannot_be_read_at_first_is_read_later():
    """What an earlier run has kept holds from then on, whatever DNS and HTTPS say."""

    async def story():
        store = Broken()
        store.is_broken = False
        await Relay(store).known()
        relay = Relay(store, domain=Domain(GONE, TROUBLE))
        store.is_broken = True
        assert None is await relay.mode()
        store.is_broken = False
        assert "enforce" == await relay.mode()

    play(story)


def test_the_store_is_read_once():
    """At the first question, not at each."""

    class Counting(MemoryLearned):
        reads = 0

        async def recall(self, kind, begin=""):
            self.reads += 1
            return await super().recall(kind, begin)

    async def story():
        relay = Relay(Counting())
        await asyncio.gather(relay.policies.refresh(), relay.known(), relay.known("other.example"))
        await relay.known()
        assert 1 == relay.store.reads

    play(story)


def test_policies_are_refreshed_again_and_again(monkeypatch):
    """By day, for as long as the relay runs; not while MTA-STS is turned off; and the end ends it."""
    monkeypatch.setattr(room, "LOOK_S", 0.0)

    async def story():
        relay = Relay()
        await relay.known()
        running = asyncio.create_task(relay.policies.run())

        async def a_day():
            relay.wait(DAY_S)
            for _ in range(30):
                await asyncio.sleep(0)
            return relay.domain.fetches

        assert [2, 3, 4] == [await a_day() for _ in range(3)]
        relay.policies.reload(relay.domain, relay.domain.fetch, StsSettings(is_on=False))
        assert [4, 4] == [await a_day() for _ in range(2)]
        running.cancel()
        assert [True] == [
            isinstance(end, asyncio.CancelledError) for end in await asyncio.gather(running, return_exceptions=True)
        ]

    play(story)


def test_a_bug_in_one_refresh_keeps_the_policy_and_the_relay(monkeypatch):
    """H1: it is told, that domain is left alone for a while, all others are refreshed, and mail goes on under both."""
    monkeypatch.setattr(room, "LOOK_S", 0.0)
    monkeypatch.setattr(room, "REFRESHES", 1)

    async def story():
        relay = Relay()
        fetch = relay.domain.fetch

        async def buggy(resolver, host, path):
            fetched = await fetch(resolver, host, path)
            return len(10**20 * [0]) if host == "mta-sts.bad.example.org" else fetched

        await relay.known("bad.example.org")
        await relay.known()
        relay.policies.reload(relay.domain, buggy, StsSettings())
        running = asyncio.create_task(relay.policies.run())
        relay.wait(DAY_S)
        for _ in range(50):
            await asyncio.sleep(0)
        assert (False, 4) == (running.done(), relay.domain.fetches)
        assert ["gather.sts.broken", "gather.sts.failed"] == relay.news()[2:]
        bug = relay.told[2].fields
        assert ("bad.example.org", True) == (bug["domain"], "OverflowError" in bug["error"])
        relay.domain.txt = record("b2")
        for name, id_ in (("bad.example.org", "a1"), ("example.org", "b2")):
            told = await relay.known(name)
            assert ("enforce", id_) == (told.policy.mode, told.id)
        running.cancel()

    play(story)


def test_a_bug_at_first_contact_lets_mail_go_and_is_not_met_by_each_message():
    """As a fetch that fails: without a policy, and the same id is left alone for five minutes."""

    async def story():
        relay = Relay()

        async def buggy(_resolver, _host, _path):
            raise OverflowError("a bug")

        relay.policies.reload(relay.domain, buggy, StsSettings())
        for _ in range(2):
            told = await relay.known()
            assert (None, TlsFailure.STS_FETCH) == (told.policy, told.failure)
            assert "internal error with the policy of example.org: mail goes as without a policy" == told.why
        assert ["gather.sts.broken", "gather.sts.failed"] == relay.news()

    play(story)


def test_a_bug_outside_any_domain_does_not_end_the_refreshes(monkeypatch):
    """It is told, and the next look comes at its time."""
    monkeypatch.setattr(room, "LOOK_S", 0.0)

    async def story():
        relay = Relay()
        await relay.known()
        monkeypatch.setattr(relay.policies._cache, "due", lambda _now: 1 // 0)
        running = asyncio.create_task(relay.policies.run())
        for _ in range(9):
            await asyncio.sleep(0)
        monkeypatch.undo()
        assert (False, True) == (running.done(), relay.news().count("gather.sts.broken") > 1)
        running.cancel()

    play(story)


def test_the_end_waits_for_no_web_server():
    """What is under way is given up, and who waits for it hears so."""

    async def story():
        relay = Relay()
        relay.domain.gate.clear()
        asked = asyncio.create_task(relay.policies.known("example.org"))
        await asyncio.sleep(0)
        await relay.policies.close()
        (end,) = await asyncio.gather(asked, return_exceptions=True)
        assert isinstance(end, asyncio.CancelledError)

    play(story)


def test_what_a_store_has_that_nobody_wrote_is_thrown_out():
    """A damaged row neither harms mail nor stays."""

    async def story():
        store = MemoryLearned()
        good = StsKept("a1", StsPolicy("enforce", (MX,), int(WEEK_S)), NOW, NOW)
        await store.learn([Lesson(KIND, "bad.example", "{"), Lesson(KIND, "example.org", good.text)])
        relay = Relay(store, domain=Domain(GONE))
        assert "enforce" == await relay.mode()
        assert ["example.org"] == [one.key for one in await store.recall(KIND)]

    play(story)


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_a_spool_has_the_policies_after_a_restart(kind, tmp_path):
    """The relay's own store: a restart does not forget what is enforced."""

    async def story():
        spool = MemorySpool() if kind == "memory" else await SqliteSpool.open(tmp_path / "spool", node="one")
        await Relay(spool).known()
        kept = kept_policies(await spool.recall(KIND))
        assert {"example.org": "a1"} == {domain: one.id for domain, one in kept.items()}
        if kind == "sqlite":
            await spool.close()
            spool = await SqliteSpool.open(tmp_path / "spool", node="one")
        assert "enforce" == await Relay(spool, domain=Domain(GONE)).mode()
        await spool.close()

    play(story)


YEAR_S = 365 * DAY_S


@pytest.mark.parametrize("by_s", [-50 * YEAR_S, -DAY_S, DAY_S, 50 * YEAR_S])
def test_a_clock_that_is_set_while_we_run_changes_no_age(by_s):
    """T6: neither early forgetting nor holding for ever, in this run and in the next, which has the new clock."""

    async def story():
        store = MemoryLearned()
        relay = Relay(store)
        await relay.known()
        relay.domain.txt = GONE
        relay.wait(3600)
        relay.wall += by_s
        await relay.policies.refresh()
        assert "enforce" == await relay.mode()
        stored = await store.recall(KIND)
        assert ("enforce", stored) == (await relay.mode(), await store.recall(KIND))  # set once, moved once
        after = Relay(store, domain=Domain(GONE), at=relay.wall)
        for each in (relay, after):
            each.wait(WEEK_S - 3600 - 1)
            assert "enforce" == await each.mode()
            each.wait(2)
            assert None is await each.mode()

    play(story)


steps = st.lists(
    st.tuples(
        st.sampled_from([GONE, Temporary("x"), record("a1"), record("b2"), Found(("v=STSv1; x",))]),
        st.sampled_from([TROUBLE, INVALID, document(), document("testing"), document("none", mx="")]),
        st.floats(0, 3 * DAY_S),
        st.sampled_from(["known", "refresh", "restart"]),
    ),
    max_size=12,
)


@settings(max_examples=examples(60), deadline=None)
@given(steps)
def test_what_was_fetched_holds_until_something_else_was(steps):
    """Whatever DNS, HTTPS, time and restarts do: the last policy that was fetched is applied while it holds."""

    async def story():
        store = MemoryLearned()
        relay = Relay(store)
        for txt, web, seconds, what in steps:
            relay.wait(seconds)
            before = relay.domain
            if what == "restart":
                relay = Relay(store, at=relay.wall)
                relay.domain.last = getattr(before, "last", None)
            relay.domain.txt, relay.domain.web = txt, web
            fetches = relay.domain.fetches
            if what == "refresh":
                await relay.policies.refresh()
            told = await relay.known()
            if relay.domain.fetches > fetches and web not in (TROUBLE, INVALID):
                relay.domain.last = (web, relay.wall)
            last, at = getattr(relay.domain, "last", None) or (None, 0)
            holds = last is not None and relay.wall < at + WEEK_S
            mode = last.octets.split(b"mode: ")[1].split(b"\r")[0].decode() if holds else None
            assert mode == (told.policy and told.policy.mode)

    play(story)


def sharing(store, **how):
    """A relay that has others beside it."""
    relay = Relay(store, **how)
    relay.policies.share(is_alone=False)
    return relay


async def several(*, count=2):
    """Relays on one store, each of which has looked into it before it had anything."""
    store = MemoryLearned()
    relays = [sharing(store) for _ in range(count)]
    for relay in relays:
        await relay.policies.refresh()
    return relays


@pytest.mark.parametrize("txt", [record("a1"), GONE, Temporary("SERVFAIL")])
def test_a_policy_that_another_relay_has_fetched_holds_here(txt):
    """Without a fetch; also where DNS hides it meanwhile, which must not make mail go as without one."""

    async def story():
        one, two = await several()
        await one.known()
        two.domain.txt = txt
        assert ("enforce", 0) == (await two.mode(), two.domain.fetches)

    play(story)


def test_a_policy_that_another_relay_has_refreshed_is_not_fetched_again():
    """The new one of a new id, and the old one with a new time; mail never waits twice for the same document."""

    async def story():
        one, two = await several()
        await one.known()
        await two.known()
        for relay in (one, two):
            relay.wait(3600)
            relay.domain.txt, relay.domain.web = record("a2"), document("testing")
        assert ["testing", "testing"] == [await one.mode(), await two.mode()]
        assert (2, 0) == (one.domain.fetches, two.domain.fetches)
        for relay in (one, two):
            relay.wait(2 * DAY_S)
            await relay.policies.refresh()
            await relay.policies.close()
        assert (3, 0) == (one.domain.fetches, two.domain.fetches)
        assert [NOW + 3600 + 2 * DAY_S] * 2 == [(await relay.known()).fetched_at for relay in (one, two)]

    play(story)


def test_a_relay_forgets_what_it_has_and_not_what_another_has_refreshed():
    """Its own copy is over; the store has one that holds."""

    async def story():
        one, two = await several()
        await one.known()
        await two.known()
        one.wait(6 * DAY_S)
        await one.policies.refresh()
        await one.policies.close()
        for passed in (7 * DAY_S + 1, DAY_S + 1):
            two.wait(passed)
            two.policies._shelf.is_shared = False  # it hears nothing for a week
            two.domain.txt = GONE
            await two.policies.known("other.test")
            two.policies._shelf.is_shared = True
            two.policies._shelf.forget(two.policies._cache.forget_over(two.wall), two.wall)
            await two.policies.close()
        assert ["example.org"] == list(kept_policies(await two.store.recall(KIND)))

    play(story)


def test_trouble_with_the_store_is_in_nobodys_way():
    """What others have fetched cannot be read: it is fetched here."""

    class Broken(MemoryLearned):
        async def recall(self, kind, begin=""):
            if begin:
                raise SpoolError(Trouble.GONE, "the database is away")
            return await super().recall(kind, begin)

    async def story():
        relay = sharing(Broken())
        assert ("enforce", 1) == (await relay.mode(), relay.domain.fetches)

    play(story)
