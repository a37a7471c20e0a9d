"""Every arm meets the same scenes, and no training scene shows a test image."""

import base64
from dataclasses import replace
from io import BytesIO
from itertools import groupby

import numpy as np
import pytest
import timm
import torch
from PIL import Image

from attn import create_model
from benchmarks import mechanism, narrow, scenes  # noqa: F401  narrow registers the net
from benchmarks.accuracy import run_seed
from benchmarks.cells import MODULES, Cell, Diverged, Selection
from benchmarks.data import Images
from benchmarks.mechanism import (
    LONG,
    LONG_TASKS,
    PREVIEW,
    RECIPE,
    SEEDS,
    TASKS,
    Mechanism,
    composed,
)
from benchmarks.recipes import RECIPES

BENCH = Mechanism()
CPU = list(BENCH.cells(Selection("cpu")))
CELL = Cell("mechanism", mechanism.BACKBONE, data="pair", recipe=PREVIEW, seed=0, threads=1)

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def small(monkeypatch):
    """A source whose training images are dark and whose test images are bright; few scenes."""
    y = torch.arange(100) % 10
    dark = (5 * (y + 1)).to(torch.uint8).view(-1, 1, 1, 1).expand(-1, 1, 28, 28)
    source = Images("small", dark, y, dark + 150, y, 10, flip=True)
    monkeypatch.setattr(mechanism, "_source", lambda: source)
    monkeypatch.setattr(mechanism, "SIZES", {PREVIEW: (128, 40), RECIPE: (128, 40)})


def test_a_suite_has_all_arms_of_all_tasks_seed_by_seed():
    short, long = (len(tasks) * len(MODULES) * SEEDS for tasks in (TASKS, LONG_TASKS))
    assert [c.recipe for c in CPU] == [RECIPE] * short + [LONG] * long
    for (recipe, seed, task), cells in groupby(CPU, key=lambda c: (c.recipe, c.seed, c.data)):
        cells = list(cells)
        assert tuple(cell.module for cell in cells) == MODULES
        assert len({run_seed(cell) for cell in cells}) == 1
        assert {(c.recipe, c.seed, c.data) for c in cells} == {(recipe, seed, task)}
    assert len({run_seed(cell) for cell in CPU}) == (len(TASKS) + len(LONG_TASKS)) * SEEDS


def test_the_longer_training_differs_by_its_epochs_alone():
    short, long = RECIPES[RECIPE], RECIPES[LONG]
    assert replace(long, name=short.name, epochs=short.epochs) == short
    assert long.epochs == 4 * short.epochs
    assert mechanism.SIZES[LONG] == mechanism.SIZES[RECIPE]
    (cell,) = [c for c in CPU if (c.recipe, c.module, c.seed, c.data) == (LONG, "se", 0, "pair")]
    assert BENCH.guess(cell) == 4 * BENCH.guess(replace(cell, recipe=RECIPE))


def test_a_preview_has_the_arms_that_a_task_is_made_for_and_a_reader_chooses_others():
    quick = list(BENCH.cells(Selection()))
    for task, about in TASKS.items():
        mine = {cell.module for cell in quick if cell.data == task}
        assert mine == {"none", *about.named} <= set(MODULES)
    own = [c.arm for c in BENCH.cells(Selection(modules=(("se", "reduction=4"),)))]
    assert own == ["none", "se reduction=4"] * len(TASKS)
    assert not list(BENCH.cells(Selection("gpu", device="cuda")))


def test_every_module_but_one_has_a_task_of_its_own():
    named = {arm for about in TASKS.values() for arm in about.named}
    assert set(MODULES) - named == {"none", "cam"}
    assert set(TASKS) == set(scenes.TASKS)


def test_an_unknown_task_is_refused_before_any_work():
    with pytest.raises(ValueError, match="unknown task 'pairs'.*Did you mean pair"):
        BENCH.check([replace(CELL, data="pairs")])


