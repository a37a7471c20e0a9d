"""The page about what attention costs: sentences and tables of rows with known truths."""

from dataclasses import replace

import pandas as pd
import pytest
import trial
from rendered import lines

from benchmarks import attention_costs
from benchmarks.alone import PASSES
from benchmarks.breakdown import TWINS, WORDS
from benchmarks.cells import Cell
from benchmarks.site import attention, attention_facts, attention_figures, latency
from benchmarks.stats import NOISY, SAME
from benchmarks.store import Store

SPEED = Cell("speed", "", "se", data="8x256x56x56", recipe="inference", threads=1)
LATE = replace(SPEED, data="8x2048x7x7")


def speed(ratio, verdict, compiled=None):
    """Values of a row: the bare passes take 2 ms, timm's 10 ms, ours ``ratio`` times that."""
    values = {"latency_ms": 10 * ratio, "timm_ms": 10.0, "floor_ms": 2.0, "ratio": ratio}
    values |= {"ratio_low": ratio - 0.01, "ratio_high": ratio + 0.01, "verdict": verdict}
    values |= {"floor_ratio": 5 * ratio, "noise_low": 0.99, "noise_high": 1.02}
    if compiled is not None:
        values |= {"compiled_ratio": compiled, "compiled_verdict": "slower", "compiled_ms": 5.0}
    return values


@pytest.fixture
def store(tmp_path):
    """Ratios 1/4, 1 and 4, the last in training; a failed row; one compiled form."""
    results = Store(tmp_path)
    trial.append(results, SPEED, speed(0.25, "faster", 0.5))
    trial.append(results, replace(LATE, module="eca"), speed(1.0, SAME))
    trial.append(results, replace(SPEED, module="cbam", recipe="training"), speed(4.0, "slower"))
    trial.append(results, replace(SPEED, module="coord"), None)
    return results


def test_ours_against_timms_is_a_sentence_with_mean_extremes_and_verdicts(store):
    found = attention_facts.facts(store)
    assert found["speed.timm"] == (
        "Over 3 settings our modules take 1.000 times the time of timm's modules in the geometric "
        "mean, from 0.250 (se, 8 × 256 × 56 × 56, nchw, inference) to 4.000 "
        "(cbam, 8 × 256 × 56 × 56, nchw, training): 1 faster, 1 slower, "
        "1 with no measurable difference."
    )
    assert found["speed.compiled"].startswith("Over 1 settings our modules take 0.500 times")


def test_over_the_bare_passes_a_map_is_a_line_and_noise_takes_nothing_out(store):
    """CBAM, which needs more passes, is in none of them."""
    trial.append(store, replace(SPEED, module="eca"), speed(1.0, NOISY))
    shown = lines(attention.floors(store))
    assert shown[0].startswith("inference, 8 × 256 × 56 × 56 2.5 5.0 2.00 2 (1)")
    assert shown[1].startswith("inference, 8 × 2048 × 7 × 7 5.0 5.0 2.00 1 (0)")
    assert len(shown) == 2, "the training is CBAM's"


def test_the_tables_of_speed_show_what_failed_and_what_was_not_compiled(store):
    text = attention.speed(store)
    assert "Speed, inference, 8 × 256 × 56 × 56" in text
    assert "Speed, training, 8 × 256 × 56 × 56" in text
    rows = [line for line in text.splitlines() if line.startswith("<tr><th scope=")]
    coord = next(line for line in rows if ">coord," in line)
    assert coord.count("failed") == 8
    eca = next(line for line in rows if ">eca," in line)
    assert eca.count("not measured") == 2
    first = [line.partition(",")[0].rpartition(">")[2] for line in rows]
    assert first == ["se", "coord", "eca", "cbam"]  # larger maps first, training apart
    assert "2.0" in eca  # the noise floor in %


def test_means_are_geometric_over_each_setting(store):
    trial.append(store, replace(SPEED, module="eca"), speed(0.25, "faster"))
    rows = [line for line in attention.speed_means(store).splitlines() if line.startswith("<tr>")]
    eca = next(line for line in rows if ">eca<" in line)
    assert ">0.500<" in eca  # sqrt(1 * 0.25)
    assert "all modules" in rows[-1]


def test_what_is_too_noisy_to_rank_enters_no_mean(store):
    trial.append(store, replace(LATE, module="se"), speed(9.0, NOISY))
    found = attention_facts.facts(store)["speed.timm"]
    assert found.startswith("Over 3 settings our modules take 1.000 times")
    assert found.endswith(" 1 more are too noisy to rank; the mean over all of them is 1.732.")
    means = attention.speed_means(store)
    assert "1 of 4 settings are too noisy to rank and left out" in means
    se = next(line for line in means.splitlines() if line.startswith("<tr>") and ">se<" in line)
    assert ">over 1 of 2<" in se
    for cell in (SPEED, replace(LATE, module="eca")):
        trial.append(store, cell, speed(1.0, NOISY))
    trial.append(store, replace(SPEED, module="cbam", recipe="training"), speed(1.0, NOISY))
    found = attention_facts.facts(store)
    assert found["speed.timm"] == ("Against timm's modules: all 4 settings are too noisy to rank.")
    assert "settings are too noisy to rank" in found["speed.floor_kept"]
    figure = attention_figures.speed(store)
    assert not figure.values
    assert figure.gap == "Not drawn: 2 settings of 2, too noisy to rank."


