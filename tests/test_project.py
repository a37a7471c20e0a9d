"""The project's own files agree with one another and with what the README promises."""

import ast
import functools
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import torch
import yaml

import attn

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
SESSIONS = {"bench", "tests", "lint", "docs", "serve"}


def code_blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def commands(prefix: str) -> list[list[str]]:
    """The words of every shell line of the README that starts with `prefix`."""
    lines = [line for block in code_blocks("bash") for line in block.splitlines()]
    return [line.split() for line in lines if line.startswith(prefix)]


@functools.cache
def help_of(command: str) -> str:
    """What `python -m benchmarks command --help` prints."""
    shown = subprocess.run(
        [sys.executable, "-m", "benchmarks", command, "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert shown.returncode == 0, shown.stderr
    return shown.stdout


def script_metadata() -> dict:
    """The inline metadata of noxfile.py, as its standard says to read it."""
    text = (ROOT / "noxfile.py").read_text(encoding="utf-8")
    block = re.search(r"(?m)^# /// script$\n((?:#.*\n)+?)# ///$", text)
    assert block, "noxfile.py has no inline metadata"
    return tomllib.loads(re.sub(r"(?m)^# ?", "", block[1]))


def imports_of(path: Path) -> set[str]:
    """The top-level names of everything that a file imports, anywhere in it."""
    names = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.append(node.module or "")
    return {name.split(".")[0] for name in names}


def tracked_files() -> list[Path]:
    if not shutil.which("git"):
        pytest.skip("needs git")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listed.stdout.split("\0") if name]


def test_noxfile_defines_every_session_and_runs_as_a_script():
    tree = ast.parse((ROOT / "noxfile.py").read_text(encoding="utf-8"))
    decorated = {f.name for f in tree.body if isinstance(f, ast.FunctionDef) and f.decorator_list}
    assert decorated == SESSIONS
    assert any(name.startswith("nox") for name in script_metadata()["dependencies"])


def test_one_lowest_python():
    assert script_metadata()["requires-python"] == PROJECT["project"]["requires-python"]
    lowest = PROJECT["project"]["requires-python"].removeprefix(">=")
    assert PROJECT["tool"]["pyright"]["pythonVersion"] == lowest
    assert PROJECT["tool"]["ruff"]["target-version"] == "py" + lowest.replace(".", "")


def test_reading_tables_installs_neither_torch_nor_timm():
    groups = PROJECT["dependency-groups"]
    for group in ("tables", "drawing", "docs"):
        names = " ".join(item for item in groups[group] if isinstance(item, str))
        assert not re.search(r"\b(torch|timm|fvcore)", names)


def test_what_the_code_imports_is_declared():
    distributions = {
        "PIL": "pillow",
        "pynvml": "nvidia-ml-py",
        "sklearn": "scikit-learn",
        "vl_convert": "vl-convert-python",
        "yaml": "pyyaml",
    }
    groups = PROJECT["dependency-groups"]
    library = PROJECT["project"]["dependencies"]
    lines = [item for name in ("tables", "bench", "gpu", "drawing") for item in groups[name]]
    suite = [item for item in lines if isinstance(item, str)]
    for folder, requirements in (("attn", library), ("benchmarks", library + suite)):
        declared = {re.split(r"[<>=\[]", item)[0] for item in requirements}
        for path in (ROOT / folder).rglob("*.py"):
            imported = imports_of(path) - sys.stdlib_module_names - {"attn", "benchmarks"}
            missing = {distributions.get(name, name) for name in imported} - declared
            assert not missing, f"{path.relative_to(ROOT)} imports {missing}"


def test_citation_is_complete_and_cannot_go_stale():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["cff-version"] == "1.2.0"
    assert citation["message"] and citation["title"].startswith(PROJECT["project"]["name"])
    assert citation["license"] == PROJECT["project"]["license"]
    assert [a["name"] for a in citation["authors"]] == [
        author["name"] for author in PROJECT["project"]["authors"]
    ]
    assert not {"version", "date-released", "commit"} & set(citation)
    for reference in citation["references"]:
        assert {"type", "title", "authors"} <= set(reference)
    titles = [reference["title"] for reference in citation["references"]]
    for word in ("Fashion-MNIST", "Squeeze", "CBAM", "Selective", "Dual", "ECA", "Coordinate"):
        assert any(word in title for title in titles), word


def test_licence_is_the_declared_one():
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in text and "Version 2.0" in text


def test_readme_names_sessions_that_exist():
    named = set(re.findall(r"nox(?:file\.py)? -s (\w+)", README))
    assert named == SESSIONS


@pytest.mark.parametrize("words", commands("python -m benchmarks") + commands("nox -s bench --"))
def test_readme_command_is_one_of_the_suite(words: list[str]):
    arguments = ["run", *words[4:]] if words[0] == "nox" else words[3:]
    shown = help_of(arguments[0])
    for option in (word for word in arguments if word.startswith("--")):
        assert option in shown


def test_readme_folders_exist():
    folders = re.findall(r"(?m)^\| `(\w+)/` \|", README)
    assert folders and all((ROOT / folder).is_dir() for folder in folders)


def test_readme_module_of_five_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (source,) = [block for block in code_blocks("python") if "class MyGate" in block]
    lines = [line for line in source.splitlines() if line]
    assert lines[0].startswith("from torch import") and len(lines[1:]) == 5
    (tmp_path / "my_gate.py").write_text(source, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "my_gate", raising=False)
    gate = attn.build("my_gate:MyGate", channels=8)
    x = torch.randn(2, 8, 5, 7)
    # A gate of sigmoids: it keeps each sign, and lowers each size.
    assert ((gate(x) / x > 0) & (gate(x) / x < 1)).all()
    model = attn.create_model("resnet18", "my_gate:MyGate", device="meta")
    plain = attn.create_model("resnet18", "none", device="meta")
    added = sum(p.numel() for p in model.parameters()) - sum(p.numel() for p in plain.parameters())
    # A 1x1 convolution with bias has C (C + 1) parameters; resnet18 has two blocks a width.
    assert added == sum(2 * c * (c + 1) for c in (64, 128, 256, 512))


def test_readme_library_example_runs():
    (source,) = [block for block in code_blocks("python") if "import attn" in block]
    names: dict = {}
    exec(compile(source, "README.md", "exec"), names)
    assert names["logits"].shape == (2, 10)
    assert names["gate"](torch.ones(1, 64, 4, 4)).shape == (1, 64, 4, 4)


def test_no_number_is_typed_into_the_readme():
    generated = r"<!-- (table|figure):begin -->.*?<!-- \1:end -->"
    prose = re.sub(generated, "", README, flags=re.DOTALL)
    prose = re.sub(r"```.*?```|`[^`]*`|Python \d\.\d+|Apache-2\.0", "", prose, flags=re.DOTALL)
    assert not re.findall(r"\d+[.,]\d+|\d+ ?%", prose)


def test_tracked_files_do_not_name_the_machine_they_were_written_on():
    absolute = re.compile(r"""(?:^|[\s"'`(=:])/(?:home|root|work|opt|mnt|Users)/\w""", re.MULTILINE)
    sibling = re.compile(r"\.\./shared\b")
    named = []
    for path in tracked_files():
        try:
            text = path.read_text(encoding="utf-8")
        except (UnicodeDecodeError, FileNotFoundError, IsADirectoryError):
            continue
        named += [
            f"{path.relative_to(ROOT)}: {match[0].strip()}"
            for pattern in (absolute, sibling)
            for match in pattern.finditer(text)
        ]
    assert not named


def test_workflows_call_the_projects_own_commands():
    scripts = []
    for path in (ROOT / ".github" / "workflows").glob("*.yml"):
        jobs = yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"]
        scripts += [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    assert sorted(scripts) == ["bash .ci/run", "python noxfile.py -s docs"]
    assert subprocess.run(["bash", "-n", ROOT / ".ci" / "run"]).returncode == 0
