"""Controls: constants of the size that gates start with, trained as the main table's arms are."""

from dataclasses import replace

import pytest
import torch
import trial
from rendered import row_of

import attn
from benchmarks import budget, controls, models, runner, stats, tables
from benchmarks.accuracy import PLANS, Accuracy, run_seed
from benchmarks.cells import MODULES, ROOT, Selection, benchmarks
from benchmarks.constant import ConstantGate
from benchmarks.controls import FACTORS, HALF, PAIRS, QUARTER, RESCALED, Controls
from benchmarks.mechanism import RECIPE, TASKS, Mechanism
from benchmarks.rescaled import GATES, Rescaled
from benchmarks.site import controls as page
from benchmarks.site import own_tasks, readme
from benchmarks.store import Store
from benchmarks.task_controls import TaskControls

CONTROLS = Controls()
MAIN = PLANS["cpu"][0]
SEEDS = 10
SE, COORD = RESCALED["se"][1], RESCALED["coord"][1]
CELLS = list(CONTROLS.cells(Selection("cpu")))


def test_cells_are_those_of_the_main_table_but_for_the_module():
    accuracy = set(Accuracy().cells(Selection("cpu")))
    for cell in CELLS:
        bare = replace(cell, benchmark="accuracy", module="none", variant="")
        assert bare in accuracy
        assert run_seed(bare) == run_seed(cell)
        same = replace(cell, benchmark="accuracy")
        assert runner.fingerprint(CONTROLS, cell) == runner.fingerprint(Accuracy(), same)
    arms = [(cell.seed, (cell.module, cell.variant)) for cell in CELLS]
    families = ((HALF, QUARTER), RESCALED.values())
    assert arms == [(s, arm) for family in families for s in range(MAIN.seeds) for arm in family]
    assert list(benchmarks()).index("controls") > list(benchmarks()).index("accuracy")
    assert not list(CONTROLS.cells(Selection("quick")))
    assert not list(CONTROLS.cells(Selection("cpu", modules=(("se", ""),))))


def test_the_same_on_tasks_is_trained_as_the_modules_are():
    trained = set(Mechanism().cells(Selection("cpu")))
    cells = list(TaskControls().cells(Selection("cpu")))
    assert len(cells) == len(set(cells)) == len(TASKS) * SEEDS * 6
    for cell in cells:
        bare = replace(cell, benchmark="mechanism", module="none", variant="")
        assert bare in trained and run_seed(bare) == run_seed(cell)
        same = replace(cell, benchmark="mechanism")
        assert runner.fingerprint(TaskControls(), cell) == runner.fingerprint(Mechanism(), same)
    assert not list(TaskControls().cells(Selection("quick")))


def test_every_pair_is_of_arms_that_are_trained():
    trained = {tables.arm(*arm) for arm in (*MAIN.arms, HALF, QUARTER)}
    assert {arm for pair in PAIRS.values() for arm in pair} <= trained
    assert {"se", "eca", "cbam", "coord"} == set(PAIRS) & set(MODULES)


@pytest.mark.parametrize("key", ["se", "eca", "cbam", "coord"])
@pytest.mark.parametrize("channels", [16, 32, 64, 128])
def test_a_gate_starts_at_about_the_constant_that_it_is_compared_with(key, channels):
    torch.manual_seed(0)
    name, other = PAIRS[key]
    module = attn.build(name, channels)
    x = torch.randn(64, channels, 14, 14)
    with torch.no_grad():
        size = ((module(x) * x).mean() / (x * x).mean()).item()
    expected = float(other.split("=")[1])
    assert size == pytest.approx(expected, rel=0.15)


@pytest.mark.parametrize("name", FACTORS)
@pytest.mark.parametrize("channels", [16, 128])
def test_a_rescaled_gate_starts_at_about_one_and_is_the_module_times_a_factor(name, channels):
    torch.manual_seed(0)
    rescaled = Rescaled(channels, gate=name)
    x = torch.randn(64, channels, 14, 14)
    with torch.no_grad():
        y = rescaled(x)
        assert torch.equal(y, FACTORS[name] * rescaled.gate(x))
    assert ((y * x).mean() / (x * x).mean()).item() == pytest.approx(1, rel=0.15)
    assert type(rescaled.gate) is type(attn.build(name, channels))
    assert list(GATES) == list(FACTORS) and GATES[name][1] == FACTORS[name]


