"""The tests run in several processes, and none is lost on the way."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PASSES = "def test_passes(tmp_path):\n    print(tmp_path)\n"
FAILS = "def test_fails():\n    print('said before')\n    assert 1 == 2\n"
ENDS = "import os\ndef test_ends():\n    os._exit({status})\ndef test_after():\n    pass\n"


def _run(folder, **files):
    for name, text in files.items():
        (folder / f"test_{name}.py").write_text(text)
    command = [sys.executable, "-m", "pytest", "-q", "-c", os.devnull, "-p", "tests.conftest", "--processes", "2"]
    done = subprocess.run([*command, folder], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout


def test_all_that_is_said_of_each_is_heard(tmp_path):
    """What fails in one process is counted, and shown with its output, as if there were no other."""
    status, told = _run(tmp_path, one=PASSES, two=FAILS, three=PASSES)
    assert 1 == status
    assert "1 failed, 2 passed" in told
    assert "said before" in told


@pytest.mark.parametrize("status", [0, 3])
def test_a_process_that_ends_hides_no_test(tmp_path, status):
    """A test that ends its process, however politely, fails the run, which names what was not run."""
    code, told = _run(tmp_path, one=PASSES, two=ENDS.format(status=status))
    assert 1 == code
    assert "2 tests did not" in told
    assert "test_two.py::test_after" in told
