"""What a user types wrongly is answered with what is allowed, before any work starts."""

import os
import subprocess
import sys

import pytest
import torch
from rows import ONE, no_rows

from benchmarks import __main__ as command_line
from benchmarks import data
from benchmarks.cells import ROOT
from benchmarks.data import DataError
from benchmarks.site import __main__ as site

BROKEN = """
from torch import nn

class Broken(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.width = self.nothing
"""


def test_a_broken_module_of_the_user_is_named(answer, results, tmp_path, monkeypatch):
    (tmp_path / "broken_pkg.py").write_text(BROKEN)
    monkeypatch.syspath_prepend(tmp_path)
    status, _, errors = answer("run", *ONE, "--module", "broken_pkg:Broken")
    assert status == 2
    for words in ("'broken_pkg:Broken'", "resnet18", "no attribute 'nothing'"):
        assert words in errors
    assert no_rows(results)


BAD = {
    "an unknown suite": (["--suite", "quik"], ["'quik'", "quick, cpu, gpu", "Did you mean quick"]),
    "an unknown benchmark": (["--only", "accurcy"], ["'accurcy'", "cost", "Did you mean accuracy"]),
    "an unknown device": ([*ONE, "--device", "tpu"], ["'tpu'", "cpu, cuda"]),
    "one of several GPUs": (
        [*ONE, "--device", "cuda:2"],
        ["'cuda:2'", "cpu, cuda", "CUDA_VISIBLE_DEVICES=2"],
    ),
    "an option without quotes": (
        [*ONE, "--module", "se", "reduction=8"],
        ["'reduction=8' is an option", "in quotes", "'se reduction=8'"],
    ),
    "the beginning of a net of the suite": (
        [*ONE, "--backbone", "resnet20"],
        ["no backbone 'resnet20'; did you mean resnet20_cifar?", "resnet10_small"],
    ),
    "a mistyped backbone of few benchmarks": (
        ["--only", "segmentation", "--backbone", "resnt18"],
        ["no backbone 'resnt18'; did you mean resnet18"],
    ),
    "an empty suite": (["--suite", ""], ["''", "quick, cpu, gpu"]),
    "an empty device": ([*ONE, "--device", ""], ["''", "cpu, cuda"]),
    "a value of another type": (
        [*ONE, "--module", "se per_stage=5"],
        ["'se per_stage=5' can't be built into resnet18"],
    ),
    "no process": ([*ONE, "--jobs", "0"], ["--jobs: '0'", "at least 1"]),
    "fewer than no process": ([*ONE, "--jobs", "-3"], ["--jobs: '-3'", "at least 1"]),
    "a flood of processes": ([*ONE, "--jobs", "10000"], ["--jobs: '10000'", "at most"]),
    "a word for a number": ([*ONE, "--jobs", "many"], ["--jobs", "'many'"]),
    "an unknown module": (
        [*ONE, "--module", "cbmm"],
        ["'cbmm'", "cbam", "did you mean", "file:Class"],
    ),
    "no module": ([*ONE, "--module", ""], ["''", "cbam"]),
    "an unknown option": ([*ONE, "--module", "se reductoin=8"], ["'reductoin'", "reduction"]),
    "a bad value": ([*ONE, "--module", "se reduction=x"], ["'x'", "literal"]),
    "no value": ([*ONE, "--module", "se reduction"], ["'reduction'", "option=value"]),
    "a reduction of more than the channels": (
        [*ONE, "--module", "se reduction=999"],
        ["reduction", "999", "64"],
    ),
    "options for the bare backbone": ([*ONE, "--module", "none reduction=8"], ["reduction"]),
    "an unknown backbone": (["--backbone", "resnet19"], ["'resnet19'", "resnet18"]),
    "a transformer": (
        ["--only", "cost", "--backbone", "vit_small_patch16_224", "--module", "se"],
        ["vit_small_patch16_224", "feature maps"],
    ),
    "a backbone for a benchmark that takes none": (
        ["--only", "mechanism", "--backbone", "resnet18"],
        ["mechanism has no cells", "--backbone resnet18", "takes none", "leave --backbone out"],
    ),
    "a module for a benchmark without modules": (
        ["--only", "cost", "spiral", "--module", "se reduction=8"],
        ["spiral has no cells", "--module se reduction=8", "leave --module out"],
    ),
    "a module and a backbone for it": (
        ["--only", "spiral", "--module", "se", "--backbone", "resnet18"],
        ["leave --backbone and --module out"],
    ),
    "a module that a benchmark lacks": (
        ["--suite", "cpu", "--only", "breakdown", "--module", "sk"],
        ["breakdown has no cells in suite cpu", "may be 'se'", "'coord'", "leave --module out"],
    ),
    "another device than a benchmark's": (
        ["--only", "mechanism", "--device", "cuda"],
        ["mechanism", "--device cuda", "measured on cpu", "leave --device out"],
    ),
    "a benchmark of another suite": (
        ["--only", "ladder", "--backbone", "resnet10_small"],
        ["ladder has no cells in suite quick", "ask for --suite cpu"],
    ),
    "a package that is not there": ([*ONE, "--module", "no_pkg:Gate"], ["no_pkg", "looked in"]),
    "a class that is not there": ([*ONE, "--module", "attn.se:Gate"], ["attn.se", "Gate"]),
}


