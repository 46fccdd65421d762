"""Every scenario folder is played three times: by the pure walk, for real, and in a forecast of all that can happen."""

import asyncio
from pathlib import Path

import pytest

from postroad.lab.scenario import ScenarioError, load_scenario
from postroad.stage import stage

FOLDERS = sorted((Path(__file__).parent / "scenarios").iterdir())


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_scenario(folder):
    """What the folder expects is what the rehearsal works out, what the wire shows, and what a simulation foretells."""
    takes = asyncio.run(stage(load_scenario(folder)))
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
        ({}, "no file 'zone' in it"),
        ({"zone": ""}, "send: cannot be read: No such file"),
        ({"zone": "", "send": "whom me\n"}, "send:1: 'whom me': write one of from, to, seeds"),
        ({"zone": "", "send": "seeds one\n"}, "seeds are whole numbers"),
        ({"zone": "", "send": "stagger soon\n"}, "no number of seconds"),
        ({"zone": "", "send": "to nobody\n", "expect": ""}, "an address is written user@domain"),
        ({"zone": "", "send": "from a@b.example\n", "expect": ""}, "send: no recipient"),
        ({"zone": "", "send": "to a@b.example\n", "expect": "delivered\n"}, "expect:1: 'delivered': write SEED"),
        ({"zone": "", "send": "to a@b.example\n", "expect": "", "faults": "here refuse\n"}, "is no IP address"),
        ({"zone": "", "send": "to a@b.example\n", "expect": "", "faults": "127.0.0.1 nap\n"}, "no such fault"),
    ],
)
def test_folder_that_cannot_be_read_says_where_and_why(tmp_path, files, why):
    """A mistake in a scenario is told with its file and line."""
    _write(tmp_path, **files)
    with pytest.raises(ScenarioError) as caught:
        load_scenario(tmp_path)
    assert why in str(caught.value)
