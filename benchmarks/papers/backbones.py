"""The networks of the papers by name: timm's, and those that timm lacks, from its parts.

Three things decide a size that a name does not: the stem, the widths, and where a bottleneck has
its stride. `_v1` has it on the first 1x1 convolution (Caffe, the tables of SENet and CBAM), plain
names on the 3x3 (torchvision, the code of ECA and CBAM). Parameters are the same for both.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import timm
from timm.models import DenseNet
from timm.models._efficientnet_builder import decode_arch_def
from timm.models.efficientnet import EfficientNet, _gen_mobilenet_v2
from timm.models.resnet import BasicBlock, Bottleneck, ResNet
from torch import nn

from attn.danet import CAM, PAM, DANetHead
from benchmarks.papers.detection import HEADS, SSDLite, detector
from benchmarks.papers.inception import BNInception
from benchmarks.papers.mobile import mobilenext, shufflenet_v1

Builder = Callable[[], nn.Module]


def build(name: str) -> nn.Module:
    """A network of `BACKBONES`, or of timm. ValueError for a name that neither knows."""
    if name in BACKBONES:
        return BACKBONES[name]()
    if timm.is_model(name):
        return timm.create_model(name)
    raise ValueError(f"unknown network {name!r}; allowed: {', '.join(BACKBONES)}, or timm's names")


def stride_first(builder: Builder) -> nn.Module:
    """The network with each bottleneck's stride on its first 1x1 convolution, as in Caffe."""
    model = builder()
    for block in model.modules():
        if isinstance(block, Bottleneck):
            block.conv1.stride, block.conv2.stride = block.conv2.stride, block.conv1.stride
    return model


def resnet(block: Any, layers: tuple[int, ...], **shape: Any) -> ResNet:
    """timm's ResNet of a block class, whose type timm declares as an instance."""
    return ResNet(block, layers, **shape)


def wide_resnet18(widen: float) -> ResNet:
    """ResNet-18 whose stages are `widen` times as wide; the stem keeps its 64 channels."""
    channels = tuple(int(widen * width) for width in (64, 128, 256, 512))
    return resnet(BasicBlock, (2, 2, 2, 2), channels=channels)


def resnext(layers: tuple[int, ...], cardinality: int, base_width: int) -> ResNet:
    """ResNeXt with bottlenecks of `cardinality` groups, `base_width` channels each at stage 2."""
    return resnet(Bottleneck, layers, cardinality=cardinality, base_width=base_width)


def mobilenet_v1(width: float) -> EfficientNet:
    """MobileNet v1 with `int(width * channels)` channels, where timm rounds to multiples of 8."""
    stages = ("r1_k3_s1_c64", "r2_k3_s2_c128", "r2_k3_s2_c256", "r6_k3_s2_c512", "r2_k3_s2_c1024")
    return EfficientNet(
        decode_arch_def([[f"dsa_{stage}"] for stage in stages]),
        num_features=0,
        round_chs_fn=lambda channels: int(width * channels),
        act_layer=nn.ReLU6,
    )


def resnext29(cardinality: int, base_width: int) -> ResNet:
    """ResNeXt-29 for images of 32 pixels: stem of one 3x3, three stages of three blocks."""
    shape = {"cardinality": cardinality, "base_width": base_width, "channels": (64, 128, 256)}
    model = resnet(Bottleneck, (3, 3, 3), num_classes=10, **shape)
    model.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
    model.maxpool = model.layer4 = nn.Identity()
    return model


def shufflenet_v2(name: str) -> nn.Module:
    """ShuffleNet v2 of torchvision."""
    from torchvision.models import get_model

    return get_model(f"shufflenet_v2_{name}", weights=None)


class Part(nn.Sequential):
    """A part of a network by itself, on maps of `input_channels` channels."""

    def __init__(self, input_channels: int, module: nn.Module):
        super().__init__(module)
        self.input_channels = input_channels


def position_attention(channels: int) -> Part:
    """PAM that makes its whole attention map at once, as the official code does.

    On a processor our own makes it `QUERY_ROWS` rows at a time; the map that is counted is whole.
    """
    module = PAM(channels)
    module.query_rows = sys.maxsize
    return Part(channels, module)


def danet(name: str) -> nn.Sequential:
    """DANet for the 19 classes of Cityscapes: a ResNet with output stride 8, and the head."""
    maps = timm.create_model(name, output_stride=8, num_classes=0, global_pool="")
    return nn.Sequential(maps, DANetHead(2048, 19))


def named(name: str) -> Builder:
    """The network of that name in timm."""
    return partial(timm.create_model, name)


BACKBONES: dict[str, Builder] = {
    **{
        f"{name}_v1": partial(stride_first, named(name))
        for name in ("resnet50", "resnet101", "resnet152", "resnext50_32x4d", "resnext101_32x4d")
    },
    "wide_resnet18_1.5": partial(wide_resnet18, 1.5),
    "wide_resnet18_2.0": partial(wide_resnet18, 2.0),
    "mobilenetv1_070": partial(mobilenet_v1, 0.7),
    "mobilenetv2_075": partial(_gen_mobilenet_v2, "mobilenetv2_100", 0.75),
    "mobilenetv2_050": partial(_gen_mobilenet_v2, "mobilenetv2_100", 0.5),
    "resnext50_36x4d": partial(resnext, (3, 4, 6, 3), 36, 4),
    "resnext56_32x4d": partial(resnext, (3, 4, 8, 3), 32, 4),
    "resnext29_16x32d": partial(resnext29, 16, 32),
    "resnext29_8x64d": partial(resnext29, 8, 64),
    "resnext29_16x64d": partial(resnext29, 16, 64),
    "bn_inception": BNInception,
    "inception_v3_aux": partial(timm.create_model, "inception_v3", aux_logits=True),
    "densenet264": partial(DenseNet, growth_rate=32, block_config=(6, 12, 64, 48)),
    "shufflenet_v1_g3": partial(shufflenet_v1, (240, 480, 960), 3),
    "shufflenet_v2_0.5": partial(shufflenet_v2, "x0_5"),
    "shufflenet_v2_1.0": partial(shufflenet_v2, "x1_0"),
    "mobilenext_100": partial(mobilenext, 1.0),
    "mobilenext_075": partial(mobilenext, 0.75),
    "mobilenext_050": partial(mobilenext, 0.5),
    "pam_512": partial(position_attention, 512),
    "cam_512": lambda: Part(512, CAM(512)),
    "danet_head": lambda: Part(2048, DANetHead(2048, 19)),
    "danet_resnet50": partial(danet, "resnet50"),
    "danet_resnet101": partial(danet, "resnet101"),
    **{
        f"{kind}_{name}": partial(detector, name, kind)
        for name in ("resnet50", "resnet101")
        for kind in HEADS
    },
    "ssdlite_mobilenetv2": SSDLite,
}
