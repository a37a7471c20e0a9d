"""The charts that are drawn from formulas show the functions that they name."""

import math

import pytest

from benchmarks.notes import affine
from benchmarks.site import notes_formulas
from benchmarks.site.notes_formulas import LOGITS, SHOWN, TEMPERATURES
from benchmarks.site.notes_trained import ACTIVATIONS

torch = pytest.importorskip("torch")


@pytest.mark.parametrize("name", SHOWN)
def test_a_curve_is_that_of_torch_and_its_slope_that_of_autograd(name):
    drawn = [v for v in notes_formulas.shapes().values if v["activation"] == ACTIVATIONS[name]]
    curves = {p: [v for v in drawn if v["panel"] == p] for p in ("function", "slope")}
    z = torch.tensor([v["z"] for v in curves["function"]], dtype=torch.float64, requires_grad=True)
    y = affine.FUNCTIONS[name](z) if name in affine.FUNCTIONS else torch.sigmoid(z)
    (slope,) = torch.autograd.grad(y.sum(), z)
    for curve, truth in ((curves["function"], y), (curves["slope"], slope)):
        assert [v["value"] for v in curve] == pytest.approx(truth.tolist(), abs=1e-5)


def test_bars_are_softmax_at_each_temperature():
    bars = notes_formulas.temperatures().values
    assert len(bars) == len(LOGITS) * len(TEMPERATURES)
    for i, t in enumerate(TEMPERATURES):
        mine = [v["share"] for v in bars[i * len(LOGITS) : (i + 1) * len(LOGITS)]]
        truth = torch.softmax(torch.tensor([*LOGITS.values()]) / t, 0).tolist()
        assert mine == pytest.approx(truth, abs=1e-5) and math.isclose(sum(mine), 1, abs_tol=1e-4)
