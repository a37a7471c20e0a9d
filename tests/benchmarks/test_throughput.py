"""Training speed: known ratios from planted times, and no speed out of nothing."""

from dataclasses import replace

import pytest
import trial

from benchmarks import loops, throughput, timm_script, whole_machine
from benchmarks.cells import Selection
from benchmarks.loops import LoopFailed, Process, Setup
from benchmarks.provenance import versions
from benchmarks.site import throughput as site
from benchmarks.store import Store
from benchmarks.throughput import BARE, LOOP, Throughput, beside_bare
from benchmarks.timm_script import ScriptFailed
from benchmarks.whole_machine import (
    EACH,
    ONE,
    SCRIPT,
    SCRIPT_PLAIN,
    SUITE,
    Form,
    fill_machine,
    form_of,
)

THROUGHPUT = Throughput()
SMALL = Setup("resnet10_small_os8", data="digits", precision="bf16", batches=2)
"""Not ``resnet10_small``, which would stride over a map of one pixel: see `test_small_nets`."""


@pytest.fixture
def cells(monkeypatch):
    for module in (throughput, whole_machine):
        monkeypatch.setattr(module, "cores", lambda: 2)
    return list(THROUGHPUT.cells(Selection("cpu")))


def script_cells(cells, **fields):
    """The cells of the comparison with timm's script."""
    return [
        cell
        for cell in cells
        if cell.recipe not in (BARE, LOOP) and all(getattr(cell, k) == v for k, v in fields.items())
    ]


def of(cells, *recipes, **fields):
    return [
        cell
        for cell in cells
        if cell.recipe in recipes and all(getattr(cell, k) == v for k, v in fields.items())
    ]


def test_only_the_published_suite_of_a_processor_has_cells(cells):
    assert cells
    assert not list(THROUGHPUT.cells(Selection("quick")))
    assert not list(THROUGHPUT.cells(Selection("gpu", device="cuda")))
    assert not list(THROUGHPUT.cells(Selection("cpu", modules=(("se", ""),))))
    assert len({cell.key for cell in cells}) == len(cells)


def test_the_two_loops_of_a_setting_are_measured_together(cells):
    groups = {}
    for cell in of(cells, BARE, LOOP):
        groups.setdefault(THROUGHPUT.group(cell), []).append(cell.recipe)
    assert {tuple(recipes) for recipes in groups.values()} == {(BARE, LOOP)}


def test_like_is_compared_with_like(cells):
    groups = {}
    for cell in script_cells(cells):
        groups.setdefault(THROUGHPUT.group(cell), []).append(form_of(cell))
    assert len(groups) == 6
    for found in groups.values():
        assert len({form.comparison for form in found}) == 1
        assert [form.program for form in found].count(SUITE) == 1
        assert len({form.workers for form in found if form.program != SUITE}) > 1
        for form in found:
            assert form.copies == (2 if form.comparison == EACH else 1)
            assert form.threads == 1 or form.comparison == ONE


def test_one_core_has_one_training(monkeypatch):
    for module in (throughput, whole_machine):
        monkeypatch.setattr(module, "cores", lambda: 1)
    cells = list(THROUGHPUT.cells(Selection("cpu")))
    assert len({cell.key for cell in cells}) == len(cells)
    assert {form_of(cell).copies for cell in script_cells(cells)} == {1}
    assert Form(SUITE, EACH, 4).copies == 1


def test_the_recipe_and_the_libraries_decide_a_row(cells, monkeypatch):
    before = THROUGHPUT.configuration(cells[0])
    recipe = loops.RECIPE
    monkeypatch.setitem(throughput.RECIPES, recipe, replace(throughput.RECIPES[recipe], lr=0.3))
    assert THROUGHPUT.configuration(cells[0]) != before
    assert set(before[2]) == {"torch", "timm"}


class Planted:
    """A process whose loops take planted seconds, and noise that is never below them."""

    seconds_of = {"suite": 1.25, "bare": 1.0, "copy": 1.0}

    def __init__(self, setup):
        self.asked = []
        self.names = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def answer(self):
        return "ready"

    def seconds(self, name):
        self.names.append(name)
        return self.seconds_of[name] * (1 + (len(self.names) % 3) / 10)


def test_a_loop_that_takes_a_quarter_longer_has_four_fifths_of_the_rate(cells, monkeypatch):
    monkeypatch.setattr(throughput, "Process", Planted)
    bare, loop = of(cells, BARE, LOOP, layout="nchw", threads=1)
    found = beside_bare([bare, loop])
    assert found[loop]["ratio"] == pytest.approx(0.8)
    assert found[bare]["ratio"] == pytest.approx(1)
    for values in found.values():
        assert values["ratio_low"] <= values["ratio"] <= values["ratio_high"]
    images = throughput.BATCHES * 128
    assert found[bare]["images_per_second"] == pytest.approx(images)
    assert found[loop]["images_per_second"] == pytest.approx(0.8 * images)


