"""`postroad tls --config`: the policies that the relay has kept in its spool, beside what is published now."""

import asyncio
import json
import os
import sqlite3
import time
from contextlib import closing
from itertools import product

import pytest
from tests.support.examples import some
from typer.testing import CliRunner

from postroad.build import lessons_in, open_spool
from postroad.cli.root import app
from postroad.dns import parse_zones
from postroad.gather.policies import KIND
from postroad.spool import Lesson, SpoolError
from postroad.tls import StsKept
from postroad.words.phrasebook import moment
from postroad.words.policies import StsPolicy

HEAD = "$TTL 60\n$ORIGIN example.com.\n@ SOA ns h 1 2 3 4 60\n"
HOSTS = "@ MX 10 mx1\n@ MX 20 mx2\nmx1 A 127.0.0.11\nmx2 A 127.0.0.12\nmta-sts A 127.0.0.80\n"
GOOD = {"127.0.0.11": "good", "127.0.0.12": "good"}
BOTH, FIRST = ("mx1.example.com", "mx2.example.com"), ("mx1.example.com",)
WEEK_S, DAY_S = 7 * 86400, 86400
FETCHED_AT = float(int(time.time())) - 2 * DAY_S


def record(id_):
    """A record that announces a policy."""
    return f'_mta-sts TXT "v=STSv1; id={id_};"\n'


def document(mode, *mx):
    """A policy as its web server has it."""
    return "\n".join(["version: STSv1", f"mode: {mode}", *(f"mx: {name}" for name in mx), f"max_age: {WEEK_S}", ""])


@pytest.fixture
def relay(tmp_path):
    """The settings of a relay, and its spool."""

    class RelayWithSpool:
        file = tmp_path / "postroad.toml"
        folder = tmp_path / "spool"

        def keep(self, mode, *mx, id_="a1", fetched_at=FETCHED_AT):
            """Let it have kept a policy of example.com."""
            kept = StsKept(id_, StsPolicy(mode, mx, WEEK_S), fetched_at, fetched_at)

            async def story():
                spool = await open_spool(self.folder, node="relay", history_s=1.0, reserve=0)
                await spool.learn([Lesson(KIND, "example.com", kept.text)])
                await spool.close()

            asyncio.run(story())

    it = RelayWithSpool()
    it.file.write_text(f'hostname = "mail.example.net"\n[spool]\npath = "{it.folder}"\n')
    return it


def internet(postroad_lab, id_, mode, *mx):
    """A lab in which example.com publishes a policy."""
    policies = {"example.com": document(mode, *mx)}
    return postroad_lab(HEAD + HOSTS + record(id_), certificates=GOOD, policies=policies)


def _asked(lab, relay, *arguments):
    host, port = lab.resolver
    there = ["--resolver", f"{host}:{port}", "--port", str(lab.port), "--authorities", str(lab.authority)]
    there += ["--https-port", str(lab.https_port), "--config", str(relay.file), *arguments]
    return CliRunner().invoke(app, ["tls", "example.com", *there])


def look(lab, relay, *arguments):
    """What `postroad tls` says: exit status and JSON."""
    done = _asked(lab, relay, "--json", *arguments)
    return done.exit_code, json.loads(done.stdout)


def look_and_read(lab, relay):
    """The same, and its text."""
    status, found = look(lab, relay)
    told = _asked(lab, relay)
    assert status == told.exit_code
    return status, found, told.stdout


def marks(folder):
    """All files of a folder as they are."""
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}


def test_kept_policy_counts_with_its_age_and_its_end(postroad_lab, relay):
    """It is the one that mail goes by; the same is published, so that nothing will change."""
    lab = internet(postroad_lab, "a1", "enforce", *BOTH)
    relay.keep("enforce", *BOTH)
    status, found, text = look_and_read(lab, relay)
    (sts,) = found["sts"]
    assert (0, "a1", "a1", FETCHED_AT, FETCHED_AT + WEEK_S) == (
        status, sts["id"], sts["published_id"], sts["kept"]["fetched_at"], sts["kept"]["ends_at"],
    )  # fmt: skip
    assert 2 * DAY_S <= sts["age_s"] <= 2 * DAY_S + 600
    since, end = moment(FETCHED_AT), moment(FETCHED_AT + WEEK_S)
    assert f"the relay has kept this policy since {since}, with the id a1; it holds until {end}." in text
    assert (None, [None, None]) == (sts["refreshed"], [each["refreshed"] for each in found["exchangers"]])


