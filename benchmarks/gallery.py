"""The picture of the page about segmentation: some test scenes of clothes above their labels.

``python -m benchmarks.gallery`` draws it into docs/assets/.
"""

from __future__ import annotations

import torch
from PIL import Image
from torch import Tensor

from benchmarks import canvas
from benchmarks.cells import ROOT
from benchmarks.scenery import CLOTHES

PATH = ROOT / "docs" / "assets" / "clothes.png"

SHOWN, SCALE, GAP = 5, 3, 4
"""Scenes; pixels of the picture for one of a scene, and between two scenes."""

GREY = 128
"""Between the scenes."""

COLOURS = (
    *("202020", "4e79a7", "a0cbe8", "f28e2b", "ffbe7d", "59a14f"),
    *("8cd17d", "b6992d", "e15759", "b07aa1", "9c755f"),
)
"""One a class, in the order of their numbers."""
assert len(COLOURS) == len(CLOTHES)


def picture(scenes: Tensor, labels: Tensor) -> Tensor:
    """Scenes (N, 1, H, W) and labels (N, H, W), both uint8, as one picture (h, w, 3), uint8."""
    palette = torch.tensor([list(bytes.fromhex(colour)) for colour in COLOURS], dtype=torch.uint8)
    lines = scenes.expand(-1, 3, -1, -1), palette[labels.long()].permute(0, 3, 1, 2)
    return torch.cat([_framed(line) for line in lines], 1).permute(1, 2, 0)


def _framed(images: Tensor) -> Tensor:
    """Images (N, 3, H, W) beside each other, enlarged, with a border around each."""
    large = images.repeat_interleave(SCALE, 2).repeat_interleave(SCALE, 3)
    bordered = torch.nn.functional.pad(large, (GAP,) * 4, value=GREY)
    return torch.cat(list(bordered), 2)


def main() -> None:
    """Draw the first test scenes."""
    made = canvas.load("clothes-preview")  # its scenes are the first of `clothes`
    PATH.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture(made.test_x[:SHOWN], made.test_y[:SHOWN]).numpy()).save(PATH)


if __name__ == "__main__":
    main()
