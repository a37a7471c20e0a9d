"""What the suite measures with is asked for before it measures."""

import pytest
from packaging.requirements import Requirement

from benchmarks import __main__ as command_line
from benchmarks import packages

HERE = {"torch": "2.9.1+cu126", "timm": "1.0.30", "numpy": "2.0.0a0+5e1"}


@pytest.fixture
def installed(monkeypatch):
    """Only these packages are there."""

    def version(name):
        if name not in HERE:
            raise packages.metadata.PackageNotFoundError(name)
        return HERE[name]

    monkeypatch.setattr(packages.metadata, "version", version)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("torch>=2.9", ""),
        ("numpy>=2.0", ""),
        ("timm>=1.0.31", "timm 1.0.30 is here, >=1.0.31 is needed"),
        ("fvcore>=0.1.5.post20221221", "fvcore is not installed"),
        ("fvcore; sys_platform == 'elsewhere'", ""),
    ],
)
def test_a_package_is_there_and_new_enough_or_the_words_say_so(installed, line, words):
    assert packages.lacks(Requirement(line)) == words


def test_here_everything_is_there():
    packages.require()
    names = {requirement.name for requirement in packages.requirements()}
    assert {"torch", "timm", "fvcore", "pandas", "torchmetrics"} <= names
    assert "nvidia-ml-py" not in names and "pytest" not in names


@pytest.mark.parametrize("command", ["run", "verify"])
def test_nothing_is_measured_without_what_it_takes(installed, tmp_path, capsys, command):
    results = tmp_path / "results"
    assert command_line.main([command, "--only", "cost", "--results", str(results)]) == 2
    errors = " ".join(capsys.readouterr().err.split())
    assert "fvcore is not installed" in errors and "--group bench" in errors
    assert not results.exists()
