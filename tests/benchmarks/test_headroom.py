"""Scenes without their difficulty, and what is right without the ability that a task asks for."""

import re
from dataclasses import replace

import pytest
import torch
import trial
from rendered import row_of

from benchmarks import data, display, eased, floors, headroom, mechanism, scenes
from benchmarks.accuracy import run_seed
from benchmarks.cells import Cell, Selection
from benchmarks.controls import RESCALED
from benchmarks.data import Images
from benchmarks.floors import BRIGHTNESS, CANVAS, UNREAD, Floors
from benchmarks.headroom import WITHOUT, Headroom
from benchmarks.mechanism import RECIPE, TASKS, Mechanism
from benchmarks.site import headroom as page
from benchmarks.store import Store

pytestmark = pytest.mark.usefixtures("one_thread")


def source(number=300):
    """Images of noise of ten classes, in which no pixel is black."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(1, 256, (number, 1, 28, 28), generator=generator, dtype=torch.uint8)
    y = torch.arange(number) % 10
    return Images("noise", x, y, x.flip(0), y.flip(0), 10, flip=False)


def both(task, number=200, seed=3):
    """The easy scenes of a task and the hard ones, with their labels."""
    images = source()
    made = [m.compose(task, images.train_x, images.train_y, number, seed) for m in (eased, scenes)]
    (easy, easy_y), (hard, hard_y) = made
    assert torch.equal(easy_y, hard_y) and easy.shape == hard.shape and easy.dtype == hard.dtype
    return easy, hard


@pytest.mark.parametrize("task", ["mark", "clutter"])
def test_what_is_left_is_where_it_was_and_nothing_is_beside_it(task):
    easy, hard = both(task)
    assert (easy <= hard).all() and not torch.equal(easy, hard)
    side = {"mark": scenes.PLACE, "clutter": scenes.MIDDLE}[task]
    lit = (easy > 0).flatten(1).sum(1)
    assert (lit == side**2).all()
    # The brighter pixel is seen: what others hide of the object is a part of the difficulty.
    assert (easy == hard)[easy > 0].double().mean() > 0.9


def test_the_clean_channel_is_left_and_the_others_are_black():
    easy, hard = both("channels")
    clean = easy.flatten(2).amax(2) > 0
    assert (clean.sum(1) == scenes.CLEAN).all()
    assert torch.equal(easy[clean], hard[clean])


def test_every_object_has_the_usual_size():
    easy, hard = both("scale")
    lit = (easy > 0).flatten(1).sum(1)
    assert (lit == scenes.MIDDLE**2).all()
    assert (hard > 0).flatten(1).sum(1).unique().numel() > 10
    # The place is the same share of the room that there is.
    top = (easy[:, 0].amax(2) > 0).int().argmax(1) / (scenes.CANVAS - scenes.MIDDLE)
    side = (hard > 0).flatten(1).sum(1).sqrt()
    room = scenes.CANVAS - side
    there = (hard[:, 0].amax(2) > 0).int().argmax(1) / room.clamp(min=1)
    assert ((top - there).abs()[room > 8] < 0.15).all()


def test_a_task_that_is_its_own_difficulty_has_no_easy_scenes():
    assert set(eased.TASKS) == set(WITHOUT) == set(TASKS) - {"position", "pair"}
    with pytest.raises(ValueError, match="no easy scenes of task 'pair'; allowed: mark, scale"):
        eased.compose("pair", *both_labels(), 1, 0)


def both_labels():
    images = source()
    return images.train_x, images.train_y


def test_runs_have_the_seeds_of_the_bare_network_on_the_task():
    cells = list(Headroom().cells(Selection("cpu")))
    assert len(cells) == len(WITHOUT) * mechanism.SEEDS
    bare = [
        c for c in Mechanism().cells(Selection("cpu")) if (c.module, c.recipe) == ("none", RECIPE)
    ]
    seeds = {(c.data, c.seed): run_seed(c) for c in bare}
    assert all(run_seed(cell) == seeds[cell.data, cell.seed] for cell in cells)
    for want in (Selection(), Selection("cpu", (("se", ""),)), Selection("gpu", device="cuda")):
        assert not list(Headroom().cells(want)) and not list(Floors().cells(want))


def test_a_run_is_trained_as_the_task_is(monkeypatch):
    few = source(120)
    monkeypatch.setattr(data, "load", lambda name: few)
    monkeypatch.setattr(mechanism, "_source", lambda: few)
    sizes = {RECIPE: (128, 40)}
    monkeypatch.setattr(mechanism, "SIZES", sizes)
    monkeypatch.setattr(headroom, "SIZES", sizes)
    cell = next(c for c in Headroom().cells(Selection("cpu")) if c.data == "clutter")
    found = Headroom().measure(cell)
    assert set(found) == {c.name for c in Headroom.columns}
    task = replace(cell, benchmark="mechanism")
    # With the scenes of the task itself a run is the one that the task has.
    monkeypatch.setattr(eased, "compose", scenes.compose)
    same, trained = Headroom().measure(cell), Mechanism().measure(task)
    assert same == {name: trained[name] for name in same}
    assert found["train_loss"] != same["train_loss"]


def test_brightness_tells_what_it_can():
    y = torch.arange(1000) % 4
    told = (50 * y + torch.arange(1000) % 7).to(torch.uint8).view(-1, 1, 1, 1).expand(-1, 1, 4, 4)
    assert floors.by_brightness(told, y, told, y) == 1.0
    silent = torch.full((1000, 1, 4, 4), 9, dtype=torch.uint8)
    assert floors.by_brightness(silent, y, silent, y) == 0.25


def test_who_does_not_read_the_mark_names_the_commonest_class(monkeypatch):
    y = torch.tensor([4, 4, 7, 9])
    chosen = torch.tensor([[0, 1, 2], [2, 0, 1], [0, 2, 3], [0, 0, 1]])
    monkeypatch.setattr(eased, "shown", lambda size, number, generator: chosen)
    # Right for sure, never, one time in three, for sure.
    assert floors.unread(y, y[chosen[:, 0]], 0) == pytest.approx((1 + 0 + 1 / 3 + 1) / 4)
    with pytest.raises(RuntimeError, match="draw their objects in another way"):
        floors.unread(y, torch.tensor([9, 9, 9, 9]), 0)


def test_the_mark_unread_is_a_third_and_a_little_for_ten_equal_classes(monkeypatch):
    few = source()
    monkeypatch.setattr(data, "load", lambda name: few)
    monkeypatch.setattr(mechanism, "_source", lambda: few)
    (cell,) = [c for c in Floors().cells(Selection("cpu")) if (c.recipe, c.seed) == (UNREAD, 0)]
    # All alike 1/100, two alike 27/100, all different 72/100.
    assert Floors().measure(cell)["top1"] == pytest.approx(100 * (0.01 + 0.18 + 0.24), abs=3)


def test_floors_are_of_the_scenes_that_are_trained_on():
    cells = list(Floors().cells(Selection("cpu")))
    assert [c.recipe for c in cells].count(CANVAS) == 1
    for task in TASKS:
        seeds = [c.seed for c in cells if (c.data, c.recipe) == (task, BRIGHTNESS)]
        assert seeds == list(range(mechanism.SEEDS))


def test_canvas_everywhere_is_right_on_the_canvas_alone(monkeypatch):
    from benchmarks import canvas

    labels = torch.arange(11).repeat(2, 10).view(2, 11, 10).to(torch.uint8)
    labels[1] = 0
    small = canvas.Labelled("clothes", canvas.CLOTHES, labels, labels, labels, labels)
    monkeypatch.setattr(canvas, "load", lambda name: small)
    share = 100 * (10 + 110) / 220
    found = floors.canvas_everywhere()
    assert (found["pixel_accuracy"], found["miou"]) == pytest.approx((share, share / 11))


@pytest.fixture
def store(tmp_path):
    """Made easy the task mark has 20 points more; cbam is below the floor of both tasks."""
    made = Store(tmp_path)
    values = {"classes": 10, "train_images": 2700, "test_images": 2000, "epochs": 6}
    for seed in range(10):
        for task, floor in (("mark", UNREAD), ("pair", BRIGHTNESS)):
            cell = Cell("mechanism", mechanism.BACKBONE, data=task, recipe=RECIPE, seed=seed)
            trial.append(made, cell, {**values, "top1": 50 + seed / 4})
            trial.append(made, replace(cell, module="cbam"), {**values, "top1": 41.0 + seed / 4})
            trial.append(made, replace(cell, module="se"), {**values, "top1": 44.0 + seed / 4})
            bright = Cell("floors", "", data=task, recipe=floor, seed=seed)
            trial.append(made, bright, {"top1": 42.0 + seed / 4, "test_images": 2000})
        easy = Cell("headroom", mechanism.BACKBONE, data="mark", recipe=RECIPE, seed=seed)
        trial.append(made, easy, {**values, "top1": 70 + seed / 4})
    canvas = Cell("floors", "", data="clothes", recipe=CANVAS)
    trial.append(made, canvas, {"pixel_accuracy": 70.0, "miou": 70 / 11})
    return made


def shown(text, task):
    """The entries of a task's line behind its name."""
    entries = re.findall(r"<td[^>]*>(.*?)</td>", row_of(text, task))
    return [" ".join(re.sub("<[^>]*>", " ", entry).split()) for entry in entries]


