"""Tensors: the practice items of the notes as code that runs, with what it prints.

An example that ends in an error prints the error, as Python would.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from typing import Any

from benchmarks.cells import Benchmark, Cell, Column, Selection
from benchmarks.provenance import versions

EXAMPLES = {
    "tensor": """
x = torch.tensor([[1, 2, 3], [4, 5, 6]])
print(x)
print(x.shape, x.dtype, x.device)
""",
    "ones": """
print(torch.ones(2, 3))
print(torch.ones(2, 3, 4).shape)
""",
    "dtype": """
print(torch.tensor([1, 2]).dtype, torch.tensor([1.0, 2.0]).dtype)
print(torch.tensor([1, 2], dtype=torch.float64).dtype)
print(torch.tensor([1.9, -1.9]).to(torch.int64))
""",
    "new_ones": """
x = torch.zeros(2, 3, dtype=torch.float64)
print(x.new_ones(5))
print(torch.ones_like(x))
x.new_ones()
""",
    "randn_like": """
x = torch.zeros(1000, 1000, dtype=torch.float64)
noise = torch.randn_like(x)
print(noise.shape, noise.dtype)
print(f"|mean| {noise.mean().abs():.2f}, variance {noise.var():.2f}")
torch.randn_like(torch.tensor([1, 2, 3]))
""",
    "size": """
x = torch.zeros(2, 3)
print(x.size(), type(x.size()).__name__)
print(x.size(0), type(x.size(0)).__name__)
print(x.size() == (2, 3), x.size() == x.shape)
""",
    "index": """
x = torch.arange(6).reshape(2, 3)
print(x[1, 2], x[1, 2].item())
print(x[1])
print(x[-1, -1])
""",
    "slice": """
x = torch.arange(12).reshape(3, 4)
print(x[:, 1])
print(x[0:2, 1:3])
x[:, 1][0] = 100
print(x[0])
""",
    "arange": """
x = torch.arange(1, 5)
print(x, x.shape)
print(torch.arange(1, 5).reshape(1, -1).shape)
print(torch.arange(0, 1, 0.1).shape, torch.arange(1, 1.3, 0.1).shape)
""",
    "matmul": """
a, b = torch.ones(2, 3), torch.ones(3, 4)
print((a @ b).shape)
print((torch.ones(3) @ torch.ones(3)).shape)
print((torch.ones(10, 2, 3) @ torch.ones(3, 4)).shape)
a * b
""",
    "linspace": """
x = torch.linspace(0, 1, 5)
print(x, x.shape)
print(torch.arange(0, 1, 0.25))
""",
    "cat": """
a = torch.zeros(2, 3)
print(torch.cat([a, a, a]).shape)
print(torch.cat([a, a, a], dim=1).shape)
print(torch.stack([a, a, a]).shape)
""",
    "linear": """
layer = torch.nn.Linear(2, 100)
print(layer.weight.shape, layer.bias.shape)
print(layer(torch.zeros(5, 2)).shape, layer(torch.zeros(7, 2)).shape)
""",
}
"""Code by the name of its item, in the order of the notes."""


class TensorsBenchmark(Benchmark):
    """What each example prints."""

    name = "tensors"
    title = "The practice items as code that ran"
    code = ("benchmarks/tensors.py",)
    plugs = False
    default_seconds = 0.1
    columns = (
        Column("code", "string", "", "what was run, after `import torch`"),
        Column("output", "string", "", "what it printed, an error at its end included"),
    )

    def cells(self, want: Selection) -> Iterator[Cell]:
        if want.suite not in ("quick", "cpu") or want.modules is not None or want.backbones:
            return
        for name in EXAMPLES:
            yield Cell(self.name, "", recipe=name)

    def configuration(self, cell: Cell) -> Any:
        """The library whose answers these are."""
        return versions("torch")

    def measure(self, cell: Cell) -> dict[str, Any]:
        code = EXAMPLES[cell.recipe].strip()
        return {"code": code, "output": output(code)}


def output(code: str) -> str:
    """What code prints, and the type and first line of the error that ends it."""
    import torch

    torch.manual_seed(0)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        try:
            exec(code, {"torch": torch})
        except Exception as error:
            lines = str(error).strip().splitlines() or [""]
            print(f"{type(error).__name__}: {lines[0]}")
    return printed.getvalue().strip()
