"""The code of a row holds its module's file and those of `attn` that it calculates with."""

import pytest

from benchmarks import runner
from benchmarks.cells import Cell


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A folder in place of the checkout; of `attn` in it there is what a test writes."""
    monkeypatch.setattr(runner, "ROOT", tmp_path)
    return tmp_path


def test_the_code_of_a_row_is_the_module_s_file_and_what_it_calculates_with(root):
    inside = root / "attn"
    inside.mkdir()
    (inside / "passes.py").write_text("from attn.deeper import x\n")
    (inside / "deeper.py").write_text("x = 1\n")
    (inside / "arguments.py").write_text("import this_decides_no_value\n")
    (root / "gate_of_mine.py").write_text(
        "from torch import nn\nfrom attn.arguments import one_of\nfrom attn.passes import scale\n"
        "class Gate(nn.Identity):\n    pass\n"
    )
    (found,) = runner.with_imports(inside / "deeper.py")
    assert found == inside / "deeper.py"
    names = [path.name for path in runner.with_imports(root / "gate_of_mine.py")]
    assert names == ["gate_of_mine.py", "passes.py", "deeper.py"]


@pytest.mark.parametrize(
    "text",
    [
        "from attn.passes import scale",
        "from attn import passes",
        "import attn.passes",
        "import os, attn.passes as p",
        "def forward(x):\n    from attn import passes\n    return passes.scale(x)",
        "class Gate:\n    def forward(self, x):\n        import attn.passes\n",
        "try:\n    import attn.passes\nexcept ImportError:\n    pass",
    ],
)
def test_every_form_of_an_import_is_followed(root, text):
    inside = root / "attn"
    inside.mkdir()
    (inside / "passes.py").write_text("from . import deeper\nfrom .deepest import x\n")
    (inside / "deeper.py").write_text("")
    (inside / "deepest.py").write_text("x = 1\n")
    gate = root / "gate_of_mine.py"
    gate.write_text(text)
    names = {path.name for path in runner.with_imports(gate)}
    assert names == {"gate_of_mine.py", "passes.py", "deeper.py", "deepest.py"}


def test_a_name_that_is_no_file_of_attn_is_not_followed(root):
    gate = root / "gate_of_mine.py"
    gate.write_text("import attn\nfrom attn import build\nfrom . import passes\nimport torch\n")
    assert runner.with_imports(gate) == [gate]


def test_se_s_rows_depend_on_its_passes_and_sk_s_do_not(trouble):
    def names(module):
        files = runner.sources(trouble, Cell("trouble", "net", module))
        return [file.rpartition("/")[2] for file in files[len(trouble.code) :]]

    assert names("none") == []
    assert names("sk") == ["sk.py"]
    assert names("se") == ["se.py", "passes.py", "reductions.py"]
