"""A row says where it comes from: the code, the commit, the machine; never whose machine."""

import ast
import getpass
import hashlib
import json
import os
import re
import socket
import subprocess
from pathlib import Path

import pytest

from benchmarks import provenance

BEFORE = '''
"""A module."""
import math

RATE = 0.1


class Net:
    """A net."""

    width: int = 3
    """Channels."""

    def run(self, steps: int) -> float:
        """Run it."""
        total = 0.0
        for step in range(steps):
            total += math.sin(step) * RATE
            total = min(total, 10.0)
        return total


def other():
    return None
'''


def changed(*replacements):
    text = BEFORE
    for old, new in replacements:
        assert text.count(old) == 1
        text = text.replace(old, new)
    return text


def print_of(folder, text, name=""):
    folder.mkdir()
    file = folder / "net.py"
    file.write_text(text)
    return provenance.fingerprint([f"{file}::{name}" if name else file])


HARMLESS = {
    "a comment": [("RATE = 0.1", "RATE = 0.1  # per step")],
    "a comment line": [("        return total", "        # done\n        return total")],
    "docstrings": [
        ('"""A module."""', '"""Another\n\nmodule."""'),
        ('"""A net."""', ""),
        ('"""Run it."""', '"""Run."""'),
        ('    """Channels."""\n', ""),
    ],
    "blank lines": [("import math\n", "\n\nimport math\n\n\n")],
    "a wrapped line": [("math.sin(step) * RATE", "(\n                math.sin(step)\n * RATE)")],
    "other quotes and spaces": [("total = min(total, 10.0)", "total=min( total,10.0, )")],
}
HARMFUL = {
    "a line moved out of a loop": [
        ("            total = min(total, 10.0)", "        total = min(total, 10.0)")
    ],
    "a constant": [("10.0", "10.5")],
    "an integer for a float": [("10.0", "10")],
    "a default": [("RATE = 0.1", "RATE = 0.2")],
    "an operator": [("math.sin(step) * RATE", "math.sin(step) + RATE")],
    "a name": [("math.sin", "math.cos")],
    "two statements swapped": [
        ("            total += math.sin(step) * RATE\n", ""),
        ("10.0)\n", "10.0)\n            total += math.sin(step) * RATE\n"),
    ],
    "a value for None": [("return None", "return 0")],
    "text that is a value": [('"""Channels."""', 'label = "Channels."')],
}


@pytest.mark.parametrize("change", HARMLESS)
def test_a_fingerprint_ignores_what_does_not_run(tmp_path, change):
    after = changed(*HARMLESS[change])
    assert print_of(tmp_path / "a", BEFORE) == print_of(tmp_path / "b", after)
    assert print_of(tmp_path / "c", BEFORE, "Net") == print_of(tmp_path / "d", after, "Net")


@pytest.mark.parametrize("change", HARMFUL)
def test_a_fingerprint_sees_what_runs(tmp_path, change):
    assert print_of(tmp_path / "a", BEFORE) != print_of(tmp_path / "b", changed(*HARMFUL[change]))


def test_a_part_of_a_file_has_a_fingerprint_of_its_own(tmp_path):
    after = changed(("return None", "return 0"))
    assert print_of(tmp_path / "a", BEFORE, "Net") == print_of(tmp_path / "b", after, "Net")
    assert print_of(tmp_path / "c", BEFORE, "other") != print_of(tmp_path / "d", after, "other")
    with pytest.raises(ValueError, match="no 'gone'"):
        print_of(tmp_path / "e", BEFORE, "gone")


def test_a_fingerprint_depends_neither_on_the_folder_nor_on_the_order(tmp_path):
    places = [("one/b", "one/a"), ("x/a", "z/b")]
    prints = set()
    for number, (first, second) in enumerate(places):
        files = [tmp_path / str(number) / f"{name}.py" for name in (first, second)]
        for file in files:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"x = {ord(file.stem)}")
        prints |= {provenance.fingerprint(files), provenance.fingerprint(files[::-1])}
    assert len(prints) == 1
    files[0].rename(files[0].with_name("c.py"))
    assert provenance.fingerprint([files[0].with_name("c.py"), files[1]]) not in prints


