"""What a user types rightly is done."""

import io
import os
import re
import subprocess
import sys

import pandas as pd
import pytest
import trial
from rows import ONE, no_rows
from trouble import cell

from benchmarks import __main__ as command_line
from benchmarks import provenance, runner, summary, terminal
from benchmarks.cells import ROOT
from benchmarks.store import Store, row


def test_benchmarks_are_asked_for_in_one_option_or_in_several(answer):
    together = answer("plan", "--only", "cost", "spiral")
    apart = answer("plan", "--only", "cost", "--only", "spiral")
    assert together == apart and together[0] == 0
    assert "cost: " in apart[1] and "spiral: " in apart[1]


def test_a_terminal_without_a_sign_shows_its_number(results):
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "plan", *ONE, "--results", str(results)],
        cwd=ROOT,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert r"cost \xb7 resnet18" in done.stdout


PROFILED = """
from benchmarks.__main__ import main

assert main(["table", "cost", "--columns", "key"]) == 0
import torch
from torch.profiler import ProfilerActivity, profile

with profile(activities=[ProfilerActivity.CPU]) as seen:
    torch.zeros(1)
assert seen.events()
"""


def test_who_reads_no_further_is_no_mistake_of_a_module():
    class Closed(io.StringIO):
        def write(self, text):
            raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        terminal.Terminal(file=Closed()).print("words")


