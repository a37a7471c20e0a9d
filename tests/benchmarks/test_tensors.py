"""The practice items: what torch answers, above all where the notes say something else."""

import pytest
import torch

from benchmarks.cells import Cell, Selection
from benchmarks.tensors import EXAMPLES, TensorsBenchmark, output


def test_new_ones_takes_dtype_and_device_but_not_the_size():
    x = torch.zeros(2, 3, dtype=torch.float64)
    assert x.new_ones(5).shape == (5,) and x.new_ones(5).dtype == torch.float64
    assert torch.ones_like(x).shape == (2, 3)
    with pytest.raises(TypeError, match="size"):
        x.new_ones()


def test_size_without_a_dimension_is_no_int():
    x = torch.zeros(2, 3)
    assert isinstance(x.size(), torch.Size) and not isinstance(x.size(), int)
    assert isinstance(x.size(0), int)


def test_arange_has_one_dimension():
    assert torch.arange(1, 5).shape == (4,) and torch.arange(1, 5).tolist() == [1, 2, 3, 4]


def test_output_is_what_python_prints_and_the_error_at_the_end():
    assert output("print(1)\nprint('a', 2)") == "1\na 2"
    assert output("print(1)\n1 / 0\nprint(2)") == "1\nZeroDivisionError: division by zero"


@pytest.mark.parametrize(
    ("name", "last"),
    [
        ("new_ones", "TypeError: "),
        ("randn_like", "NotImplementedError: "),
        ("size", "True True"),
        ("arange", "torch.Size([10]) torch.Size([4])"),
        ("cat", "torch.Size([3, 2, 3])"),
        ("linear", "torch.Size([5, 100]) torch.Size([7, 100])"),
    ],
)
def test_an_example_ends_as_its_page_says(name, last):
    row = TensorsBenchmark().measure(Cell("tensors", "", recipe=name))
    assert row["output"].splitlines()[-1].startswith(last)
    assert row["code"] == EXAMPLES[name].strip()


def test_every_item_of_the_notes_has_an_example():
    assert len(list(TensorsBenchmark().cells(Selection("quick")))) == len(EXAMPLES) == 13