def test_a_fingerprint_is_the_same_in_a_python_that_knows_lazy_imports():
    class Import(ast.Import):
        _fields = (*ast.Import._fields, "is_lazy")

    (plain,) = ast.parse("import os").body
    eager, lazy = (Import(names=plain.names, is_lazy=value) for value in (0, 1))
    assert provenance._plain(eager) == provenance._plain(plain) != provenance._plain(lazy)


def test_a_configuration_is_part_of_a_fingerprint(tmp_path):
    file = tmp_path / "net.py"
    file.write_text(BEFORE)
    prints = {provenance.fingerprint([file], value) for value in (None, {"lr": 0.1}, {"lr": 0.2})}
    assert len(prints) == 3
    assert provenance.fingerprint([file], {"a": 1, "b": 2}) == provenance.fingerprint(
        [file], {"b": 2, "a": 1}
    )


def test_a_digest_is_the_hash_of_sorted_json():
    expected = hashlib.sha256(b'{"a": 1, "b": [2]}').hexdigest()[:12]
    assert provenance.digest({"b": [2], "a": 1}) == expected


def test_records_name_neither_host_nor_user():
    words = json.dumps([provenance.machine(), provenance.environment()])
    home = Path.home()
    for secret in (socket.gethostname(), getpass.getuser(), home.name, str(home), os.getcwd()):
        if len(secret) > 2:
            assert not re.search(rf"\b{re.escape(secret)}\b", words)


def test_a_machine_says_what_decides_a_time():
    record = provenance.machine()
    assert record["cores"] == os.cpu_count()
    assert record["processor"]
    assert record["memory_gib"] > 0


CARDS = "A, 24576 MiB, 570.1\nB, 81920 MiB, 570.1"


@pytest.mark.parametrize(
    ("visible", "slices", "gpus"),
    [
        (None, "", CARDS.split("\n")),
        ("", "", CARDS.split("\n")),
        ("1,0", "", ["card 1"]),
        (
            "MIG-1",
            "  MIG 1g.10gb     Device  0: (UUID: MIG-1)",
            [*CARDS.split("\n"), "MIG 1g.10gb"],
        ),
    ],
)
def test_the_gpu_that_is_used_is_named(monkeypatch, visible, slices, gpus):
    def printed(command, *options):
        assert command == "nvidia-smi"
        if "-L" in options:
            return f"GPU 0: A (UUID: GPU-1)\n{slices}"
        which = options[0].removeprefix("--id=") if options[0].startswith("--id=") else None
        return CARDS if which is None else "" if which.startswith("MIG") else f"card {which}"

    monkeypatch.setattr(provenance, "_printed", printed)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert provenance._gpus() == gpus


def test_a_command_that_hangs_is_named(monkeypatch):
    monkeypatch.setattr(provenance, "HANGS_S", 0.2)
    with pytest.raises(OSError, match=r"^sleep 30 gave no answer in 0 s"):
        provenance._printed("sleep", "30")


def test_why_there_is_no_commit_is_said(tmp_path, monkeypatch, git_alone):
    monkeypatch.setattr(provenance, "ROOT", tmp_path)
    assert provenance.why_unknown() == f"{tmp_path} is no clone"
    (tmp_path / ".git").mkdir()
    assert "not a git repository" in provenance.why_unknown()


def test_with_a_gpu_the_environment_says_what_it_computes_with(monkeypatch):
    import torch

    monkeypatch.setattr(provenance, "machine", lambda: {"gpus": ["A"]})
    found = provenance.environment.__wrapped__()
    assert found["cuda"] == torch.version.cuda
    more = set(found) - {"python", "cuda", *provenance.LIBRARIES}
    assert all(re.match("nvidia-cuda-runtime|nvidia-cudnn|triton", name) for name in more)
    assert bool(more) == bool(torch.version.cuda)


def test_an_environment_says_which_libraries_were_used(monkeypatch):
    import torch

    monkeypatch.setattr(provenance, "machine", lambda: {"gpus": []})
    found = provenance.environment.__wrapped__()
    assert torch.__version__.startswith(found["torch"].partition("+")[0])
    assert set(found) == {"python", *provenance.LIBRARIES}


def test_the_time_is_utc_to_the_second():
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", provenance.now())