def test_another_gate_is_refused_with_those_that_there_are():
    with pytest.raises(ValueError, match="'sk'; allowed: se, eca, cbam, coord"):
        Rescaled(16, gate="sk")


def test_rows_of_a_rescaled_gate_follow_the_code_of_its_module():
    cell = next(cell for cell in CELLS if cell.module == RESCALED["se"][0])
    files = {path.name for path in runner.with_imports(ROOT / "benchmarks" / "rescaled.py")}
    assert {"se.py", "eca.py", "cbam.py", "coord.py", "passes.py", "reductions.py"} <= files
    assert any("rescaled" in str(source) for source in runner.sources(CONTROLS, cell))


def test_in_a_narrow_stage_the_gates_of_se_are_spread_from_channel_to_channel():
    """Its one hidden unit leaves the biases alone to decide; ECA has none."""
    x = torch.randn(64, 16, 14, 14)
    spread = {}
    for name in ("se", "eca"):
        torch.manual_seed(0)
        with torch.no_grad():
            gates = (attn.build(name, 16)(x) * x).mean((0, 2, 3)) / (x * x).mean((0, 2, 3))
        spread[name] = (gates.max() - gates.min()).item()
    assert spread["se"] > 0.2 > 0.1 > spread["eca"]


def test_a_constant_gate_is_a_factor_in_every_block():
    x = torch.randn(2, 3, 4, 5)
    gate = ConstantGate(3, start=0.25)
    assert torch.equal(gate(x), 0.25 * x) and not list(gate.parameters())
    for wrong in (0, -1, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="above 0"):
            ConstantGate(3, start=wrong)
    models.register()
    bare, model = (
        attn.create_model(MAIN.backbones[0], name, options=options, in_chans=1)
        for name, options in (("none", {}), (controls.CONSTANT, {"start": 0.25}))
    )
    found = [m for m in model.modules() if isinstance(m, ConstantGate)]
    blocks = [m for m in bare.modules() if type(m).__name__ == "BasicBlock"]
    assert len(found) == len(blocks) > 0
    assert sum(p.numel() for p in model.parameters()) == sum(p.numel() for p in bare.parameters())


@pytest.fixture
def store(tmp_path):
    """A start at 1/2 costs nothing and at 1/4 half a point; SE and ECA are as good as their
    control, CBAM half a point above."""
    made = Store(tmp_path)
    off = {"none": 0.0, "se": 0.0, "eca": 0.0, "cbam": 0.0, "coord": -1.0}
    for cell in Accuracy().cells(Selection("cpu")):
        if cell.backbone == MAIN.backbones[0] and cell.module in off and not cell.variant:
            trial.append(made, cell, values(cell, off[cell.module]))
    for cell in CELLS:
        if cell.module == controls.CONSTANT:
            trial.append(made, cell, values(cell, -0.5 if cell.variant == QUARTER[1] else 0.0))
    return made


def values(cell, points):
    """All arms but the bare backbone and coord vary by a hundredth from seed to seed."""
    noise = 0 if cell.module in ("none", "coord") else (cell.seed % 2 - 0.5) / 50
    numbers = {"train_images": 60_000, "test_images": 10_000, "params": 7}
    return {"top1": 90 + cell.seed / 10 + points + noise, **numbers}


def test_the_page_tells_a_start_from_a_gate(store):
    said = page.facts(store)
    assert said["controls.se"].startswith(stats.SAME)
    assert said["controls.cbam"].startswith("higher by 0.50 points")
    assert said["controls.coord"].startswith("lower by 0.50 points")
    assert said["controls.eca"].startswith(stats.SAME)
    assert said["controls.summary"].startswith("A constant 1/2 in place of a gate: no measurable")
    assert "A constant 1/4: lower by 0.50 points" in said["controls.summary"]
    assert said["controls.summary"].endswith(
        "Of 4 gates, compared with the constant of their size, 1 is higher, 1 is lower, "
        "2 show no measurable difference."
    )
    assert said["controls.alike"] == (
        "constant 1/2 by 1.00, constant 1/4 by 1.00, the others by 1.00 in the median"
    )
    assert said["controls.sizes"] == "+0.50 [+0.50, +0.50]"
    asked = f"The gate, or its size.** {readme.ASKED} {said['controls.summary']}"
    assert asked in readme.table(store)
    text = page.constants(store)
    assert "constant 1/4 less none" in text and "cbam less constant 1/4" in text
    assert "Preview" not in text and "adjusted for all lines" in text
    (which,) = controls.comparisons(store)
    frame = page.judge(controls.rows(store, which)).set_index("key")
    assert list(frame.index) == list(PAIRS) and frame["pairs"].dropna().eq(SEEDS).all()
    # one family: Holm multiplies the smallest p by the lines that have pairs
    assert frame["p_holm"].min() == pytest.approx(6 * 2 / 2**SEEDS)


