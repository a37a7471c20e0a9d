import os
import shutil
import subprocess
from dataclasses import replace
from types import SimpleNamespace

import pytest

from benchmarks import __main__ as command_line
from benchmarks import cells, latency, provenance
from benchmarks.snapshot import Snapshot
from benchmarks.store import RESULTS, Store


@pytest.fixture(scope="session")
def tried(tmp_path_factory):
    """The rows of `trial.everything`, to be read."""
    import trial

    return Snapshot(trial.everything(tmp_path_factory.mktemp("trial")).root)


@pytest.fixture(scope="session")
def fragments(tried):
    """What the site makes of these rows."""
    from benchmarks.site import __main__ as site

    return site.fragments(tried)


@pytest.fixture(scope="session")
def published():
    """The rows of `results/`, to be read."""
    return Snapshot(RESULTS)


@pytest.fixture(scope="session")
def committed_tables():
    """Skip where they are not the published ones: a reader's own rows may say something else."""
    if not shutil.which("git"):
        pytest.skip("without git nobody knows whether results/ is as it was committed")
    status = ["git", "-C", str(cells.ROOT), "status", "--porcelain", "--", "results"]
    done = subprocess.run(status, capture_output=True, text=True)
    if done.returncode or done.stdout.strip():
        pytest.skip("results/ is not as it was committed")
    if any((cells.ROOT / "results" / ".journal").glob("*.jsonl")):  # git does not list it
        pytest.skip("results/ has rows of a run that has not ended")


@pytest.fixture(scope="session")
def lock_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("lock")


@pytest.fixture(autouse=True)
def own_timing_lock(monkeypatch, lock_folder):
    """The lock of the tests is not the machine's: no timing job there and no test here waits."""
    folder = SimpleNamespace(gettempdir=lambda: str(lock_folder))
    monkeypatch.setattr(latency, "tempfile", folder)


@pytest.fixture
def few_images(monkeypatch):
    """Every data set is one of 400 images of noise, 144 of them held out; three rates are tried."""
    import trial

    from benchmarks import data
    from benchmarks.notes import tuned

    few = trial.noise(400, 28)
    monkeypatch.setattr(data, "load", lambda name: few)
    monkeypatch.setattr(tuned, "HELD_OUT", 144)
    monkeypatch.setattr(tuned, "RATES", (0.01, 0.03, 0.1))


@pytest.fixture
def told(monkeypatch):
    """What `training.train` was told, which trains nothing here; images are few and of noise."""
    import trial

    from benchmarks import accuracy, training

    few = trial.noise(40, 28, flip=True)
    monkeypatch.setattr(accuracy, "_images", lambda name: replace(few, name=name))
    said = {}

    def train(model, images, recipe, **how):
        said.update(how, recipe=recipe, images=images.name)
        return training.Outcome(50.0, 1.0, 1.0, 100.0, recipe.epochs, (1.0,), bytes(5))

    monkeypatch.setattr(training, "train", train)
    return said


@pytest.fixture
def one_thread():
    """Torch has as many threads after the test as before."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def git_alone(monkeypatch):
    """Git as it is without the caller's settings: none of a user, of a machine, of a hook."""
    if not shutil.which("git"):
        pytest.skip("needs git")
    for variable in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


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
        try:
            status = command_line.main([*arguments, "--results", str(results)])
        except SystemExit as stop:
            status = stop.code
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


@pytest.fixture
def code(tmp_path, trouble, monkeypatch):
    """The file whose code decides the values; the function that it gives changes it."""
    file = tmp_path / "code.py"
    from trouble import Trouble

    from benchmarks import runner

    monkeypatch.setattr(runner, "ROOT", tmp_path)
    monkeypatch.setattr(Trouble, "code", ("code.py",))

    def change(text):
        file.write_text(text)
        provenance.forget()

    change("lr = 0.1")
    runner._module_files.cache_clear()
    yield change
    runner._module_files.cache_clear()  # of this folder, which is no checkout


@pytest.fixture
def suite(trouble, store, code):
    """Run the recipes that it is given; it returns what was measured."""
    from trouble import Quiet

    from benchmarks import runner

    def run(*recipes, jobs=1, **how):
        if recipes:
            trouble.wanted = recipes
        show = Quiet()
        work = runner.plan(cells.Selection(), store, **how)
        runner.run(work, store, jobs=jobs, show=show)
        assert set(show.begun) == {finished.cell for finished in show.finished}
        return [finished.cell.seed for finished in show.finished]

    return run
