import pytest

from benchmarks import cells, provenance
from benchmarks.store import Store


@pytest.fixture
def trouble(monkeypatch):
    """The benchmark of `trouble.py` as the only one of the suite."""
    from trouble import Trouble

    benchmark = Trouble()
    monkeypatch.setattr(cells, "FILES", ())
    monkeypatch.setattr(cells, "_BENCHMARKS", {"trouble": benchmark})
    return benchmark


@pytest.fixture
def results(tmp_path):
    """A folder for tables that is not there yet."""
    return tmp_path / "results"


@pytest.fixture
def store(tmp_path, trouble):
    return Store(tmp_path / "results")


@pytest.fixture
def other_machine(monkeypatch):
    """Call it to go on on a machine with more memory."""

    def move():
        record = {**provenance.machine(), "memory_gib": 10_000}
        monkeypatch.setattr(provenance, "machine", lambda: record)

    return move
