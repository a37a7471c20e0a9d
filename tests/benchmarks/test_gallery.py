"""The picture of the scenes shows the scenes, and beneath each its labels."""

import hashlib

import numpy as np
import torch
from PIL import Image

from benchmarks import gallery
from benchmarks.gallery import COLOURS, GAP, GREY, SCALE, SHOWN
from benchmarks.scenery import SIDE


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


def test_the_picture_of_the_page_is_of_the_first_test_scenes():
    """By its labels; that the scenes of a seed have the published ones is a test of theirs."""
    shown = torch.from_numpy(np.array(Image.open(gallery.PATH)))
    side = SIDE * SCALE + 2 * GAP
    assert shown.shape == (2 * side, SHOWN * side, 3)
    labels = torch.stack([_pixels(shown[side:, i * side :][:, :side]) for i in range(SHOWN)])
    palette = [bytes.fromhex(colour) for colour in COLOURS]
    numbers = [palette.index(bytes(pixel.tolist())) for pixel in labels.flatten(0, 2)]
    assert hashlib.sha256(bytes(numbers)).hexdigest()[:16] == "63c84ee919ef6670"


def _pixels(framed):
    """One of each block of equal pixels: (side, side, 3) -> (H, W, 3)."""
    inside = framed[GAP:-GAP, GAP:-GAP]
    assert torch.equal(inside[::SCALE, ::SCALE], inside[SCALE - 1 :: SCALE, SCALE - 1 :: SCALE])
    return inside[::SCALE, ::SCALE]