@pytest.mark.parametrize("mistake", BAD)
def test_a_mistake_is_answered_with_what_is_allowed_before_work(answer, results, mistake):
    arguments, words = BAD[mistake]
    status, out, errors = answer("run", *arguments)
    assert status == 2, out
    for word in words:
        assert word in errors
    assert "Traceback" not in errors
    assert no_rows(results)


@pytest.mark.parametrize("mistake", ["a reduction of more than the channels", "a transformer"])
def test_a_plan_refuses_what_a_run_refuses(answer, mistake):
    arguments, words = BAD[mistake]
    status, _, errors = answer("plan", *arguments)
    assert status == 2
    for word in words:
        assert word in errors


ENDS = "import sys\nsys.exit(3)\n"


def test_a_file_that_ends_python_is_named_as_an_error(answer, tmp_path, monkeypatch):
    (tmp_path / "ends_python.py").write_text(ENDS)
    monkeypatch.syspath_prepend(tmp_path)
    status, _, errors = answer("plan", *ONE, "--module", "ends_python:Gate")
    assert status == 2 and "a module's file ended Python" in errors and "SystemExit: 3" in errors


def test_a_broken_table_of_another_benchmark_is_told_before_work(answer, results):
    results.mkdir()
    (results / "accuracy.csv").write_text("<<<<<<< HEAD\n")
    status, out, errors = answer("run", *ONE)
    assert status == 2 and "accuracy.csv" in errors and "merge conflict" in errors
    assert "cells to measure" not in out and not (results / "cost.csv").exists()


@pytest.mark.parametrize(
    "command", [("status", *ONE), ("run", *ONE), ("plan", *ONE), ("table", "cost"), ("cite",)]
)
def test_a_file_in_place_of_the_tables_is_refused(answer, results, command):
    results.write_text("")
    status, _, errors = answer(*command)
    assert status == 2 and f"--results names the file {results}" in errors


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--effect", "1"], "--effect was given without --power"),
        (["--power", "--effect", "inf"], "inf points was asked for; it must be a number above 0"),
        (["--power", "--effect", "-1"], "it must be a number above 0"),
    ],
)
def test_an_effect_is_a_number_for_the_plan_of_seeds(answer, arguments, words):
    status, _, errors = answer("plan", *arguments)
    assert status == 2 and words in errors


@pytest.mark.parametrize(
    "command",
    [("plan", *ONE), ("status", *ONE), ("table", "cost"), ("plan", "--power"), ("cite",)],
)
def test_a_folder_that_is_not_there_is_named(answer, results, command):
    status, _, errors = answer(*command)
    assert status == 0 and f"there is no folder {results}" in errors
    results.mkdir()
    assert answer(*command)[2] == ""


@pytest.mark.parametrize("command", ["plan", "status"])
def test_a_benchmark_without_cells_is_refused_by_every_command(answer, command):
    status, out, errors = answer(command, "--only", "mechanism", "--backbone", "resnet18")
    assert status == 2, out
    assert "mechanism has no cells in suite quick" in errors


