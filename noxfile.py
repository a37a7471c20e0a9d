# /// script
# requires-python = ">=3.11"
# dependencies = ["nox>=2025.2.9", "virtualenv>=20.26"]
# ///
"""The project's commands: `nox -s bench`, `tests`, `lint`, `docs`, `serve`.

`uvx nox`, `pipx run nox` and `python noxfile.py` do the same; the last needs nothing installed.
The sessions that need torch (bench, tests, lint) share the environment `.nox/torch`, the others
share `.nox/docs`. An environment is installed once, and again when its requirements change.

`ATTN_BENCH_PYTHON=/path/to/python` uses that interpreter, with what is installed in it, instead
of `.nox/torch`: for a machine that has its own build of torch.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

if sys.version_info < (3, 11):  # noqa: UP036
    sys.exit(
        "attn-bench needs Python 3.11 or newer; this is Python "
        f"{sys.version.split()[0]} ({sys.executable}). Install nox with a newer one, such as "
        "`python3.12 -m pip install nox`, and start it with that: `python3.12 -m nox -s bench`"
    )

ROOT = Path(__file__).resolve().parent
WINDOWS = os.name == "nt"
VERSION = "import platform; print(platform.python_version())"


def env_python(env: Path) -> Path:
    """The interpreter of a virtual environment."""
    return env / ("Scripts/python.exe" if WINDOWS else "bin/python")


def answer(python: Path, code: str) -> str:
    """What `python -c code` prints; nothing where that fails."""
    try:
        done = subprocess.run([python, "-c", code], capture_output=True, text=True)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def start_without_nox() -> NoReturn:
    """Start this file again with a nox of its own in `.nox/launcher`."""
    launcher = ROOT / ".nox" / "launcher"
    python = env_python(launcher)
    try:
        if not answer(python, "import nox; print('yes')"):
            subprocess.run([sys.executable, "-m", "venv", "--clear", launcher], check=True)
            subprocess.run([python, "-m", "pip", "install", "--quiet", "nox"], check=True)
    except subprocess.CalledProcessError as error:
        sys.exit(
            f"Could not make an environment with nox ({error}). If the reason above is a missing "
            "venv or ensurepip, install it (Debian and Ubuntu: apt install python3-venv) and run "
            "the same command again. Otherwise get nox from elsewhere: `uvx nox`, `pipx run nox`, "
            "or `python -m pip install nox` in an environment of yours"
        )
    sys.exit(subprocess.call([python, __file__, *sys.argv[1:]]))


try:
    import nox
except ModuleNotFoundError:
    if __name__ != "__main__":
        raise
    start_without_nox()

nox.needs_version = ">=2025.2.9"
nox.options.sessions = ["bench"]

GROUPS = {"torch": ("bench", "tests", "lint"), "docs": ("docs",)}
# A file of tests shares what it sets up, so each stays in one process; each takes a GB or two.
PARALLEL = ("--numprocesses=logical", "--maxprocesses=4", "--dist=loadfile")
# Material's notice about MkDocs 2, which pyproject.toml excludes.
NO_NOTICE = {"NO_MKDOCS_2_WARNING": "1"}


def requirements(name: str) -> list[str]:
    """What pip installs into the environment `name`, read from pyproject.toml."""
    project = nox.project.load_toml(ROOT / "pyproject.toml")
    library = project["project"]["dependencies"] if name == "torch" else []
    return sorted({*library, *nox.project.dependency_groups(project, *GROUPS[name])})


def install(session: nox.Session, env: Path, wanted: list[str]) -> None:
    """Bring `env` up to date; one that an earlier install left half done is made anew.

    A file in `env` says which Python it was made for and what was installed when all was. Another
    session that installs into it is waited for.
    """
    from filelock import FileLock  # nox has it by way of virtualenv

    if is_installed(env, wanted):  # asked first: it may be of another account, and not writable
        return
    lock = FileLock(env.with_name(f"{env.name}.lock"))
    try:
        env.parent.mkdir(parents=True, exist_ok=True)
        held = lock.acquire()
    except OSError as error:
        session.error(f"{env.parent} can't be written ({error}); clone to a folder of your own")
    with held:
        if not is_installed(env, wanted):
            _install(session, env, wanted)


def is_installed(env: Path, wanted: list[str]) -> bool:
    """Whether all of `wanted` was installed for the Python that `env` has now."""
    version, made_for, installed = noted(env)
    return bool(version) and made_for == version and installed == wanted


def noted(env: Path) -> tuple[str, str, list[str]]:
    """The version of the Python in `env`, and what its note says: for which, and what it has."""
    marker = env / "installed.txt"
    text = marker.read_text() if marker.exists() else ""
    made_for, *installed = text.splitlines() or [""]
    return answer(env_python(env), VERSION), made_for, installed


def _install(session: nox.Session, env: Path, wanted: list[str]) -> None:
    """Install, with the lock held."""
    python, marker = env_python(env), env / "installed.txt"
    version, made_for, _ = noted(env)
    try:
        if not version or made_for != version:
            shutil.rmtree(env, ignore_errors=True)
            session.run(sys.executable, "-m", "virtualenv", "--quiet", str(env), log=False)
        marker.unlink(missing_ok=True)
        session.log(f"installing into {env.relative_to(ROOT)}, once: {' '.join(wanted)}")
        session.run(str(python), "-m", "pip", "install", *wanted, log=False)
    except nox.command.CommandFailed:
        session.error(
            f"{env} could not be installed; the reason is above. Usual causes: no network, less "
            f"than 10 GB free, a proxy that pip does not know, no build of torch for Python "
            f"{sys.version.split()[0]} on this system. Mend that and run the same command again. "
            f"For bench, tests and lint, ATTN_BENCH_PYTHON may instead name an interpreter that "
            f"has the packages."
        )
    version = answer(python, VERSION)
    marker.write_text("\n".join([version, *wanted]))


def python_of(session: nox.Session, name: str) -> str:
    """The interpreter of the environment `name`, which is installed first if need be."""
    own = os.environ.get("ATTN_BENCH_PYTHON")
    if name == "torch" and own:
        version = answer(Path(own), VERSION)
        if not version:
            session.error(f"ATTN_BENCH_PYTHON names {own}, which is no Python; mend it or unset it")
        if tuple(map(int, version.split(".")[:2])) < (3, 11):
            session.error(
                f"ATTN_BENCH_PYTHON names {own}, which is Python {version}; 3.11 or newer is "
                "needed: name another or unset it"
            )
        return own
    env = ROOT / ".nox" / name
    install(session, env, requirements(name))
    return str(env_python(env))


@nox.session(python=False)
def bench(session: nox.Session) -> None:
    """Measure the suite `quick`; what follows `--` goes to `python -m benchmarks run`."""
    python = python_of(session, "torch")
    # Left to itself, nox kills a command soon after Ctrl-C: let it finish its row.
    patience = {"interrupt_timeout": 60.0, "terminate_timeout": 10.0}
    session.run(python, "-m", "benchmarks", "run", *session.posargs, **patience)


@nox.session(python=False)
def tests(session: nox.Session) -> None:
    """Run the tests, in a process a core, at most four; what follows `--` goes to pytest."""
    python = python_of(session, "torch")
    # An interpreter of the reader's own may lack what starts them.
    parallel = PARALLEL if answer(Path(python), "import psutil, xdist; print('yes')") else ()
    one_thread = {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")}
    session.run(python, "-m", "pytest", *parallel, *session.posargs, env=one_thread)


@nox.session(python=False)
def lint(session: nox.Session) -> None:
    """Check the form of the code, then its types."""
    python = python_of(session, "torch")
    session.run(python, "-m", "ruff", "check")
    session.run(python, "-m", "ruff", "format", "--check")
    session.run(python, "-m", "pyright", "--pythonpath", python)


@nox.session(python=False)
def docs(session: nox.Session) -> None:
    """Generate the tables and figures from results/, then build the site into site/."""
    python = python_of(session, "docs")
    session.run(python, "-m", "benchmarks.site")
    session.run(python, "-m", "mkdocs", "build", "--strict", *session.posargs, env=NO_NOTICE)


@nox.session(python=False)
def serve(session: nox.Session) -> None:
    """Show the site at a local address, built again whenever a page changes."""
    python = python_of(session, "docs")
    session.run(python, "-m", "benchmarks.site")
    session.run(python, "-m", "mkdocs", "serve", *session.posargs, env=NO_NOTICE)


if __name__ == "__main__":
    nox.main()