def test_document_that_changed_under_its_id_counts_after_the_next_refresh(postroad_lab, relay):
    """Until then the old one holds; each exchanger says what it will have to prove."""
    lab = internet(postroad_lab, "a1", "enforce", *BOTH)
    relay.keep("enforce", *FIRST)
    status, found, text = look_and_read(lab, relay)
    assert (1, ["proven", "passed-over"]) == (status, [each["mail"] for each in found["exchangers"]])
    assert (None, "proven") == tuple(each["refreshed"] and each["refreshed"]["level"] for each in found["exchangers"])
    assert list(BOTH) == found["sts"][0]["refreshed"]["mx"]
    assert "the next refresh will find another policy, in mode enforce for mx1.example.com and mx2.example.com." in text
    assert "after the next refresh of the policy: its certificate must be valid for mx2.example.com" in text


def test_new_id_is_fetched_by_the_next_mail(postroad_lab, relay):
    """So the published policy counts at once; what the relay had kept is shown beside it."""
    lab = internet(postroad_lab, "a2", "enforce", *BOTH)
    relay.keep("enforce", *FIRST)
    status, found, text = look_and_read(lab, relay)
    assert (0, "a2", "a1") == (status, found["sts"][0]["id"], found["sts"][0]["kept"]["id"])
    assert "the relay has kept a policy in mode enforce for mx1.example.com since" in text
    assert "example.com publishes the id a2 now." in text


@pytest.mark.parametrize("published", some(["", record("a2"), record("a1")], 2))
def test_policy_that_cannot_be_fetched_any_more_still_holds(postroad_lab, relay, published):
    """RFC 8461 section 3.3: with or without its record, until it ends. Every second; all in a whole run."""
    lab = postroad_lab(HEAD + HOSTS + record("a1"), certificates=GOOD, policies={"example.com": ""})
    lab.lab.web.policies.clear()
    lab.lab.nameserver.zones = parse_zones({"zone": HEAD + HOSTS + published})
    relay.keep("enforce", *FIRST)
    _, found = look(lab, relay)
    assert ["proven", "passed-over"] == [each["mail"] for each in found["exchangers"]]
    relay.keep("enforce", *FIRST, fetched_at=FETCHED_AT - WEEK_S)
    _, found, text = look_and_read(lab, relay)
    assert ["encrypted", "encrypted"] == [each["mail"] for each in found["exchangers"]]
    assert f"it ended on {moment(FETCHED_AT)}." in text


def test_web_server_that_does_not_answer_is_told_beside_the_kept_policy(postroad_lab, relay):
    """The kept one still holds. Nobody is asked twice: a server that hangs takes its time each time."""
    lab = postroad_lab(HEAD + HOSTS + record("a1"), certificates=GOOD, policies={"example.com": ""})
    lab.lab.web.policies.clear()
    relay.keep("enforce", *BOTH)
    status, found, text = look_and_read(lab, relay)
    (sts,) = found["sts"]
    assert (0, "enforce", True) == (status, sts["mode"], "mta-sts.example.com" in sts["unheard"])
    assert "MTA-STS: nothing is known of the policy that is published now: https://mta-sts.example.com" in text
    assert "goes as" not in text


def test_relay_that_has_not_run_has_kept_nothing(postroad_lab, relay):
    """Its first mail fetches the policy; no spool is made."""
    lab = internet(postroad_lab, "a1", "enforce", *BOTH)
    status, found = look(lab, relay)
    assert (0, "enforce", None) == (status, found["sts"][0]["mode"], found["sts"][0]["kept"])
    assert not relay.folder.exists()


def test_nothing_of_the_spool_is_changed(postroad_lab, relay):
    """Neither its database nor its folder, also where the relay runs."""
    lab = internet(postroad_lab, "a2", "enforce", *BOTH)
    relay.keep("enforce", *FIRST)
    before = marks(relay.folder)
    look(lab, relay)
    assert before == marks(relay.folder)

    async def story():
        spool = await open_spool(relay.folder, node="relay", history_s=1.0, reserve=0)
        found = await asyncio.to_thread(look, lab, relay)
        kept = await spool.recall(KIND)
        await spool.close()
        return found[1]["sts"][0]["kept"]["id"], len(kept)

    assert ("a1", 1) == asyncio.run(story())


def test_without_connecting_what_is_kept_is_shown_all_the_same(postroad_lab, relay):
    """Nothing is fetched, which is nobody's fault."""
    lab = internet(postroad_lab, "a1", "testing")
    relay.keep("enforce", *BOTH)
    for published, keeps in (("a1", True), ("a2", True), ("a1", False)):
        lab.lab.nameserver.zones = parse_zones({"zone": HEAD + HOSTS + record(published)})
        if not keeps:
            relay.keep("enforce", *BOTH, fetched_at=0.0)
        status, found = look(lab, relay, "--no-connect")
        assert (0, "enforce" if keeps else None) == (status, found["sts"][0]["mode"])


