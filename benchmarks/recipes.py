"""Training recipes as data. A recipe is the same for every module and never tuned on a test set."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal


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


@dataclass(frozen=True)
class Step:
    """One rung of the ladder from a plain recipe to a good one: what it adds to the one before."""

    what: str
    recipe: Recipe
    layout: str = "nchw"
    precision: str = "fp32"


_PLAIN = Recipe("ladder-0", 12, 128, 0.05, 5e-4, decay=False)
_CHANGES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("the rate rises, to four times as much, and falls to zero", {"decay": True, "lr": 0.2}),
    ("shifts and mirrors", {"crop": 1, "flip": True}),
    ("label smoothing", {"label_smoothing": 0.1}),
    ("mirrors alternate", {"alternate": True}),
    ("the first layer starts whitened", {"whiten": True}),
    ("the last norm of a block starts at a half", {"last_gain": 0.5}),
    ("the weights are averaged", {"average": 0.995}),
)


def _ladder() -> tuple[Step, ...]:
    steps = [Step("a constant rate", _PLAIN)]
    for number, (what, change) in enumerate(_CHANGES, start=1):
        steps.append(Step(what, replace(steps[-1].recipe, name=f"ladder-{number}", **change)))
    last = steps[-1].recipe
    steps.append(Step("channels last", replace(last, name=f"ladder-{len(steps)}"), "nhwc"))
    steps.append(Step("bfloat16", replace(last, name="full"), "nhwc", "bf16"))
    return tuple(steps)


LADDER = _ladder()
"""Each step is the one before and one change. Tuned and measured on a validation split.

The last is how the main table is trained.
"""

_FULL = LADDER[-1].recipe
_OTHERS = tuple(replace(_FULL, name=f"full-rate-{lr:g}", lr=lr) for lr in (0.1, 0.4))
PEAKS = {r.lr: r.name for r in sorted((_FULL, *_OTHERS), key=lambda r: r.lr)}
"""The recipe of the main table with its own peak of the rate and with others: peak to name."""

RECIPES = {
    r.name: r
    for r in (
        *(step.recipe for step in LADDER),
        *_OTHERS,
        Recipe("preview", 1, 128, 0.2, 5e-4, label_smoothing=0.05, crop=1, flip=True),
        Recipe("short", 5, 128, 0.2, 5e-4, label_smoothing=0.05, crop=1, flip=True),
        Recipe("cifar", 160, 128, 0.1, 5e-4, label_smoothing=0.0, crop=4, flip=True),
        Recipe("imagenet", 100, 256, 0.1, 1e-4, warmup=0.05, label_smoothing=0.1, flip=True),
        Recipe("mechanism", 6, 64, 0.2, 5e-4, last_gain=0.5),
        Recipe("mechanism-long", 24, 64, 0.2, 5e-4, last_gain=0.5),
        Recipe("mechanism-preview", 1, 64, 0.2, 5e-4, last_gain=0.5),
        Recipe("smoke", 2, 64, 0.1, 5e-4),
    )
}
