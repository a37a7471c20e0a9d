"""The picture of the scenes shows the scenes, and beneath each its labels."""

import torch
from torchvision.io import read_image

from benchmarks import canvas, gallery
from benchmarks.gallery import COLOURS, GAP, GREY, SCALE, SHOWN


def test_a_scene_stands_above_its_labels():
    scenes = torch.tensor([[[[10, 20], [30, 40]]]], dtype=torch.uint8)
    labels = torch.tensor([[[0, 1], [2, 10]]], dtype=torch.uint8)
    made = gallery.picture(scenes, labels)
    side = 2 * SCALE + 2 * GAP
    assert made.shape == (3, 2 * side, side) and made.dtype == torch.uint8
    assert (made[:, 0] == GREY).all()
    assert (made[:, GAP : GAP + SCALE, GAP : GAP + SCALE] == 10).all()
    corner = made[:, side + GAP + SCALE, GAP + SCALE]
    assert bytes(corner.tolist()).hex() == COLOURS[10]


def test_the_picture_of_the_page_is_of_the_scenes_as_they_are_composed():
    made = canvas.load("clothes-preview")
    drawn = gallery.picture(made.test_x[:SHOWN], made.test_y[:SHOWN])
    shown = read_image(str(gallery.PATH))
    assert shown.shape == drawn.shape
    assert (shown.int() - drawn.int()).abs().max() <= 1  # another processor may round a grey level
