import pytest
import torch

from attn import reductions


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def small_maps_by_hand(monkeypatch):
    """The maps of tests are small; what large maps get is what has to be tested."""
    monkeypatch.setattr(reductions, "FEW", 0)
