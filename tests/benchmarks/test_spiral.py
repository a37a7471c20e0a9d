"""Spirals: the notes' two numbers, the data's closed form, and networks whose answers are known."""

import pytest
import torch

from benchmarks import spiral
from benchmarks.cells import Diverged, Selection
from benchmarks.spiral import GRID, OPTIMISERS, POINTS, Optimiser, SpiralBenchmark

SPIRAL = SpiralBenchmark()


@pytest.mark.parametrize(("position", "printed", "last_digits"), [(0, 507, 0), (1, 944, 2)])
def test_the_notes_numbers_come_back_at_their_seed(position, printed, last_digits):
    """Another processor may round the thousand steps of Adam in another way."""
    cell = list(SPIRAL.cells(Selection("quick")))[position]
    assert cell.seed == 12345 and cell.recipe == "notebook"
    accuracy = SPIRAL.measure(cell)["accuracy"]
    assert abs(round(1000 * accuracy) - printed) <= last_digits


def test_points_lie_on_their_arms():
    torch.manual_seed(0)
    x, y = spiral.spiral(4)
    assert x.shape == (4 * POINTS, 2) and y.bincount().tolist() == [POINTS] * 4
    radius = x.norm(dim=1).view(4, POINTS)
    torch.testing.assert_close(radius, torch.linspace(0, 1, POINTS).expand(4, -1))
    # arm c ends at the angle 2 pi (c + 2) / 4: below, on the left, above, on the right
    ends = x.view(4, POINTS, 2)[:, -100:].mean(1)
    assert ends.abs().argmax(1).tolist() == [1, 0, 1, 0]
    assert ends.gather(1, ends.abs().argmax(1, keepdim=True)).sign().flatten().tolist() == [
        *(-1, -1, 1, 1)
    ]


def test_the_pair_is_drawn_as_in_the_notebook():
    torch.manual_seed(7)
    spiral.spiral(4)
    first, second = spiral.network(4), spiral.network(4)
    torch.manual_seed(7)
    for _ in range(4):
        torch.randn(POINTS)  # the noise of one arm
    again = torch.nn.Sequential(torch.nn.Linear(2, 100), torch.nn.Linear(100, 4))
    assert torch.equal(again[0].weight, first[0].weight)
    assert torch.equal(again[1].bias, first[1].bias)
    assert not torch.equal(first[0].weight, second[0].weight)


def test_without_an_activation_two_layers_are_one_affine_map():
    first, second = (layer.double() for layer in spiral.network(3))
    x = torch.randn(50, 2, dtype=torch.float64)
    weight = second.weight @ first.weight
    bias = second.weight @ first.bias + second.bias
    torch.testing.assert_close(spiral.forward(x, (first, second), "none"), x @ weight.T + bias)


def right_or_left():
    """Class 1 where x > 0, class 0 elsewhere; the other two never."""
    first, second = spiral.network(4)
    with torch.no_grad():
        first.weight.zero_()[0, 0] = 1
        first.bias.zero_()
        second.weight.zero_()[1, 0] = 1
        second.bias.copy_(torch.tensor([0.0, 0.0, -9.0, -9.0]))
    return first, second


def test_a_grid_is_read_back_as_it_was_drawn():
    rows = spiral.boundaries(spiral.drawn(right_or_left(), "none"))
    assert rows == ["0" * (GRID // 2) + "1" * (GRID // 2)] * GRID


def test_a_training_that_leaves_the_numbers_says_so():
    torch.manual_seed(0)
    x, y = spiral.spiral(3)
    with pytest.raises(Diverged, match="at step"):
        spiral.train(x, y, spiral.network(3), "square", Optimiser("sgd", 1e9))


def test_a_preview_is_part_of_the_table_and_the_notes_come_first():
    quick, cpu = (list(SPIRAL.cells(Selection(suite))) for suite in ("quick", "cpu"))
    assert set(quick) < set(cpu) and quick[:2] == cpu[:2]
    table = [cell for cell in cpu if cell.recipe != "notebook"]
    assert len(table) == 3 * 5 * len(OPTIMISERS) * 10
    assert {cell.seed for cell in table} == set(range(10))
