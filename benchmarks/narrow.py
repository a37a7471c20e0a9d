"""A net for many small trainings, from timm's own parts, registered with timm by name.

It is `benchmarks.backbones.resnet10_small_os8` with fewer channels and a stem of one convolution,
which is where a small net spends most of its time.
"""

from __future__ import annotations

from typing import Any

from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from timm.models.resnet import BasicBlock, ResNet
from torch import nn

default_cfgs = generate_default_cfgs(
    {
        "resnet10_narrow_os8.untrained": {
            "input_size": (1, 40, 40),
            "num_classes": 10,
            "pool_size": (5, 5),
            "first_conv": "conv1",
            "classifier": "fc",
        }
    }
)

_STEM = 16


@register_model
def resnet10_narrow_os8(pretrained: bool = False, **kwargs: Any) -> ResNet:
    """Basic blocks (1, 1, 1, 1), channels (16, 16, 32, 64): (N, C, 40, 40) -> (N, classes).

    Maps of 20, 20, 10, 5 and 5 pixels, so that the last has 25 positions to relate.
    """
    if pretrained:
        raise ValueError("resnet10_narrow_os8 has no pretrained weights; pass pretrained=False")
    model: Any = build_model_with_cfg(
        ResNet,
        "resnet10_narrow_os8",
        pretrained=False,
        block=BasicBlock,
        layers=(1, 1, 1, 1),
        channels=(16, 16, 32, 64),
        stem_type="deep",
        stem_width=_STEM // 2,
        **kwargs,
    )
    in_chans = model.conv1[0].in_channels
    model.conv1 = nn.Conv2d(in_chans, _STEM, 3, stride=2, padding=1, bias=False)
    nn.init.kaiming_normal_(model.conv1.weight, mode="fan_out", nonlinearity="relu")
    model.maxpool = nn.Identity()
    block = model.layer4[0]
    block.stride = 1
    block.conv1.stride = block.downsample[0].stride = (1, 1)
    model.feature_info[-1]["reduction"] //= 2
    return model
