"""The page on mechanisms shows the differences that rows have, and who a task is made for."""

import re
from dataclasses import replace

import pytest
import torch
import trial
from rendered import row_of

from benchmarks import budget, mechanism, pairing, scenes, stats
from benchmarks.cells import MODULES, ROOT, Cell
from benchmarks.controls import RESCALED
from benchmarks.mechanism import LONG, PREVIEW, RECIPE, SEEDS
from benchmarks.site import longer_training, own_tasks, own_tasks_facts
from benchmarks.site import mechanism as page
from benchmarks.snapshot import Snapshot
from benchmarks.store import Store

CELL = Cell("mechanism", mechanism.BACKBONE, data="pair", recipe=PREVIEW, seed=0, threads=1)
VALUES = {"classes": 36, "train_images": 2700, "test_images": 2000, "epochs": 6, "params": 84_404}


BEGUN = (
    "Preview, not a result: 40 of 54 planned arms without a run, "
    f"1 to {SEEDS} of {SEEDS} planned seeds of the others"
)


def train(store, task, module, above, seeds=SEEDS, recipe=RECIPE):
    """Rows whose accuracy is that of the bare network, 80 and a little, and ``above`` more."""
    for seed in range(seeds):
        cell = replace(CELL, module=module, data=task, recipe=recipe, seed=seed)
        trial.append(store, cell, {**VALUES, "top1": 80 + seed / 4 + above})


def facts(store):
    """What the page says in words."""
    store = Snapshot(store.root)
    parts = (own_tasks_facts, page, longer_training)
    return {key: text for part in parts for key, text in part.facts(store).items()}


@pytest.fixture
def store(tmp_path):
    """On position coord is exactly 3 points above none, SE 1 above, the other six equal to none."""
    made = Store(tmp_path)
    for module in MODULES:
        train(made, "position", module, {"coord": 3, "se": 1}.get(module, 0))
    for module in ("none", "sk"):
        train(made, "scale", module, -2)
    train(made, "pair", "none", 0, seeds=1, recipe=PREVIEW)
    train(made, "pair", "pam", 5, seeds=1, recipe=PREVIEW)
    picture = "row 1, column 2=AAAA;row 3, column 4=BBBB"
    cell = replace(CELL, data="clutter", recipe=RECIPE)
    trial.append(made, cell, {**VALUES, "top1": 70.0, "scenes": picture})
    return made


def test_a_task_compares_every_arm_with_none(store):
    text = page.tasks(store)
    position = text.partition("</table>")[0]
    coord = row_of(position, "coord")
    assert ">yes<" in coord and ">+3.00<" in coord and ">higher<" in coord
    assert ">84.12<" in coord and ">no<" in row_of(position, "se")
    assert ">reference<" in row_of(position, "none")
    assert "guessing gives 2.78 %" in position and "2,700 training scenes" in position
    assert "Mark: what is in the marked row or column?: not measured" in text
    pair = text.rpartition("<table")[2]
    assert "Preview, not a result: 1 of 6 paired seeds" in pair and "not enough seeds" in pair


def test_captions_say_what_an_interval_and_a_verdict_are_of(store):
    """One can leave zero out beside no measurable difference."""
    of = "an interval is of one line alone, a verdict is adjusted for all lines of"
    assert page.tasks(store).count(f"; {of} the table</span>") == 4
    assert f"; {of} its column</span>" in own_tasks.named(store)


def test_a_module_is_compared_with_the_modules_that_a_task_is_not_made_for(store):
    """The other seven are 1/7 point above none in the mean, so coord is 20/7 above them."""
    text = own_tasks.named(store)
    coord = row_of(text, "coord, position")
    assert ">+3.00<" in coord and ">+2.86<" in coord and coord.count(">higher<") == 2
    assert ">81.12<" in coord
    scale = row_of(text, "sk, scale")
    assert ">0.00<" in scale and ">not measured<" in scale
    assert "not measured" in row_of(text, "eca, channels")


