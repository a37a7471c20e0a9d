"""The page on segmentation shows what rows say: paired differences, one family, gaps."""

from dataclasses import replace

import pytest
import trial
from rendered import row_of, unbroken

from benchmarks import heads, stats
from benchmarks.segmentation import (
    BRANCHES,
    CAM,
    DANET,
    FCN,
    MEAN,
    MEAN_BRANCHES,
    PAM,
    SCENES,
    VOC,
)
from benchmarks.site import segmentation
from benchmarks.store import Store

SEEDS = 10
OFF = {FCN: 0.0, PAM: 1.0, CAM: 0.5, DANET: 3.0, BRANCHES: 2.0}


def values(miou, **more):
    ious = " ".join(f"{miou + k:.2f}" for k in range(11))
    same = {"train_images": 2000, "test_images": 1000, "epochs": 4, "train_loss": 0.5}
    return {"miou": miou, "pixel_accuracy": 90 - miou, "ious": ious, "params": 7, **same, **more}


@pytest.fixture
def store(tmp_path):
    """PAM is 1 point above FCN, CAM half a point above and below in turn, DANet 3, and 2 of those
    without attention: 1 is its attention's. Pixel accuracy is the other way round. ECA failed."""
    made = Store(tmp_path)
    for seed in range(SEEDS):
        for (module, variant), off in OFF.items():
            cell = replace(SCENES, module=module, variant=variant, seed=seed)
            miou = 30 + seed / 4 + (off if module != "cam" or seed % 2 else -off)
            sign = "-" if seed % 2 else ""
            weights = {"pam": f"position {sign}0.5", "danet": "position 0.25; channel -1.0"}
            made_of = values(miou, gammas=weights.get(module, ""))
            trial.append(made, cell, made_of)
        trial.append(made, replace(SCENES, module="eca", seed=seed), None)
    return made


def test_every_comparison_has_its_difference_and_its_verdict(store):
    text = segmentation.segmentation(store)
    miou, accuracy = text.split("<caption>Pixel accuracy")
    pam = row_of(miou, "PAM less FCN")
    assert ">+1.00<" in pam and "[+1.00, +1.00]" in pam and ">higher<" in pam and ">100 %<" in pam
    assert stats.SAME in row_of(miou, "CAM less FCN")
    assert ">+3.00<" in row_of(miou, "DANet less FCN")
    assert ">+2.00<" in row_of(miou, "two branches less FCN")
    assert ">+1.00<" in row_of(miou, "DANet less two branches")
    assert ">failed<" in row_of(miou, "eca less FCN")
    assert ">lower<" in row_of(accuracy, "PAM less FCN")
    assert "VOC 2012: not measured" in text and "4 epochs" in text and "Preview" not in text


def test_captions_say_what_an_interval_and_a_verdict_are_of(store):
    words = "; an interval is of one line alone, a verdict is adjusted for all lines of the table<"
    assert segmentation.segmentation(store).count(words) == 2
    assert words not in segmentation.heads(store)


def test_a_readers_own_module_of_one_seed_makes_no_preview(store):
    own = Store(store.root)
    trial.append(own, replace(SCENES, module="my_gate:MyGate", seed=0), values(31))
    assert "my_gate:MyGate less FCN" in unbroken(segmentation.segmentation(own))
    assert "Preview" not in segmentation.segmentation(own)
    assert "Preview" not in segmentation.figure(own).caption


def test_the_comparisons_are_one_family(store):
    """The smallest p of ten pairs is 2 / 1024; Holm multiplies that of six lines by 6, though the
    last of them has no run with a value."""
    (which,) = heads.comparisons(store)
    rows = heads.rows_of(store, which)
    table = segmentation.judge(rows, heads.pairs_of(rows)).set_index("key")
    assert table["p_holm"]["pam"] == pytest.approx(6 * 2 / 1024)
    assert table["p_holm"]["attention"] == pytest.approx(6 * 2 / 1024)
    assert list(table.index) == [*heads.PAIRS, "eca"]


