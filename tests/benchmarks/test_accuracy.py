"""Arms are paired: equal shared weights, equal seeds, one recipe; nothing is tuned on the test."""

from dataclasses import replace
from functools import partial
from itertools import groupby
from unittest.mock import Mock

import pytest
import torch
import trial

from benchmarks import accuracy, data
from benchmarks.accuracy import PLANS, Accuracy, build, run_seed
from benchmarks.cells import MODULES, SUITES, Cell, Diverged, Selection
from benchmarks.data import DataError
from benchmarks.nets import CIFAR, MOBILE
from benchmarks.recipes import RECIPES
from benchmarks.widths import BACKBONE, WIDTHS

ACCURACY = Accuracy()
CELL = Cell("accuracy", "resnet10_small", data="digits", recipe="smoke", seed=0, threads=1)

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def dynamo():
    """What training on a GPU sets for its process is put back."""
    with torch._dynamo.config.patch(fail_on_recompile_limit_hit=False):
        yield


@pytest.mark.parametrize(
    "change",
    [{"module": "se"}, {"variant": "reduction=8"}, {"device": "cuda", "precision": "bf16"}],
)
def test_the_random_seed_is_that_of_every_arm(change):
    assert run_seed(replace(CELL, **change)) == run_seed(CELL)


def test_random_seeds_differ_between_repetitions_data_backbones_and_recipes():
    others = [replace(CELL, seed=seed) for seed in range(1, 100)]
    others += [replace(CELL, data="cifar10"), replace(CELL, recipe="short")]
    others += [replace(CELL, backbone="resnet18")]
    seeds = {run_seed(cell) for cell in (CELL, *others)}
    assert len(seeds) == 1 + len(others)
    assert all(0 <= seed < 2**32 for seed in seeds)


def tensors(model):
    """The parameters and buffers of a model as a set of values."""
    return {(t.shape, t.numpy().tobytes()) for t in model.state_dict().values()}


@pytest.fixture(scope="module")
def bare():
    return build(CELL, 10, 1)


@pytest.mark.parametrize("module", MODULES)
def test_shared_layers_start_alike_for_every_module(bare, module):
    model = build(replace(CELL, module=module), 10, 1)
    assert tensors(bare) <= tensors(model)
    state = model.state_dict()
    for name in ("fc.weight", "conv1.0.weight"):
        assert torch.equal(state[name], bare.state_dict()[name])
    if module != "none":
        assert sum(p.numel() for p in model.parameters()) > sum(
            p.numel() for p in bare.parameters()
        )


def test_another_repetition_starts_from_other_weights(bare):
    other = build(replace(CELL, seed=1), 10, 1)
    assert not torch.equal(other.fc.weight, bare.fc.weight)
    assert torch.equal(build(CELL, 10, 1).fc.weight, bare.fc.weight)


def test_a_variant_reaches_the_module(bare):
    sizes = {
        variant: sum(
            p.numel()
            for p in build(replace(CELL, module="se", variant=variant), 10, 1).parameters()
        )
        - sum(p.numel() for p in bare.parameters())
        for variant in ("reduction=4 bias=False", "reduction=8 bias=False")
    }
    # an SE gate without biases has 2 C^2 / r weights; the blocks have 16, 32, 64 and 128 channels
    squares = 16**2 + 32**2 + 64**2 + 128**2
    assert sizes == {
        "reduction=4 bias=False": 2 * squares // 4,
        "reduction=8 bias=False": 2 * squares // 8,
    }


@pytest.fixture(scope="module")
def measured():
    return ACCURACY.measure(CELL)


def test_a_cell_learns_digits_and_says_what_it_used(measured):
    assert measured["top1"] > 90
    assert (measured["train_images"], measured["test_images"]) == (1400, 397)
    assert measured["epochs"] == RECIPES["smoke"].epochs
    assert set(measured) == {column.name for column in ACCURACY.columns}
    right = accuracy.correct_images(measured["correct"], 397)
    assert measured["top1"] == 100 * right.sum() / 397
    losses = [float(word) for word in measured["losses"].split()]
    assert len(losses) == measured["epochs"]
    assert losses[-1] == pytest.approx(measured["train_loss"], abs=1e-4)


def test_a_cell_measured_again_gives_the_same(measured):
    again = ACCURACY.measure(CELL)
    speed = {"images_per_second": 0}
    assert {**again, **speed} == {**measured, **speed}


