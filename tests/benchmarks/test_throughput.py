"""Training speed: known ratios from planted times, timm's own log, and no rate out of nothing."""

from dataclasses import replace

import pytest

from benchmarks import latency, loops, throughput, timm_script
from benchmarks.cells import Selection
from benchmarks.loops import LoopFailed, Process, Setup
from benchmarks.site import throughput as site
from benchmarks.store import Store, row
from benchmarks.throughput import (
    BARE,
    LOOP,
    MACHINE,
    SCRIPT,
    SCRIPT_PLAIN,
    Throughput,
    beside_bare,
    fill_machine,
)
from benchmarks.timm_script import ScriptFailed, by_epoch, first

THROUGHPUT = Throughput()
SMALL = Setup("resnet10_small", data="digits", batches=2)

LOG = """\
Scheduled epochs: 2 (epochs + cooldown_epochs). Warmup within epochs when warmup_prefix=False.
Train: 0 [   0/80 (  0%)]  Loss: 2.36 (2.36)  Time: 5.850s,   21.88/s  (5.850s,   21.88/s)  LR: 1.0
Train: 0 [  79/80 (100%)]  Loss: 2.32 (2.34)  Time: 0.049s, 2612.07/s  (0.058s, 2206.90/s)  LR: 1.0
Test: [   0/0]  Time: 0.137 (0.137)  Loss:   2.307 ( 2.307)  Acc@1:   7.031 (  7.031)
Train: 1 [  79/80 (100%)]  Loss: 1.10 (1.30)  Time: 0.040s, 3200.00/s  (0.050s, 2560.00/s)  LR: 1.0
"""


@pytest.fixture
def cells(monkeypatch):
    monkeypatch.setattr(throughput, "cores", lambda: 2)
    return list(THROUGHPUT.cells(Selection("cpu")))


@pytest.fixture(autouse=True)
def free_clock(monkeypatch, tmp_path):
    """A lock of this test's own: a timing job on the machine must not stop it."""
    lock = latency.one_timing_job
    monkeypatch.setattr(throughput, "one_timing_job", lambda: lock(path=tmp_path / "lock"))


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
    for cell in cells:
        groups.setdefault(THROUGHPUT.group(cell), []).append(cell.recipe)
    assert {tuple(recipes) for recipes in groups.values()} == {
        (BARE, LOOP),
        (SCRIPT, SCRIPT, MACHINE, MACHINE, SCRIPT_PLAIN, SCRIPT_PLAIN),
    }


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


def machine(monkeypatch, planted):
    def rates(cell):
        found = planted[cell.recipe, cell.threads]
        if isinstance(found, Exception):
            raise found
        return found

    monkeypatch.setattr(
        throughput, "_MACHINE", dict.fromkeys((MACHINE, SCRIPT, SCRIPT_PLAIN), rates)
    )


RATES = {
    (SCRIPT, 1): [1000.0, 1500.0, 1400.0],
    (SCRIPT, 2): [900.0, 950.0, 990.0],
    (SCRIPT_PLAIN, 1): [2000.0, 1900.0, 1800.0],
    (SCRIPT_PLAIN, 2): [1600.0, 1500.0, 1550.0],
    (MACHINE, 1): [3000.0, 2500.0, 2900.0],
    (MACHINE, 2): [2400.0, 2300.0, 2200.0],
}


def test_everything_is_compared_with_the_fastest_form_of_the_script(cells, monkeypatch):
    machine(monkeypatch, RATES)
    found = fill_machine(of(cells, SCRIPT, SCRIPT_PLAIN, MACHINE, layout="nhwc"))
    ratios = {(c.recipe, c.threads): round(v["ratio"], 6) for c, v in found.items()}
    assert ratios == {
        (SCRIPT, 1): 0.75,
        (SCRIPT, 2): 0.495,
        (SCRIPT_PLAIN, 1): 1,
        (SCRIPT_PLAIN, 2): 0.8,
        (MACHINE, 1): 1.5,
        (MACHINE, 2): 1.2,
    }
    assert {v["against"] for v in found.values()} == {f"{SCRIPT_PLAIN}, 1 thread"}
    processes = {(c.recipe, c.threads): v["processes"] for c, v in found.items()}
    assert processes[MACHINE, 1] == 2
    assert {n for pair, n in processes.items() if pair != (MACHINE, 1)} == {1}
    commands = {c: v["command"] for c, v in found.items()}
    assert all(bool(command) == (c.recipe != MACHINE) for c, command in commands.items())
    assert all("--channels-last" in command for command in commands.values() if command)