def test_the_same_arm_that_a_reader_has_trained_stays_out(store, tmp_path):
    """`accuracy` and `mechanism` train what a reader asks for: a control too."""
    asked = Selection("cpu", modules=(HALF,))
    before = page.constants(store), page.summary(store)
    for cell in Accuracy().cells(asked):
        if cell.variant:
            trial.append(store, cell, values(cell, 9.0))
    assert (page.constants(store), page.summary(store)) == before
    tasks = Store(tmp_path / "tasks")
    for cell in (*Mechanism().cells(Selection("cpu")), *TaskControls().cells(Selection("cpu"))):
        if cell.data == "mark" and (cell.module, cell.variant) in (("none", ""), HALF):
            trial.append(tasks, cell, values(cell, 0.0))
    before = page.constants_on_tasks(tasks)
    for cell in Mechanism().cells(asked):
        if cell.variant:
            trial.append(tasks, cell, values(cell, 9.0))
    assert page.constants_on_tasks(tasks) == before


def test_few_seeds_of_the_controls_are_a_preview(store, tmp_path):
    few = Store(tmp_path / "few")
    for cell in Accuracy().cells(Selection("cpu")):
        if cell.backbone == MAIN.backbones[0] and cell.module in ("none", "se"):
            trial.append(few, cell, values(cell, 0.0))
    assert "not measured" in page.constants(few)
    for cell in CELLS[:4]:
        trial.append(few, cell, values(cell, 0.0))
    start = "Preview, not a result: 3 of 6 planned arms without a run"
    assert start in page.constants(few), "gates of the plan were not begun"
    said = page.facts(few)
    assert said["controls.summary"].startswith(start) and said["controls.eca"] == "not measured"


def test_a_run_that_diverged_stands_in_the_sentence_of_its_line(store):
    lost = next(cell for cell in CELLS if cell.variant == HALF[1] and cell.seed == 3)
    trial.append(store, lost, None, status="diverged")
    said = page.facts(store)
    assert "9 paired seeds, 1 more run diverged" in said["controls.summary"]


def test_runs_that_are_there_are_not_planned_again(tmp_path):
    """SE has all its seeds, its control four: only the control's own runs are missing."""
    made = Store(tmp_path)
    for cell in Accuracy().cells(Selection("cpu")):
        if cell.backbone == MAIN.backbones[0] and cell.module in ("none", "se"):
            trial.append(made, cell, values(cell, 0.0))
    for cell in CELLS:
        if cell.variant == HALF[1] and cell.seed < 4:
            trial.append(made, cell, values(cell, cell.seed / 100))
    family = next(f for f in budget.comparisons(made) if f.title.startswith("Controls, "))
    lines = {line.name: line for line in budget.lines(family, 5.0)}
    against = lines["se less constant 1/2"]
    assert against.seeds == 4 < against.needed <= SEEDS
    assert against.more == 0
    assert lines["constant 1/2"].more == against.needed - 4
    assert budget.total(list(lines.values()))[0] == lines["constant 1/2"].more


def test_controls_are_in_the_plan_of_seeds(store):
    found = {family.title: family for family in budget.comparisons(store)}
    (title,) = [title for title in found if title.startswith("Controls, ")]
    names = [line.name for line in budget.lines(found[title], 0.2)]
    assert "cbam less constant 1/4" in names and "constant 1/2" in names and "none" in names


