"""Images in folders: views that a number decides, two steps on generated ones, clear errors."""

from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from unittest.mock import Mock

import numpy as np
import pytest
import torch
import trial
from PIL import Image
from torch import nn

from benchmarks import accuracy, compare, data, folders, imagenet, pairing
from benchmarks.cells import MODULES, Cell, Diverged, Selection, benchmarks
from benchmarks.data import DataError
from benchmarks.folders import How, Views
from benchmarks.imagenet import VARIABLE, ImageNet
from benchmarks.recipes import RECIPES
from benchmarks.site.accuracy import accuracy as page
from benchmarks.store import Store

BENCH = ImageNet()
CELL = Cell("imagenet", "resnet10_small", data="imagenet", recipe="few", seed=0, image_size=32)


def write(path, colour, number, size=(40, 30)):
    """A picture (width, height) of a colour with noise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(number).integers(-20, 20, (size[1], size[0], 3))
    Image.fromarray((np.array(colour) + noise).astype(np.uint8)).save(path)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Six images to train on and four to test on, red or blue; batches of three, two epochs."""
    root = tmp_path / "images"
    for name, colour in (("blue", (30, 60, 200)), ("red", (200, 60, 30))):
        for part, count in (("train", 3), ("val", 2)):
            for number in range(count):
                write(root / part / name / f"{number}.png", colour, number)
    monkeypatch.setenv(VARIABLE, str(root))
    few = replace(RECIPES["imagenet"], name="few", epochs=2, batch_size=3)
    monkeypatch.setitem(RECIPES, "few", few)
    return root


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv("ATTN_BENCH_DATA", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("suite", ["quick", "cpu", "gpu"])
def test_no_suite_needs_imagenet(nowhere, suite):
    (nowhere / "imagenet").mkdir()
    assert not list(BENCH.cells(Selection(suite, device="cuda")))
    BENCH.check([])


def test_where_it_is_the_gpu_trains_every_arm_seed_by_seed(place):
    assert imagenet.place() == place
    cells = list(BENCH.cells(Selection("gpu", device="cuda")))
    assert len(cells) == 10 * 2 * len(MODULES)
    first = [(c.backbone, c.module) for c in cells[: 2 * len(MODULES)]]
    assert first == [(b, m) for b in imagenet.BACKBONES for m in MODULES]
    assert {(c.precision, c.layout, c.image_size) for c in cells} == {("bf16", "nhwc", 224)}
    for suite in ("quick", "cpu"):
        assert not list(BENCH.cells(Selection(suite)))


def test_its_estimate_is_of_large_images(place):
    cells = list(BENCH.cells(Selection("gpu", device="cuda")))
    days = sum(map(BENCH.guess, cells)) / 86_400
    assert days > 100, "the suite's small images take hours"


def test_its_seeds_are_planned_as_the_rows_of_a_part_of_the_classes_are_not(tmp_path):
    of_all = pairing.Comparison("imagenet", "resnet50", "imagenet", "cuda", "bf16", "nhwc", 256)
    assert pairing.planned_seeds(of_all) == imagenet.SEEDS and not pairing.retired(of_all)
    assert pairing.planned_seeds(replace(of_all, data="imagenet-10")) is None
    store = Store(tmp_path)
    for seed in range(9):
        for module in ("none", "se"):
            cell = Cell(
                "imagenet", "resnet50", module, data="imagenet", recipe="imagenet", seed=seed
            )
            trial.append(store, replace(cell, device="cuda"), trial.outcome(70 + seed / 10))
    (which,) = pairing.comparisons(store, name="imagenet")
    rows = pairing.accuracy_rows(store, which, name="imagenet")
    table = compare.judged(rows)
    assert set(table["family"].dropna()) == {len(MODULES) - 1}
    assert compare.preview_words(table, which).startswith("Preview, not a result: 7 of 9 planned")


def test_a_selection_is_obeyed(place):
    want = Selection("gpu", (("se", ""),), ("resnet18",), "cuda")
    assert {(c.backbone, c.module) for c in BENCH.cells(want)} == {
        ("resnet18", "none"),
        ("resnet18", "se"),
    }


def test_folders_that_are_not_there_are_named_before_training(nowhere, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(nowhere / "none"))
    with pytest.raises(DataError, match=rf"none/train does not hold.*{VARIABLE}"):
        BENCH.check([CELL])


def test_a_part_of_the_classes_is_other_data(place, monkeypatch):
    """A trial with two of them leaves no row by which the whole would be measured."""
    gpu = Selection("gpu", device="cuda")
    assert {cell.data for cell in BENCH.cells(gpu)} == {"imagenet-2"}
    monkeypatch.setattr(imagenet, "CLASSES", 2)
    assert {cell.data for cell in BENCH.cells(gpu)} == {"imagenet"}
    monkeypatch.setenv(VARIABLE, "~/nowhere")
    assert {cell.data for cell in BENCH.cells(gpu)} == {"imagenet"}
    assert imagenet.place().is_absolute()
    monkeypatch.delenv(VARIABLE)
    with pytest.raises(ValueError, match=f"set {VARIABLE} to the folder"):
        imagenet.place()


def test_a_folder_without_images_and_classes_that_differ_are_refused(place):
    (place / "val" / "green").mkdir()
    with pytest.raises(DataError, match="val does not hold a folder of images for each class"):
        BENCH.check([CELL])
    write(place / "val" / "green" / "0.png", (30, 200, 60), 0)
    with pytest.raises(DataError, match="different classes, green is in one of them only"):
        BENCH.check([CELL])


def test_an_unknown_name_is_no_data_set_in_memory():
    assert "imagenet" not in data.DATASETS


@pytest.mark.parametrize("how", [{}, {"precision": "bf16", "layout": "nhwc"}])
def test_an_arm_is_trained_and_says_what_it_used(place, how):
    BENCH.check([CELL])
    found = BENCH.measure(replace(CELL, module="se", **how))
    assert set(found) == {column.name for column in BENCH.columns}
    assert (found["train_images"], found["test_images"], found["epochs"]) == (6, 4, 2)
    assert found["top5"] == 100 and found["top1"] in (0, 25, 50, 75, 100)
    right = accuracy.correct_images(found["correct"], 4)
    assert found["top1"] == 100 * right.sum() / 4
    assert len(found["losses"].split()) == 2


def test_what_torch_has_compiled_is_trained(place, monkeypatch):
    torch._dynamo.utils.counters.clear()
    for_gpu = partial(accuracy.compiled, device="cuda", backend="aot_eager")
    monkeypatch.setattr(imagenet, "compiled", lambda model, _: for_gpu(model))
    with torch._dynamo.config.patch(fail_on_recompile_limit_hit=False):  # put back
        found = BENCH.measure(replace(CELL, precision="bf16", layout="nhwc"))
    assert found["compiled"] and found["top5"] == 100
    assert torch._dynamo.utils.counters["frames"]["ok"]


def test_a_gpu_that_cannot_compile_is_refused_before_any_training(place, monkeypatch):
    nothing = Mock(side_effect=RuntimeError("no compiler"))
    monkeypatch.setattr(accuracy.fresh, "in_fresh_process", nothing)
    with pytest.raises(ValueError, match="no compiler"):
        BENCH.check([replace(CELL, device="cuda")])


@pytest.mark.parametrize(("mib", "enough"), [(64, False), (2**20, True)])
def test_too_little_shared_memory_is_answered_before_any_training(
    tmp_path, monkeypatch, mib, enough
):
    there = SimpleNamespace(total=mib * 2**20)
    monkeypatch.setattr(imagenet.shutil, "disk_usage", lambda folder: there)
    cells = [replace(CELL, device="cuda", image_size=224, batch_size=256)]
    imagenet.require_shared_memory([CELL], str(tmp_path))
    imagenet.require_shared_memory(cells, str(tmp_path / "none"))
    if enough:
        return imagenet.require_shared_memory(cells, str(tmp_path))
    with pytest.raises(ValueError, match="has 64 MiB; they need .* --shm-size="):
        imagenet.require_shared_memory(cells, str(tmp_path))


def test_an_arm_measured_again_gives_the_same(place):
    speed = {"images_per_second": 0}
    one, again = (BENCH.measure(CELL) for _ in range(2))
    assert {**one, **speed} == {**again, **speed}
    other = BENCH.measure(replace(CELL, seed=1))
    assert other["losses"] != one["losses"]


class Mean(nn.Module):
    """Scores of blue and red that are the mean of the red channel, times a weight."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))

    def forward(self, x):
        red = self.weight * x[:, 0].mean((1, 2))
        return torch.stack([-red, red], 1)


def test_training_tells_red_from_blue(place):
    recipe = replace(RECIPES["few"], lr=1.0)
    outcome, top5 = folders.train(Mean(), folders.load(place), recipe, 0, How(32))
    assert outcome.top1 == top5 == 100
    assert outcome.losses[1] < outcome.losses[0]
    assert outcome.correct == b"\xf0"


def test_a_loss_that_is_not_finite_keeps_what_is_known(place, monkeypatch):
    monkeypatch.setitem(RECIPES, "few", replace(RECIPES["few"], lr=1e30, epochs=3))
    with pytest.raises(Diverged) as caught:
        BENCH.measure(CELL)
    assert caught.value.values["train_images"] == 6 and caught.value.values["params"] > 0


@pytest.mark.parametrize("field", [{"crop": 4}, {"whiten": True}, {"flip": False}], ids=str)
def test_a_recipe_with_steps_that_are_not_here_is_refused(place, field):
    recipe = replace(RECIPES["few"], **field)
    with pytest.raises(ValueError, match="recipe few: .* give flip=True"):
        folders.train(Mean(), folders.load(place), recipe, 0, How(32))


def test_too_few_images_for_a_batch_are_refused(place):
    recipe = replace(RECIPES["few"], batch_size=7)
    with pytest.raises(ValueError, match="6 training images, fewer than one batch of 7"):
        folders.train(Mean(), folders.load(place), recipe, 0, How(32))


def views(place, workers):
    found = folders.load(place)
    drawn = folders.draw(6, torch.Generator().manual_seed(0))
    training = Views(found.train, folders.training_view(16))
    how = How(16, workers=workers)
    return drawn, list(folders.batches(training, drawn, 4, how, whole=False))


def test_the_number_of_workers_changes_no_view(place):
    before = torch.get_rng_state()
    drawn, alone = views(place, 0)
    assert torch.equal(torch.get_rng_state(), before)  # what a model draws stays as it was
    _, shared = views(place, 2)
    assert [len(y) for _, y in alone] == [4, 2]
    for (x, y), (same_x, same_y) in zip(alone, shared, strict=True):
        assert torch.equal(x, same_x) and torch.equal(y, same_y)
    assert sorted(number for number, _ in drawn) == list(range(6))
    # the files are sorted, three of a class
    assert torch.cat([y for _, y in alone]).tolist() == [number // 3 for number, _ in drawn]


def test_another_number_is_another_view(place):
    found = folders.load(place)
    training = Views(found.train, folders.training_view(16))
    assert torch.equal(training[0, 1][0], training[0, 1][0])
    assert not torch.equal(training[0, 1][0], training[0, 2][0])


def test_the_middle_of_an_image_is_tested(place):
    """At 7/8 of its shorter side an image of that size is not scaled: its middle is cut out."""
    grey = Image.fromarray(np.arange(32 * 40, dtype=np.uint16).reshape(32, 40).astype(np.uint8))
    x = folders.test_view(28)(grey.convert("RGB"))
    pixels = torch.from_numpy(np.array(grey)[2:30, 6:34] / 255).float()
    mean, std = folders.IMAGENET_DEFAULT_MEAN[0], folders.IMAGENET_DEFAULT_STD[0]
    assert torch.allclose(x[0], (pixels - mean) / std, atol=1e-6)


def test_equal_scores_are_not_all_right(place):
    """The likeliest class is one class, whatever the precision."""
    hits, _ = folders.evaluate(Mean(), folders.load(place).test, How(32), 3)
    assert hits.shape == (4, 2) and hits[:, 0].sum() == 2 and hits.any(1).all()


def test_the_page_says_what_is_not_measured_until_it_is(tmp_path):
    store = Store(tmp_path)
    assert "ImageNet: not measured" in page(store)
    for module, top1 in (("none", 70.0), ("se", 71.0)):
        cell = replace(CELL, module=module, recipe="imagenet", batch_size=256)
        values = {"top1": top1, "params": 1, "train_images": 6, "test_images": 4}
        trial.append(store, cell, values)
    text = page(store)
    assert "ImageNet: not measured" not in text and "71.00" in text
    assert "Preview, not a result" in text and "imagenet.csv" in text


def test_the_code_of_an_accuracy_in_memory_is_not_that_of_a_folder():
    known = benchmarks()
    assert "benchmarks/folders.py" in known["imagenet"].code
    assert "benchmarks/folders.py" not in known["accuracy"].code
