"""An environment is installed once, brought up to date in place, and made anew when half done."""

import importlib.util
import sys
import threading
from pathlib import Path

import pytest

nox = pytest.importorskip("nox", reason="nox is in the group `tests`; this environment lacks it")

ROOT = Path(__file__).resolve().parent.parent
INSTALLED = "site-marker"


class FakeSession:
    """Runs virtualenv for real and only notes what pip was asked for."""

    def __init__(self, pip_fails_with: BaseException | None = None):
        self.pip_fails_with = pip_fails_with
        self.asked: list[tuple[str, ...]] = []

    def run(self, *command: str, **_) -> None:
        if "virtualenv" in command:
            nox.command.run([*command, "--without-pip"], silent=True, log=False)
            return
        self.asked.append(command[command.index("install") + 1 :])
        (Path(command[0]).parent.parent / INSTALLED).touch()
        if self.pip_fails_with:
            raise self.pip_fails_with

    def log(self, message: str) -> None:
        pass

    def error(self, message: str) -> None:
        raise RuntimeError(message)


@pytest.fixture
def noxfile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    spec = importlib.util.spec_from_file_location("project_noxfile", ROOT / "noxfile.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    # Loading registers the sessions with nox; the registry is put back afterwards.
    monkeypatch.setattr(nox.registry, "_REGISTRY", dict(nox.registry._REGISTRY))
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "ROOT", tmp_path)
    return module


@pytest.fixture
def env(tmp_path: Path) -> Path:
    return tmp_path / ".nox" / "torch"


def test_the_second_time_pip_is_not_asked(noxfile, env):
    session = FakeSession()
    for _ in range(2):
        noxfile.install(session, env, ["a>=1", "b"])
    assert session.asked == [("a>=1", "b")]
    assert noxfile.env_python(env).exists()


def test_other_requirements_are_installed_in_place(noxfile, env):
    session = FakeSession()
    noxfile.install(session, env, ["a"])
    noxfile.install(session, env, ["a", "b"])
    assert session.asked == [("a",), ("a", "b")]
    assert (env / INSTALLED).exists()


@pytest.mark.parametrize("reason", [KeyboardInterrupt(), nox.command.CommandFailed("no network")])
def test_an_install_that_stopped_is_not_taken_for_done(noxfile, env, reason):
    with pytest.raises((KeyboardInterrupt, RuntimeError)) as raised:
        noxfile.install(FakeSession(pip_fails_with=reason), env, ["a"])
    if raised.type is RuntimeError:
        assert "run the same command again" in str(raised.value)
    (env / "left-over").touch()
    session = FakeSession()
    noxfile.install(session, env, ["a"])
    assert session.asked == [("a",)]
    assert not (env / "left-over").exists()


def test_an_empty_note_of_what_was_installed_is_no_note(noxfile, env):
    """A full disk leaves one."""
    noxfile.install(FakeSession(), env, ["a"])
    (env / "installed.txt").write_text("")
    session = FakeSession()
    noxfile.install(session, env, ["a"])
    assert session.asked == [("a",)]


def test_an_environment_of_a_python_that_is_gone_is_made_anew(noxfile, env):
    session = FakeSession()
    noxfile.install(session, env, ["a"])
    noxfile.env_python(env).unlink()
    noxfile.install(session, env, ["a"])
    assert len(session.asked) == 2
    assert noxfile.answer(noxfile.env_python(env), "print(6 * 7)") == "42"


def test_a_session_waits_for_another_that_installs(noxfile, env):
    """Else the second takes the half of the first for left over, and removes it under its pip."""
    began, may_end = threading.Event(), threading.Event()

    class Slow(FakeSession):
        def run(self, *command, **how):
            super().run(*command, **how)
            if "install" in command:
                began.set()
                may_end.wait(30)

    first, second = Slow(), FakeSession()
    threads = [
        threading.Thread(target=noxfile.install, args=(session, env, ["a"]))
        for session in (first, second)
    ]
    threads[0].start()
    assert began.wait(30)
    threads[1].start()
    threads[1].join(0.5)
    assert threads[1].is_alive()
    may_end.set()
    for thread in threads:
        thread.join(30)
    assert (first.asked, second.asked) == ([("a",)], [])


def test_what_is_installed_is_used_where_nothing_can_be_written(noxfile, env):
    """An environment of another account: its lock can't be opened, and need not be."""
    noxfile.install(FakeSession(), env, ["a"])
    env.with_name(f"{env.name}.lock").unlink(missing_ok=True)
    env.with_name(f"{env.name}.lock").mkdir()  # no file can be opened there
    session = FakeSession()
    noxfile.install(session, env, ["a"])
    assert session.asked == []


