"""Memory of a step: closed forms, and a module that is known to take more."""

import pytest

from benchmarks.cells import Cell, Selection
from benchmarks.memory import MIB, MODES, MemoryBenchmark, measure_step

GATE = """
import torch
class Hungry(torch.nn.Identity):
    def forward(self, x):
        torch.empty(64 * 2**20, dtype=torch.uint8).fill_(1)
        return x
"""


def cell(module="none", mode="inference", **fields):
    small = {"image_size": 64, "batch_size": 2, "threads": 1}
    return Cell("memory", "resnet18", module, recipe=mode, **{**small, **fields})


def test_a_fresh_process_sees_what_a_module_takes(tmp_path, monkeypatch):
    (tmp_path / "hungry.py").write_text(GATE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    found = MemoryBenchmark().measure(cell("hungry:Hungry"))
    assert set(found) == {column.name for column in MemoryBenchmark.columns}
    assert 64 <= found["step_mib"] < 80
    assert found["resident_mib"] is None or 60 <= found["resident_mib"] < 120
    # 11,689,512 parameters; mean and variance of 4,800 channels and 20 counters of 8 bytes
    assert found["model_mib"] == pytest.approx(
        (4 * (11_689_512 + 2 * 4800) + 8 * 20) / MIB, abs=1e-3
    )


def test_inference_holds_the_stem_twice_and_training_every_map(one_thread):
    fields = {"batch_size": 8, "image_size": 224}
    forward, both = (measure_step(cell(mode=mode, **fields)) for mode in MODES)
    stem = 8 * 64 * 112 * 112 * 4 / MIB
    assert forward["step_mib"] == pytest.approx(2 * stem, rel=0.01)  # before and after its norm
    gradients = 4 * 11_689_512 / MIB
    assert both["step_mib"] > gradients + 5 * stem


def test_twice_the_images_take_twice_the_maps(one_thread):
    fields = {"image_size": 224}
    one, two = (measure_step(cell(batch_size=n, **fields))["step_mib"] for n in (4, 8))
    assert two == pytest.approx(2 * one, rel=0.02)


def test_cells_are_every_arm_in_both_modes():
    bench = MemoryBenchmark()
    cells = list(bench.cells(Selection("cpu", backbones=("resnet18",))))
    assert len({c.key for c in cells}) == len(cells) == 18
    assert {c.recipe for c in cells} == set(MODES)
    assert list(bench.cells(Selection("quick"))) == []
    assert {c.threads for c in bench.cells(Selection("gpu", device="cuda"))} == {None}
    with pytest.raises(ValueError, match="unknown mode"):
        bench.check([cell(mode="both")])