@pytest.fixture
def checkout(git_alone, tmp_path, monkeypatch):
    """A git repository in place of the checkout; the function that it gives runs git there."""
    root = tmp_path / "checkout"
    (root / "results").mkdir(parents=True)
    monkeypatch.setattr(provenance, "ROOT", root)
    monkeypatch.setattr(provenance, "commit", provenance.commit.__wrapped__)
    monkeypatch.setattr(provenance, "dirty", provenance.dirty.__wrapped__)

    def git(*arguments):
        who = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.org"]
        done = subprocess.run(
            ["git", *who, *arguments], cwd=root, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    return git


def test_outside_git_the_commit_is_unknown(checkout):
    assert provenance.commit() == "unknown"
    assert provenance.dirty()


def test_an_archive_in_another_repository_has_no_commit(checkout, monkeypatch):
    outer = provenance.ROOT
    checkout("init", "-q")
    checkout("commit", "-q", "--allow-empty", "-m", "Begin")
    assert provenance.commit() != "unknown"
    archive = outer / "archive"
    archive.mkdir()
    monkeypatch.setattr(provenance, "ROOT", archive)
    assert provenance.commit() == "unknown"
    assert provenance.dirty()


APPLE = {"sysctl": "Apple M3 Pro"}
ARM = """processor\t: 0
BogoMIPS\t: 243.75
CPU implementer\t: 0x41
CPU variant\t: 0x3
CPU part\t: 0xd0c
processor\t: 1
CPU implementer\t: 0x41
CPU variant\t: 0x3
CPU part\t: 0xd0c
"""


@pytest.mark.parametrize(
    ("system", "cpuinfo", "name"),
    [
        ("Darwin", None, "arm Apple M3 Pro"),
        ("Linux", ARM, "arm implementer 0x41, variant 0x3, part 0xd0c"),
        ("Linux", "model name\t: AMD EPYC\nCPU part\t: 1\n", "AMD EPYC"),
        ("Windows", None, "arm"),
    ],
)
def test_processors_of_one_architecture_are_told_apart(monkeypatch, system, cpuinfo, name):
    def read(path):
        if cpuinfo is None:
            raise FileNotFoundError(path)
        return cpuinfo

    monkeypatch.setattr(provenance.Path, "read_text", read)
    monkeypatch.setattr(provenance.platform, "system", lambda: system)
    monkeypatch.setattr(provenance.platform, "processor", lambda: "arm")
    monkeypatch.setattr(provenance, "_printed", lambda command, *_: APPLE.get(command, ""))
    assert provenance._cpu_name() == name


def test_a_change_of_the_code_makes_dirty_and_new_results_do_not(checkout):
    code, table = provenance.ROOT / "code.py", provenance.ROOT / "results" / "cost.csv"
    code.write_text("x = 1\n")
    table.write_text("key\n")
    checkout("init", "-q")
    checkout("add", ".")
    assert provenance.dirty()
    checkout("commit", "-q", "-m", "Begin")
    assert provenance.commit() == checkout("rev-parse", "HEAD")
    assert not provenance.dirty()
    table.write_text("key\n1\n")
    (table.parent / "new.csv").write_text("")
    assert not provenance.dirty()
    code.write_text("x = 2\n")
    assert provenance.dirty()
    checkout("checkout", "-q", "code.py")
    assert not provenance.dirty()
    (provenance.ROOT / "my_gate.py").write_text("")  # a reader's own
    assert not provenance.dirty()
    (provenance.ROOT / "benchmarks").mkdir()
    (provenance.ROOT / "benchmarks" / "more.py").write_text("")
    assert provenance.dirty()


def test_the_commit_holds_the_files_that_were_added(checkout, tmp_path, monkeypatch):
    monkeypatch.setattr(provenance, "holds", provenance.holds.__wrapped__)
    kept, new = provenance.ROOT / "kept.py", provenance.ROOT / "new.py"
    kept.write_text("")
    checkout("init", "-q")
    checkout("add", ".")
    checkout("commit", "-q", "-m", "Begin")
    new.write_text("")
    outside = tmp_path / "kept.py"
    outside.write_text("")
    assert [provenance.holds(file) for file in (kept, new, outside)] == [True, False, False]
