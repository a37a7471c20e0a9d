"""Small-image residual nets from timm's own parts, registered with timm by name.

``resnet10_small`` is timm's ResNet with one basic block a stage, 16 to 128 channels, and a
stem of three 3x3 convolutions with stride 2 and no max-pooling, for images of 28 to 32 pixels.
Its last map is 2x2 on 28 pixels; ``resnet10_small_os8`` keeps it at 4x4 for a fifth more time, so
that a module that relates positions has sixteen of them to relate, not four.
"""

from __future__ import annotations

from typing import Any

from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from timm.models.resnet import BasicBlock, ResNet
from torch import nn

_GREY_28 = {"input_size": (1, 28, 28), "num_classes": 10, "pool_size": (2, 2)}

_GREY_28_OS8 = {**_GREY_28, "pool_size": (4, 4)}

default_cfgs = generate_default_cfgs(
    {"resnet10_small.untrained": _GREY_28, "resnet10_small_os8.untrained": _GREY_28_OS8}
)


_RESNET10 = {
    "block": BasicBlock,
    "layers": (1, 1, 1, 1),
    "channels": (16, 32, 64, 128),
    "stem_type": "deep",
    "stem_width": 8,
}


def _small_resnet(name: str, pretrained: bool, **kwargs: Any) -> ResNet:
    if pretrained:
        raise ValueError(f"{name} has no pretrained weights; pass pretrained=False")
    model = build_model_with_cfg(ResNet, name, pretrained=False, **kwargs)
    model.maxpool = nn.Identity()
    return model


@register_model
def resnet10_small(pretrained: bool = False, **kwargs: Any) -> ResNet:
    """Basic blocks (1, 1, 1, 1), channels (16, 32, 64, 128): (N, C, 28, 28) -> (N, classes)."""
    return _small_resnet("resnet10_small", pretrained, **_RESNET10, **kwargs)


@register_model
def resnet10_small_os8(pretrained: bool = False, **kwargs: Any) -> ResNet:
    """``resnet10_small`` whose last stage has stride 1: maps of 14, 14, 7, 4 and 4 pixels."""
    model: Any = _small_resnet("resnet10_small_os8", pretrained, **_RESNET10, **kwargs)
    block = model.layer4[0]
    block.stride = 1
    block.conv1.stride = block.downsample[0].stride = (1, 1)
    model.feature_info[-1]["reduction"] //= 2
    return model
