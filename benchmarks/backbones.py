"""Small-image residual nets from timm's own parts, registered with timm by name.

``resnet10_small`` is timm's ResNet with one basic block a stage, 16 to 128 channels, and a
stem of three 3x3 convolutions with stride 2 and no max-pooling, for images of 28 to 32 pixels.
"""

from __future__ import annotations

from typing import Any

from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from timm.models.resnet import BasicBlock, ResNet
from torch import nn

_GREY_28 = {"input_size": (1, 28, 28), "num_classes": 10, "pool_size": (2, 2)}

default_cfgs = generate_default_cfgs({"resnet10_small.untrained": _GREY_28})


def _small_resnet(name: str, pretrained: bool, **kwargs: Any) -> ResNet:
    if pretrained:
        raise ValueError(f"{name} has no pretrained weights; pass pretrained=False")
    model = build_model_with_cfg(ResNet, name, pretrained=False, **kwargs)
    model.maxpool = nn.Identity()
    return model


@register_model
def resnet10_small(pretrained: bool = False, **kwargs: Any) -> ResNet:
    """Basic blocks (1, 1, 1, 1), channels (16, 32, 64, 128): (N, C, 28, 28) -> (N, classes)."""
    shape = {"block": BasicBlock, "layers": (1, 1, 1, 1), "channels": (16, 32, 64, 128)}
    stem = {"stem_type": "deep", "stem_width": 8}
    return _small_resnet("resnet10_small", pretrained, **shape, **stem, **kwargs)
