"""More nets for small images, from timm's own parts, registered with timm by name.

``mobilenetv2_small`` is MobileNetV2 (Sandler et al. 2018, https://arxiv.org/abs/1801.04381) with
the maps of `backbones.resnet10_small_os8`, so small that a step of training in fp32 and channels
last takes about a third more time. The others are those of published tables on CIFAR: ResNet-20 and
ResNet-56 (He et al. 2016, https://arxiv.org/abs/1512.03385, section 4.2), and MobileNetV2 with the
strides that are common on 32 pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from timm.models._efficientnet_builder import decode_arch_def, round_channels
from timm.models.efficientnet import EfficientNet, _create_effnet
from timm.models.resnet import BasicBlock, ResNet
from torch import Tensor, nn
from torch.nn import functional as F

_GREY_28 = {
    "input_size": (1, 28, 28),
    "num_classes": 10,
    "pool_size": (4, 4),
    "first_conv": "conv_stem",
    "classifier": "classifier",
}
_COLOUR_32 = {**_GREY_28, "input_size": (3, 32, 32)}
_RESNET = {**_COLOUR_32, "pool_size": (8, 8), "first_conv": "conv1", "classifier": "fc"}

default_cfgs = generate_default_cfgs(
    {
        "mobilenetv2_small.untrained": _GREY_28,
        "mobilenetv2_cifar.untrained": _COLOUR_32,
        "resnet20_cifar.untrained": _RESNET,
        "resnet56_cifar.untrained": _RESNET,
    }
)

CHANNELS = (16, 24, 32, 64, 96, 160, 320)
"""Channels of MobileNetV2's stages (Table 2 of the paper), at a width multiplier of 1."""


class Padded(nn.Module):
    """Shortcut A of He et al.: every second pixel, then zeros for the channels that are new.

    Shapes: (N, C, H, W) -> (N, C + new, H / 2, W / 2), halves rounded up.
    """

    def __init__(self, new: int) -> None:
        super().__init__()
        self.new = new

    def forward(self, x: Tensor) -> Tensor:
        return F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 0, self.new))

    def extra_repr(self) -> str:
        return f"new={self.new}"


class CifarResNet(ResNet):
    """Stages of 16, 32 and 64 channels on 32, 16 and 8 pixels, so many basic blocks each.

    The stem is one 3x3 convolution without pooling. Where the map shrinks, the shortcut is the
    paper's A, which has no parameters (timm's own is B). timm's fourth stage is empty here.
    """

    def __init__(self, blocks: int, **kwargs: Any) -> None:
        channels = (16, 32, 64)
        kwargs |= {"block": BasicBlock, "layers": (blocks,) * 3, "channels": channels}
        super().__init__(stem_type="deep", stem_width=channels[0] // 2, **kwargs)
        net: Any = self
        self.conv1 = nn.Conv2d(net.in_chans, channels[0], 3, padding=1, bias=False)
        nn.init.kaiming_normal_(self.conv1.weight, mode="fan_out", nonlinearity="relu")
        self.maxpool, self.layer4 = nn.Identity(), nn.Identity()
        net.layer2[0].downsample = Padded(channels[1] - channels[0])
        net.layer3[0].downsample = Padded(channels[2] - channels[1])
        for info, reduction in zip(self.feature_info, (1, 1, 2, 4), strict=True):
            info["reduction"] = reduction


def _cifar_resnet(name: str, pretrained: bool, **kwargs: Any) -> ResNet:
    _refuse(name, pretrained)
    maps = {"out_indices": (0, 1, 2, 3)}
    return build_model_with_cfg(CifarResNet, name, pretrained=False, feature_cfg=maps, **kwargs)


def _mobilenet(
    name: str,
    pretrained: bool,
    multiplier: float,
    blocks: Sequence[int],
    strides: Sequence[int],
    **kwargs: Any,
) -> Any:
    """timm's MobileNetV2 with so many blocks and such a stride a stage; its stem halves the map."""
    _refuse(name, pretrained)
    stages = zip(CHANNELS, blocks, strides, strict=True)
    if kwargs.get("features_only"):
        kwargs.setdefault("out_indices", tuple(range(1 + strides.count(2))))
    words = [f"r{n}_k3_s{stride}_c{channels}" for channels, n, stride in stages]
    return _create_effnet(
        name,
        block_args=decode_arch_def([[f"ds_{words[0]}"], *([f"ir_{w}_e6"] for w in words[1:])]),
        num_features=round_channels(1280, multiplier),
        round_chs_fn=partial(round_channels, multiplier=multiplier),
        act_layer=nn.ReLU6,
        **kwargs,
    )


def _refuse(name: str, pretrained: bool) -> None:
    if pretrained:
        raise ValueError(f"{name} has no pretrained weights; pass pretrained=False")


@register_model
def mobilenetv2_small(pretrained: bool = False, **kwargs: Any) -> EfficientNet:
    """MobileNetV2 of width 0.35, the narrowest of its paper: (N, C, 28, 28) -> (N, classes).

    Maps of 14 pixels (the stem), then 14, 7, 4, 4, 4, 4 and 4: the paper's strides until an eighth
    of the image, then 1. Two blocks in the third and fourth stage and one in the others, where the
    paper has up to four, and the last convolution is as much narrower as all else, where the paper
    keeps its 1280 channels.
    """
    blocks, strides = (1, 1, 2, 2, 1, 1, 1), (1, 2, 2, 1, 1, 1, 1)
    return _mobilenet("mobilenetv2_small", pretrained, 0.35, blocks, strides, **kwargs)


@register_model
def mobilenetv2_cifar(pretrained: bool = False, **kwargs: Any) -> EfficientNet:
    """MobileNetV2 of width 1, stem and second stage at stride 1: (N, C, 32, 32) -> (N, classes).

    Maps of 32 pixels (the stem), then 32, 32, 16, 8, 8, 4 and 4. A stride has no parameters: there
    are as many as in timm's ``mobilenetv2_100`` with as many classes.
    """
    blocks, strides = (1, 2, 3, 4, 3, 3, 1), (1, 1, 2, 2, 1, 2, 1)
    model = _mobilenet("mobilenetv2_cifar", pretrained, 1.0, blocks, strides, **kwargs)
    model.conv_stem.stride = (1, 1)
    for info in model.feature_info:
        info["reduction"] //= 2
    return model


@register_model
def resnet20_cifar(pretrained: bool = False, **kwargs: Any) -> ResNet:
    """Three blocks a stage: (N, C, 32, 32) -> (N, classes), 0.27 M parameters for 10 classes."""
    return _cifar_resnet("resnet20_cifar", pretrained, blocks=3, **kwargs)


@register_model
def resnet56_cifar(pretrained: bool = False, **kwargs: Any) -> ResNet:
    """Nine blocks a stage: (N, C, 32, 32) -> (N, classes), 0.85 M parameters for 10 classes."""
    return _cifar_resnet("resnet56_cifar", pretrained, blocks=9, **kwargs)