def test_tasks_have_a_family_each(tmp_path):
    """On *mark* the start at 1/4 is all of coordinate attention's loss; the other tasks lack it."""
    made = Store(tmp_path)
    assert "not measured" in page.constants_on_tasks(made)
    assert page.facts(made)["controls.tasks.gates"] == "Not measured."
    off = {"none": 0.0, "se": 1.0, "coord": -3.0}
    for cell in Mechanism().cells(Selection("cpu")):
        if cell.recipe == RECIPE and cell.module in off and cell.data in ("mark", "pair"):
            trial.append(made, cell, values(cell, off[cell.module]))
    assert "not measured" in page.constants_on_tasks(made)  # no control yet
    for cell in TaskControls().cells(Selection("cpu")):
        if cell.data == "mark" and cell.module == controls.CONSTANT:
            trial.append(made, cell, values(cell, -3.0 if cell.variant == QUARTER[1] else 0.0))
    said = page.facts(made)
    assert said["controls.tasks.factors"] == (
        "Of 2 pairs of a task and a constant, compared with none, 1 is lower, "
        "1 shows no measurable difference."
    )
    assert said["controls.tasks.gates"] == (
        "Of 2 pairs of a task and a gate, compared with the constant of its size, "
        "1 is higher, 1 shows no measurable difference."
    )
    made_for = own_tasks.one_by_one(made)["mechanism-mark-coord"]
    alone = row_of(made_for, "constant 1/4 less none")
    assert ">−3.00<" in alone and ">lower<" in alone
    assert "not measured" in row_of(made_for, "coord × 4 less none")
    text = page.constants_on_tasks(made)
    coord = row_of(text, "coord less constant 1/4")
    assert coord.count(stats.SAME) == 1 and "not measured" in coord and "Preview" not in text
    assert ">−3.00<" in row_of(text, "constant 1/4 less none")
    assert row_of(text, "se less constant 1/2").count(">higher<") == 1
    titles = [family.title for family in budget.comparisons(made)]
    assert "Controls, task mark" in titles and "Controls, task pair" not in titles
    assert "Controls, task mark, rescaled" not in titles


def test_rescaled_gates_are_a_family_of_their_own(store, tmp_path):
    """Coordinate attention times 4 is half a point above none, SE times 2 as good as none."""
    assert "not measured" in page.rescaled(store)
    before = page.constants(store)
    for cell in CELLS:
        if cell.module == RESCALED["se"][0] and cell.variant in (SE, COORD):
            trial.append(store, cell, values(cell, 0.5 if cell.variant == COORD else 0.0))
    assert "planned arms without a run" in page.rescaled(store)
    said = page.facts(store)
    assert said["controls.rescaled.cbam"] == "not measured"
    assert "without a run: Of 2 gates rescaled" in said["controls.summary"]
    for cell in CELLS:
        if cell.module == RESCALED["se"][0] and cell.variant not in (SE, COORD):
            trial.append(store, cell, values(cell, 0.0))
    said = page.facts(store)
    assert said["controls.rescaled.coord"].startswith("higher by 0.50 points")
    assert said["controls.rescaled.se"].startswith(stats.SAME)
    assert said["controls.summary"].endswith(
        "Of 4 gates rescaled so that their mean starts at one, compared with none, 1 is higher, "
        "3 show no measurable difference. Of 4 rescaled gates, compared with themselves as "
        "published, 1 is higher, 3 show no measurable difference."
    )
    text = page.rescaled(store)
    assert ">higher<" in row_of(text, "coord × 4 less none") and "Preview" not in text
    verdicts = [part.split("</tbody>")[0] for part in (before, page.constants(store))]
    assert verdicts[0] == verdicts[1], "the other family's verdicts depend on this one's"
    made = Store(tmp_path / "tasks")
    assert "not measured" in page.rescaled_on_tasks(made)
    for cell in [*Mechanism().cells(Selection("cpu")), *TaskControls().cells(Selection("cpu"))]:
        ours = cell.module == "none" or (cell.benchmark, cell.variant) == ("task_controls", COORD)
        if ours and cell.data == "mark" and cell.recipe == RECIPE:
            trial.append(made, cell, values(cell, 2.0 if cell.variant == COORD else 0.0))
    assert ">higher<" in row_of(page.rescaled_on_tasks(made), "coord × 4 less none")
    freed = row_of(own_tasks.one_by_one(made)["mechanism-mark-coord"], "coord × 4 less none")
    assert ">+2.00<" in freed and ">higher<" in freed
    assert page.facts(made)["controls.tasks.rescaled"] == (
        "Of 1 pairs of a task and a rescaled gate, compared with none, 1 is higher. "
        "Higher: coord × 4 on *mark*."
    )