def test_a_folder_that_can_not_be_written_is_named(noxfile, env):
    env.parent.parent.joinpath(".nox").write_text("a file where the folder should be")
    with pytest.raises(RuntimeError, match="can't be written .* a folder of your own"):
        noxfile.install(FakeSession(), env, ["a"])


def test_an_older_python_is_told_what_to_do(monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 10, 12))
    spec = importlib.util.spec_from_file_location("old_noxfile", ROOT / "noxfile.py")
    assert spec and spec.loader
    with pytest.raises(SystemExit, match="needs Python 3.11 or newer.*-m nox -s bench"):
        spec.loader.exec_module(importlib.util.module_from_spec(spec))


def test_the_site_needs_no_torch(noxfile, monkeypatch):
    monkeypatch.setattr(noxfile, "ROOT", ROOT)
    torch, docs = noxfile.requirements("torch"), noxfile.requirements("docs")
    assert any(item.startswith("torch>=") for item in torch)
    assert not any(item.startswith(("torch", "timm", "fvcore")) for item in docs)


def test_an_interpreter_of_ones_own_is_used_as_it_is(noxfile, monkeypatch):
    monkeypatch.setenv("ATTN_BENCH_PYTHON", sys.executable)
    session = FakeSession()
    assert noxfile.python_of(session, "torch") == sys.executable
    assert session.asked == []
    monkeypatch.setenv("ATTN_BENCH_PYTHON", "my-python")
    with pytest.raises(RuntimeError, match="ATTN_BENCH_PYTHON names my-python, which is no Python"):
        noxfile.python_of(session, "torch")
    monkeypatch.setattr(noxfile, "answer", lambda *_: "3.10.4")
    with pytest.raises(RuntimeError, match=r"is Python 3\.10\.4; 3\.11 or newer is needed"):
        noxfile.python_of(session, "torch")


class Commands:
    """A session that notes what is run, with which settings, after what is installed."""

    def __init__(self, *posargs: str):
        self.posargs, self.ran = posargs, []

    def run(self, *command, **how):
        self.ran.append((command, how))


@pytest.mark.parametrize(
    ("name", "environment", "commands"),
    [
        ("bench", "torch", [("-m", "benchmarks", "run", "--only", "cost")]),
        ("tests", "torch", [("-m", "pytest", "PARALLEL", "--only", "cost")]),
        (
            "lint",
            "torch",
            [
                ("-m", "ruff", "check"),
                ("-m", "ruff", "format", "--check"),
                ("-m", "pyright", "--pythonpath", "torch python"),
            ],
        ),
        (
            "docs",
            "docs",
            [("-m", "benchmarks.site"), ("-m", "mkdocs", "build", "--strict", "--only", "cost")],
        ),
        (
            "serve",
            "docs",
            [("-m", "benchmarks.site"), ("-m", "mkdocs", "serve", "--only", "cost")],
        ),
    ],
)
def test_a_session_runs_its_commands_with_what_follows_the_dashes(
    noxfile, monkeypatch, name, environment, commands
):
    monkeypatch.setattr(noxfile, "python_of", lambda session, env: f"{env} python")
    monkeypatch.setattr(noxfile, "answer", lambda python, code: "yes")
    monkeypatch.setattr(noxfile, "PARALLEL", ("PARALLEL",))
    session = Commands("--only", "cost")
    getattr(noxfile, name)(session)
    assert [command for command, _ in session.ran] == [
        (f"{environment} python", *rest) for rest in commands
    ]


def test_tests_run_one_after_the_other_where_nothing_starts_more(noxfile, monkeypatch):
    monkeypatch.setattr(noxfile, "python_of", lambda session, env: "python")
    monkeypatch.setattr(noxfile, "answer", lambda python, code: "")
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    session = Commands("-k", "one")
    noxfile.tests(session)
    ((command, how),) = session.ran
    assert command == ("python", "-m", "pytest", "-k", "one")
    assert how == {"env": {"OMP_NUM_THREADS": "3"}}


def test_a_measurement_may_finish_its_row_after_an_interrupt(noxfile, monkeypatch):
    monkeypatch.setattr(noxfile, "python_of", lambda session, env: "python")
    session = Commands()
    noxfile.bench(session)
    ((_, how),) = session.ran
    assert how["interrupt_timeout"] >= 30
