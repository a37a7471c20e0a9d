"""Networks that give every pixel a class: a dilated backbone of timm, and a head.

The last map has an eighth of the image's side; the scores of its places are interpolated to the
image, bilinearly with aligned corners. So do DANet (Fu et al. 2019,
https://arxiv.org/abs/1809.02983) and its code (https://github.com/junfu1115/DANet).
"""

from __future__ import annotations

from typing import Any

import timm
from torch import Tensor, nn
from torch.nn import functional as F

import attn
from attn.danet import CAM, PAM, DANetHead
from benchmarks import backbones  # noqa: F401  registers the small-image nets with timm
from benchmarks.data import DataError
from benchmarks.uniform import UniformAttention

OUTPUT_STRIDE = {"resnet10_small": 16}
"""What timm is told where a map of an eighth takes another number than 8: a backbone that has lost
its max-pooling halves once less than timm counts."""

NARROWEST, DROPOUT = 64, 0.1
"""Channels of a head's maps, or a quarter of the backbone's if that is more, as in DANet's code;
the share of channels that is dropped before the last convolution, as there."""


class Branch(nn.Module):
    """One branch of DANet's head with any module, or none, between its two convolutions.

    conv 3x3, norm, ReLU, slot, conv 3x3, norm, ReLU, dropout of channels, conv 1x1. With nothing
    in the slot it is the head of a fully convolutional network.

    Shapes: (N, in_channels, H, W) -> one (N, num_classes, H, W) in a tuple.
    """

    def __init__(self, in_channels: int, num_classes: int, width: int, slot: str, **options: Any):
        super().__init__()
        self.before = _conv_bn_relu(in_channels, width)
        self.after = _conv_bn_relu(width, width)
        self.scores = nn.Sequential(nn.Dropout2d(DROPOUT), nn.Conv2d(width, num_classes, 1))
        self.slot = nn.Identity() if slot == "none" else attn.build(slot, width, **options)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return (self.scores(self.after(self.slot(self.before(x)))),)


def _conv_bn_relu(channels: int, width: int) -> nn.Sequential:
    conv = nn.Conv2d(channels, width, 3, padding=1, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(width), nn.ReLU())


class Segmenter(nn.Module):
    """A dilated backbone and a head: (N, C, H, W) -> scores (N, num_classes, H, W), one or more.

    The first are those of the prediction; the loss is the sum over all.
    """

    def __init__(self, backbone: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.backbone, self.head = backbone, head

    def forward(self, x: Tensor) -> list[Tensor]:
        found = self.head(self.backbone(x)[-1])
        kept = found if self.training else found[:1]
        size = x.shape[-2:]
        return [F.interpolate(s, size, mode="bilinear", align_corners=True) for s in kept]


def network(
    body: Any, module: str, options: dict[str, Any], num_classes: int, *, branches: int = 1
) -> Segmenter:
    """A dilated backbone with a head of so many classes.

    One branch has any module in its slot; two branches are DANet's own head, with its attentions
    for ``danet`` and without for ``none``, or with any other module in place of PAM and nothing in
    place of CAM: all else, the three losses included, is the same. Raises ValueError for an unknown
    module.
    """
    channels = body.feature_info.channels()[-1]
    width = max(NARROWEST, channels // 4)
    if branches == 1:
        return Segmenter(body, Branch(channels, num_classes, width, module, **options))
    if module == "danet":
        head = DANetHead(channels, num_classes, width=width, dropout=DROPOUT, **options)
        return Segmenter(body, head)
    head = DANetHead(channels, num_classes, width=width, dropout=DROPOUT)
    slot = nn.Identity() if module == "none" else attn.build(module, width, **options)
    head.register_module("sa", slot)
    head.register_module("sc", nn.Identity())
    return Segmenter(body, head)


def dilated(backbone: str, in_chans: int, pretrained: bool = False) -> Any:
    """A backbone of timm that gives a list of one map, of an eighth of the image's side.

    Raises ValueError for one that can't be dilated, DataError for weights that can't be had.
    """
    stride = OUTPUT_STRIDE.get(backbone, 8)
    kept = {"features_only": True, "out_indices": (-1,), "output_stride": stride}
    try:
        body: Any = timm.create_model(backbone, pretrained, in_chans=in_chans, **kept)
    except (AssertionError, NotImplementedError, TypeError) as error:
        raise ValueError(
            f"{backbone} can't be dilated to a map of an eighth of the image's side "
            f"({type(error).__name__}: {error}); choose a ResNet"
        ) from error
    except Exception as error:
        if not pretrained:
            raise
        raise DataError(
            f"timm's weights of {backbone} can't be had ({error}); run `timm.create_model("
            f"'{backbone}', pretrained=True)` once where there is a network, and keep its cache"
        ) from error
    reached = body.feature_info.reduction()[-1]
    if reached != stride:
        raise ValueError(
            f"{backbone} can't be dilated: timm says that its last map is 1/{reached} of the "
            f"image's side, and 1/{stride} was asked for; choose a ResNet"
        )
    return body


def gammas(model: nn.Module) -> str:
    """How much of its attention a head adds: ``position 0.3120; channel -0.0210``, "" if none."""
    names = {PAM: "position", CAM: "channel", UniformAttention: "mean"}
    scalars = {
        names[type(m)]: m.get_parameter("gamma") for m in model.modules() if type(m) in names
    }
    return "; ".join(f"{name} {gamma.item():.4f}" for name, gamma in scalars.items())
