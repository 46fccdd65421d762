"""The tests run in several processes, and none is lost on the way."""

import os
import subprocess
import sys
from pathlib import Path

from tests.support.examples import in_whole_runs
from tests.support.patience import PATIENCE_S

ROOT = Path(__file__).parents[2]
PASSES = "def test_passes(tmp_path):\n    print(tmp_path)\n"
FAILS = "def test_fails():\n    print('said before')\n    assert 1 == 2\n"
ENDS = "import os\ndef test_ends():\n    os._exit({status})\ndef test_after():\n    pass\n"


def _run(folder, **files):
    for name, text in files.items():
        (folder / f"test_{name}.py").write_text(text)
    command = [sys.executable, "-m", "pytest", "-q", "-c", os.devnull, "-p", "tests.conftest", "--processes", "3"]
    done = subprocess.run([*command, folder], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    return done.returncode, done.stdout


@in_whole_runs
def test_no_test_is_lost_in_any_process(tmp_path):
    """What fails in one is shown with its output, and what a process took with it, however politely, is named."""
    ends = {f"ends{status}": ENDS.format(status=status) for status in (0, 3)}
    status, told = _run(tmp_path, passes=PASSES, fails=FAILS, broken="import nothing_of_this_name\n", **ends)
    assert 1 == status
    assert "1 failed, 1 passed, 1 error" in told
    assert "No module named 'nothing_of_this_name'" in told
    assert "said before" in told
    assert "4 tests did not" in told
    assert "test_ends0.py::test_after" in told
