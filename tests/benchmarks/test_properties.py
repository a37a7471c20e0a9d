"""Properties of modules: planted modules whose numbers are known, and what the papers' must be."""

import pytest
import torch
from torch import nn

from benchmarks.cells import Cell, Selection
from benchmarks.notes import gates
from benchmarks.properties import MEASURES, PROPERTIES, PropertiesBenchmark

BENCH = PropertiesBenchmark()
TINY = 1e-12


def value(recipe, module, variant="", data="", seed=0):
    return BENCH.measure(Cell("properties", "", module, variant, data, recipe, seed))["value"]


class Planted(nn.Module):
    """x times a function of x."""

    def __init__(self, gate):
        super().__init__()
        self.gate = gate

    def forward(self, x):
        return x * self.gate(x)


def mean(x):
    return x.mean((2, 3), keepdim=True)


def test_a_gate_that_sees_a_corner_is_found_out():
    torch.manual_seed(0)
    assert gates.sees(Planted(mean), "pixels") < TINY
    corner = Planted(lambda x: x[:, :, :1, :1])
    assert min(gates.sees(corner, what) for what in ("pixels", "rows")) > 0.01
    assert gates.follows(corner, "pixels") > 0.01


def test_rank_and_links_of_known_matrices():
    torch.manual_seed(0)
    narrow = torch.rand(64, 5, dtype=torch.float64) @ torch.rand(5, 64, dtype=torch.float64)
    linear = Planted(lambda x: (mean(x).flatten(1) @ narrow.T)[:, :, None, None])
    assert gates.rank(linear) == 5 and gates.share_nonzero(linear) == 1
    own = Planted(mean)
    assert gates.rank(own) == 64 and gates.share_nonzero(own) == 1 / 64
    constant = Planted(lambda x: torch.full_like(mean(x), 0.3))
    assert gates.rank(constant) == gates.share_nonzero(constant) == 0


def test_a_map_that_is_no_outer_product_is_found_out():
    torch.manual_seed(0)
    assert gates.outer_product(Planted(lambda x: mean(x).expand_as(x))) < TINY
    assert gates.outer_product(Planted(torch.sigmoid)) > 0.01


@pytest.mark.parametrize("seed", range(3))
def test_squeezed_gates_cannot_see_where(seed):
    for module in ("se", "se_var1", "se_var3", "eca"):
        for shuffle in ("pixels", "rows", "columns"):
            assert value("gate changes", module, data=shuffle, seed=seed) < TINY
    for module in ("cbam", "coord"):
        assert value("gate changes", module, data="rows", seed=seed) > 1e-4


def test_coordinate_attention_follows_rows_and_columns_but_not_pixels():
    assert value("output follows", "coord", data="rows") < TINY
    assert value("output follows", "coord", data="columns") < TINY
    assert value("output follows", "coord", data="pixels") > 0.01


def test_position_attention_is_the_papers_product_and_not_the_notes():
    assert value("order", "pam", "reduction=1", "C'B") < TINY
    assert value("order", "pam", "reduction=1", "BC'") > 0.01


def test_numbers_that_papers_print_or_imply():
    ranks = [value("rank", "se", seed=seed) for seed in range(5)]
    assert max(ranks) <= 4 and max(ranks) > 0  # C / r
    assert value("links", "eca") == pytest.approx((3 * 64 - 2) / 64**2)
    assert value("parameters", "cbam", "spatial=None") == value("parameters", "se")
    assert [value("branch", "sk", data=d) for d in ("5x5", "3x3 dilated")] == [1600, 576]
    assert {value("reach", "sk", data=d) for d in ("5x5", "3x3 dilated")} == {5}
    ks = [value("kernel size", "eca", data=f"C={2**i}") for i in range(4, 12)]
    assert ks == [3, 3, 3, 5, 5, 5, 5, 7]
    assert value("kernel size, linear", "eca", data="C=64") == 32.5
    assert value("dissimilar", "cam", "form='code'") == 1
    assert value("dissimilar", "cam", "form='paper'") == 0


def test_every_property_is_measured_and_a_module_of_your_own_takes_part_in_none():
    assert set(PROPERTIES) == set(MEASURES)
    listed = list(BENCH.cells(Selection("cpu")))
    assert {c.recipe for c in listed} == set(PROPERTIES)
    assert set(BENCH.cells(Selection("quick"))) == set(listed)
    assert not list(BENCH.cells(Selection("cpu", modules=(("mine:Gate", ""),))))
