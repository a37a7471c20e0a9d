"""Sessions of one network: what is planned, what is said of them, on rows whose truth is known."""

import math
import random
from dataclasses import replace

import pandas as pd
import pytest
import trial
from rendered import lines, plain, row_of

from benchmarks import latency, retimed
from benchmarks.cells import MODULES, Cell, Selection, benchmarks
from benchmarks.latency import Latency
from benchmarks.nets import MOBILE
from benchmarks.retimed import BACKBONES, SESSIONS, Retimed, between
from benchmarks.site import retimed as page
from benchmarks.stats import NOISY, SAME
from benchmarks.store import Store

CELL = Cell("retimed", "resnet10_small", image_size=28, batch_size=32, threads=1)
T = 2.201
"""Student's t of twelve builds at 97.5 %."""


def frame(ratios, half=0.01, floor=0.005, verdict="slower", arm="se"):
    """A row for each ratio, with an interval of so much to both sides."""
    rows = [
        {
            "arm": arm,
            "seed": seed,
            "ratio": ratio,
            "ratio_low": ratio / (1 + half),
            "ratio_high": ratio * (1 + half),
            "floor_low": 1 / (1 + floor),
            "floor_high": 1 + floor,
            "verdict": verdict,
        }
        for seed, ratio in enumerate(ratios)
    ]
    return pd.DataFrame(rows)


def test_every_session_has_every_module_and_a_number_of_its_own():
    cells = list(Retimed().cells(Selection("cpu")))
    assert len(cells) == SESSIONS * len(BACKBONES) * len(MODULES)
    assert len({cell.key for cell in cells}) == len(cells)
    groups = list(dict.fromkeys(Retimed().group(cell) for cell in cells))
    assert [(group.seed, group.backbone) for group in groups] == [
        (session, backbone) for session in range(SESSIONS) for backbone in BACKBONES
    ]
    assert set(BACKBONES) == {"resnet10_small", MOBILE}


@pytest.mark.parametrize(
    "want",
    [
        Selection("quick"),
        Selection("gpu", device="cuda"),
        Selection("cpu", modules=(("eca", ""),)),
        Selection("cpu", backbones=("resnet18",)),
    ],
)
def test_who_asks_for_something_else_gets_no_sessions(want):
    assert not list(Retimed().cells(want))


def test_a_session_is_one_of_latency_but_for_its_random_numbers(monkeypatch):
    asked = []

    def settled(session, clock):
        asked.append((session, clock))
        raise latency.TimingFailed("not today")

    monkeypatch.setattr(latency, "until_settled", settled)
    number = replace(CELL, seed=3)
    for cell in (number, replace(CELL, benchmark="latency")):
        ((_, values),) = benchmarks()[cell.benchmark].measure_group([cell])
        assert str(values) == "not today"
    (again, clock), (plainly, other) = asked
    assert again == replace(plainly, seed=3) and plainly.seed == 0
    assert clock == other == "thread"
    assert Retimed.code == Latency.code
    both = [benchmarks()[name].configuration(number) for name in ("retimed", "latency")]
    assert both[0] == both[1]


def test_sessions_that_agree():
    (line,) = between(frame([1.2] * 10)).itertuples()
    assert (line.sessions, line.held, line.told, line.pairs) == (10, 10, 0, 45)
    assert line.ratio == pytest.approx(1.2)
    assert line.apart == line.apart_most == 0
    assert line.half_width == pytest.approx(1.0)
    assert line.verdicts == "10 slower"


def test_a_session_that_is_apart_from_the_others():
    (line,) = between(frame([1.2] * 9 + [1.3])).itertuples()
    assert (line.held, line.told) == (9, 9)
    assert line.apart == 0
    assert line.apart_most == pytest.approx(100 * (1.3 / 1.2 - 1))
    assert (line.least, line.most) == pytest.approx((1.2, 1.3))


def test_told_apart_takes_the_floor_too():
    gap = 1.2 * 1.01**2 * 1.03**2
    for ratio, told in ((0.999 * gap, 0), (1.001 * gap, 1)):
        assert retimed.told_apart(frame([1.2, ratio], floor=0.03)) == [told]
    gap = 1.2 * 1.01**4  # a floor below the resolution counts as that
    for ratio, told in ((0.999 * gap, 0), (1.001 * gap, 1)):
        assert retimed.told_apart(frame([1.2, ratio], floor=0.001)) == [told]


