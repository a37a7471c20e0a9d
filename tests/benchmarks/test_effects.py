"""Forms with equal weights: what is the same must not differ, and what differs must."""

import pytest
import torch

from benchmarks import effects
from benchmarks.cells import Selection
from benchmarks.effects import EffectsBenchmark, added, built, maps

EFFECTS = EffectsBenchmark()


@pytest.fixture
def x():
    return maps(torch.Generator().manual_seed(0))


def test_a_form_is_equal_to_itself(x):
    assert torch.equal(added(built("cam", "code", 1), x), added(built("cam", "code", 1), x))


def test_the_two_signs_of_channel_attention_are_softmaxes_of_opposite_energies(x):
    flat = x.flatten(2)
    energy = flat @ flat.transpose(1, 2)
    for form, sign in (("code", -1), ("paper", 1)):
        expected = (torch.softmax(sign * energy, 2) @ flat).view_as(x)
        torch.testing.assert_close(added(built("cam", form, 0), x), expected)


def test_without_its_normalisation_the_code_of_cbam_is_the_paper(x):
    code, paper = built("cbam", "code", 3), built("cbam", "paper", 3)
    code.SpatialGate.spatial.bn = torch.nn.Identity()
    torch.testing.assert_close(added(code, x), added(paper, x))


@pytest.mark.parametrize(
    ("code", "paper", "change", "cosine"),
    [
        ([3.0, 0.0], [0.0, 4.0], 1.25, 0.0),  # at right angles: 5 over 4
        ([4.0, 6.0], [2.0, 3.0], 1.0, 1.0),
        ([-2.0, -3.0], [2.0, 3.0], 2.0, -1.0),
        ([1.0, 1.0], [2.0, 0.0], 0.7071, 0.7071),
        ([2.0, 0.0], [1.0, 1.0], 1.0, 0.7071),  # what the paper adds is what is divided by
    ],
)
def test_a_change_is_relative_to_what_the_paper_adds(monkeypatch, code, paper, change, cosine):
    vectors = {"code": torch.tensor(code), "paper": torch.tensor(paper)}
    monkeypatch.setattr(effects, "built", lambda module, form, seed: form)
    monkeypatch.setattr(effects, "added", lambda form, x: vectors[form])
    cell = next(EFFECTS.cells(Selection("quick")))
    assert EFFECTS.measure(cell) == {"change": change, "cosine": cosine}


def test_a_row_has_every_column():
    cell = next(EFFECTS.cells(Selection("quick")))
    assert set(EFFECTS.measure(cell)) == {column.name for column in EFFECTS.columns}