@pytest.mark.parametrize("arguments", [[*ONE, "--device", "cuda"], ["--suite", "gpu"]])
def test_a_gpu_that_is_not_there_is_not_used(answer, results, arguments, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    status, _, errors = answer("run", *arguments)
    assert status == 2
    assert "no CUDA GPU" in errors
    assert "--device cpu" in errors
    assert no_rows(results)


@pytest.mark.parametrize("command", [[], ["rum"], ["run", "--colour"]])
def test_an_unknown_command_or_option_is_refused(capsys, command):
    with pytest.raises(SystemExit) as stop:
        command_line.main(command)
    assert stop.value.code == 2
    assert "usage: python -m benchmarks" in capsys.readouterr().err


def test_missing_data_is_reported_before_training(answer, results, monkeypatch):
    def missing(name):
        raise DataError(f"{name} was found nowhere; install it")

    from benchmarks import accuracy

    accuracy._images.cache_clear()
    monkeypatch.setattr(data, "load", missing)
    status, _, errors = answer("run", "--only", "accuracy", "--module", "se")
    assert status == 2
    assert errors.endswith("fashion-mnist was found nowhere; install it"), "nothing else was asked"
    both = ("--only", "cost", "accuracy", "--backbone", "resnet10_small")
    status, _, errors = answer("run", *both, "--module", "se")
    assert status == 2
    assert errors.endswith("found nowhere; install it. Without accuracy: --only cost")
    three = ("--only", "cost", "accuracy", "ladder", "--suite", "cpu", "--backbone")
    status, _, errors = answer("run", *three, "resnet10_small_os8")
    assert status == 2
    assert errors.endswith("found nowhere; install it. Without accuracy, ladder: --only cost")
    assert no_rows(results)


def test_a_link_to_nothing_is_named(results, answer):
    results.symlink_to("nowhere")
    for command in ("run", "status", "plan"):
        status, _, errors = answer(command, "--only", "cost")
        assert status == 2 and "a link to nowhere, which is not there" in errors


def test_the_home_of_nobody_is_named(capsys):
    assert command_line.main(["table", "--results", "~nobody-of-this-name/x"]) == 2
    assert "there is no such home folder" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--readme", "--out"])
def test_a_folder_that_is_not_there_leaves_the_pages_as_they_are(tmp_path, capsys, option):
    out = [str(tmp_path / "out")] if option == "--out" else []
    assert site.main(["--results", str(tmp_path / "mistyped"), option, *out]) == 2
    assert "error: there is no folder" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_what_runs_without_a_compiler_is_named(answer, results, monkeypatch):
    from benchmarks import accuracy

    def no_compiler(cells):
        raise ValueError("no compiler.")

    monkeypatch.setattr(accuracy.Accuracy, "check", lambda self, cells: no_compiler(cells))
    both = ("--only", "accuracy", "cost", "--backbone", "resnet10_small", "--module", "se")
    status, _, errors = answer("run", *both)
    assert (status, errors) == (2, "error: no compiler. Without accuracy: --only cost")
    assert no_rows(results)


def test_results_that_cannot_be_written_are_reported_before_work(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    bad = str(tmp_path / "file" / "results")
    assert command_line.main(["run", *ONE, "--results", bad]) == 2
    errors = capsys.readouterr().err
    assert "can't write to" in errors
    assert "--results" in errors


@pytest.mark.parametrize("command", [["run", *ONE], ["plan", *ONE], ["status"], ["table", "cost"]])
def test_a_damaged_table_is_named(answer, results, command):
    results.mkdir()
    (results / "cost.csv").write_text("<<<<<<< HEAD\nnothing\n")
    status, _, errors = answer(*command)
    assert status == 2
    assert str(results / "cost.csv") in errors.replace(" ", "")
    assert "line 1 is a mark of a merge conflict" in errors and "mend it" in errors
    assert (results / "cost.csv").read_text() == "<<<<<<< HEAD\nnothing\n"


def test_an_unknown_table_is_answered_with_the_known_ones(answer):
    status, _, errors = answer("table", "costs")
    assert status == 2
    assert "Did you mean cost" in errors


@pytest.mark.parametrize("arguments", [["--csv"], ["--columns", "top1"]])
def test_options_of_a_table_that_is_not_named_are_refused(answer, arguments):
    status, _, errors = answer("table", *arguments)
    assert status == 2
    assert "none was named" in errors and "accuracy" in errors


def test_a_selection_without_cells_says_so(answer):
    status, _, error = answer("run", "--only", "imagenet")
    assert status == 2
    assert "imagenet has no cells in suite quick" in error and "ATTN_BENCH_IMAGENET" in error


def test_images_in_folders_that_are_not_there_are_named_before_work(answer, results, monkeypatch):
    monkeypatch.setenv("ATTN_BENCH_IMAGENET", str(results / "nowhere"))
    status, _, error = answer("run", "--suite", "gpu", "--device", "cpu", "--only", "imagenet")
    assert status == 2 and no_rows(results)
    assert "nowhere/train does not hold a folder of images for each class" in error


def test_a_python_without_the_packages_is_told_what_to_do():
    done = subprocess.run(
        [sys.executable, "-S", "-m", "benchmarks", "plan"],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "lacks what the suite needs" in done.stderr and ".nox/torch" in done.stderr