def test_position_attention_is_told_by_its_largest_map(tmp_path):
    results = Store(tmp_path)
    cell = Cell("position", "", "pam", data="2x512x32x32", recipe="inference", threads=1)
    values = {"ratio": 1.01, "ratio_low": 1.0, "ratio_high": 1.02, "verdict": SAME}
    for data, share in (("2x512x32x32", 0.9), ("2x512x64x64", 0.2)):
        trial.append(results, replace(cell, data=data), {**values, "memory_ratio": share})
    found = attention_facts.facts(results)
    assert found["position.inference"] == (
        "In inference on 2 × 512 × 64 × 64 it needs 0.200 times the extra memory of the full map, "
        "in 1.010 times the time (no measurable difference)."
    )
    assert found["position.training"] == "In training: not measured."


def append_counts(results, backbone, orders):
    """A backbone with four gates: each one's order by multiply-adds, bytes and time."""
    cost, late = (replace(c, backbone=backbone) for c in (trial.COST, trial.LATENCY))
    base = {"macs": 1000, "elementwise_bytes": 500, "matmul_bytes": 500}
    trial.append(results, cost, base)
    trial.append(results, late, trial.times(1.0, SAME))
    for module, (macs, moved, time) in zip(("se", "eca", "cbam", "coord"), orders, strict=True):
        more = {"macs": 1000 + macs, "elementwise_bytes": 500 + 100 * moved, "matmul_bytes": 500}
        trial.append(results, replace(cost, module=module), more)
        trial.append(results, replace(late, module=module), trial.times(1 + time / 10, "slower"))


def test_a_count_that_orders_the_times_correlates_fully_and_its_opposite_not(tmp_path):
    results = Store(tmp_path)
    orders = [(50 - i, i, i) for i in (1, 2, 3, 4)]
    append_counts(results, trial.COST.backbone, orders)
    before = attention_facts.facts(results)
    assert "one kind of backbone cannot tell" in before["counts.verdict"]
    assert before["counts.bytes_share.rank"] == "1.00 (one kind of backbone)"
    append_counts(results, "another", orders)
    frame = attention_costs.counts_and_time(results)
    assert sorted(set(frame["bytes_share"].round(6))) == [10, 20, 30, 40]
    assert sorted(set(frame["macs_share"].round(6))) == [4.6, 4.7, 4.8, 4.9]
    found = attention_facts.facts(results)
    assert found["counts.bytes_share.rank"] == "1.00 [1.00, 1.00]"
    assert found["counts.macs_share.rank"] == "−1.00 [−1.00, −1.00]"
    assert [found[f"counts.{of}"] for of in ("pairs", "backbones", "kinds")] == ["8", "2", "2"]
    assert found["counts.left_out"] == "nothing"
    counted = {"macs": 1000, "elementwise_bytes": 500, "matmul_bytes": 500}
    for module in ("none", "se"):
        cost, late = (
            replace(c, backbone="shaky", module=module) for c in (trial.COST, trial.LATENCY)
        )
        trial.append(results, cost, counted)
        trial.append(results, late, trial.times(1.1, NOISY))
        trial.append(results, replace(late, backbone="uncounted"), trial.times(1.0, SAME))
    extra = replace(trial.LATENCY, backbone="another", module="sk")
    trial.append(results, extra, trial.times(1.3, "slower"))
    ranks = lines(attention.count_ranks(results))
    name = trial.COST.backbone
    assert sorted(line.split()[:5] for line in ranks[:2]) == sorted(
        [one, "4", "−1.00", "+1.00", "+1.00"] for one in (name, "another")
    )
    text = attention.counts(results)
    assert text.count(", 10 rows)") == 2, (
        "two backbones with four gates and none, their counts and their times"
    )
    assert attention_facts.facts(results)["counts.left_out"] == (
        "sk in another, uncounted (not counted); shaky (noise floor too high)"
    )
    assert "order the times better than" in found["counts.verdict"]


def test_what_a_module_adds_is_its_ratio_times_the_bare_time(tmp_path):
    """trial's bare backbone takes 20 ms; SE, a quarter more."""
    results = Store(tmp_path)
    assert "Time that a module adds: not measured" in latency.added(results)
    trial.latency(results)
    shown = lines(latency.added(results))
    assert shown[0].startswith("se +5.00 [+4.80, +5.20]")
    assert any(line.startswith("sk failed") for line in shown)


def test_backbones_that_disagree_can_not_tell(tmp_path):
    results = Store(tmp_path)
    append_counts(results, "one", [(5 - i, i, i) for i in (1, 2, 3, 4)])
    append_counts(results, "other", [(i, 5 - i, i) for i in (1, 2, 3, 4)])
    found = attention_facts.facts(results)
    # differences of 2 and -2: their mean is 0, its standard error 2, t of one degree 12.706
    assert (
        "kinds of backbones cannot tell (difference 0.00 [−25.41, 25.41])"
        in found["counts.verdict"]
    )


