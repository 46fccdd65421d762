"""Mail for later: taken from those who may relay, with a time of our own clock."""

from dataclasses import replace

from tests.support.talking import HELLO, NOON, SETTINGS, tell

LATER = b"MAIL FROM:<me@example.net> %b\r\nRCPT TO:<ann@example.com>\r\nDATA\r\n"


def test_time_of_release_is_kept_with_the_envelope():
    """HOLDFOR counts from now; strangers may not ask for it; where it is off it is not offered."""
    cases = {b"HOLDFOR=60": NOON + 60, b"HOLDUNTIL=2023-11-14T23:13:20Z": NOON + 3600, b"SIZE=1": None}
    cases |= dict.fromkeys([b"HOLDUNTIL=2023-11-14T22:13:20Z", b"HOLDUNTIL=1969-12-31T23:59:59Z"])

    async def story(house):
        async with house.visit() as client:
            (hello,) = await client.ask(HELLO)
            for parameter in cases:
                assert ["250", "250", "354", "250"] == await client.codes(LATER % parameter + b"\r\n.\r\n", 4)
        async with house.visit("192.0.2.7") as stranger:
            assert ["550"] == await stranger.codes((LATER % b"HOLDFOR=60").splitlines(keepends=True)[0])
        return hello, [arrival.envelope.release_at for arrival, _ in house.keeper.kept]

    hello, kept = tell(story, SETTINGS)
    assert "FUTURERELEASE 2592000 2023-12-14T22:13:00Z" in hello
    assert list(cases.values()) == kept

    async def off(house):
        async with house.visit() as client:
            return await client.ask(HELLO), await client.codes((LATER % b"HOLDFOR=60").splitlines(keepends=True)[0])

    (hello,), codes = tell(off, replace(SETTINGS, limits=replace(SETTINGS.limits, hold_s=0)))
    assert (False, ["555"]) == ("FUTURERELEASE" in hello, codes)
