"""`postroad tls-report`: what was counted, as it would be sent."""

import asyncio
import json
from pathlib import Path

import pytest
from tests.support.json_schema import wrong_with
from typer.testing import CliRunner

from postroad.cli.root import app
from postroad.relay import ReportStore
from postroad.spool.sqlite import SqliteSpool
from postroad.tls import PolicyType, ReportedPolicy, SessionRow
from postroad.views.json.schema import schema
from postroad.words.tls import TlsFailure

DAY = "2026-11-21"
SCHEMA = schema()


async def fill(folder):
    """Two sessions that met a policy, and one that did not; and one without a policy."""
    sts = ReportedPolicy(PolicyType.STS, "example.org", ("version: STSv1", "mode: enforce"), ("mx.example.org",))
    failed = SessionRow(sts, TlsFailure.EXPIRED, "mx.example.org", "192.0.2.9", "192.0.2.1", "it \x1b[31mexpired")
    none = SessionRow(ReportedPolicy(PolicyType.NONE, "example.net"))
    spool = await SqliteSpool.open(folder, node="relay")
    counts = {(DAY, "example.org", SessionRow(sts)): 2, (DAY, "example.org", failed): 1, (DAY, "example.net", none): 5}
    await ReportStore(spool).add(counts, 0.0)
    await spool.close()


@pytest.fixture
def tell(tmp_path):
    """A function that runs the command on a spool; its exit status and what it said."""
    asyncio.run(fill(tmp_path / "spool"))
    Path(tmp_path / "postroad.toml").write_text(
        "[tls_report]\nenabled = true\nsender = 'tls@relay.example'\norganization = 'Relay Inc.'\n"
    )

    def run(*words):
        where = ["--spool", str(tmp_path / "spool"), "--config", str(tmp_path / "postroad.toml")]
        done = CliRunner(env={"COLUMNS": "200"}).invoke(app, ["tls-report", *words, *where])
        return done.exit_code, done.stdout, done.stderr

    return run


def test_people_see_policies_and_failures(tell):
    """Each report with its policies; what strangers wrote is made visible."""
    status, text, _ = tell("--day", DAY)
    assert 0 == status
    assert [
        "to example.net, 2026-11-21 (UTC): 5 sessions, 0 failed",
        "  no policy of example.net: 5 met it, 0 failed",
        "",
        "to example.org, 2026-11-21 (UTC): 3 sessions, 1 failed",
        "  sts of example.org: 2 met it, 1 failed",
        r"    1 x certificate-expired at mx.example.org [192.0.2.1]: it \x1b[31mexpired",
    ] == text.splitlines()


def test_programs_see_the_report_as_it_would_be_sent(tell):
    """The object of RFC 8460 section 4.4, under the name of its file."""
    status, text, _ = tell("example.org", "--day", DAY, "--json")
    told = json.loads(text)
    assert (0, []) == (status, wrong_with(told, SCHEMA["answers"]["tls-report"], SCHEMA["$defs"]))
    (report,) = told["reports"]
    assert ("example.org", "Relay Inc.") == (report["domain"], report["report"]["organization-name"])
    assert report["filename"].startswith("relay.example!example.org!1795219200!1795305599!")


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (["--day", "2026-11-20"], 1, "nothing is counted for any domain on 2026-11-20 (UTC)"),
        (["example.com", "--day", DAY], 1, "nothing is counted for example.com on 2026-11-21 (UTC)"),
        (["--day", "yesterday"], 2, "'yesterday' is not a date; write one such as 2026-11-22"),
        (["a..b"], 2, "a..b"),
    ],
)
def test_where_there_is_nothing_it_says_so(tell, words, status, says):
    """1 if nothing is counted, 2 for what is no day or no domain."""
    done, text, trouble = tell(*words)
    assert status == done
    assert says in text + trouble
