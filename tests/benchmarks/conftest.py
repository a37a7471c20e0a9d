import signal

import pytest

from benchmarks import __main__ as command_line
from benchmarks import cells, provenance
from benchmarks.snapshot import Snapshot
from benchmarks.store import Store


@pytest.fixture(scope="session")
def tried(tmp_path_factory):
    """The rows of `trial.everything`, to be read."""
    import trial

    return Snapshot(trial.everything(tmp_path_factory.mktemp("trial")).root)


@pytest.fixture
def one_thread():
    """Torch has as many threads after the test as before."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


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
def answer(results, capsys):
    """Run a command in this process; gives its exit status and what it printed."""

    def run(*arguments):
        before = signal.getsignal(signal.SIGTERM)
        try:
            status = command_line.main([*arguments, "--results", str(results)])
        except SystemExit as stop:
            status = stop.code
        finally:
            signal.signal(signal.SIGTERM, before)
        printed = capsys.readouterr()
        return status, printed.out, " ".join(printed.err.split())

    return run


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