class Turns:
    """Planted speeds a form, that change from turn to turn; what ran, in order."""

    def __init__(self, monkeypatch, speeds):
        self.speeds = speeds
        self.ran = []
        monkeypatch.setattr(whole_machine, "_started", lambda cell, stack: [])
        monkeypatch.setattr(whole_machine, "_suite_speed", lambda cell, _: self.speed(cell))
        monkeypatch.setattr(whole_machine, "scripts_speed", self.speed)

    def speed(self, cell):
        form = form_of(cell)
        found = self.speeds[form.program, form.threads, form.workers]
        turn = self.ran.count(form)
        self.ran.append(form)
        if isinstance(found[turn], Exception):
            raise found[turn]
        return found[turn]


SPEEDS = {
    (SUITE, 2, 0): [3000.0, 3750.0, 3000.0, 2400.0],
    (SUITE, 1, 0): [3000.0, 3750.0, 3000.0, 2400.0],
    (SCRIPT_PLAIN, 1, 2): [1600.0, 2000.0, 2500.0, 2000.0],
    (SCRIPT_PLAIN, 2, 0): [3000.0, 1000.0, 1000.0, 1000.0],  # the fastest in the first turn only
    (SCRIPT_PLAIN, 2, 2): [1000.0] * 4,
    (SCRIPT, 1, 2): [400.0, 500.0, 625.0, 500.0],
}
FASTEST = "timm script, no augmentation, one training, 2 workers, 1 thread"


@pytest.fixture
def one_training(cells):
    return [c for c in script_cells(cells, layout="nchw") if form_of(c).comparison == ONE]


def test_everything_is_compared_with_the_fastest_form_of_the_script(one_training, monkeypatch):
    turns = Turns(monkeypatch, SPEEDS)
    found = fill_machine(one_training)
    ratios = {(form_of(c).program, c.threads, v["workers"]): v["ratio"] for c, v in found.items()}
    assert ratios == {
        (SUITE, 2, 0): pytest.approx(1.5),
        (SCRIPT_PLAIN, 1, 2): pytest.approx(1),
        (SCRIPT_PLAIN, 2, 0): pytest.approx(3**0.25 / 2),
        (SCRIPT_PLAIN, 2, 2): pytest.approx(0.5),
        (SCRIPT, 1, 2): pytest.approx(0.25),
    }
    for cell, values in found.items():
        assert values["against"] == FASTEST and values["samples"] == 4
        assert values["ratio_low"] <= values["ratio"] <= values["ratio_high"]
        assert bool(values.get("command")) == (form_of(cell).program != SUITE)
        assert values["timm"] and values["processes"] == 1
    there, n = turns.ran[: len(one_training)], len(one_training)
    assert turns.ran == [*there, *there[::-1], *there, *there[::-1]] and len(set(there)) == n


def test_the_interval_is_students_over_the_turns(one_training, monkeypatch):
    from math import exp, log, sqrt

    Turns(monkeypatch, SPEEDS)
    found = fill_machine(one_training)
    suite = next(v for c, v in found.items() if form_of(c).program == SUITE)
    off = [log(r / 1.5) for r in (3000 / 1600, 3750 / 2000, 3000 / 2500, 2400 / 2000)]
    reach = 3.182 * sqrt(sum(d * d for d in off) / 3) / sqrt(4)
    assert suite["ratio_low"] == pytest.approx(1.5 * exp(-reach), rel=1e-3)
    assert suite["ratio_high"] == pytest.approx(1.5 * exp(reach), rel=1e-3)
    script = next(v for c, v in found.items() if form_of(c).program == SCRIPT)
    assert script["ratio_low"] == pytest.approx(script["ratio_high"])  # it follows turn by turn


def test_a_form_that_fails_in_a_later_turn_is_left_out(one_training, monkeypatch):
    late = SPEEDS | {(SCRIPT_PLAIN, 1, 2): [9000.0, ScriptFailed("out of memory")]}
    turns = Turns(monkeypatch, late)
    found = fill_machine(one_training)
    failed = [cell for cell, values in found.items() if isinstance(values, Exception)]
    assert [(form_of(c).program, c.threads, form_of(c).workers) for c in failed] == [
        (SCRIPT_PLAIN, 1, 2)
    ]
    assert turns.ran.count(form_of(failed[0])) == 2
    assert {v["against"] for v in found.values() if isinstance(v, dict)} == {
        "timm script, no augmentation, one training, 0 workers, 2 threads"
    }


