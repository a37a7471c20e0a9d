"""The optimisers that the notes' pages compare, by name: PyTorch's own."""

from __future__ import annotations

from collections.abc import Callable

import torch

RULES: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "sgd": lambda p, lr: torch.optim.SGD(p, lr),
    "momentum": lambda p, lr: torch.optim.SGD(p, lr, momentum=0.9),
    "nesterov": lambda p, lr: torch.optim.SGD(p, lr, momentum=0.9, nesterov=True),
    "adam": lambda p, lr: torch.optim.Adam(p, lr),
    "adamw": lambda p, lr: torch.optim.AdamW(p, lr, weight_decay=0.01),
}
"""PyTorch's optimisers by the names of this suite; all that is not said is at its default."""
