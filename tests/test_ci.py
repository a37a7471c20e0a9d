"""`.ci/run` does its steps in order, fails where one fails, and says the verdict last."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

NOXFILE = """
import os, sys
step = sys.argv[sys.argv.index("-s") + 1]
print("step", step)
if step == "tests":
    print("==== 2 failed, 1 passed in 3 s ====" if os.environ["FAILS"] == step else "= 3 passed =")
    print("nox > the end")
sys.exit(step == os.environ["FAILS"])
"""


def run(tmp_path, fails):
    """The script beside a noxfile that only says what is asked of it; nobody is root there."""
    for name, text in (("noxfile.py", NOXFILE), ("bin/id", "#!/bin/sh\necho 1000\n")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "bin" / "id").chmod(0o755)
    (tmp_path / "bin" / "python3").symlink_to(sys.executable)
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "run", tmp_path / ".ci" / "run")
    path = os.pathsep.join([str(tmp_path / "bin"), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", tmp_path / ".ci" / "run"],
        env={**os.environ, "PATH": path, "FAILS": fails, "PYTHONPATH": str(stub(tmp_path))},
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    lines = done.stdout.splitlines()
    return done.returncode, [line[5:] for line in lines if line.startswith("step ")], lines[-1]


def stub(tmp_path):
    """A nox to import, so that none is installed."""
    (tmp_path / "stub").mkdir()
    (tmp_path / "stub" / "nox.py").touch()
    return tmp_path / "stub"


def test_the_steps_come_in_order_and_the_verdict_last(tmp_path):
    assert run(tmp_path, "") == (0, ["lint", "docs", "tests"], "= 3 passed =")


def test_tests_that_fail_fail_the_script_and_are_the_last_line(tmp_path):
    status, steps, last = run(tmp_path, "tests")
    assert (status, steps) == (1, ["lint", "docs", "tests"])
    assert last == "==== 2 failed, 1 passed in 3 s ===="


@pytest.mark.parametrize(("fails", "done"), [("lint", ["lint"]), ("docs", ["lint", "docs"])])
def test_nothing_comes_after_a_step_that_fails(tmp_path, fails, done):
    status, steps, _ = run(tmp_path, fails)
    assert (status, steps) == (1, done)