def test_the_sentence_counts_the_verdicts(store):
    said = facts(store)["mechanism.summary"]
    assert said == (
        f"{BEGUN}. "
        "Of 3 pairs of a task and a module that it is made for, compared with none, 1 is higher, "
        "1 shows no measurable difference, 1 has not enough seeds for a verdict. "
        "Of 1 pairs, compared with the mean of the other modules (a weak opponent where gates are "
        "held back by their size), 1 is higher. "
        "Of 7 pairs of a task and a module that it is not made for, 1 is higher, "
        "6 show no measurable difference (one family). Higher: se on *position*. "
        "Above the mean of every module that the task is not made for: coord on *position* "
        "(means alone: the best of several is partly luck)."
    )


def test_the_best_other_module_stands_beside_the_one_that_is_named(store):
    coord = row_of(own_tasks.named(store), "coord, position")
    assert ">84.12<" in coord and ">82.12<" in coord and ">se<" in coord
    train(store, "position", "sk", 4, seeds=SEEDS - 1)
    said = facts(store)["mechanism.summary"]
    assert (
        "For none of 1 pair is the mean of the module above that of every module that the" in said
    )


def test_what_is_higher_with_many_more_parameters_says_so(store):
    for seed in range(SEEDS):
        cell = replace(CELL, module="se", data="position", recipe=RECIPE, seed=seed)
        larger = {**VALUES, "params": 1.5 * VALUES["params"], "top1": 81 + seed / 4}
        trial.append(store, cell, {**larger, "params": int(larger["params"])})
    said = facts(store)["mechanism.summary"]
    assert "Higher: se on *position* (with 50 % more parameters)." in said


def test_a_module_has_a_table_for_each_task_that_is_made_for_it(store):
    """The other seven are 1/7 point above none on position; on pair there is one seed."""
    said = own_tasks.one_by_one(store)
    coord = said["mechanism-position-coord"]
    assert BEGUN in coord
    alone, among = (row_of(coord, f"coord less {other}") for other in ("none", "the mean of other"))
    assert ">+3.00<" in alone and ">higher<" in alone and f">{SEEDS}<" in alone
    assert ">+2.86<" in among and ">higher<" in among
    for line in ("coord × 4 less none", "coord × 4 less that mean", "constant 1/4 less none"):
        assert "not measured" in row_of(coord, line)
    assert "not measured" in row_of(said["mechanism-scale-sk"], "sk less the mean of other modules")
    assert "constant" not in said["mechanism-scale-sk"], "SK is no gate"
    pam = row_of(said["mechanism-pair-pam"], "pam less none")
    assert ">+5.00<" in pam and ">not enough seeds<" in pam
    assert said["mechanism-channels-eca"].startswith('<p class="absent">eca on the task channels')
    assert "mechanism-position-se" not in said


def test_a_run_without_a_value_stands_beneath_the_table(store):
    lost = replace(CELL, data="position", module="pam", recipe=RECIPE, seed=SEEDS - 1)
    trial.append(store, lost, None, status="diverged")
    coord = row_of(own_tasks.named(store), "coord, position")
    assert f">{SEEDS - 1}<" in coord and "without a value: pam 1" in coord
    assert "without a value: pam 1" in own_tasks.one_by_one(store)["mechanism-position-coord"]


def test_the_pairs_are_one_family_and_begin_as_a_preview_without_enough_seeds(store, tmp_path):
    """Three comparisons have seeds: Holm multiplies the smallest p by all that are planned."""
    made = own_tasks.as_published(store)
    alone = own_tasks.against_none(made).loc["coord, position"]
    by_itself = stats.paired({"coord": [3.0] * SEEDS})["coord"]
    assert alone.p_holm == pytest.approx(len(own_tasks.NAMED) * by_itself.p_holm)
    assert own_tasks.preview(made) == BEGUN, "tasks and modules of the plan were not begun"
    few = Store(tmp_path / "few")
    for module in ("none", "coord"):
        cell = replace(CELL, data="position", module=module, recipe=PREVIEW, seed=0)
        trial.append(few, cell, {**VALUES, "top1": 50.0})
    assert own_tasks.named(few).count("Preview, not a result") == 1
    assert facts(few)["mechanism.summary"].startswith("Preview, not a result")


