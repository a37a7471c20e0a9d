"""The arms of an ablation differ from each other, and are trained as the main table's are."""

from dataclasses import replace
from itertools import combinations, groupby

import pytest
import torch
import trial

import attn
from benchmarks import FILES, models, runner
from benchmarks.ablation import FAMILIES, SHUFFLED, Ablation
from benchmarks.accuracy import PLANS, Accuracy, build, run_seed
from benchmarks.cells import MODULES, Selection, benchmarks
from benchmarks.recipes import RECIPES
from benchmarks.shuffled import ShuffledECA
from benchmarks.store import Store

ABLATION = Ablation()
MAIN = PLANS["cpu"][0]
(BACKBONE,) = MAIN.backbones
CELLS = list(ABLATION.cells(Selection("cpu")))
WIDTHS = (16, 32, 64, 128)
"""Channels of the backbone's blocks."""


def test_cells_are_those_of_the_main_table_but_for_the_module():
    accuracy = set(Accuracy().cells(Selection("cpu")))
    for cell in CELLS:
        bare = replace(cell, benchmark="accuracy", module="none", variant="")
        assert bare in accuracy
        assert run_seed(bare) == run_seed(cell)
    for family in FAMILIES.values():
        for seed in range(MAIN.seeds):
            default = replace(CELLS[0], benchmark="accuracy", module=family.module, variant="")
            assert replace(default, seed=seed) in accuracy
    assert len(CELLS) == len(set(CELLS)) == 10 * sum(len(f.arms) for f in FAMILIES.values())


def test_a_family_is_finished_before_the_next_and_a_seed_before_the_next():
    seeds = [(seed, [*cells]) for seed, cells in groupby(CELLS, key=lambda cell: cell.seed)]
    wanted = [(seed, f.arms) for f in FAMILIES.values() for seed in range(MAIN.seeds)]
    found = [(seed, tuple((c.module, c.variant) for c in cells)) for seed, cells in seeds]
    assert found == wanted


def test_the_benchmark_runs_after_the_main_table_and_only_in_its_suite():
    assert list(benchmarks()).index("ablation") > list(benchmarks()).index("accuracy")
    assert "ablation" in FILES
    assert not list(ABLATION.cells(Selection("quick")))
    assert not list(ABLATION.cells(Selection("gpu", device="cuda")))


def test_rows_are_made_by_the_code_of_the_main_table():
    assert ABLATION.code == Accuracy.code and ABLATION.columns == Accuracy.columns
    cell = CELLS[0]
    same = replace(cell, benchmark="accuracy")
    assert runner.fingerprint(ABLATION, cell) == runner.fingerprint(Accuracy(), same)


def test_who_asks_for_modules_or_backbones_gets_them_from_accuracy():
    for asked in ({"modules": (("se", "reduction=8"),)}, {"backbones": ("resnet10_small",)}):
        assert list(Ablation().cells(Selection("cpu", **asked))) == []


@pytest.mark.parametrize(
    ("module", "variant"), [arm for family in FAMILIES.values() for arm in family.arms]
)
def test_options_are_in_the_order_in_which_the_command_line_has_them(module, variant):
    assert variant == " ".join(sorted(variant.split()))


def network(module, variant=""):
    """The trained net with an arm. Weights of one shape are equal in all arms, and none is zero."""
    made = models.create(BACKBONE, module, variant, in_chans=1, num_classes=10)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.copy_(0.3 * torch.randn(parameter.shape, generator=generator))
    return made


def shapes(made):
    return [tuple(p.shape) for p in made.parameters()]


