"""Whether rows are of older code is read from git, and agrees with what fingerprints say."""

import subprocess
import sys
from types import SimpleNamespace

import pytest

import attn
from benchmarks import provenance, runner
from benchmarks.ablation import SHUFFLED
from benchmarks.cells import ROOT, Cell
from benchmarks.site import history

CODE = '''"""A file."""


def measured(x):
    """Doubles."""
    return 2 * x


def drawn(x):
    return x
'''
BENCHMARK = SimpleNamespace(code=("benchmarks/code.py::measured", "benchmarks/whole.py"))


@pytest.fixture
def checkout(git_alone, tmp_path, monkeypatch):
    """A repository of a benchmark's files and a module; `put` changes a file, `commit` commits."""

    def git(*arguments):
        command = ["git", "-C", str(tmp_path), "-c", "user.name=n", "-c", "user.email=e"]
        made = subprocess.run([*command, *arguments], check=True, capture_output=True, text=True)
        return made.stdout.strip()

    def put(file, text):
        path = tmp_path / file
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        forget()

    def commit():
        git("add", "-A")
        git("commit", "-q", "--allow-empty", "-m", "a thought")
        return git("rev-parse", "HEAD")

    def forget():
        history._changed.cache_clear()
        history._differs.cache_clear()
        history.module_files.cache_clear()
        history._builtin.cache_clear()
        history.provenance.forget()

    monkeypatch.setattr(history, "ROOT", tmp_path)
    git("init", "-q")
    put("benchmarks/code.py", CODE)
    put("benchmarks/whole.py", "ONE = 1\n")
    put("attn/registry.py", '_BUILTIN = {"mine": _Builtin("gate", "Gate")}\n')
    put("attn/gate.py", "class Gate:\n    pass\n")
    yield SimpleNamespace(put=put, commit=commit, path=tmp_path)
    forget()


def test_a_row_is_older_once_its_code_does_something_else(checkout):
    first = checkout.commit()
    assert history.older(BENCHMARK, "none", first) is False
    checkout.put("benchmarks/code.py", CODE.replace("2 * x", "3 * x"))
    assert history.older(BENCHMARK, "none", first) is True, "not committed, and yet changed"
    second = checkout.commit()
    assert history.older(BENCHMARK, "none", first) is True
    assert history.older(BENCHMARK, "none", second) is False
    checkout.put("benchmarks/code.py", CODE)
    assert history.older(BENCHMARK, "none", first) is False, "it does again what it did"


@pytest.mark.parametrize(
    "file, text, older",
    [
        ("benchmarks/code.py", CODE.replace("Doubles.", "Twice."), False),
        ("benchmarks/code.py", CODE.replace("return x\n", "return -x\n"), False),
        ("benchmarks/code.py", "# moved\n" + CODE, False),
        ("benchmarks/other.py", "TWO = 2\n", False),
        ("benchmarks/whole.py", "ONE = 2\n", True),
    ],
)
def test_only_what_a_benchmark_names_counts(checkout, file, text, older):
    first = checkout.commit()
    checkout.put(file, text)
    checkout.commit()
    assert history.older(BENCHMARK, "none", first) is older


def test_the_code_of_the_module_counts_for_its_rows_alone(checkout):
    first = checkout.commit()
    assert history.older(BENCHMARK, "mine", first) is False
    checkout.put("attn/gate.py", "class Gate:\n    wider = True\n")
    assert history.older(BENCHMARK, "mine", first) is True
    assert history.older(BENCHMARK, "none", first) is False


def test_code_that_was_not_there_is_another(checkout):
    first = checkout.commit()
    checkout.put("benchmarks/code.py", CODE + "\n\ndef newer(x):\n    return x\n")
    checkout.put("benchmarks/later.py", "THREE = 3\n")
    assert history.older(SimpleNamespace(code=("benchmarks/later.py",)), "none", first) is True
    history._changed.cache_clear()
    checkout.commit()
    for source in ("benchmarks/code.py::newer", "benchmarks/later.py"):
        assert history.older(SimpleNamespace(code=(source,)), "none", first) is True


def test_what_is_not_in_the_history_is_unknown(checkout):
    first = checkout.commit()
    assert history.older(BENCHMARK, "none", "unknown") is None
    assert history.older(BENCHMARK, "none", "0" * 40) is None
    assert history.older(BENCHMARK, "my_gate:MyGate", first) is None
    assert history.older(BENCHMARK, "timm.layers:SEModule", first) is False
    checkout.put("benchmarks/whole.py", "ONE = 2\n")
    assert history.older(BENCHMARK, "my_gate:MyGate", first) is True


def test_a_checkout_names_its_commit_and_what_is_in_none(checkout, tmp_path_factory, monkeypatch):
    commit = checkout.commit()
    assert history.head() == commit[: history.SHORT]
    assert len(history.year()) == 4
    checkout.put("new.txt", "new")
    assert history.head() == f"{commit[: history.SHORT]} with changes that are in no commit"
    monkeypatch.setattr(history, "ROOT", tmp_path_factory.mktemp("no repository"))
    assert history.head() == "unknown" and history.year() == ""
    assert history.older(BENCHMARK, "none", commit) is None


OURS = ("benchmarks.constant:ConstantGate", "benchmarks.rescaled:Rescaled", SHUFFLED)


@pytest.mark.parametrize("module", ["none", *OURS, *attn.list_modules()])
def test_the_files_of_a_module_are_those_of_its_fingerprint(module):
    files = runner.sources(SimpleNamespace(code=()), Cell("cost", "resnet18", module))
    assert sorted(f"{ROOT / name}" for name in history.module_files(module) or ()) == sorted(files)
    assert bool(files) is (module != "none")


@pytest.mark.skipif(not provenance.is_checkout(ROOT), reason="needs the history of this code")
def test_no_torch_is_needed():
    code = (
        "import sys; sys.modules['torch'] = sys.modules['timm'] = None\n"
        "from benchmarks.cells import benchmarks\n"
        "from benchmarks.site import history\n"
        "for benchmark in benchmarks().values():\n"
        "    assert history.older(benchmark, 'danet', history.head()[:10]) is not None\n"
        "assert 'attn/danet.py' in history.module_files('danet')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