def test_the_profiler_logs_nothing_into_the_progress():
    done = subprocess.run(
        [sys.executable, "-c", PROFILED], cwd=ROOT, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_run_ends_with_the_benchmarks_that_were_asked_for(answer, results):
    results.mkdir()
    (results / "cost.csv").write_text((ROOT / "results" / "cost.csv").read_text())
    status, out, _ = answer("run", "--only", "softmax")
    assert status == 0, out
    assert "softmax: " in out and "docs/notes/softmax.md" in out and "softmax.csv" in out
    for words in ("Accuracy", "Cost", "Latency", "Coverage", "cost.csv"):
        assert words not in out


def test_a_status_is_of_the_benchmarks_and_the_suite_that_were_asked_for(answer):
    status, out, errors = answer("status", "--suite", "cpu", "--only", "tensors")
    assert status == 0, errors
    first, last = out.splitlines()
    assert first.startswith("tensors: 0 current, 0 stale, ") and first.endswith(" missing")
    assert last == f"suite cpu (tensors): {first.removeprefix('tensors: ')}"


def test_csv_has_the_columns_that_are_asked_for(answer):
    status, out, _ = answer("table", "cost", "--csv", "--columns", "module", "macs")
    assert (status, out) == (0, "module,macs\n")
    status, _, errors = answer("table", "cost", "--csv", "--columns", "mac")
    assert status == 2
    assert "Did you mean macs" in errors


def test_power_looks_at_every_comparison_and_says_so(answer):
    status, _, errors = answer("plan", "--power", "--suite", "cpu", "--only", "accuracy")
    assert status == 2
    assert "--suite and --only" in errors and "leave these options out" in errors
    status, _, errors = answer("plan", "--power", "--again", "--jobs", "2")
    assert status == 2 and "--again and --jobs" in errors


def test_a_table_has_no_suite(answer, results):
    status, _, errors = answer("table", "cost", "--suite", "cpu")
    assert status == 2
    assert "was asked for with --suite, but a table has the rows of all suites" in errors
    assert answer("table", "--suite", "cpu")[0] == 0
    status, _, errors = answer("table", "--suite", "")
    assert status == 2 and "unknown suite ''" in errors


def test_verify_names_what_it_can_compare(answer, results):
    status, _, errors = answer("verify", "--only", "latency")
    assert status == 2
    assert "it measures times" in errors and "run --only latency" in errors
    assert no_rows(results)


def test_verify_measures_again_and_compares(answer, results):
    assert answer("run", *ONE, "--module", "se")[0] == 0
    status, out, _ = answer("verify", *ONE, "--module", "se")
    assert status == 0, out
    assert "2 rows to measure again" in out
    assert "2 rows with " in out and "equal values, to the bit; 0 differ" in out


def test_a_spot_check_of_nothing_says_so(answer):
    status, out, _ = answer("verify", *ONE)
    assert status == 0
    assert "nothing to compare: no row of the selection is current" in out
    status, _, errors = answer("verify", "--stale", "--rows", "2")
    assert status == 2
    assert "one row of each arm" in errors
    status, _, errors = answer("verify", "--key", "abc", "--suite", "cpu")
    assert status == 2 and "--key was asked for with --suite" in errors
    status, _, errors = answer("verify", "--key", "abc")
    assert status == 2 and "has the key 'abc'" in errors


def test_a_plan_lists_what_is_to_do_and_writes_nothing(answer, results):
    status, out, _ = answer("plan", *ONE, "--module", "eca kernel_size=5")
    assert status == 0
    assert re.search(r"cost: 2 cells, \d+ s of work; a guess for want of rows like them\n", out)
    assert "eca kernel_size=5" in out
    assert not results.exists()


def test_a_plan_says_for_which_cells_its_time_is_a_guess(answer, results):
    trial.cost(Store(results))
    _, out, _ = answer("plan", *ONE, "--backbone", "resnet10t", "--module", "se")
    words = r"cost: 4 cells, .* of work; a guess for 2 of them, for want of rows like them\n"
    assert re.search(words, out)


def test_options_in_another_order_are_the_same_cell(answer):
    both = ["--module", "se reduction=8 bias=False", "--module", "se  bias=False reduction=8"]
    status, out, _ = answer("plan", *ONE, *both)
    assert status == 0
    assert "cost: 2 cells" in out  # the bare backbone and one arm
    assert out.count("se bias=False reduction=8") == 1


def test_several_modules_and_backbones_are_asked_for_in_one_option(answer):
    named = ["--module", "se", "eca kernel_size=5", "--backbone", "resnet18", "resnet34"]
    status, out, _ = answer("plan", *ONE[:2], *named)
    assert status == 0 and "cost: 6 cells" in out  # two backbones, each bare and with two gates


def test_a_key_says_where_its_row_comes_from(answer, results):
    trial.cost(Store(results))
    row = Store(results).table("cost").iloc[0]
    status, out, _ = answer("cite", "--key", row["key"])
    assert status == 0 and f"backbone {row['backbone']}" in out and row["commit"] in out
    for folder in ("machines", "environments"):
        (record,) = (results / folder).iterdir()
        assert f"{folder}/{record.name}: " in out
    assert f"processor {provenance.machine()['processor']}" in out
    status, _, errors = answer("cite", "--key", "0123")
    assert status == 2 and "has a row with the key '0123'" in errors


def test_the_citation_is_printed(capsys):
    assert command_line.main(["cite"]) == 0
    assert "cff-version" in capsys.readouterr().out


GATE = '''
from torch import nn

class MyGate(nn.Module):
    """A factor a channel."""

    def __init__(self, channels, *, device=None, dtype=None):
        super().__init__()
        self.scale = nn.Conv2d(channels, channels, 1, groups=channels, bias=False,
                               device=device, dtype=dtype)

    def forward(self, x):
        return self.scale(x)
'''


def test_a_module_of_the_user_is_measured_beside_the_bare_backbone(
    tmp_path, results, answer, monkeypatch
):
    (tmp_path / "my_pkg.py").write_text(GATE)
    command = ["run", *ONE, "--module", "my_pkg:MyGate", "--jobs", "1"]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", *command, "--results", str(results)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    table = pd.read_csv(results / "cost.csv", keep_default_na=False).set_index("module")
    assert set(table["status"]) == {"ok"}
    assert table.loc["none", "params"] == 11_689_512
    # resnet18 has two blocks of each of these widths
    assert table.loc["my_pkg:MyGate", "params"] == 11_689_512 + 2 * (64 + 128 + 256 + 512)
    before = (results / "cost.csv").read_bytes()
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    status, out, _ = answer(*command)
    assert status == 0
    assert "0 cells to measure, 2 current" in " ".join(out.split())
    assert (results / "cost.csv").read_bytes() == before


@pytest.fixture
def no_summary(monkeypatch):
    """The summary is of all benchmarks, and the tests below have one."""
    monkeypatch.setattr(summary, "text_summary", lambda *_: "")


@pytest.mark.parametrize("command", ["plan", "run"])
@pytest.mark.parametrize("option", [None, "retry", "again", "stale"])
def test_what_is_measured_again_is_what_its_option_says(
    trouble, no_summary, answer, monkeypatch, command, option
):
    asked = []
    monkeypatch.setattr(runner, "plan", lambda *_, **how: asked.append(how) or runner.Plan())
    status, out, errors = answer(command, *([f"--{option}"] if option else []))
    assert status == 0, out + errors
    assert asked == [{"only": [], **{each: each == option for each in ("retry", "again", "stale")}}]


def test_a_run_that_found_the_machine_busy_says_what_to_do(trouble, no_summary, answer):
    trouble.wanted = ("ok", "busy")
    status, out, errors = answer("run", "--jobs", "1")
    assert (status, errors) == (1, "")
    assert "1 cells not measured; the same command measures them" in out
    assert "their rows say why" not in out, "they have none"
    trouble.wanted = ("ok", "ok")
    assert answer("run", "--jobs", "1")[0] == 0


def test_a_run_that_loses_a_value_it_had_before_says_that_the_row_stays(
    trouble, no_summary, code, store, answer
):
    trouble.wanted = ("crash",)
    store.append("trouble", row(cell("crash"), {"third": 0.5}, "a" * 12, seconds=0.5))
    status, out, errors = answer("run", "--jobs", "1")
    assert (status, errors) == (1, "")
    words = " ".join(out.split())
    assert "1 cells gave no value this time; their earlier rows stay. The same command" in words
    assert "measures what is stale of them, --again all" in words
    assert store.table("trouble")["third"].tolist() == [0.5]