def outputs(made):
    images = torch.randn(8, 1, 28, 28, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        return made.train()(images)


def is_same(one, other):
    """Whether two arms are one network: parameters of the same shapes, and equal outputs."""
    return shapes(one) == shapes(other) and torch.allclose(outputs(one), outputs(other))


@pytest.mark.parametrize("name", FAMILIES)
def test_no_two_arms_of_a_family_are_the_same_network(name):
    family = FAMILIES[name]
    arms = [("none", ""), (family.module, ""), *family.arms]
    built = {arm: network(*arm) for arm in arms}
    for one, other in combinations(arms, 2):
        assert not is_same(built[one], built[other]), f"{one} is {other}"


def test_an_option_that_changes_nothing_would_be_found():
    """The least width of eight holds for both reductions, so coordinate attention is the same."""
    assert is_same(network("coord"), network("coord", "reduction=16"))
    assert is_same(network("se_var2"), network("eca_ns", "kernel_size=1"))
    assert not is_same(network("coord"), network("coord", "min_channels=1 reduction=16"))


def test_the_reduction_of_se_ends_at_the_narrowest_block():
    with pytest.raises(ValueError, match="16 channels.*reduction=32 is larger than channels=16"):
        network("se", "reduction=32")


def hidden(module, variant):
    """Widths of the bottlenecks, block by block."""
    made = network(module, variant)
    kinds = (torch.nn.Linear, torch.nn.Conv2d)
    gates = [b.se for b in made.modules() if getattr(b, "se", None) is not None]
    return [
        next(m for m in gate.modules() if isinstance(m, kinds)).weight.shape[0] for gate in gates
    ]


@pytest.mark.parametrize(
    ("module", "variant", "widths"),
    [
        ("se", "reduction=4", [4, 8, 16, 32]),
        ("se", "reduction=8", [2, 4, 8, 16]),
        ("se", "", [1, 2, 4, 8]),
        ("se", "min_channels=1 reduction=32", [1, 1, 2, 4]),
        ("coord", "reduction=4", [8, 8, 16, 32]),
        ("coord", "reduction=8", [8, 8, 8, 16]),
        ("coord", "", [8, 8, 8, 8]),
        ("coord", "min_channels=1 reduction=16", [1, 2, 4, 8]),
    ],
)
def test_bottlenecks(module, variant, widths):
    assert hidden(module, variant) == widths


def gate_of(module, x):
    return module(x) / x


@pytest.fixture(params=[1, 3, 5])
def pair(request):
    """ECA and the shuffled one with equal weights, and a map without zeros."""
    eca = attn.build("eca", 32, kernel_size=request.param).double()
    shuffled = ShuffledECA(32, kernel_size=request.param).double()
    shuffled.load_state_dict(eca.state_dict())
    x = torch.rand(4, 32, 5, 3, dtype=torch.float64) + 0.5
    return eca, shuffled, x


def test_a_shuffled_gate_is_eca_between_a_permutation_and_its_inverse(pair):
    eca, shuffled, x = pair
    there, back = shuffled.order, shuffled.places
    assert sorted(there.tolist()) == list(range(32)) and there[back].tolist() == list(range(32))
    assert there.tolist() != list(range(32))
    torch.testing.assert_close(shuffled(x), eca(x[:, there])[:, back])


def test_only_the_neighbours_differ(pair):
    """One tap has none: then nothing differs. More taps see as many channels, and their own."""
    eca, shuffled, x = pair
    k = eca.conv.kernel_size[0]
    assert torch.allclose(shuffled(x), eca(x)) == (k == 1)
    channel = int(shuffled.order[10])
    changed = x.clone()
    changed[:, channel] += 1
    moved = (gate_of(shuffled, changed) - gate_of(shuffled, x))[0, :, 0, 0].abs() > 1e-9
    seen = set(moved.nonzero().flatten().tolist())
    assert channel in seen
    assert seen == set(shuffled.order[10 - k // 2 : 11 + k // 2].tolist())


def test_the_permutation_follows_from_the_seed_and_is_no_parameter():
    one, same, other = (ShuffledECA(64, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(one.order, same.order) and not torch.equal(one.order, other.order)
    assert list(one.state_dict()) == ["conv.weight"]
    with pytest.raises(ValueError, match="kernel_size=4 is even"):
        ShuffledECA(64, kernel_size=4)


def permuted(state, orders, blocks=4):
    """Weights of the net with the channels of each stage in another order: the same function."""
    state = {name: tensor.clone() for name, tensor in state.items()}

    def outer(prefix, order):
        for name in [n for n in state if n.startswith(prefix) and state[n].ndim]:
            state[name] = state[name][order]

    def inner(name, order):
        state[name] = state[name][:, order]

    # the first block's shortcut is the stem itself, so the stem's last channels move with it
    for prefix in ("conv1.6.", "bn1."):
        outer(prefix, orders[0])
    before = orders[0]
    for number, order in zip(range(1, blocks + 1), orders, strict=True):
        layer = f"layer{number}.0."
        inner(f"{layer}conv1.weight", before)
        for part in ("conv2.", "bn2."):
            outer(layer + part, order)
        if f"{layer}downsample.0.weight" in state:
            inner(f"{layer}downsample.0.weight", before)
            outer(f"{layer}downsample.", order)
        before = order
    inner("fc.weight", before)
    return state


def test_the_shuffled_net_is_the_plain_net_with_its_channels_in_another_order():
    """So before training no order of channels is better than another."""
    shuffled, plain = network(SHUFFLED), network("eca")
    orders = [getattr(shuffled, f"layer{n}")[0].se.order for n in (1, 2, 3, 4)]
    assert [len(order) for order in orders] == list(WIDTHS)
    plain.load_state_dict(shuffled.state_dict())
    assert not torch.allclose(outputs(plain), outputs(shuffled), rtol=1e-3)
    plain.load_state_dict(permuted(shuffled.state_dict(), orders))
    torch.testing.assert_close(outputs(plain), outputs(shuffled), rtol=1e-3, atol=1e-4)


def test_an_arm_is_measured_as_one_of_the_main_table():
    how = {"data": "digits", "recipe": "smoke", "precision": "fp32", "layout": "nchw"}
    cell = replace(CELLS[0], module=SHUFFLED, variant="", **how)
    found = ABLATION.measure(cell)
    assert set(found) == {column.name for column in ABLATION.columns}
    assert found["top1"] > 80
    twin = replace(cell, benchmark="accuracy", module="eca")
    trained = build(twin, 10, 1).parameters()
    assert found["params"] == sum(parameter.numel() for parameter in trained)


def test_the_main_table_has_no_arm_more(tmp_path):
    work = runner.plan(Selection("cpu"), Store(tmp_path), only=["accuracy", "ablation"])
    assert len(work.todo["ablation"]) == len(CELLS)
    assert {cell.arm for cell in work.todo["accuracy"]} == set(MODULES)


def test_a_plan_takes_the_time_of_an_arm_from_rows_of_its_backbone_and_recipe(tmp_path):
    """A row took a second (`trial.append`), so 299 more take 299; without rows it is a guess."""
    store = Store(tmp_path)
    work = runner.plan(Selection("cpu"), store, only=["ablation"])
    guess = RECIPES[MAIN.recipe].epochs * ABLATION.default_seconds
    assert work.wall_seconds(1) == len(CELLS) * guess
    trial.append(store, CELLS[0], trial.outcome(90.0))
    work = runner.plan(Selection("cpu"), store, only=["ablation"], stale=True)
    assert work.wall_seconds(1) == len(CELLS)
