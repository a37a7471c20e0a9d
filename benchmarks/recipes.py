"""Training recipes as data. A recipe is the same for every module and never tuned on a test set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Recipe:
    """How to train: ``lr`` is the peak of a linear rise and fall, ``crop`` the shift in pixels.

    ``decay`` off holds the rate constant. ``alternate`` mirrors every image in every second epoch
    instead of by chance. ``average`` is the decay a step of a moving average of the weights, which
    is tested in their place (0: the last weights). ``last_gain`` is where the last normalisation of
    a residual block starts (0: as the backbone does it, which is 0 for timm's ResNets).
    ``whiten`` starts the first convolution with whitening filters.
    """

    name: str
    epochs: int
    batch_size: int
    lr: float
    weight_decay: float
    optimizer: Literal["sgd", "adamw"] = "sgd"
    momentum: float = 0.9
    warmup: float = 0.2
    decay: bool = True
    label_smoothing: float = 0.0
    crop: int = 0
    flip: bool = False
    alternate: bool = False
    average: float = 0.0
    last_gain: float = 0.0
    whiten: bool = False


RECIPES = {
    r.name: r
    for r in (
        Recipe("preview", 1, 128, 0.2, 5e-4, label_smoothing=0.05, crop=1, flip=True),
        Recipe("short", 5, 128, 0.2, 5e-4, label_smoothing=0.05, crop=1, flip=True),
        Recipe("cifar", 160, 128, 0.1, 5e-4, label_smoothing=0.0, crop=4, flip=True),
        Recipe("smoke", 2, 64, 0.1, 5e-4),
    )
}
