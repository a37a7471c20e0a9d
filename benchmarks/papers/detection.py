"""Detectors: those of mmdetection as far as their parameters go, and SSDLite on MobileNetV2.

Of mmdetection a ResNet is built, with its pyramid and its heads. The heads are held and not run, so
a module can be plugged into the ResNet and only parameters are counted. Widths are those of the
first release: 80 classes of COCO and the background.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import timm
from timm.models._efficientnet_blocks import InvertedResidual
from torch import Tensor, nn

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


class SSDLite(nn.Module):
    """SSDLite on MobileNetV2 for the 81 classes of COCO, six boxes a place on six maps.

    The authors' detector of coordinate attention: maps of 96 and 1280 channels of the network, and
    four smaller ones by inverted residuals. (N, 3, H, W) -> two maps, classes and boxes, a level.
    """

    EXTRAS = ((1280, 512, 0.2), (512, 256, 0.25), (256, 256, 0.5), (256, 64, 0.25))
    LEVELS = (96, 1280, 512, 256, 256, 64)

    def __init__(self) -> None:
        super().__init__()
        self.base: Any = timm.create_model("mobilenetv2_100", num_classes=0)
        relu6: dict[str, Any] = {"act_layer": nn.ReLU6}
        self.extras = nn.Sequential(
            *(InvertedResidual(c, o, stride=2, exp_ratio=r, **relu6) for c, o, r in self.EXTRAS)
        )
        self.heads: Any = nn.ModuleList(
            nn.ModuleList(
                box_head(channels, 6 * outputs, channels != self.LEVELS[-1])
                for outputs in (CLASSES, 4)
            )
            for channels in self.LEVELS
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        base = self.base
        x = base.bn1(base.conv_stem(x))
        maps = []
        for stage, blocks in enumerate(base.blocks):
            x = blocks(x)
            if stage == 4:
                maps.append(x)
        maps.append(base.bn2(base.conv_head(x)))
        for block in self.extras:
            maps.append(block(maps[-1]))
        return [head(m) for m, heads in zip(maps, self.heads, strict=True) for head in heads]


def box_head(channels: int, outputs: int, separable: bool) -> nn.Module:
    """A depthwise 3x3 and a 1x1 convolution, or the latter alone on the smallest map."""
    last = nn.Conv2d(channels, outputs, 1)
    if not separable:
        return last
    depthwise = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
    return nn.Sequential(depthwise, nn.BatchNorm2d(channels), nn.ReLU6(), last)