def test_the_table_shows_what_is_left_to_gain(store):
    text = page.headroom(store)
    assert shown(text, "mark") == [
        *("10.00", "not measured", "43.12", "51.12", WITHOUT["mark"], "71.12"),
        "+20.00 [+20.00, +20.00] higher",
    ]
    assert shown(text, "pair")[1:4] == ["43.12", "–", "51.12"]
    assert shown(text, "pair")[-1] == "–" and shown(text, "scale")[-1] == "not measured"
    assert "across two machines" not in text


def test_the_sentences_name_who_is_no_higher_than_a_floor(store):
    said = page.facts(store)
    assert (said["floors.mark"], said["floors.pair"]) == ("43.12 %", "43.12 %")
    assert said["floors.below"] == "on *mark* cbam; on *pair* cbam"
    assert (said["floors.canvas"], said["floors.canvas_miou"]) == ("70.00 %", "6.36 %")
    assert said["headroom.left"] == display.NOT_YET, "three tasks are not there yet"
    for seed in range(10):
        for task in ("scale", "clutter", "channels"):
            for name, top1 in (("mechanism", 60.0), ("headroom", 60.0 + seed)):
                cell = Cell(name, mechanism.BACKBONE, data=task, recipe=RECIPE, seed=seed)
                trial.append(store, cell, {"classes": 10, "top1": top1})
    left = page.facts(store)["headroom.left"]
    assert left.startswith("*mark* +20.00 [+20.00, +20.00], *scale* +4.50 [+2.33, +6.67], *clu")
    assert left.endswith(" points")
    assert page.facts(store)["headroom.taken"] == display.NOT_YET
    for task, module, above in (
        *(("mark", "coord", 6), ("scale", "sk", -1), ("clutter", "cbam", 0)),
        *(("channels", "se", 1), ("channels", "eca", 2)),
    ):
        name, (made, variant) = "task_controls", RESCALED.get(module, (module, ""))
        if module not in RESCALED:
            name = "mechanism"
        for seed in range(10):
            cell = Cell(name, mechanism.BACKBONE, made, variant, task, RECIPE, seed)
            bare = 50 + seed / 4 if task == "mark" else 60.0
            trial.append(store, cell, {"classes": 10, "top1": bare + above})
    assert page.facts(store)["headroom.taken"] == (
        "coord × 4 on *mark* +6.00 [+6.00, +6.00], sk on *scale* −1.00 [−1.00, −1.00], "
        "cbam × 4 on *clutter* 0.00 [0.00, 0.00], se × 2 on *channels* +1.00 [+1.00, +1.00], "
        "eca × 2 on *channels* +2.00 [+2.00, +2.00] points"
    )


def test_nothing_is_said_before_there_are_rows(tmp_path):
    assert "not measured" in page.headroom(Store(tmp_path)).lower()
    said = page.facts(Store(tmp_path))
    assert set(said.values()) == {display.MISSING, display.NOT_YET}