def test_settings_that_leave_policies_alone_count(postroad_lab, relay):
    """Then nothing that is kept does."""
    lab = internet(postroad_lab, "a1", "enforce", *FIRST)
    relay.keep("enforce", *FIRST)
    relay.file.write_text(f"{relay.file.read_text()}[deliver]\nmta_sts = false\n")
    _, found, text = look_and_read(lab, relay)
    assert ["encrypted", "encrypted"] == [each["mail"] for each in found["exchangers"]]
    assert "MTA-STS is turned off in the settings." in text


@pytest.mark.parametrize(("newer", "published"), some(product([False, True], [BOTH, FIRST]), 3))
def test_spool_that_cannot_be_read_leaves_the_answer_open(postroad_lab, relay, newer, published):
    """Damaged, or of a later Postroad: that is said first, whatever would be true by what is published.

    Every third of them; all in a whole run.
    """
    lab = internet(postroad_lab, "a1", "enforce", *published)
    relay.keep("enforce", *FIRST)
    if newer:
        with closing(sqlite3.connect(relay.folder / "spool.db")) as db:
            db.execute("PRAGMA user_version = 1000")
    else:
        (relay.folder / "spool.db").write_bytes(b"nothing of SQLite" * 100)
    status, found, text = look_and_read(lab, relay)
    assert (3, False, "enforce", None) == (
        status, found["conclusive"], found["sts"][0]["mode"], found["sts"][0]["kept"],
    )  # fmt: skip
    why = "was made by a newer Postroad" if newer else "is not a database, or is damaged"
    said = "example.com: what the relay would do is unknown, because the policies in its spool cannot be read"
    assert (True, said, "By the policy published now: ") == (
        why in found["kept_unknown"], text.splitlines()[0], text.splitlines()[2][:29],
    ), text  # fmt: skip


@pytest.mark.parametrize("odd", some(["file", "circle", "pipe", "folder"], 3))
def test_place_where_no_spool_can_be_is_told_the_same_way(postroad_lab, relay, odd):
    """Only one that is not there is the spool of a relay that has kept nothing. Nobody is to write there.

    Every third of them; all in a whole run.
    """
    lab = internet(postroad_lab, "a1", "enforce", *BOTH)
    if odd in ("file", "circle"):
        relay.folder.write_text("x") if odd == "file" else relay.folder.symlink_to(relay.folder.name)
    else:
        relay.folder.mkdir()
        (os.mkfifo if odd == "pipe" else os.mkdir)(relay.folder / "spool.db")
    status, found = look(lab, relay)
    assert (3, False, True) == (
        status, "written" in found["kept_unknown"], str(relay.folder) in found["kept_unknown"],
    )  # fmt: skip


def test_settings_without_mta_sts_ask_nothing_of_the_spool(postroad_lab, relay):
    """So its damage matters to nobody."""
    lab = internet(postroad_lab, "a1", "enforce", *BOTH)
    relay.folder.write_text("x")
    relay.file.write_text(f"{relay.file.read_text()}[deliver]\nmta_sts = false\n")
    status, found = look(lab, relay)
    assert (0, None) == (status, found["kept_unknown"])


@pytest.mark.skipif(os.geteuid() != 0, reason="another user's spool is made by root")
@pytest.mark.parametrize("what", ["folder", "database"])
def test_spool_of_another_user_is_not_to_be_given_away(relay, what):
    """Who may not read it is to look as somebody who may; it stays whose it is."""
    relay.keep("enforce", *FIRST)
    relay.folder.chmod(0o700 if what == "folder" else 0o755)
    for each in relay.folder.iterdir():
        each.chmod(0o600 if what == "database" else 0o644)
    parents = [each for each in relay.folder.parents if each.stat().st_uid == 0 and not each.stat().st_mode & 0o001]
    modes = {each: each.stat().st_mode for each in parents}
    for each in parents:
        each.chmod(modes[each] | 0o055)
    try:
        os.seteuid(65534)
        with pytest.raises(SpoolError) as trouble:
            asyncio.run(lessons_in(relay.folder, KIND))
        listed = CliRunner().invoke(app, ["queue", "list", "--spool", str(relay.folder)])
    finally:
        os.seteuid(0)
        for each, mode in modes.items():
            each.chmod(mode)
    said = "cannot be opened by this user: run this as the user of the relay, or as root"
    assert (True, 2, True) == (said in trouble.value.why, listed.exit_code, said in listed.stderr)


def test_spool_of_a_postroad_that_kept_no_policies_has_none(postroad_lab, relay):
    """It is not brought up to date for a look."""
    lab = internet(postroad_lab, "a1", "enforce", *BOTH)
    relay.keep("enforce", *FIRST)
    with closing(sqlite3.connect(relay.folder / "spool.db")) as db:
        db.execute("DROP TABLE lesson")
    _, found = look(lab, relay)
    assert (None, None) == (found["sts"][0]["kept"], found["kept_unknown"])