@pytest.mark.parametrize("task", TASKS)
def test_scenes_of_a_seed_are_those_of_every_arm_and_of_their_own_images(small, task):
    cell = replace(CELL, data=task)
    one, other = composed(cell), composed(replace(cell, module="sk"))
    for name in ("train_x", "train_y", "test_x", "test_y"):
        assert torch.equal(getattr(one, name), getattr(other, name))
    assert not torch.equal(one.train_x, composed(replace(cell, seed=1)).train_x)
    assert (len(one.train_y), len(one.test_y)) == (128, 40)
    drawn = one.train_x[one.train_x < 255] if task == "mark" else one.train_x
    assert drawn.max() <= 50, "a training scene shows a test image"
    assert one.test_x.flatten(1).amax(1).min() > 150, "a test scene shows no test image"
    assert not one.flip, "a mirrored scene may have another label"


def test_a_cell_says_what_it_used_and_measured_again_gives_the_same(small):
    measured = BENCH.measure(CELL)
    assert set(measured) == {column.name for column in BENCH.columns}
    assert (measured["train_images"], measured["test_images"]) == (128, 40)
    assert (measured["classes"], measured["epochs"]) == (2, 1)
    assert 100 * measured["top1"] % 250 == 0
    assert BENCH.measure(CELL) == measured
    for other in (replace(CELL, seed=1), replace(CELL, module="pam")):
        assert "scenes" not in BENCH.measure(other)


def test_a_divergence_keeps_what_is_known(small, monkeypatch):
    wild = replace(RECIPES[PREVIEW], lr=1e12, warmup=0.01)
    monkeypatch.setitem(RECIPES, PREVIEW, wild)
    with pytest.raises(Diverged) as caught:
        BENCH.measure(CELL)
    assert caught.value.values["classes"] == 2 and caught.value.values["params"] > 0


def test_the_recipe_and_the_number_of_scenes_decide_a_value(monkeypatch):
    before = BENCH.configuration(CELL)
    assert BENCH.configuration(replace(CELL, seed=5)) == before
    assert BENCH.configuration(replace(CELL, module="se")) != before
    monkeypatch.setitem(mechanism.SIZES, PREVIEW, (641, 500))
    assert BENCH.configuration(CELL) != before


def test_labels_are_words():
    assert mechanism.label("position", scenes.GRID + 1) == "row 2, column 2"
    assert mechanism.label("pair", 0) == "not alike"
    assert mechanism.label("scale", 8) == mechanism.label("mark", 8) == "bag"


@pytest.mark.parametrize(("channels", "size"), [(1, (28, 28)), (6, (56, 84))])
def test_pictures_hold_the_scenes_in_sixteen_greys(channels, size):
    x = torch.randint(256, (3, channels, 28, 28), dtype=torch.uint8)
    drawn = mechanism.drawings(mechanism.pictures("scale", x, torch.tensor([8, 0, 9])))
    assert [label for label, _ in drawn] == ["bag", "T-shirt", "ankle boot"]
    for scene, (_, png) in zip(x, drawn, strict=True):
        read = torch.from_numpy(np.array(Image.open(BytesIO(base64.b64decode(png))).convert("L")))
        assert read.shape == size
        assert set(read.unique().tolist()) <= set(range(0, 256, 17))
        first = read[:28, :28].float() - scene[0]
        last = read[-28:, -28:].float() - scene[-1]
        assert max(first.abs().max(), last.abs().max()) <= 8
    assert mechanism.drawings("") == []


def test_an_image_may_have_an_odd_width():
    made = Image.open(BytesIO(mechanism.png([[0, 15, 3], [4, 5, 6]]))).convert("L")
    assert np.array(made).tolist() == [[0, 255, 51], [68, 85, 102]]


def test_the_net_has_the_maps_that_it_is_described_with():
    net = timm.create_model("resnet10_narrow_os8", features_only=True, in_chans=1)
    maps = net(torch.zeros(1, 1, 40, 40))
    assert [x.shape[-1] for x in maps] == [20, 20, 10, 5, 5]
    assert [x.shape[1] for x in maps] == [16, 16, 16, 32, 64]
    with pytest.raises(ValueError, match="no pretrained weights"):
        timm.create_model("resnet10_narrow_os8", pretrained=True)


@pytest.mark.parametrize("module", MODULES)
def test_every_module_fits_the_net(module):
    net = create_model("resnet10_narrow_os8", module, in_chans=6, num_classes=10).eval()
    assert net(torch.zeros(2, 6, 28, 28)).shape == (2, 10)
