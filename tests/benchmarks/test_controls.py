"""Controls: constants of the size that gates start with, trained as the main table's arms are."""

from dataclasses import replace

import pytest
import torch

import attn
from benchmarks import controls, models, runner, tables
from benchmarks.accuracy import PLANS, Accuracy, run_seed
from benchmarks.cells import MODULES, Selection, benchmarks
from benchmarks.constant import ConstantGate
from benchmarks.controls import HALF, PAIRS, QUARTER, Controls

CONTROLS = Controls()
MAIN = PLANS["cpu"][0]
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
    assert arms == [(seed, arm) for seed in range(MAIN.seeds) for arm in (HALF, QUARTER)]
    assert list(benchmarks()).index("controls") > list(benchmarks()).index("accuracy")
    assert not list(CONTROLS.cells(Selection("quick")))
    assert not list(CONTROLS.cells(Selection("cpu", modules=(("se", ""),))))


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