def test_attention_is_compared_with_the_mean_of_the_map_in_a_family_of_its_own(store):
    """The mean is as good as PAM, a point above FCN; in two branches it is half of what DANet's
    attentions add, so DANet is half a point above it."""
    before = segmentation.segmentation(store)
    assert "not measured" in segmentation.controls(store)
    assert segmentation.facts(store)["segmentation.pam_mean"] == "not measured"
    for head, off in ((MEAN, 1.0), (MEAN_BRANCHES, 2.5)):
        for seed in range(SEEDS):
            cell = replace(SCENES, module=head[0], variant=head[1], seed=seed)
            trial.append(store, cell, values(30 + seed / 4 + off, gammas="mean -0.25"))
    text = segmentation.controls(store)
    assert ">+1.00<" in row_of(text, "mean of the map less FCN") and "Preview" not in text
    assert stats.SAME in row_of(text, "PAM less mean of the map")
    assert ">+0.50<" in row_of(text, "two branches, mean less two branches")
    assert ">higher<" in row_of(text, "DANet less two branches, mean")
    (which,) = heads.comparisons(store)
    table = segmentation.judge(heads.rows_of(store, which), heads.CONTROLS).set_index("key")
    assert table["p_holm"]["mean"] == pytest.approx(4 * 2 / 1024)
    after = segmentation.segmentation(store)
    assert [part.split("</tbody>")[0] for part in (before, after)] == 2 * [
        before.split("</tbody>")[0]
    ]
    said = segmentation.facts(store)
    assert said["segmentation.pam_mean"].startswith(stats.SAME)
    assert said["segmentation.danet_mean"].startswith("higher by 0.50 points")
    assert ">0.250<" in row_of(segmentation.heads(store), "mean of the map")


def test_heads_and_classes_are_means_over_the_seeds(store):
    text = segmentation.heads(store)
    assert ">31.12<" in row_of(text, "FCN") or ">31.13<" in row_of(text, "FCN")
    assert "without a value: 10" in row_of(text, "eca")
    pam = row_of(text, "PAM")
    assert ">0.500<" in pam and "[\N{MINUS SIGN}0.500, +0.500]" in pam
    assert ">none<" in row_of(text, "FCN")
    assert ">1.000<" in row_of(text, "DANet") and "[+0.250, +0.250]" in row_of(text, "DANet")
    assert ">failed<" in row_of(text, "eca")
    bag = row_of(segmentation.classes(store), "bag")
    assert ">40.12<" in bag or ">40.13<" in bag


def test_facts_and_figure_say_the_same(store):
    found = segmentation.facts(store)
    assert found["segmentation.pam"].startswith("higher by 1.00 points")
    assert found["segmentation.cam"].startswith(stats.SAME)
    assert found["segmentation.attention"].startswith("higher by 1.00 points")
    drawn = segmentation.figure(store)
    assert [v["difference"] for v in drawn.values] == [1, 0, 3, 2, 1]
    assert "Preview" not in drawn.caption


def test_few_seeds_are_a_preview(tmp_path):
    store = Store(tmp_path)
    for head in (FCN, PAM):
        cell = replace(SCENES, module=head[0], variant=head[1], seed=0)
        trial.append(store, cell, values(30 + OFF[head]))
    assert f"Preview, not a result: 1 of {SEEDS} planned seeds" in segmentation.segmentation(store)
    found = segmentation.facts(store)
    assert found["segmentation.pam"].startswith("Preview, not a result: not enough seeds")
    assert found["segmentation.danet"] == "not measured"


def test_voc_is_a_table_of_its_own(store):
    trial.append(store, replace(VOC, seed=0), values(50, ious=" ".join(["50"] * 21), gammas=""))
    first, second = heads.comparisons(store)
    assert (first.data, second.data) == ("clothes", "voc2012")
    assert "VOC 2012: not measured" not in segmentation.segmentation(store)
    assert ">50.00<" in row_of(segmentation.classes(store), "sheep")


def test_without_rows_everything_says_not_measured(tmp_path):
    empty = Store(tmp_path)
    assert segmentation.segmentation(empty).count("not measured") == 2
    found = segmentation.facts(empty)
    assert all(found[f"segmentation.{key}"] == "not measured" for key in heads.PAIRS)


def test_the_card_of_the_data_set_says_what_scenes_are_made_of():
    found = segmentation.scenes()
    assert (found["scenes.side"], found["scenes.pieces"]) == ("80", "3 to 5")
    assert (found["scenes.train"], found["scenes.test"]) == ("2,000", "1,000")
    assert found["scenes.names"].startswith("0 canvas, 1 T-shirt, 2 trousers")
