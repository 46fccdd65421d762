"""The programs in docs/examples run, each with the framework it is for."""

import asyncio
import importlib.util
from pathlib import Path

import httpx

from postroad.spool.sqlite import SqliteSpool

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


def _loaded(name):
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_example_for_fastapi_answers_when_mail_is_durable(tmp_path, monkeypatch):
    """202 and an id that the spool knows; an address that is none is the client's fault, a spool that is none ours."""
    monkeypatch.setenv("POSTROAD_SPOOL", str(tmp_path))
    monkeypatch.setenv("POSTROAD_CONFIG", str(tmp_path / "postroad.toml"))
    (tmp_path / "postroad.toml").write_text('hostname = "relay.example.net"\n')
    app = _loaded("fastapi_app").app

    async def main():
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            too_early = await client.post("/welcome/ann@example.com")
            await (await SqliteSpool.open(tmp_path, node="relay")).close()
            answers = [too_early, *[await client.post(f"/welcome/{to}") for to in ("ann@example.com", "ann")]]
        spool = await SqliteSpool.open(tmp_path, node="")
        story = await spool.story(answers[1].json()["id"])
        await spool.close()
        return [answer.status_code for answer in answers], story

    statuses, story = asyncio.run(main())
    assert [503, 202, 422] == statuses
    assert ["ann@example.com"] == [str(to.mailbox) for to in story.mail.envelope.recipients]


def test_the_example_for_flask_tells_what_became_of_mail(monkeypatch, postroad_lab):
    """What the server said, with a status that means it."""
    lab = postroad_lab("$ORIGIN example.com.\n@ MX 10 mail\nmail A 127.0.0.11\n")
    monkeypatch.setenv("SMARTHOST", f"127.0.0.11:{lab.port}")
    client = _loaded("flask_app").app.test_client()
    found = []
    for fault in ("accept", "r450", "r550"):
        lab.set_fault("127.0.0.11", fault)
        found.append(client.post("/report/ann@example.com").status_code)
    refused = ("ann", "ann@example.com,bob@example.com", "ann@example.com%0D%0ABcc: bob@example.com")
    assert [200, 503, 422, *[422] * 3] == [*found, *(client.post(f"/report/{each}").status_code for each in refused)]
