"""CBAM with a quick norm differs from CBAM by that alone, and is judged task by task."""

from dataclasses import replace

import pytest
import torch
import trial
from torch import nn

from attn.cbam import CBAM
from benchmarks import display, mechanism
from benchmarks.accuracy import run_seed
from benchmarks.cells import Cell, Selection
from benchmarks.mechanism import RECIPE, SEEDS, TASKS, Mechanism
from benchmarks.norm_control import ARM, QUICK, NormControl
from benchmarks.quick_norm import MOMENTUM, QuickNormCBAM
from benchmarks.site import norm_control as page
from benchmarks.store import Store

CELL = Cell("mechanism", mechanism.BACKBONE, "cbam", recipe=RECIPE, seed=0)


def test_the_norm_alone_is_another():
    torch.manual_seed(0)
    slow, quick = CBAM(32), QuickNormCBAM(32)
    quick.load_state_dict(slow.state_dict())
    norms = [[m for m in g.modules() if isinstance(m, nn.BatchNorm2d)] for g in (slow, quick)]
    assert [[n.momentum for n in ns] for ns in norms] == [[0.01], [MOMENTUM]]
    for (norm,) in norms:
        nn.init.ones_(norm.weight)  # it starts at zero
    x = torch.randn(4, 32, 8, 8)
    assert torch.equal(slow(x), quick(x)), "in training a norm goes by its batch"
    assert not torch.equal(slow.eval()(x), quick.eval()(x))


def test_every_task_is_trained_with_the_seeds_of_cbam():
    cells = list(NormControl().cells(Selection("cpu")))
    assert len(cells) == len(TASKS) * SEEDS and {(c.module, c.variant) for c in cells} == {QUICK}
    trained = set(Mechanism().cells(Selection("cpu")))
    for cell in cells:
        published = replace(cell, benchmark="mechanism", module="cbam")
        assert published in trained and run_seed(published) == run_seed(cell)
    assert not list(NormControl().cells(Selection("cpu", modules=(("se", ""),))))
    assert not list(NormControl().cells(Selection()))


@pytest.fixture
def store(tmp_path):
    """A quick norm is 5 points higher on pair and no other on the other tasks."""
    made = Store(tmp_path)
    for seed in range(SEEDS):
        for task in TASKS:
            cell, wave = replace(CELL, data=task, seed=seed), seed % 2
            trial.append(made, cell, {"top1": 60.0 + seed, "classes": 10})
            quick = replace(cell, benchmark="norm_control", module=QUICK[0])
            above = 5 + wave if task == "pair" else wave - 0.5
            trial.append(made, quick, {"top1": 60.0 + seed + above, "classes": 10})
    return made


def test_the_page_says_where_it_matters(store):
    said = page.facts(store)["norm.tasks"]
    assert said == (
        "Of 6 tasks, cbam, quick norm compared with cbam, 1 is higher, "
        "5 show no measurable difference. Higher: *pair*."
    )
    assert page.lines(store) == len(TASKS)
    text = page.norm_tasks(store)
    assert "+5.50" in text and ARM not in text and "Preview" not in text


def test_a_few_seeds_are_a_preview_and_none_is_not_measured(tmp_path):
    made = Store(tmp_path)
    assert page.facts(made)["norm.tasks"] == display.NOT_YET and page.lines(made) == 0
    assert "not measured" in page.norm_tasks(made).lower()
    for seed in range(3):
        cell = replace(CELL, data="pair", seed=seed)
        trial.append(made, cell, {"top1": 60.0, "classes": 2})
        quick = replace(cell, benchmark="norm_control", module=QUICK[0])
        trial.append(made, quick, {"top1": 61.0 + seed, "classes": 2})
    assert page.facts(made)["norm.tasks"].startswith("Preview")
    assert "Preview" in page.norm_tasks(made)
