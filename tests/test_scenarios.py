"""Every scenario folder is played three times: by the pure walk, for real, and in a forecast of all that can happen."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from postroad.scenarios import ScenarioError, load_scenario, stage
from postroad.words.inputs import InputError
from tests.support.examples import some

FOLDERS = sorted((Path(__file__).parent / "scenarios").iterdir())
ALIKE = [folder for folder in FOLDERS if folder.name[0] == "t" and folder.name[1].isdigit()]  # six zones, five faults
OTHERS = [folder for folder in FOLDERS if folder not in ALIKE]


@pytest.mark.parametrize("folder", [*OTHERS, *some(ALIKE, 7)], ids=lambda folder: folder.name)
def test_scenario(folder):
    """What the folder expects is what the rehearsal works out, what the wire shows, and what a simulation foretells.

    Of those whose zones and faults are a product, every seventh, and of several seeds every other; all in a whole run.
    """
    scenario = load_scenario(folder)
    seeds = some(scenario.seeds, 2, FOLDERS.index(folder)) or scenario.seeds
    takes = asyncio.run(stage(replace(scenario, seeds=tuple(seeds))))
    expected = [take.expected for take in takes]
    assert expected == [take.rehearsed for take in takes]
    assert expected == [take.performed for take in takes]
    assert expected == [take.forecast for take in takes]


def _write(folder, **files):
    for name, text in files.items():
        (folder / name).write_text(text)


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({}, "it has no file 'zone'"),
        ({"zone": ""}, "send: cannot be read: No such file"),
        ({"zone": "", "send": "whom me\n"}, "send:1: 'whom me': write one of from, to, seeds"),
        ({"zone": "", "send": "seeds one\n"}, "is not a seed: write whole numbers"),
        ({"zone": "", "send": "stagger soon\n"}, "not a number of seconds"),
        ({"zone": "", "send": "stagger \u00b2\n"}, "not a number of seconds"),
        ({"zone": "", "send": f"seeds {'9' * 5000}\n"}, "is not a seed"),
        ({"zone": "", "send": "tls maybe\n"}, "send:1: 'maybe' is not an answer; write yes, no, or one of auto"),
        ({"zone": "", "send": "procedure rfc1\n"}, "is not a procedure; choose one of rfc974"),
        ({"zone": "", "send": "tls no\ntls yes\n"}, "send:2: tls is given twice, with different values"),
        ({"zone": "", "send": "to a@b.example c@d.example\n", "expect": ""}, "all its recipients must be in one"),
        ({"zone": "", "send": "to a@b.example\n", "expect": "1: a\n1: b\n"}, "seed 1 already has an expectation"),
        (
            {"zone": "", "send": "to a@b.c\n", "expect": "", "faults": "127.0.0.1 drop\n127.0.0.1 r450\n"},
            "has two faults",
        ),
        ({"zone": "", "send": "to nobody\n", "expect": ""}, "write an address as user@domain"),
        ({"zone": "", "send": "from a@b.example\n", "expect": ""}, "send: no recipient"),
        ({"zone": "", "send": "to a@b.example\n", "expect": "delivered\n"}, "expect:1: 'delivered': write SEED"),
        ({"zone": "", "send": "to a@b.example\n", "expect": "", "faults": "here refuse\n"}, "is not an IP address"),
        ({"zone": "", "send": "to a@b.example\n", "expect": "", "faults": "127.0.0.1 nap\n"}, "no such fault"),
        (
            {"zone": "", "send": "to a@b.example\n", "expect": "", "certificates": "127.0.0.1 fine\n"},
            "certificates:1: '127.0.0.1 fine': write ADDRESS KIND, where KIND is one of good, expired",
        ),
        (
            {
                "zone": "",
                "send": "to a@b.example\n",
                "expect": "",
                "certificates": "127.0.0.1 good\n127.0.0.1 expired\n",
            },
            "127.0.0.1 has two certificates, good and expired",
        ),
    ],
)
def test_folder_that_cannot_be_read_says_where_and_why(tmp_path, files, why):
    """A mistake in a scenario is told with its file and line."""
    _write(tmp_path, **files)
    with pytest.raises(ScenarioError) as caught:
        load_scenario(tmp_path)
    assert why in str(caught.value)


def test_a_policy_without_a_host_to_serve_it_is_told(tmp_path):
    """The zone must say where mta-sts.DOMAIN is."""
    zone = "$ORIGIN example.com.\n@ MX 10 a\na A 127.0.0.11\n"
    _write(tmp_path, zone=zone, send="to a@example.com\n", expect="1: x\n", policy="version: STSv1\n")
    with pytest.raises(InputError, match=r"no zone of this lab has an address of mta-sts.example.com"):
        asyncio.run(stage(load_scenario(tmp_path)))


def test_a_fault_of_an_address_that_the_zone_does_not_name_is_told(tmp_path):
    """With those it names; a lab has no other exchangers."""
    zone = "$ORIGIN example.com.\n@ MX 10 a\na A 127.0.0.11\n"
    _write(tmp_path, zone=zone, send="to a@example.com\n", expect="1: x\n", faults="127.0.0.99 drop\n")
    with pytest.raises(InputError, match=r"at 127.0.0.99; there is a.example.com \(127.0.0.11\)"):
        asyncio.run(stage(load_scenario(tmp_path)))