def test_a_form_that_fails_ends_its_processes_before_the_next_form(cells, monkeypatch):
    mine = [c for c in script_cells(cells, layout="nchw") if form_of(c).comparison == EACH]
    alive, seen = [], []

    class Failing:
        def __init__(self, setup):
            self.seed = setup.seed
            alive.append(self)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            alive.remove(self)

        def ask(self, line):
            pass

        def answer(self):
            if self.seed:
                raise LoopFailed("out of memory")
            return "1.0"

    def script(cell):
        seen.append(len(alive))
        return 1000.0

    monkeypatch.setattr(whole_machine, "Process", Failing)
    monkeypatch.setattr(whole_machine, "scripts_speed", script)
    found = fill_machine(mine)
    assert [form_of(c).program for c, v in found.items() if isinstance(v, LoopFailed)] == [SUITE]
    assert form_of(mine[0]).program == SUITE and set(seen) == {0}


def test_speeds_of_the_suites_processes_are_of_their_first_epochs(cells):
    class Scripted:
        def __init__(self, *seconds):
            self.seconds, self.asked = iter(seconds), 0

        def ask(self, line):
            assert line == "suite"
            self.asked += 1

        def answer(self):
            return str(next(self.seconds))

    cell = script_cells(cells)[0]
    images = whole_machine.EPOCH * 128
    alone = Scripted(2.0)
    assert whole_machine._suite_speed(cell, [alone]) == images / 2
    assert alone.asked == 1
    pair = [Scripted(2.0, 1.0), Scripted(4.0, 1.0)]
    assert whole_machine._suite_speed(cell, pair) == images / 2 + images / 4
    assert [process.asked for process in pair] == [2, 2]


def test_without_the_script_there_is_no_ratio_and_the_reason_is_kept(one_training, monkeypatch):
    missing = [ScriptFailed("can't be downloaded")]
    Turns(monkeypatch, {k: v if k[0] == SUITE else missing for k, v in SPEEDS.items()})
    for cell, error in fill_machine(one_training).items():
        assert isinstance(error, Exception) and "can't be downloaded" in str(error), cell


def test_a_process_times_each_loop_or_says_why_not_and_ends_with_its_context():
    with Process(SMALL) as process, Process(replace(SMALL, backbone="nowhere")) as wrong:
        assert process.answer() == "ready"
        assert all(process.seconds(name) > 0 for name in ("suite", "bare", "copy"))
        with pytest.raises(LoopFailed, match="nowhere"):
            wrong.answer()
    assert process.child.poll() is not None
    assert wrong.child.poll() is not None


def test_the_bare_loop_sees_the_images_and_the_model_of_the_suites(monkeypatch, one_thread):
    import torch

    from benchmarks import data, training

    seen = {}

    def train(model, images, recipe, **_):
        seen.update(model=model, images=images, recipe=recipe)
        return training.Outcome(0.0, 0.0, 0.0, 1.0, 1, (), b"")

    monkeypatch.setattr(training, "train", train)
    timed = loops.loops(SMALL)
    assert timed["suite"]() == 2 * 128
    assert len(seen["images"].train_y) == 2 * 128
    assert torch.equal(seen["images"].train_x, data.load("digits").train_x[:256])
    assert seen["recipe"].average and seen["recipe"].crop and seen["recipe"].flip
    models = [cell.cell_contents for cell in timed["bare"].__closure__ or ()]
    (other,) = [m for m in models if isinstance(m, torch.nn.Module)]
    assert other is not seen["model"]
    for a, b in zip(other.parameters(), seen["model"].parameters(), strict=True):
        assert torch.equal(a, b)


def test_the_page_shows_both_comparisons_and_the_commands(
    cells, one_training, monkeypatch, tmp_path
):
    store = Store(tmp_path / "results")
    monkeypatch.setattr(throughput, "Process", Planted)
    Turns(monkeypatch, SPEEDS)
    inside = beside_bare(of(cells, BARE, LOOP, layout="nchw", threads=1))
    outside = fill_machine(one_training)
    for cell, values in (inside | outside).items():
        assert isinstance(values, dict)
        trial.append(store, cell, values)
    text = site.throughput(store)
    assert "0.800" in text and "1.500" in text
    assert "its second copy" in text
    assert "One training on the machine" in text and "One training a core" not in text
    assert "OMP_NUM_THREADS=2 python train.py --device cpu" in text
    assert f"release {timm_script.RELEASE}, and timm {versions('timm')['timm']}" in text
