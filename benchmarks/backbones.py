"""Small-image residual nets from timm's own parts, registered with timm by name.

``resnet10_small`` is timm's ResNet with one basic block a stage, 16 to 128 channels, and a
stem of three 3x3 convolutions with stride 2 and no max-pooling, for images of 28 to 32 pixels.
"""

from __future__ import annotations

from typing import Any

from timm.models import register_model
from timm.models.resnet import BasicBlock, ResNet
from torch import nn


def _small_resnet(
    layers: tuple[int, ...], channels: tuple[int, ...], pretrained: bool, **kwargs: Any
) -> ResNet:
    if pretrained:
        raise ValueError("the small-image nets have no pretrained weights; pass pretrained=False")
    for name in ("pretrained_cfg", "pretrained_cfg_overlay", "cache_dir"):
        kwargs.pop(name, None)
    stem_width = channels[0] // 2
    model = ResNet(
        BasicBlock, layers, channels=channels, stem_type="deep", stem_width=stem_width, **kwargs
    )
    model.maxpool = nn.Identity()
    return model


@register_model
def resnet10_small(pretrained: bool = False, **kwargs: Any) -> ResNet:
    """Basic blocks (1, 1, 1, 1), channels (16, 32, 64, 128): (N, C, 28, 28) -> (N, classes)."""
    return _small_resnet((1, 1, 1, 1), (16, 32, 64, 128), pretrained, **kwargs)