def test_a_session_too_noisy_to_rank_is_in_no_pair_that_could_be_told_apart():
    rows = frame([1.2, 2.4, 1.2])
    rows.loc[2, "verdict"] = NOISY
    assert retimed.told_apart(rows) == [True]
    (line,) = between(rows).itertuples()
    assert (line.sessions, line.told, line.pairs) == (3, 1, 1)


def test_two_modules_of_a_session_do_not_feel_its_bare_backbone():
    shifts = [1.0, 1.03, 0.98]
    rows = [frame([r * s for s in shifts], arm=arm) for arm, r in (("se", 1.2), ("eca", 1.1))]
    bare = frame([1.0, 1.01, 0.99], arm="none")
    assert retimed.of_two_modules(pd.concat([*rows, bare])) == pytest.approx([0, 0, 0])
    rows[1].loc[2, "ratio"] *= 1.05
    assert retimed.of_two_modules(pd.concat(rows)) == pytest.approx([0, 5, 5])
    assert len(retimed.of_two_modules(pd.concat([rows[0], rows[1][:2]]))) == 1


def test_one_session_is_no_comparison():
    assert between(frame([1.2])).empty
    both = pd.concat([frame([1.2]), frame([1.3, 1.3], arm="eca")])
    assert list(between(both)["arm"]) == ["eca"]


@pytest.mark.parametrize(("factor", "least", "most"), [(1, 0.92, 0.955), (3, 0.4, 0.6)])
def test_intervals_hold_as_often_as_they_should_unless_sessions_differ(factor, least, most):
    """Sessions ``factor`` times as far apart as their builds say."""
    rng = random.Random(1)
    error = 0.004
    held = total = 0
    for _ in range(300):
        ratios = [1.2 * math.exp(rng.gauss(0, factor * error)) for _ in range(10)]
        (line,) = between(frame(ratios, half=1.96 * error)).itertuples()
        held, total = held + line.held, total + line.sessions
    assert least < held / total < most


def add(store, arm, ratios, backbone="resnet10_small", half=0.01, verdicts=()):
    """A row a session."""
    for seed, ratio in enumerate(ratios):
        verdict = verdicts[seed] if verdicts else "slower"
        cell = replace(CELL, backbone=backbone, module=arm, seed=seed)
        ends = {"ratio": ratio, "ratio_low": ratio / (1 + half), "ratio_high": ratio * (1 + half)}
        floor = {"floor_low": 0.995, "floor_high": 1.005, "verdict": verdict}
        trial.append(store, cell, {**ends, **floor})


def test_the_page_says_how_far_sessions_are_apart(tmp_path):
    store = Store(tmp_path)
    assert set(page.facts(store).values()) == {"not measured"}
    assert "not measured" in page.sessions(store)
    add(store, "none", [1.0, 1.0, 1.0], verdicts=[SAME] * 3)
    add(store, "se", [1.2, 1.2, 1.2])
    add(store, "cam", [1.02, 1.02, 1.08], verdicts=[SAME, SAME, "slower"])
    trial.append(store, replace(CELL, module="sk", seed=0), None)
    shown = page.sessions(store)
    assert [line.split()[0] for line in lines(shown)] == ["none", "se", "cam"]
    row = plain(row_of(shown, "cam"))
    assert row == (
        "cam 1.040 [1.020, 1.080] 1.00 5.88 5.88 0 of 3 2 of 3 2 no measurable difference, 1 slower"
    )
    assert "3 sessions; one thread, batch 32, 28 px" in shown
    found = page.facts(store)
    assert found["retimed.what"].startswith("3 sessions of resnet10_small on ")
    assert found["retimed.held"] == "3 of 6"
    assert found["retimed.told"] == "2 of 6"
    assert found["retimed.verdicts"] == "1 of 2"
    assert found["retimed.shown"] == "not measured", "no latency of these"
    for arm, low, high in (("se", 1.19, 1.21), ("cam", 1.05, 1.07), ("eca", 1.0, 2.0)):
        cell = replace(CELL, benchmark="latency", module=arm, seed=None)
        ends = {"ratio": (low + high) / 2, "ratio_low": low, "ratio_high": high}
        trial.append(store, cell, {**ends, "verdict": "slower"})
    assert page.facts(store)["retimed.shown"] == "1 of 2", "of those that the sessions have too"
    assert found["retimed.modules"] == "5.88 %"
    assert found["retimed.apart"] == (
        "0.00 % (median over modules and pairs of sessions; the most is 5.88 %, cam in "
        "resnet10_small)"
    )


def test_a_single_session_is_not_shown(tmp_path):
    store = Store(tmp_path)
    add(store, "se", [1.2])
    assert set(page.facts(store).values()) == {"not measured"}
    assert "not measured" in page.sessions(store)
