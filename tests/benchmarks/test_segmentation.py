"""Segmentation: what heads have in common, a metric by hand, and a tiny run from end to end."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from torch import nn

from attn.danet import PAM as PositionAttention
from benchmarks import canvas, data, runner, segmentation, segmenters, segmenting, selection
from benchmarks.canvas import Labelled
from benchmarks.cells import ROOT, Diverged, Selection
from benchmarks.scenery import IGNORED, SIDE
from benchmarks.segmentation import (
    BRANCHES,
    CAM,
    DANET,
    FCN,
    HEADS,
    MEAN,
    MEAN_BRANCHES,
    PAM,
    Segmentation,
)
from benchmarks.segmenting import Recipe
from benchmarks.uniform import UniformAttention

BENCH = Segmentation()
TINY = Recipe(epochs=2, batch_size=4, lr=0.05, window=32)


def head_on(head, seed=0, backbone="resnet10_small", classes=3):
    torch.manual_seed(seed)
    return segmentation.head_on(segmenters.dilated(backbone, 1), *head, classes)


@pytest.fixture(scope="module")
def halves():
    """Images whose left half is dark and of class 0, whose right half is bright and of class 1.

    A frame of each image is ignored; class 2 is never there.
    """
    torch.manual_seed(0)
    x = torch.randint(60, (12, 1, 32, 32), dtype=torch.uint8)
    x[..., 16:] += 180
    y = torch.zeros(12, 32, 32, dtype=torch.uint8)
    y[..., 16:] = 1
    y[:, 0] = y[:, -1] = IGNORED
    return Labelled("halves", ("dark", "bright", "never"), x, y, x[:5], y[:5])


@pytest.mark.parametrize("backbone", ["resnet10_small", "resnet18"])
def test_the_last_map_has_an_eighth_of_the_side(backbone):
    body = segmenters.dilated(backbone, 1)
    (found,) = body(torch.zeros(1, 1, 80, 80))
    assert found.shape[2:] == (10, 10)
    assert any(m.dilation == (2, 2) for m in body.modules() if isinstance(m, nn.Conv2d))


@pytest.mark.parametrize("backbone", ["vit_tiny_patch16_224", "densenet121"])
def test_a_backbone_that_cannot_be_dilated_is_refused(backbone):
    with torch.device("meta"), pytest.raises(ValueError, match="can't be dilated.*ResNet"):
        segmenters.dilated(backbone, 1)


def test_heads_of_a_seed_start_from_the_same_weights():
    fcn = head_on(FCN).state_dict()
    for head in HEADS[1:]:
        other = head_on(head).state_dict()
        shared = [name for name in fcn if name in other and not name.startswith("head.slot")]
        if head in (PAM, CAM):
            assert shared == list(fcn)
        assert any(name.startswith("backbone") for name in shared)
        assert all(torch.equal(fcn[name], other[name]) for name in shared)


def test_two_branches_start_alike_with_and_without_attention():
    without = head_on(BRANCHES).state_dict()
    for head in (DANET, MEAN_BRANCHES):
        with_it = head_on(head).state_dict()
        left = set(with_it) - set(without)
        assert left and all(name.startswith(("head.sa.", "head.sc.")) for name in left)
        assert set(without) <= set(with_it)
        assert all(torch.equal(with_it[name], weights) for name, weights in without.items())


def test_the_mean_of_the_map_is_position_attention_with_equal_weights():
    torch.manual_seed(0)
    pam, mean = PositionAttention(16), UniformAttention(16)
    x = torch.randn(2, 16, 5, 6)
    for module in (pam, mean):
        assert torch.equal(module(x), x), "a new one is the identity"
        torch.nn.init.constant_(module.gamma, 0.7)
    for conv in (pam.query_conv, pam.key_conv):
        torch.nn.init.zeros_(conv.weight)
        torch.nn.init.zeros_(conv.bias)
    mean.value_conv.load_state_dict(pam.value_conv.state_dict())
    torch.testing.assert_close(mean(x), pam(x))
    with pytest.raises(ValueError, match="at least 1, got 0"):
        UniformAttention(0)


@pytest.mark.parametrize(
    ("head", "other"),
    [(PAM, FCN), (CAM, FCN), (DANET, BRANCHES), (MEAN, FCN), (MEAN_BRANCHES, BRANCHES)],
)
def test_attention_adds_its_parameters_and_nothing_at_first(head, other):
    with_it, without = head_on(head), head_on(other)
    sizes = [sum(p.numel() for p in m.parameters()) for m in (with_it, without)]
    mean = 64 * 64 + 64 + 1
    position = 2 * (64 * 8 + 8) + mean
    added = {PAM: position, CAM: 1, DANET: position + 1, MEAN: mean, MEAN_BRANCHES: mean}
    assert sizes[0] - sizes[1] == added[head]
    without.load_state_dict(
        {n: t for n, t in with_it.state_dict().items() if n in without.state_dict()}
    )
    x = torch.randn(2, 1, 40, 48)
    for mode in (with_it, without):
        mode.eval()
    ((ours,), (theirs,)) = with_it(x), without(x)
    assert ours.shape == (2, 3, 40, 48)
    torch.testing.assert_close(ours, theirs)


def test_two_branches_train_on_three_scores_and_predict_from_the_first():
    model = head_on(DANET)
    x = torch.randn(2, 1, 32, 32)
    assert [s.shape for s in model(x)] == [(2, 3, 32, 32)] * 3
    assert len(model.eval()(x)) == 1


def test_any_module_fits_the_slot():
    model = head_on(("eca", "kernel_size=5"))
    assert model.eval()(torch.zeros(1, 1, 32, 32))[0].shape == (1, 3, 32, 32)
    with pytest.raises(ValueError, match="unknown"):
        head_on(("ecaa", ""))


def by_hand(predicted, target, classes):
    """Pixel accuracy, IoU of each class, and their mean over the classes that are anywhere."""
    counted = target != IGNORED
    predicted, target = predicted[counted], target[counted]
    ious = []
    for k in range(classes):
        both = ((predicted == k) & (target == k)).sum()
        either = ((predicted == k) | (target == k)).sum()
        ious.append(both / either if either else math.nan)
    return (predicted == target).mean(), ious, np.nanmean(ious)


def test_measures_are_those_of_a_calculation_by_hand():
    """Class 3 is nowhere, class 4 only predicted: it counts as 0. Images are not averaged."""
    rng = np.random.default_rng(0)
    target = rng.choice([0, 1, 2, IGNORED], size=(3, 20, 30), p=[0.6, 0.2, 0.1, 0.1])
    predicted = np.where(
        rng.uniform(size=target.shape) < 0.7, target, rng.choice([0, 1, 4], target.shape)
    )
    predicted[target == IGNORED] = 3  # where nothing is counted, nothing can be wrong
    accuracy, ious, miou = by_hand(predicted, target, 5)
    assert math.isnan(ious[3]) and ious[4] == 0 and min(ious[:3]) > 0
    measure = segmenting.measures(5)
    for p, t in zip(predicted, target, strict=True):
        measure.update(torch.from_numpy(p)[None], torch.from_numpy(t)[None])
    found = measure.compute()
    assert found["miou"].item() == pytest.approx(miou, abs=1e-6)
    assert found["pixel_accuracy"].item() == pytest.approx(accuracy, abs=1e-6)
    assert found["ious"].tolist() == pytest.approx(np.nan_to_num(ious).tolist(), abs=1e-6)


def test_a_known_case_of_the_mean():
    """Half of class 0 is called 1: 1/2 and 2/3 of their unions; class 2 has no part in the mean."""
    measure = segmenting.measures(3)
    measure.update(torch.tensor([[0, 1, 1, 1, 1]]), torch.tensor([[0, 0, 1, 1, IGNORED]]))
    found = measure.compute()
    assert found["miou"].item() == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert found["pixel_accuracy"].item() == pytest.approx(3 / 4)
    assert found["ious"].tolist() == pytest.approx([1 / 2, 2 / 3, 0])


def test_windows_lie_in_their_image_and_labels_follow_pixels():
    """Each pixel is the number of its label, so whatever is cut and mirrored stays equal."""
    y = torch.full((8, 64, 64), IGNORED, dtype=torch.uint8)
    y[:, :40, :50] = (torch.arange(40)[:, None] + torch.arange(50)).to(torch.uint8)
    images = Labelled("ramps", tuple("abc"), y[:, None], y, y[:1, None], y[:1])
    recipe = dataclasses.replace(TINY, batch_size=3, window=24)
    found = list(segmenting.batches(images, recipe, torch.Generator().manual_seed(0)))
    assert [x.shape for x, _ in found] == [(3, 1, 24, 24)] * 2
    for x, labels in found:
        assert torch.equal(x[:, 0], labels) and (labels != IGNORED).all()
    starts = {int(labels.min()) for _, batch in found for labels in batch}
    ways = {bool(labels[0, 0] < labels[0, -1]) for _, batch in found for labels in batch}
    assert len(starts) > 2 and ways == {True, False}


def test_statistics_are_those_of_the_pixels_that_count(halves):
    mean, std = segmenting.statistics(halves)
    known = halves.train_x[:, 0, 1:-1].double()
    assert mean.item() == pytest.approx(known.mean().item(), rel=1e-5)
    assert std.item() == pytest.approx(known.std().item(), rel=1e-5)


@pytest.mark.parametrize("head", [FCN, DANET])
def test_a_head_learns_what_is_easy(head, halves):
    recipe = dataclasses.replace(TINY, epochs=12)
    model = head_on(head)
    done = segmenting.train(model, halves, recipe, seed=0, layout="nhwc")
    assert len(done.losses) == 12 and done.losses[-1] < done.losses[0] / 2
    found = segmenting.evaluate(model, halves)
    assert found["miou"] > 80 and found["pixel_accuracy"] > 90
    assert found["ious"].split()[2] == "0.00"


def test_training_is_the_same_for_the_same_seed(halves):
    found = []
    for seed in (0, 0, 1):
        model = head_on(FCN)
        found.append(segmenting.train(model, halves, TINY, seed=seed).losses)
    assert found[0] == found[1] != found[2]


def test_a_loss_that_is_not_finite_and_too_few_images_are_told(halves):
    with pytest.raises(Diverged, match="epoch 1 of 2"):
        segmenting.train(head_on(FCN), halves, dataclasses.replace(TINY, lr=1e9), seed=0)
    with pytest.raises(ValueError, match="12 training images, fewer than one batch of 13"):
        segmenting.train(head_on(FCN), halves, dataclasses.replace(TINY, batch_size=13), seed=0)


def test_gammas_are_named():
    model = head_on(DANET)
    with torch.no_grad():
        model.head.sa.gamma.fill_(0.5)
    assert segmenters.gammas(model) == "position 0.5000; channel 0.0000"
    assert segmenters.gammas(head_on(FCN)) == ""
    assert segmenters.gammas(head_on(MEAN_BRANCHES)) == "mean 0.0000"


def test_suites():
    quick, cpu, gpu = (
        list(BENCH.cells(Selection(suite, device=device)))
        for suite, device in (("quick", "cpu"), ("cpu", "cpu"), ("gpu", "cuda"))
    )
    assert len(quick) == len(HEADS) and len(cpu) == len(gpu) == 10 * len(HEADS)
    assert {c.data for c in cpu} == {"clothes"} and {c.threads for c in cpu} == {1}
    assert {(c.data, c.device, c.precision, c.threads) for c in gpu} == {
        ("voc2012", "cuda", "bf16", None)
    }
    assert all(BENCH.same_machine(c) for c in quick) and not any(map(BENCH.same_machine, cpu))
    first = [c for c in cpu if (c.module, c.variant) in HEADS[:5]]
    assert sum(BENCH.guess(c) for c in first) <= 3600
    for cell in (*quick, *cpu, *gpu):
        assert segmenting.RECIPES[cell.recipe].batch_size == cell.batch_size
        assert cell.data in canvas.DATASETS


def test_chosen_modules_and_backbones_join_the_table():
    want = Selection("quick", (("eca", ""),), ("resnet18",))
    found = [(c.module, c.variant, c.backbone) for c in BENCH.cells(want)]
    assert found == [("none", "", "resnet18"), ("eca", "", "resnet18")]


def test_a_backbone_that_takes_no_head_has_no_cells_and_stops_no_other_benchmark():
    want = Selection("quick", backbones=("densenet121", "resnet18"))
    assert {c.backbone for c in BENCH.cells(want)} == {"resnet18"}
    with pytest.raises(ValueError, match="--backbone may be 'resnet10_small'; leave --backbone"):
        selection.require_cells(Selection("quick", backbones=("densenet121",)), ["segmentation"])


def test_what_is_wrong_is_told_before_any_training(monkeypatch):
    cell = dataclasses.replace(segmentation.SCENES, seed=0)

    def gone(name):
        raise data.DataError(f"{name} is gone")

    monkeypatch.setattr(segmentation, "_images", gone)
    with pytest.raises(data.DataError, match="clothes is gone"):
        BENCH.check([cell])
    with pytest.raises(ValueError, match="can't be dilated"):
        BENCH.check([dataclasses.replace(cell, backbone="densenet121")])

    def offline(name, pretrained, **options):
        raise OSError("no network")

    monkeypatch.setattr(segmenters.timm, "create_model", offline)
    with pytest.raises(data.DataError, match=r"weights of resnet50 can't be had \(no network\)"):
        segmenters.dilated("resnet50", 3, pretrained=True)


@pytest.mark.parametrize("head", [FCN, DANET])
def test_a_row_has_every_column(head, monkeypatch, halves):
    monkeypatch.setattr(segmentation, "_images", lambda name: halves)
    monkeypatch.setitem(segmenting.RECIPES, "segmentation", TINY)
    cell = dataclasses.replace(segmentation.SCENES, module=head[0], variant=head[1], seed=0)
    values = BENCH.measure(cell)
    assert set(values) == {column.name for column in BENCH.columns}
    assert (values["train_images"], values["test_images"], values["epochs"]) == (12, 5, 2)
    assert len(values["ious"].split()) == 3 and len(values["losses"].split()) == 2


def test_the_code_of_the_attention_decides_the_rows_that_have_it():
    prints = {}
    for head in HEADS:
        cell = dataclasses.replace(segmentation.SCENES, module=head[0], variant=head[1], seed=0)
        prints[head] = runner.fingerprint(BENCH, cell)
        files = runner.sources(BENCH, cell)
        for name, heads in {
            "attn/danet.py": (PAM, CAM, DANET),
            "benchmarks/uniform.py": (MEAN, MEAN_BRANCHES),
        }.items():
            assert any(file.endswith(name) for file in files) == (head in heads)
    assert len(set(prints.values())) == len(HEADS)


def test_without_attention_a_score_depends_on_the_pixels_that_the_page_says():
    body = segmenters.dilated(segmentation.SCENES.backbone, 1)
    model = segmenters.network(body, "none", {}, 3).eval().double()
    for parameter in model.parameters():
        parameter.data.fill_(0.01)  # so that nothing is silent and nothing cancels
    x = torch.ones(1, 1, 320, 320, dtype=torch.float64, requires_grad=True)
    scores = model.head(model.backbone(x)[-1])[0]
    scores[0, 0, 20, 20].backward()
    seen = (x.grad[0, 0] != 0).nonzero()
    assert (seen.amax(0) - seen.amin(0) + 1).tolist() == [135, 135]
    page = (ROOT / "docs" / "results" / "segmentation.md").read_text(encoding="utf-8")
    assert "a score depends on 135 x 135 pixels" in " ".join(page.split())
    # Of the places of the map of a scene, those from which the window reaches both its borders.
    first = seen[:, 0].min().item() - 20 * 8
    places = [first + 8 * place for place in range(SIDE // 8)]
    whole = sum(low <= 0 and low + 135 >= SIDE for low in places) / len(places)
    assert 0.4 < whole**2 < 0.6
