"""Wider or deeper: budgets that are met exactly, and signals whose size is known."""

from contextlib import contextmanager

import pytest
import torch

from benchmarks import depth
from benchmarks.cells import Selection
from benchmarks.depth import BUDGETS, DEPTHS, UNITS, DepthBenchmark
from benchmarks.notes import dense
from benchmarks.notes.dense import Dense

BENCH = DepthBenchmark()


@pytest.mark.parametrize("layers", DEPTHS)
def test_units_and_parameters_are_what_is_held_equal(layers):
    assert layers * depth.width_of(layers, "equal units") == UNITS
    width = depth.width_of(layers, "equal parameters")
    wanted = dense.parameters(1, UNITS)
    assert wanted == 784 * 256 + 256 + 256 * 10 + 10
    assert abs(dense.parameters(layers, width) - wanted) < 0.01 * wanted
    for near in (width - 1, width + 1):
        assert abs(dense.parameters(layers, near) - wanted) >= abs(
            dense.parameters(layers, width) - wanted
        )


@pytest.mark.parametrize("residual", [False, True])
def test_counts_are_those_of_the_network_and_a_weight_is_a_multiply_add(residual):
    model = Dense(4, 64, residual)
    assert sum(p.numel() for p in model.parameters()) == dense.parameters(4, 64)
    matrices = [p for p in model.parameters() if p.dim() == 2]
    assert sum(p.numel() for p in matrices) == dense.weights(4, 64)


def test_plain_and_residual_start_with_the_same_weights():
    both = []
    for residual in (False, True):
        torch.manual_seed(3)
        both.append(Dense(4, 16, residual))
    for a, b in zip(*(model.parameters() for model in both), strict=True):
        assert torch.equal(a, b)


def test_a_residual_layer_of_zeros_passes_everything_on():
    torch.manual_seed(0)
    x, y = torch.randn(8, 1, 28, 28), torch.randint(10, (8,))
    model = Dense(5, 12, residual=True)
    with torch.no_grad():
        for layer in model.hidden:
            layer.weight.zero_()
    states = model.states(x)
    assert len(states) == 5 and all(torch.equal(states[0], state) for state in states)
    assert dense.gradient_ratio(model, x, y) == 0
    plain = Dense(1, 12)
    assert dense.gradient_ratio(plain, x, y) == 0


def test_one_scaled_layer_has_a_closed_form():
    """With W = -I a layer makes -relu(z); what is left is z less it over sqrt(2), if residual."""
    x = torch.randn(8, 1, 28, 28)
    for residual in (False, True):
        torch.manual_seed(0)
        model = Dense(2, 6, residual)
        with torch.no_grad():
            model.hidden[0].weight.copy_(-torch.eye(6))
        first, last = model.states(x)
        made = -torch.relu(first)
        torch.testing.assert_close(last, first + made / 2**0.5 if residual else made)
        torch.testing.assert_close(model(x), model.last(torch.relu(last)))


@pytest.mark.parametrize("layers", [4, 16])
def test_residual_signals_and_gradients_neither_vanish_nor_explode(layers):
    """A layer adds 1 / depth to the mean square, as He's weights keep it: (1 + 1 / depth)^depth."""
    torch.manual_seed(0)
    x, y = torch.randn(64, 1, 28, 28), torch.randint(10, (64,))
    model = Dense(layers, 512, residual=True)
    first, *_, last = (state.square().mean().item() for state in model.states(x))
    assert last / first == pytest.approx((1 + 1 / layers) ** (layers - 1), rel=0.35)
    assert abs(dense.gradient_ratio(model, x, y)) < 0.4


@pytest.mark.parametrize(("layers", "width"), [(1, 16), (2, 8), (4, 4), (8, 2), (3, 4)])
def test_each_layer_of_a_sawtooth_multiplies_its_pieces(layers, width):
    assert dense.pieces(layers, width) == width**layers
    x = torch.arange(width**layers + 1, dtype=torch.float64) / width**layers
    ends = dense.sawtooth(x, layers, width)
    assert ends.tolist() == [float(i % 2) for i in range(width**layers + 1)]


def test_a_single_unit_cannot_fold_and_a_row_says_how_many_pieces_there_are():
    assert dense.pieces(16, 1) == 1
    folds = [c for c in BENCH.cells(Selection("quick")) if not c.data]
    found = [values["pieces"] for c in folds for _, values in BENCH.measure_group([c])]
    assert found == [16, 64, 256, 256, 1]


def test_time_is_compared_in_turns_and_nothing_is_learned():
    torch.manual_seed(0)
    x, y = torch.randn(64, 1, 28, 28), torch.randint(10, (64,))
    one, large = Dense(1, 64), Dense(1, 2048)
    before = [p.clone() for p in one.parameters()]
    assert dense.step_ratio(large, one, x, y, rounds=10) > 2
    assert all(torch.equal(a, b) for a, b in zip(before, one.parameters(), strict=True))


def test_the_reference_belongs_to_every_budget_and_the_preview_to_the_table():
    quick, cpu = (list(BENCH.cells(Selection(suite))) for suite in ("quick", "cpu"))
    assert len(quick) == 2 + len(DEPTHS) and set(quick) < set(cpu)
    trained = depth.SEEDS * (1 + len(BUDGETS) * 4 * 2)
    assert len(cpu) == len(set(cpu)) == trained + len(DEPTHS)
    assert cpu[0].recipe == "reference" and cpu[0].variant == "1 hidden layer"
    assert {BENCH.same_machine(cell) for cell in cpu if cell.recipe == "equal time"} == {True}


@pytest.mark.parametrize(
    ("budget", "steps"), [("equal units", 4), ("equal multiply-adds", 7), ("equal time", 8)]
)
def test_a_row_has_every_column_and_the_steps_of_its_budget(few_images, monkeypatch, budget, steps):
    """Two layers of 128 have 118,016 weights, one of 256 has 203,264: 4 steps become 6.9.

    Where a step of two layers takes half the time, 4 steps become 8.
    """
    held, timed = [], []

    @contextmanager
    def lock():
        held.append("lock")
        yield
        held.clear()

    def in_turns(model, one, x, y):
        sizes = [sum(p.numel() for p in net.parameters()) for net in (model, one)]
        timed.append((*sizes, len(x), len(y), *held))
        return 0.5

    monkeypatch.setattr(depth, "one_timing_job", lock)
    monkeypatch.setattr(dense, "step_ratio", in_turns)
    monkeypatch.setattr(depth, "IMAGES", 256)
    monkeypatch.setattr(depth, "STEPS", 4)
    wanted = [c for c in BENCH.cells(Selection("cpu")) if c.recipe == budget]
    cell = next(c for c in wanted if c.variant == "2 hidden layers" and c.data)
    ((_, values),) = BENCH.measure_group([cell])
    assert set(values) == {column.name for column in BENCH.columns} - {"pieces"}
    assert (values["width"], values["steps"]) == (128, steps)
    assert values["macs"] == dense.weights(2, 128) == 118_016
    sizes = dense.parameters(2, 128), dense.parameters(1, UNITS)
    once = (*sizes, depth.BATCH, depth.BATCH, "lock")
    assert set(timed) == ({once} if budget == "equal time" else set())
