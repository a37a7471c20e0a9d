"""Effects: how far the function of a paper and that of its code are apart, with equal weights.

Both modules get the same random weights and the same maps; nothing is trained. What a scalar holds
at zero at the start (DANet's gamma, the weight of CBAM's spatial normalisation) is set to one, as
otherwise the two could not differ. The seed makes weights and maps.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from benchmarks.cells import Benchmark, Cell, Column, Selection
from benchmarks.provenance import versions

if TYPE_CHECKING:
    from torch import Tensor, nn

CHANNELS, SIDE, IMAGES = 64, 14, 8
SEEDS = 5
MODULES = ("cbam", "cam", "danet")
"""Modules with a `form`: the code's function, and the paper's."""


class EffectsBenchmark(Benchmark):
    """The change of a module's output between the forms of its paper and of its code."""

    name = "effects"
    title = "Functions of papers beside those of their code"
    code = ("attn/arguments.py", "benchmarks/effects.py")
    default_seconds = 0.1
    columns = (
        Column("change", "number", "", "|code - paper| over |paper - x|, of the module's output"),
        Column("cosine", "number", "", "between what the two add to x: 1 is the same direction"),
    )

    def cells(self, want: Selection) -> Iterator[Cell]:
        if want.suite not in ("quick", "cpu") or want.backbones:
            return
        for module in MODULES:
            for seed in range(SEEDS):
                if want.modules is None or (module, "form='code'") in want.arms():
                    against = "against form='paper'"
                    yield Cell(self.name, "noise", module, "form='code'", recipe=against, seed=seed)

    def configuration(self, cell: Cell) -> Any:
        """The library that draws the weights and the maps."""
        return versions("torch")

    def measure(self, cell: Cell) -> dict[str, Any]:
        import torch

        assert cell.seed is not None
        generator = torch.Generator().manual_seed(cell.seed)
        x = maps(generator)
        code, paper = (added(built(cell.module, form, cell.seed), x) for form in ("code", "paper"))
        flat = torch.nn.functional.cosine_similarity(code.flatten(), paper.flatten(), dim=0)
        change = (code - paper).norm() / paper.norm()
        return {"change": round(change.item(), 4), "cosine": round(flat.item(), 4)}


def maps(generator: Any) -> Tensor:
    """Maps after a ReLU whose channels and positions differ in their mean: (N, C, H, W)."""
    import torch

    noise = torch.randn(IMAGES, CHANNELS, SIDE, SIDE, generator=generator)
    channels = torch.randn(IMAGES, CHANNELS, 1, 1, generator=generator)
    positions = torch.randn(IMAGES, 1, SIDE, SIDE, generator=generator)
    return torch.relu(noise + channels + positions)


def built(module: str, form: str, seed: int) -> nn.Module:
    """A module of one form; parameters of one name are the same in both forms.

    On paper CBAM's spatial gate has its two maps in the other order: so have its weights.
    """
    import torch

    import attn

    made = attn.build(module, CHANNELS, form=form)
    with torch.no_grad():
        for name, parameter in sorted(made.named_parameters()):
            generator = torch.Generator().manual_seed(seed * 1000 + sum(map(ord, name)))
            if parameter.dim() > 1:
                fan_in = parameter[0].numel()
                drawn = torch.randn(parameter.shape, generator=generator) / fan_in**0.5
                swapped = form == "paper" and name.startswith("SpatialGate")
                parameter.copy_(drawn.flip(1) if swapped else drawn)
            else:
                one = name.endswith(("gamma", "weight"))
                parameter.fill_(1.0 if one else 0.0)
    return made.train()


def added(module: nn.Module, x: Tensor) -> Tensor:
    """What a module changes in x."""
    import torch

    with torch.no_grad():
        return module(x) - x
