"""Gradients through chains: bounds and products that are known; rates that no test image sets."""

import math
from dataclasses import replace

import pytest
import torch

from benchmarks import gradients as bench
from benchmarks.cells import Diverged, Selection
from benchmarks.gradients import RATES, GradientsBenchmark
from benchmarks.notes import chains
from benchmarks.notes.chains import Chain, gradients
from benchmarks.notes.parts import Parts

BENCH = GradientsBenchmark()


def few(n=128, pixels=784, classes=10):
    torch.manual_seed(0)
    return torch.randn(n, pixels), torch.randint(classes, (n,))


def drawn(*words, depth=10, width=64):
    torch.manual_seed(0)
    return Chain(*words, depth, width=width)


def test_a_logistic_layer_takes_at_least_three_quarters():
    """The slope of 1 / (1 + e^-z) is at most 1/4: with |W| = 1 an error shrinks by that or more."""
    model = drawn("logistic", "xavier", "plain")
    with torch.no_grad():
        for layer in model.layers:
            layer.weight /= torch.linalg.matrix_norm(layer.weight, 2)
    errors, _ = gradients(model, *few())
    assert all(a <= b + math.log10(1 / 4) + 1e-9 for a, b in zip(errors, errors[1:], strict=False))


def test_tanh_never_adds_to_an_error_when_its_matrices_are_rotations():
    model = drawn("tanh", "xavier", "plain")
    with torch.no_grad():
        for layer in model.layers:
            torch.nn.init.orthogonal_(layer.weight)
    errors, _ = gradients(model, *few())
    assert errors == sorted(errors)


def test_residual_layers_that_add_nothing_pass_the_error_on_unchanged():
    model = drawn("relu", "he", "residual")
    with torch.no_grad():
        for layer in model.layers:
            layer.weight.zero_()
    errors, _ = gradients(model, *few())
    assert errors == pytest.approx([errors[0]] * 11)


@pytest.mark.parametrize(("init", "share"), [("he", 1.0), ("xavier", 0.5)])
def test_a_wide_relu_layer_keeps_half_of_the_variance_that_its_weights_give(init, share):
    """In each layer |dL/dh|^2 is multiplied by variance of a weight x width / 2."""
    model = drawn("relu", init, "plain", depth=4, width=1024)
    errors, _ = gradients(model, *few(64))
    factor = 10 ** (2 * (errors[0] - errors[-1]) / 4)
    assert factor == pytest.approx(share, rel=0.15)


def test_without_biases_the_gradients_of_relu_weights_cannot_tell_layers_apart():
    """<W, dL/dW> is the same for each layer of a ReLU network without biases (Euler's identity)."""
    model = drawn("relu", "xavier", "plain")
    x, y = few()
    torch.nn.functional.cross_entropy(model(x), y).backward()
    products = [(layer.weight * layer.weight.grad).sum().item() for layer in model.layers]
    assert products == pytest.approx([products[0]] * 10, rel=1e-3)


def test_normalised_layers_do_not_see_the_size_of_their_weights():
    model = drawn("relu", "he", "batchnorm")
    x, _ = few()
    before = model(x)
    with torch.no_grad():
        for layer in model.layers:
            layer.weight *= 10
    torch.testing.assert_close(model(x), before, rtol=1e-2, atol=1e-2)


def test_norms_below_float32_are_still_norms_and_the_model_stays():
    model = drawn("logistic", "default", "plain", depth=90)
    kept = [p.clone() for p in model.parameters()]
    errors, weights = gradients(model, *few())
    assert len(errors) == 91 and len(weights) == 90 and -200 < errors[0] < -50
    assert all(torch.equal(a, b) for a, b in zip(kept, model.parameters(), strict=True))
    assert next(model.parameters()).dtype == torch.float32


def two_classes(n=512):
    """Images whose class is the sign of their mean."""
    torch.manual_seed(1)
    y = torch.randint(2, (n,))
    return torch.randn(n, 784) + 0.5 * (2.0 * y[:, None] - 1), y


def test_a_chain_learns_what_can_be_learned_and_moves():
    x, y = two_classes()
    model = drawn("relu", "he", "residual")
    before = model.layers[0].weight.detach().clone()
    chains.train(model, x, y, 0.03, epochs=6)
    assert chains.accuracy(model, x, y) > 99
    assert chains.moved(model.layers[0].weight.detach(), before) > 1e-3
    assert chains.moved(2 * before, before) == pytest.approx(1)


def test_a_training_that_leaves_the_numbers_says_so():
    with pytest.raises(Diverged, match="in epoch 1"):
        chains.train(drawn("relu", "he", "plain"), *two_classes(), 1e6, epochs=1)


@pytest.fixture
def images(monkeypatch):
    """Few images of two classes, the test images with wrong labels."""
    (a, b), n = two_classes(), 256
    pictures = a.view(-1, 1, 28, 28)
    found = Parts(pictures[:n], b[:n], pictures[n:], b[n:], pictures[n:], 1 - b[n:])
    monkeypatch.setattr("benchmarks.notes.parts.parts", lambda name: found)
    return found


def test_a_rate_is_chosen_by_images_that_are_no_test_images(images):
    cell = next(iter(BENCH.cells(Selection("cpu"))))
    cell = replace(cell, variant="relu he residual")
    chosen = bench.best_rate(cell, images)
    assert chosen in RATES
    assert chosen == bench.best_rate(cell, replace(images, test_y=1 - images.test_y))
    values = bench.outcome(cell, 0, chosen, images)
    assert values["held"] > 90 and values["test"] == pytest.approx(100 - values["held"])


def test_a_run_that_diverges_keeps_its_gradients(images, monkeypatch):
    monkeypatch.setattr(bench, "RATES", (1e6,))
    cell = replace(next(iter(BENCH.cells(Selection("cpu")))), variant="relu he plain")
    ((_, error),) = BENCH.measure_group([cell])
    assert isinstance(error, Diverged) and error.values["lr"] == 1e6
    assert len(error.values["errors"].split()) == 3 and "test" not in error.values


def test_a_preview_is_part_of_the_table_and_a_group_is_one_network(images):
    quick, cpu = (list(BENCH.cells(Selection(suite))) for suite in ("quick", "cpu"))
    assert set(quick) < set(cpu) and len(cpu) == 3 * 27 * 5
    assert len({BENCH.group(cell) for cell in cpu}) == 3 * 27
    rows = dict(BENCH.measure_group(cpu[:2]))
    names = {column.name for column in BENCH.columns}
    assert list(rows) == cpu[:2] and all(set(values) == names for values in rows.values())
