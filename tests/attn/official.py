"""The official modules' weights, inputs and outputs, and what a copy must do with them."""

from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
from torch import nn

FIXTURES = Path(__file__).parents[1] / "fixtures" / "official"


def assert_equals_official(name: str, module: nn.Module) -> None:
    """Load the official weights into `module` by name and compare outputs in eval mode."""
    stored = np.load(FIXTURES / f"{name}.npz")
    weights = {k[2:]: torch.from_numpy(stored[k]) for k in stored.files if k.startswith("w:")}
    assert list(module.state_dict()) == list(weights)
    module.load_state_dict(weights)
    with torch.no_grad():
        y = module.eval()(torch.from_numpy(stored["x"]))
    torch.testing.assert_close(y, torch.from_numpy(stored["y"]), rtol=0, atol=1e-5)


def num_params(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def on_meta(backbone: str, **settings: Any) -> nn.Module:
    """A backbone of timm without numbers."""
    with torch.device("meta"):
        return timm.create_model(backbone, **settings)


def gate_of(module: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """The factor that `module` puts on every entry of `x`, which must have no zero."""
    with torch.no_grad():
        return module(x) / x