def test_without_the_script_there_is_no_ratio_and_the_reason_is_kept(cells, monkeypatch):
    missing = ScriptFailed("can't be downloaded")
    machine(monkeypatch, {k: missing if "script" in k[0] else v for k, v in RATES.items()})
    found = fill_machine(of(cells, SCRIPT, SCRIPT_PLAIN, MACHINE, layout="nchw"))
    for cell, error in found.items():
        assert isinstance(error, Exception) and "can't be downloaded" in str(error), cell


def test_the_rate_of_an_epoch_is_the_mean_in_its_last_line():
    assert by_epoch(LOG) == [2206.90, 2560.00]
    assert by_epoch("Traceback (most recent call last):") == []


def test_an_idx_file_is_cut_after_its_first_items():
    sizes = b"".join(n.to_bytes(4, "big") for n in (3, 2, 2))
    whole = bytes([0, 0, 8, 3]) + sizes + bytes(range(12))
    cut = first(whole, 2)
    assert cut == bytes([0, 0, 8, 3]) + (2).to_bytes(4, "big") + sizes[4:] + bytes(range(8))
    assert first(whole, 99) == whole


def test_a_script_of_another_release_is_refused(monkeypatch, tmp_path):
    monkeypatch.setenv("ATTN_BENCH_DATA", str(tmp_path))
    path = tmp_path / "timm" / f"train-{timm_script.RELEASE}.py"
    path.parent.mkdir()
    path.write_text("print('3000.00/s')")
    with pytest.raises(ScriptFailed, match=r"train-.*\.py in the cache is not timm .* hash"):
        timm_script.script()


def test_a_script_that_is_nowhere_says_where_to_put_it(monkeypatch, tmp_path):
    monkeypatch.setenv("ATTN_BENCH_DATA", str(tmp_path))

    def no_network(*_, **__):
        raise OSError("no route to host")

    monkeypatch.setattr(timm_script.urllib.request, "urlopen", no_network)
    with pytest.raises(ScriptFailed, match=r"no route to host.*put https://.*/train\.py there"):
        timm_script.script()


def test_augmentation_and_layout_are_in_the_command():
    words = timm_script.options("resnet10_small", "nhwc", False, batch_size=128)
    assert {"--channels-last", "--no-aug"} <= set(words)
    words = timm_script.options("resnet10_small", "nchw", True, batch_size=64)
    assert not {"--channels-last", "--no-aug"} & set(words)
    assert words[words.index("--batch-size") + 1] == "64"


def test_a_process_times_each_loop_or_says_why_not_and_ends_with_its_context():
    with Process(SMALL) as process, Process(replace(SMALL, backbone="nowhere")) as wrong:
        assert process.answer() == "ready"
        assert all(process.seconds(name) > 0 for name in ("suite", "bare", "copy"))
        with pytest.raises(LoopFailed, match="nowhere"):
            wrong.answer()
    assert process.child.poll() is not None
    assert wrong.child.poll() is not None


def test_the_bare_loop_sees_the_images_and_the_model_of_the_suites(monkeypatch):
    import torch

    from benchmarks import data, training

    seen = {}

    def train(model, images, recipe, **_):
        seen.update(model=model, images=images, recipe=recipe)
        return training.Outcome(0.0, 0.0, 0.0, 1.0, 1, (), b"")

    monkeypatch.setattr(training, "train", train)
    before = torch.get_num_threads()
    timed = loops.loops(SMALL)
    torch.set_num_threads(before)
    assert timed["suite"]() == 2 * 128
    assert len(seen["images"].train_y) == 2 * 128
    assert torch.equal(seen["images"].train_x, data.load("digits").train_x[:256])
    assert seen["recipe"].average and seen["recipe"].crop and seen["recipe"].flip
    models = [cell.cell_contents for cell in timed["bare"].__closure__ or ()]
    (other,) = [m for m in models if isinstance(m, torch.nn.Module)]
    assert other is not seen["model"]
    for a, b in zip(other.parameters(), seen["model"].parameters(), strict=True):
        assert torch.equal(a, b)


def test_the_page_shows_both_comparisons_and_the_commands(cells, monkeypatch, tmp_path):
    store = Store(tmp_path / "results")
    assert "Training speed: not measured" in site.throughput(store)
    monkeypatch.setattr(throughput, "Process", Planted)
    machine(monkeypatch, RATES)
    inside = beside_bare(of(cells, BARE, LOOP, layout="nchw", threads=1))
    outside = fill_machine(of(cells, SCRIPT, SCRIPT_PLAIN, MACHINE, layout="nchw"))
    for cell, values in (inside | outside).items():
        assert isinstance(values, dict)
        store.append("throughput", row(cell, values, "f" * 12, seconds=1.0))
    text = site.throughput(store)
    assert "0.800" in text and "1.500" in text
    assert "its second copy" in text
    assert "OMP_NUM_THREADS=2 python train.py --device cpu" in text
    assert f"release {timm_script.RELEASE}" in text
