"""The picture of the scenes shows the scenes, and beneath each its labels."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks import canvas, gallery
from benchmarks.gallery import COLOURS, GAP, GREY, SCALE, SHOWN


def test_a_scene_stands_above_its_labels():
    scenes = torch.tensor([[[[10, 20], [30, 40]]]], dtype=torch.uint8)
    labels = torch.tensor([[[0, 1], [2, 10]]], dtype=torch.uint8)
    made = gallery.picture(scenes, labels)
    side = 2 * SCALE + 2 * GAP
    assert made.shape == (2 * side, side, 3) and made.dtype == torch.uint8
    assert (made[0] == GREY).all()
    assert (made[GAP : GAP + SCALE, GAP : GAP + SCALE] == 10).all()
    corner = made[side + GAP + SCALE, GAP + SCALE]
    assert bytes(corner.tolist()).hex() == COLOURS[10]


@pytest.mark.skipif(
    not (Path("/usr/share/datasets/fashion-mnist") / "train-images-idx3-ubyte.gz").exists(),
    reason="needs Debian's package dataset-fashion-mnist",
)
def test_the_picture_of_the_page_is_of_the_scenes_as_they_are_composed():
    made = canvas.load("clothes-preview")
    drawn = gallery.picture(made.test_x[:SHOWN], made.test_y[:SHOWN])
    shown = torch.from_numpy(np.array(Image.open(gallery.PATH)))
    assert shown.shape == drawn.shape
    assert (shown.int() - drawn.int()).abs().max() <= 1  # another processor may round a grey level