def test_a_divergence_keeps_what_is_known(monkeypatch):
    wild = replace(RECIPES["smoke"], name="wild", lr=1e12, warmup=0.01)
    monkeypatch.setitem(RECIPES, "wild", wild)
    with pytest.raises(Diverged) as caught:
        ACCURACY.measure(replace(CELL, recipe="wild"))
    assert caught.value.values["train_images"] == 1400
    assert caught.value.values["params"] > 0
    assert caught.value.values["epochs"] >= 1


@pytest.mark.parametrize("suite", SUITES)
def test_every_repetition_of_a_table_has_every_arm_and_is_finished_before_the_next(suite):
    left = list(ACCURACY.cells(Selection(suite, device=SUITES[suite].device)))
    assert {cell.recipe for cell in left} <= set(RECIPES)
    assert {cell.data for cell in left} <= set(data.DATASETS)
    for runs in PLANS[suite]:
        size = runs.seeds * len(runs.backbones) * len(runs.arms)
        table, left = left[:size], left[size:]
        seeds = [(seed, list(group)) for seed, group in groupby(table, key=lambda cell: cell.seed)]
        assert [seed for seed, _ in seeds] == list(range(runs.seeds))
        for _, group in seeds:
            nets = [list(mine) for _, mine in groupby(group, key=lambda cell: cell.backbone)]
            assert [mine[0].backbone for mine in nets] == list(runs.backbones)
            for mine in nets:
                assert [(cell.module, cell.variant) for cell in mine] == list(runs.arms)
                assert len({run_seed(cell) for cell in mine}) == 1
    assert left == []


def test_a_processor_trains_every_arm_in_a_second_net_too():
    main, *_, second = PLANS["cpu"]
    assert main.backbones == (BACKBONE,) and second.backbones == (MOBILE,)
    assert main.arms == second.arms == tuple((name, "") for name in MODULES)
    assert (second.data, second.recipe, second.seeds) == (main.data, main.recipe, main.seeds)
    want = Selection("cpu", backbones=(MOBILE,))
    cells = list(ACCURACY.cells(want))
    assert set(cells) < set(ACCURACY.cells(Selection("cpu"))) and len(cells) == 10 * len(MODULES)


def test_a_gpu_trains_the_nets_of_published_tables():
    runs, easier = PLANS["gpu"]
    assert easier == replace(runs, data="cifar10", backbones=CIFAR[:1])
    assert (runs.data, runs.recipe, runs.seeds) == ("cifar100", "cifar", 10)
    assert runs.backbones == CIFAR and runs.arms == PLANS["cpu"][0].arms
    assert RECIPES["cifar"].epochs == 160


@pytest.mark.parametrize("backbone", [MOBILE, *CIFAR])
def test_a_step_of_every_net_as_the_gpu_takes_it(backbone, monkeypatch):
    """bf16 and channels last, on a processor: eight images of noise in 28 or 32 pixels."""
    few = replace(RECIPES["smoke"], name="few", epochs=1, batch_size=4)
    monkeypatch.setitem(RECIPES, "few", few)
    size, channels = (28, 1) if backbone == MOBILE else (32, 3)
    torch.manual_seed(0)
    pixels = torch.randint(0, 256, (8, channels, size, size), dtype=torch.uint8)
    labels = torch.arange(8) % 4
    images = data.Images("few", pixels, labels, pixels, labels, num_classes=4, flip=True)
    monkeypatch.setattr(accuracy, "_images", lambda name: images)
    how = {"recipe": "few", "precision": "bf16", "layout": "nhwc"}
    for module in ("none", "se", "pam"):
        found = ACCURACY.measure(replace(CELL, backbone=backbone, module=module, **how))
        assert found["train_images"] == 8 and found["train_loss"] > 0


def test_only_a_gpu_trains_what_torch_has_compiled(dynamo):
    model = Mock()
    assert accuracy.compiled(model, "cpu") == {"compiled": None} and not model.compile.called
    assert accuracy.compiled(model, "cuda:1") == {"compiled": True}
    model.compile.assert_called_once_with(backend="inductor")


def test_every_arm_that_one_process_trains_is_compiled(monkeypatch, dynamo):
    """As a GPU trains it, but by a compiler that takes note of the graphs, and needs no GPU.

    There are more graphs than the cache holds, in which all models of a process share a place.
    """
    graphs = []

    def compiler(graph, inputs):
        graphs.append(torch.is_grad_enabled())
        return graph.forward

    for_gpu = partial(accuracy.compiled, device="cuda", backend=compiler)
    monkeypatch.setattr(accuracy, "compiled", lambda model, _: for_gpu(model))
    few = replace(RECIPES["smoke"], name="few", epochs=1)
    monkeypatch.setitem(RECIPES, "few", few)
    images = trial.noise(128, 8)
    monkeypatch.setattr(accuracy, "_images", lambda name: images)
    for module in ("none", "se", "cbam", "eca", "coord", "pam"):
        graphs.clear()
        found = ACCURACY.measure(replace(CELL, module=module, recipe="few"))
        assert {True, False} <= set(graphs), "it was trained and tested as it is"
        assert found["compiled"] and set(found) == {column.name for column in ACCURACY.columns}


