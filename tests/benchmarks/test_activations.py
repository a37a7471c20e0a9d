"""Depth and activations: functions whose degree, bend and distance from a line are known."""

import pytest
import torch

from benchmarks.activations import ActivationsBenchmark
from benchmarks.cells import Diverged, Selection
from benchmarks.notes import affine


def plane():
    torch.manual_seed(0)
    return 2 * torch.rand(200, 2) - 1


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_without_an_activation_any_depth_is_one_affine_map(depth):
    model = affine.Deep("none", depth, 4)
    assert affine.off_affine(model, plane()) < 1e-12
    assert affine.bend(model) < 1e-12
    assert affine.degree(model, 8) == 1


@pytest.mark.parametrize(("depth", "degree"), [(1, 2), (2, 4), (3, 8), (4, 9)])
def test_squares_are_a_polynomial_whose_degree_doubles_with_each_layer(depth, degree):
    torch.manual_seed(0)
    assert affine.degree(affine.Deep("square", depth, 4), 8) == degree


def test_the_bend_of_known_functions():
    assert affine.bend(torch.nn.Identity()) < 1e-12
    # (100^2 - 2 * 200^2 + 300^2) / 300^2 = 20000 / 90000
    square = Square()
    assert affine.bend(square) == pytest.approx(2 / 9)
    assert affine.off_affine(square, plane()) > 0.3
    assert affine.degree(square, 8) == 2
    assert affine.bend(affine.Deep("square", 9, 4)) is None  # 300^512 is no float64


class Square(torch.nn.Module):
    def forward(self, x):
        return (x**2).sum(1, keepdim=True)


def test_a_relu_network_goes_on_as_a_straight_line():
    torch.manual_seed(0)
    model = affine.Deep("relu", 3, 4)
    assert affine.bend(model) < 1e-9
    assert affine.bend(affine.Deep("tanh", 1, 4)) < 0.1  # flat, so straight too
    assert affine.off_affine(model, plane()) > 0.01 and affine.degree(model, 8) == 9


def test_a_training_that_leaves_the_numbers_says_so():
    x = plane()
    model = affine.Deep("square", 8, 2)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(10.0)
    with pytest.raises(Diverged, match="at step 1"):
        affine.train(model, x, (x[:, 0] > 0).long())


def test_the_preview_is_part_of_the_table():
    quick, cpu = (set(ActivationsBenchmark().cells(Selection(s))) for s in ("quick", "cpu"))
    assert len(quick) == 4 and quick < cpu and len(cpu) == 4 * 4 * 5