def rescale(store, task, above, seeds=SEEDS):
    """Rows of every rescaled gate, ``above`` by gate."""
    for gate, (module, variant) in RESCALED.items():
        for seed in range(seeds):
            cell = replace(CELL, benchmark="task_controls", module=module, variant=variant)
            cell = replace(cell, data=task, recipe=RECIPE, seed=seed)
            top1 = 80 + seed / 4 + above.get(gate, 0)
            trial.append(store, cell, {**VALUES, "top1": top1})


def test_a_comparison_that_is_there_is_said_without_the_other(tmp_path):
    store = Store(tmp_path)
    for module in ("none", "sk"):
        train(store, "scale", module, 0)
    assert facts(store)["mechanism.scale.sk"] == (
        "Preview, not a result: 52 of 54 planned arms without a run. As published: no measurable "
        "difference (0.00 points) compared with none, "
        "not measured compared with the mean of the other modules."
    )


def test_where_gates_are_held_back_by_their_size_the_others_are_asked_without_it(tmp_path):
    """On two tasks SK, PAM, CAM, DANet and CBAM are a point above none, coord a point below. SE and
    ECA are 50 below, which makes SK look far better than the others. Rescaled all gates are a
    point above none, but coord on position, which is 3 above."""
    store = Store(tmp_path)
    off = {"se": -50, "eca": -50, "coord": -1} | dict.fromkeys(("sk", "cbam", "pam", "cam"), 1)
    off["danet"] = 1
    for task in mechanism.TASKS:
        for module in MODULES:
            above = off.get(module, 0) if task in ("scale", "position") else 0
            train(store, task, module, above)
    before = row_of(own_tasks.named(store), "sk, scale")
    assert ">+1.00<" in before and ">+14.86<" in before and before.count(">higher<") == 2
    assert "Preview" not in own_tasks.named(store)
    assert "not measured" in own_tasks.named_rescaled(store)
    said = facts(store)
    assert said["mechanism.rescaled"] == said["mechanism.both"] == "Not measured."
    assert "As coord" not in said["mechanism.position.coord"]
    assert said["mechanism.scale.sk"].endswith("Ahead of both: as published.")
    sk = row_of(own_tasks.one_by_one(store)["mechanism-scale-sk"], "sk less that mean")
    assert "not measured" in sk
    for task in mechanism.TASKS:
        rescale(store, task, {}, seeds=2)
    few = f"Preview, not a result: 2 to {SEEDS} of {SEEDS} planned seeds"
    assert few in own_tasks.named_rescaled(store) and "Preview" not in own_tasks.named(store)
    said = facts(store)
    assert said["mechanism.rescaled"].startswith(few) and said["mechanism.both"].startswith(few)
    one = dict.fromkeys(("se", "eca", "cbam", "coord"), 1)
    for task in mechanism.TASKS:
        rescale(store, task, one if task in ("scale", "position") else {})
    rescale(store, "position", {**one, "coord": 3})
    assert row_of(own_tasks.named(store), "sk, scale") == before, (
        "the published modules are as before"
    )
    text = own_tasks.named_rescaled(store)
    after = row_of(text, "sk, scale")
    assert ">+1.00<" in after and ">0.00<" in after and after.count(">higher<") == 1
    coord = row_of(text, "coord × 4, position")
    assert ">+3.00<" in coord and ">+2.00<" in coord and coord.count(">higher<") == 2
    assert ">84.12<" in coord and ">82.12<" in coord and "Preview" not in text
    said = facts(store)
    assert said["mechanism.rescaled"] == (
        "Of 8 pairs, compared with none, 2 are higher, 6 show no measurable difference. "
        "Of 8 pairs, compared with the mean of the other modules, 1 is higher, "
        "7 show no measurable difference. Higher than both: coord × 4 on *position*. "
        "Above the mean of every module that the task is not made for: coord × 4 on *position* "
        "(means alone: the best of several is partly luck)."
    )
    but = (
        "But coord × 4 is higher than none on *scale* too, which it is not made for, and not "
        "shown to be higher on *mark*, which it is made for: so it need not be the mechanism that "
        "its paper names."
    )
    assert said["mechanism.both"].startswith("This is so for coord × 4 on *position*: as published")
    assert said["mechanism.both"].endswith(but)
    assert said["mechanism.ahead"] == (
        "As published: 1 of 8, sk on *scale*. "
        "With every gate rescaled, planned when that was known: 1 of 8, coord × 4 on *position*. "
        f"{but}"
    )
    assert said["mechanism.position.coord"] == (
        "As published: lower by 1.00 points compared with none, higher by 12.57 points "
        "compared with the mean of the other modules. As coord × 4: higher by 3.00 points "
        "compared with none, higher by 2.00 points compared with the mean of the other modules. "
        f"Ahead of both: as coord × 4. {but}"
    )
    assert said["mechanism.scale.sk"] == (
        "As published: higher by 1.00 points compared with none, higher by 14.86 points compared "
        "with the mean of the other modules. With every gate rescaled: higher by 1.00 points "
        "compared with none, no measurable difference (0.00 points) compared with the mean of the "
        "other modules. So this test does not show that the mechanism helps."
    )
    assert said["mechanism.channels.se"].endswith(
        "So this test does not show that the mechanism helps."
    )
    tables = own_tasks.one_by_one(store)
    coord = row_of(tables["mechanism-position-coord"], "coord × 4 less that mean")
    assert ">+2.00<" in coord and ">higher<" in coord
    # nine arms and four rescaled gates; arms that have no gate are in both comparisons
    assert f"{13 * SEEDS} rows" in tables["mechanism-position-coord"]
    sk = row_of(tables["mechanism-scale-sk"], "sk less that mean")
    assert ">no measurable difference<" in sk
    train(store, "position", "coord", 2)
    assert facts(store)["mechanism.both"] == "This is so for no gate here.", "as published too"


