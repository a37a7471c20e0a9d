import pytest
import torch

from attn import reductions, registry


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


@pytest.fixture
def own_names(monkeypatch):
    """Names that a test registers are forgotten after it."""
    monkeypatch.setattr(registry, "_registered", {})


@pytest.fixture(autouse=True)
def small_maps_by_hand(monkeypatch):
    """The maps of tests are small; what large maps get is what has to be tested."""
    monkeypatch.setattr(reductions, "FEW", 0)