def test_a_gpu_that_cannot_compile_is_refused_before_any_training(monkeypatch):
    """In a fresh process: this one would hold the GPU beside what is timed on it."""
    asked = []

    def nothing(*call):
        asked.append(call)
        raise RuntimeError("RuntimeError: no compiler")

    monkeypatch.setattr(accuracy.fresh, "in_fresh_process", nothing)
    ACCURACY.check([CELL])
    assert not asked
    with pytest.raises(ValueError, match=r"cuda.*RuntimeError: no compiler.*choose --device cpu"):
        ACCURACY.check([CELL, replace(CELL, device="cuda")])
    assert asked == [(accuracy.compile_once, "cuda", CELL.precision)]


def test_what_is_tried_on_a_gpu_is_compiled_and_trained(monkeypatch):
    compiled = []
    monkeypatch.setattr(torch, "compile", lambda model: compiled.append(model) or model)
    accuracy.compile_once("cpu", "fp32")
    (model,) = compiled
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_a_gpu_without_bfloat16_is_not_tried_with_it(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (7, 5))
    with pytest.raises(RuntimeError, match=r"compute capability 8\.0; it has 7\.5"):
        accuracy.compile_once("cuda", "bf16")


def test_the_bare_backbone_has_as_many_seeds_at_every_width_as_the_main_table():
    cells = list(ACCURACY.cells(Selection("cpu")))
    bare = [cell for cell in cells if cell.module == "none" and cell.backbone == BACKBONE]
    wider = [cell for cell in cells if cell.backbone in WIDTHS]
    assert len(bare) == 10
    assert set(wider) == {replace(cell, backbone=name) for cell in bare for name in WIDTHS}
    assert [cell.seed for cell in wider] == sorted(cell.seed for cell in wider)


def test_who_asks_for_modules_or_backbones_gets_the_main_table_alone():
    asked = Selection("cpu", modules=(("se", "reduction=8"),), backbones=("resnet18",))
    cells = list(ACCURACY.cells(asked))
    assert {cell.backbone for cell in cells} == {"resnet18"} and len(cells) == 2 * 10
    own = list(ACCURACY.cells(Selection("cpu", modules=(("se", ""),))))
    assert {cell.backbone for cell in own} == {BACKBONE} and len(own) == 2 * 10


def test_a_width_is_trained(measured):
    (name,) = (name for name, width in WIDTHS.items() if width == 0.75)
    narrow = ACCURACY.measure(replace(CELL, backbone=name))
    assert narrow["top1"] > 85 and narrow["params"] < 0.6 * measured["params"]
    _, layers = ACCURACY.configuration(replace(CELL, backbone=name))
    assert "Conv2d(12, 12," in layers


def test_a_quick_run_is_a_preview_of_this_machine():
    cells = list(ACCURACY.cells(Selection("quick")))
    assert {cell.recipe for cell in cells} == {"preview"}
    assert all(ACCURACY.same_machine(cell) for cell in cells)
    assert not any(ACCURACY.same_machine(cell) for cell in ACCURACY.cells(Selection("cpu")))


def test_a_processor_runs_one_thread_a_process_and_a_gpu_bf16():
    assert {cell.threads for cell in ACCURACY.cells(Selection("cpu"))} == {1}
    (how,) = {(c.precision, c.layout) for c in ACCURACY.cells(Selection("gpu", device="cuda"))}
    assert how == ("bf16", "nhwc")


def test_missing_data_is_an_error_before_training(monkeypatch):
    def missing(name):
        raise DataError("nowhere")

    monkeypatch.setattr(data, "load", missing)
    accuracy._images.cache_clear()
    with pytest.raises(DataError, match="nowhere"):
        ACCURACY.check([CELL])


@pytest.mark.parametrize("module", ["none", "se", "sk"])
def test_the_layers_of_a_model_decide_its_fingerprint_the_same_way_everywhere(module):
    recipe, layers = ACCURACY.configuration(replace(CELL, module=module))
    assert recipe["lr"] == RECIPES["smoke"].lr
    assert " at 0x" not in layers
    assert "Conv2d" in layers
    _, others = ACCURACY.configuration(replace(CELL, module="eca", variant="kernel_size=7"))
    assert others != layers