def test_arms_that_hardly_learn_a_task_are_named(store):
    assert facts(store)["mechanism.unlearned"] == "Not measured."
    for module, losses in (("none", (0.2, 0.2)), ("se", (0.68, 0.68)), ("coord", (0.69, 0.2))):
        for seed, loss in enumerate(losses):
            cell = replace(CELL, module=module, data="pair", recipe=RECIPE, seed=seed)
            values = {**VALUES, "classes": 2, "top1": 60.0, "train_loss": loss}
            trial.append(store, cell, values)
    said = facts(store)
    assert said["mechanism.unlearned"].startswith(
        "Runs that had hardly begun to learn after 252 steps (training loss within a tenth of that "
        "of guessing): on *pair* se all 2, coord 1 of 2. "
    )
    assert said["mechanism.steps"] == str(2700 // 64 * 6)
    assert ">0.68<" in row_of(page.tasks(store).rpartition("<table")[2], "se")


def test_the_tasks_that_have_pairs_are_in_the_plan_of_seeds(store):
    titles = [family.title for family in budget.comparisons(store)]
    question = mechanism.TASKS["position"].question
    assert f"Mechanism, position: {question}" in titles
    assert not any(title.startswith("Mechanism, clutter") for title in titles)


def test_a_preview_has_no_place_beside_results(store):
    rows = pairing.task_rows(store, "position")
    assert len(rows) == SEEDS * len(MODULES)
    cell = replace(CELL, data="position", module="coord", recipe=PREVIEW)
    trial.append(store, cell, {**VALUES, "top1": 1.0})
    assert len(pairing.task_rows(store, "position")) == len(rows)


def test_the_page_describes_the_scenes_that_are_composed():
    text = (ROOT / "docs/results/mechanism.md").read_text(encoding="utf-8")
    lines = dict(re.findall(r"^\| ([\w ]+) \| (.*) \|$", text, re.M))
    train_scenes, test_scenes = mechanism.SIZES[RECIPE]
    said = lines["Scenes"]
    assert f"{train_scenes} to train on and {test_scenes} to test on" in said
    assert (
        f"{scenes.CANVAS} x {scenes.CANVAS} pixels" in said
        and f"{scenes.CHANNELS} channels" in said
    )
    place = (
        f"object of {scenes.SMALL} pixels in one of {scenes.GRID} x {scenes.GRID} places, moved "
    )
    patches = f"{scenes.PATCHES} patches of {scenes.PATCH} pixels"
    assert f"{place}by up to {scenes.JITTER}" in lines["position"] and patches in lines["position"]
    mark = f"{scenes.LINES} objects of {scenes.PLACE} pixels"
    assert mark in lines["mark"] and f"bar of {scenes.BAR} pixels" in lines["mark"]
    assert f"{scenes.SMALLEST} to {scenes.LARGEST} pixels" in lines["scale"]
    assert f"object of {scenes.MIDDLE} pixels among {patches}" in lines["clutter"]
    assert scenes.CLEAN == 1 and lines["channels"].startswith("one channel shows an image")
    step = (scenes.CANVAS - scenes.SMALL - scenes.JITTER) / (scenes.GRID - 1)
    corners = [int(step * place) for place in range(scenes.GRID)]
    apart = sorted({b - a for a, b in zip(corners, corners[1:], strict=False)})
    assert f"{apart[0]} or {apart[-1]} pixels apart" in lines["position"] and len(apart) == 2
    assert f"two objects of {scenes.SMALL} pixels" in lines["pair"]
    widest = scenes.CANVAS - 2 * scenes.SMALL
    assert f"{widest - 2 * scenes.JITTER} to {widest} pixels between" in lines["pair"]
    for name, task in scenes.TASKS.items():
        assert lines[name].endswith(f"; {task.classes} labels")


def test_figures_show_differences_and_scenes(store):
    drawn = page.differences(store)
    found = {(v["panel"], v["arm"]): v["difference"] for v in drawn.values}
    assert found["position: made for coord", "coord"] == 3
    assert found["scale: made for sk", "sk"] == 0
    assert "Preview" in drawn.caption
    shown = page.scenes(store)
    assert [(v["task"], v["label"]) for v in shown.values] == [
        ("clutter", "row 1, column 2"),
        ("clutter", "row 3, column 4"),
    ]
    assert "data:image/png;base64,AAAA" in shown.spec("light")["data"]["values"][0]["url"]


def test_figures_can_be_drawn(store):
    png = mechanism.pictures(
        "scale", torch.zeros(1, 1, 28, 28, dtype=torch.uint8), torch.tensor([0])
    )
    assert png.startswith("T-shirt=")
    for figure in page.figures(store):
        assert figure.svg("dark").startswith("<svg")


def test_a_longer_training_stands_beside_the_short_one(store):
    """After four times the epochs coord is 2 points below none, SE as far above as before."""
    assert "position and pair with 24 epochs: not measured" in longer_training.longer(store)
    for module in MODULES:
        train(store, "position", module, {"coord": -2, "se": 1}.get(module, 0), recipe=LONG)
    text = longer_training.longer(store)
    assert "guessing gives 2.78 % and a loss of 3.58 nat" in text
    assert "adjusted for all lines of its column<" in text
    assert "Pair, 6 and 24 epochs: are two distant objects alike?: not measured" in text
    coord = row_of(text, "coord")
    assert coord.index(">+3.00<") < coord.index(">\N{MINUS SIGN}2.00<")
    assert ">higher<" in coord and ">lower<" in coord and ">84.12<" in coord and ">79.12<" in coord
    assert row_of(text, "se").count(">+1.00<") == 2
    assert row_of(text, "none").count(">reference<") == 2
    said = facts(store)
    assert said["mechanism.longer.position"].startswith("coord: lower by 2.00 points")
    assert said["mechanism.longer.pair"] == "not measured"
    short = row_of(page.tasks(store), "coord")
    assert ">+3.00<" in short, "the longer rows have no place in the table of the short ones"
    titles = [family.title for family in budget.comparisons(store)]
    assert "Mechanism, position, a longer training" in titles
    assert "Mechanism, pair, a longer training" not in titles


def test_a_longer_training_of_few_seeds_is_a_preview(store):
    for module in ("none", "coord"):
        train(store, "position", module, 0, seeds=2, recipe=LONG)
    few = (
        "Preview, not a result: 7 of 9 planned arms without a run, "
        f"2 of {SEEDS} planned seeds of the others"
    )
    assert few in longer_training.longer(store)
    said = facts(store)["mechanism.longer.position"]
    assert said.startswith(f"{few}: coord: not enough seeds")


def test_without_rows_the_summary_says_so(tmp_path):
    assert facts(Store(tmp_path))["mechanism.summary"] == "Not measured."