def test_a_difference_between_backbones_is_no_order_within_them():
    """Both counts grow with the time from backbone to backbone, and fall within each."""
    rows = [(b, 10 * n + i, 10 * n - i) for n, b in enumerate("abc") for i in (1, 2, 3)]
    frame = pd.DataFrame(rows, columns=["backbone", "macs_share", "ratio"])
    assert attention_costs.rank_correlation(frame["macs_share"], frame["ratio"]) > 0.5
    assert attention_costs.ranks(frame, "macs_share") == pytest.approx({"a": -1, "b": -1, "c": -1})


def test_backbones_of_one_kind_count_as_one():
    """Two ResNets are ordered by the count, and a MobileNet the other way round."""
    rows = [("resnet18", i, i) for i in range(3)] + [("resnet10_small_os8", i, i) for i in range(3)]
    rows += [("mobilenetv2_100", i, -i) for i in range(3)]
    frame = pd.DataFrame(rows, columns=["backbone", "macs_share", "ratio"])
    found = attention_costs.ranks(frame, "macs_share")
    assert found == pytest.approx({"mobilenetv": -1, "resnet": 1})
    assert attention_costs.over_kinds(found).value == pytest.approx(0)
    assert attention_costs.over_kinds({"resnet": 1.0}) is None


def test_rank_correlation_of_known_ranks():
    assert attention_costs.rank_correlation(
        pd.Series([1, 2, 3]), pd.Series([1, 20, 21])
    ) == pytest.approx(1)
    # 1 - 6 * (1 + 1) / (4 * 15) for one exchanged pair of four
    exchanged = attention_costs.rank_correlation(pd.Series([1, 2, 3, 4]), pd.Series([1, 3, 2, 4]))
    assert exchanged == pytest.approx(0.8)
    assert attention_costs.rank_correlation(pd.Series([1, 2]), pd.Series([1, 2])) is None
    assert attention_costs.rank_correlation(pd.Series([1, 1, 1]), pd.Series([1, 2, 3])) is None


def test_a_breakdown_shows_its_shares_and_whose_module_it_is(tmp_path):
    results = Store(tmp_path)
    cell = Cell("breakdown", "", data="8x256x56x56", recipe="inference", threads=1)
    shares = {f"{kind}_share": 0.0 for kind in WORDS} | {"product_share": 75.0, "pool_share": 25.0}
    values = {
        "operators_ms": 8.0,
        "calls": 9,
        "operations": "mul 75.0 (1); mean 25.0 (1)",
        **shares,
    }
    trial.append(results, replace(cell, module=TWINS["se"]), values)
    text = attention.breakdown(results)
    assert (
        "Where the time goes, inference, 8 × 256 × 56 × 56" in text and ">se, timm&#x27;s<" in text
    )
    assert ">75<" in text and "mul 75.0 (1); mean 25.0 (1)" in text
    drawn = attention_figures.breakdown(results).values
    assert {v["kind"]: v["ms"] for v in drawn if v["ms"]} == {
        WORDS["pool"]: 2.0,
        WORDS["product"]: 6.0,
    }


def test_whole_networks_have_a_column_a_setting(tmp_path):
    results = Store(tmp_path)
    bare = Cell("networks", "resnet50", recipe="training", batch_size=8, image_size=224, threads=1)
    for cell in (bare, replace(bare, recipe="inference", layout="nhwc", batch_size=1)):
        trial.append(results, cell, trial.times(1.0, SAME))
    trial.append(results, replace(bare, module="se"), trial.times(1.25, "slower"))
    text = attention.networks(results)
    assert "Training, nchw, batch 8" in text and "Inference, nhwc, batch 1" in text
    (row,) = [line for line in text.splitlines() if line.startswith('<tr><th scope="row"')]
    assert "1.250" in row and row.count("not measured") == 1


KNOWN = {"counts.pairs", "counts.backbones", "counts.kinds", "speed.processes"}
KNOWN |= {f"passes.{mode}.{what}" for mode in PASSES for what in ("read", "written")}
KNOWN |= {f"networks.{name}" for name in ("builds", "most", "floor")}


def test_without_rows_the_facts_say_not_measured(tmp_path):
    found = attention_facts.facts(Store(tmp_path))
    assert all("not measured" in text for key, text in found.items() if key not in KNOWN)


def test_figures_draw_every_form_that_was_timed_on_the_largest_map(store):
    figure = attention_figures.speed(store)
    assert [(v["arm"], v["form"], v["times"]) for v in figure.values] == [
        ("se", "ours", 1.25),
        ("se", "timm's", 5.0),
        ("se", "timm's, compiled", 2.5),
        ("cbam", "ours", 20.0),
        ("cbam", "timm's", 5.0),
    ]
    assert "8 × 256 × 56 × 56" in figure.caption
    for scheme in ("light", "dark"):
        assert "@" not in str(figure.spec(scheme))
