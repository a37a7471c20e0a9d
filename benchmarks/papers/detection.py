"""Detectors of mmdetection as far as their parameters go: a ResNet, its pyramid and its heads.

The heads are held and not run, so a module can be plugged into the ResNet and only parameters are
counted. Widths are those of mmdetection's first release: 80 classes of COCO and the background.
"""

from __future__ import annotations

from collections.abc import Sequence

import timm
from torch import nn

WIDTH = 256
CLASSES = 81


def convs(number: int) -> list[nn.Module]:
    """`number` 3x3 convolutions of the pyramid's width."""
    return [nn.Conv2d(WIDTH, WIDTH, 3) for _ in range(number)]


def pyramid(channels: Sequence[int]) -> list[nn.Module]:
    """A feature pyramid on stages with these channels: a 1x1 and a 3x3 convolution each."""
    return [*(nn.Conv2d(c, WIDTH, 1) for c in channels), *convs(len(channels))]


def two_stage() -> list[nn.Module]:
    """Pyramid, region proposals with 3 anchors, and the box head of Faster R-CNN."""
    proposals = [*convs(1), nn.Conv2d(WIDTH, 3, 1), nn.Conv2d(WIDTH, 12, 1)]
    boxes = [nn.Linear(WIDTH * 7**2, 1024), nn.Linear(1024, 1024)]
    outputs = [nn.Linear(1024, CLASSES), nn.Linear(1024, 4 * CLASSES)]
    return [*pyramid((256, 512, 1024, 2048)), *proposals, *boxes, *outputs]


def with_masks() -> list[nn.Module]:
    """Faster R-CNN's heads and the mask head of Mask R-CNN."""
    masks = [*convs(4), nn.ConvTranspose2d(WIDTH, WIDTH, 2), nn.Conv2d(WIDTH, CLASSES, 1)]
    return [*two_stage(), *masks]


def one_stage() -> list[nn.Module]:
    """Pyramid with two coarser levels, and the heads of RetinaNet with 9 anchors."""
    coarser = [nn.Conv2d(2048, WIDTH, 3), *convs(1)]
    classes = [*convs(4), nn.Conv2d(WIDTH, 9 * (CLASSES - 1), 3)]
    boxes = [*convs(4), nn.Conv2d(WIDTH, 9 * 4, 3)]
    return [*pyramid((512, 1024, 2048)), *coarser, *classes, *boxes]


HEADS = {"faster_rcnn": two_stage, "mask_rcnn": with_masks, "retinanet": one_stage}


def detector(backbone: str, kind: str) -> nn.Module:
    """A ResNet without classifier that holds the pyramid and heads of a detector."""
    model = timm.create_model(backbone, num_classes=0)
    model.heads = nn.ModuleList(HEADS[kind]())
    return model
