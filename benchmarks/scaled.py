"""The small net at the widths of `widths`, registered with timm by name.

A width multiplies the channels of the stem and of all stages. Maps and layers stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from timm.models import generate_default_cfgs, register_model
from timm.models.resnet import ResNet

from benchmarks import backbones
from benchmarks.widths import WIDTHS

default_cfgs = generate_default_cfgs(
    {f"{name}.untrained": backbones._GREY_28_OS8 for name in WIDTHS}
)


def scaled(width: float) -> dict[str, Any]:
    """What timm's ResNet takes for so many times the channels of the small net.

    ValueError for a width at which a layer would have a fraction of a channel.
    """
    plain: dict[str, Any] = backbones._RESNET10
    channels = [width * n for n in (plain["stem_width"], *plain["channels"])]
    if not all(n.is_integer() and n > 0 for n in channels):
        raise ValueError(f"a width of {width} gives {channels} channels; they must be whole")
    stem, *stages = map(int, channels)
    return {**plain, "stem_width": stem, "channels": tuple(stages)}


def entrypoint(name: str, width: float) -> Callable[..., ResNet]:
    """The function that timm calls for a name: `resnet10_small_os8` of another width."""

    def build(pretrained: bool = False, **kwargs: Any) -> ResNet:
        model: Any = backbones._small_resnet(name, pretrained, **scaled(width), **kwargs)
        block = model.layer4[0]
        block.stride = 1
        block.conv1.stride = block.downsample[0].stride = (1, 1)
        model.feature_info[-1]["reduction"] //= 2
        return model

    build.__name__ = name
    return build


for _name, _width in WIDTHS.items():
    register_model(entrypoint(_name, _width))
