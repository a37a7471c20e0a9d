"""Where timm's block classes take a module: data for `attn.plug`, keyed by file and class.

A block class that is not here is plugged at `drop_path`, the end of its residual branch, if its
forward calls one; a backbone without either is plugged at its stage outputs.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn


@dataclass(frozen=True)
class Slot:
    """The place of one block class.

    `names`: attributes that the block's forward calls when they are set, in order of preference;
        one that holds a built-in gate (an SE, say) comes first, and the gate makes room.
    `feeds`: children whose output reaches the first name; the last one that ran tells the
        channels where the attribute is None.
    `after`: a child whose output is gated where there is no such attribute; `"."` is the block.
    `convs`: the children with the spatial convolutions that SK replaces; empty is all of them.
    `minor`: taken only where it holds a built-in gate, or if the backbone has no other block.
    """

    names: tuple[str, ...] = ()
    feeds: tuple[str, ...] = ()
    after: str = ""
    convs: tuple[str, ...] = ()
    minor: bool = False


_GHOST = Slot(("se",), feeds=("ghost1", "bn_dw"))
_BYOB = Slot(("attn_last", "attn"))

SLOTS: dict[str, Slot] = {
    # Residual nets: after the last norm, before the addition (SENet, CBAM, ECA).
    "resnet.BasicBlock": Slot(("se",), feeds=("bn2",), convs=("conv1",)),
    "resnet.Bottleneck": Slot(("se",), feeds=("bn3",), convs=("conv2",)),
    "resnetv2.PreActBasic": Slot(("drop_path",), convs=("conv1",)),
    "res2net.Bottle2neck": Slot(("se",), feeds=("bn3",)),
    "resnest.ResNestBottleneck": Slot(after="bn3"),
    "senet.Bottleneck": Slot(("se_module",), convs=("conv2",)),
    "senet.SEResNetBlock": Slot(("se_module",), convs=("conv1",)),
    "sknet.SelectiveKernelBasic": Slot(("se",), feeds=("conv2",)),
    "sknet.SelectiveKernelBottleneck": Slot(("se",), feeds=("conv3",)),
    "tresnet.BasicBlock": Slot(("se",), feeds=("conv2",), convs=("conv1",)),
    "tresnet.Bottleneck": Slot(("se",), feeds=("conv2",)),
    "nfnet.NormFreeBlock": Slot(("attn_last", "attn"), feeds=("conv3",), convs=("conv2",)),
    "byobnet.BasicBlock": Slot(("attn_last", "attn"), convs=("conv1_kxk",)),
    "byobnet.BottleneckBlock": _BYOB,
    "byobnet.DarkBlock": _BYOB,
    "byobnet.EdgeBlock": _BYOB,
    "byobnet.RepVggBlock": Slot(("attn",)),
    "byobnet.MobileOneBlock": Slot(("attn",)),
    "cspnet.BottleneckBlock": Slot(("drop_path", "attn3", "attn2")),
    "cspnet.DarkBlock": Slot(("drop_path", "attn")),
    "cspnet.EdgeBlock": Slot(("drop_path", "attn")),
    "dla.DlaBasic": Slot(after="bn2", convs=("conv1",)),
    "dla.DlaBottleneck": Slot(after="bn3"),
    "dla.DlaBottle2neck": Slot(after="bn3"),
    "xception.Block": Slot(after="rep"),
    "xception_aligned.XceptionModule": Slot(after="stack"),
    "xception_aligned.PreXceptionModule": Slot(after="stack"),
    "densenet.DenseLayer": Slot(after="conv2"),
    "convmixer.Residual": Slot(after="fn"),
    # RegNetY's place: after the 3x3 convolution.
    "regnet.Bottleneck": Slot(("se",)),
    "regnet.PreBottleneck": Slot(("se",)),
    # Mobile nets: on the expanded features, after the depthwise convolution (MobileNetV3, CA).
    "_efficientnet_blocks.InvertedResidual": Slot(("se",), feeds=("bn2",)),
    "_efficientnet_blocks.EdgeResidual": Slot(("se",), feeds=("bn1",)),
    "_efficientnet_blocks.UniversalInvertedResidual": Slot(("se",)),
    "_efficientnet_blocks.DepthwiseSeparableConv": Slot(("se",), feeds=("bn1",), minor=True),
    "_efficientnet_blocks.ConvBnAct": Slot(("drop_path",), minor=True),
    "maxxvit.MbConvBlock": Slot(("se", "se_early"), feeds=("norm2",)),
    "rexnet.LinearBottleneck": Slot(("se",), feeds=("conv_dw",)),
    "ghostnet.GhostBottleneck": _GHOST,
    "ghostnet.GhostBottleneckV3": _GHOST,
    "repghost.RepGhostBottleneck": _GHOST,
    "repvit.RepViTBlock": Slot(("se",)),
    "lcnetv2.RepDepthwiseSeparable": Slot(("se",)),
    # Blocks that concatenate: on the result.
    "vovnet.OsaBlock": Slot(("attn",), feeds=("conv_concat",)),
    "hgnet.HighPerfGpuBlock": Slot(after="aggregation"),
    "selecsls.SelecSlsBlock": Slot(after="conv6"),
    "cspnext.CspNextBlock": Slot(after="conv2"),
    **{f"inception_v3.Inception{letter}": Slot(after=".") for letter in "ABCDE"},
    **{f"inception_v4.Inception{letter}": Slot(after=".") for letter in "ABC"},
    **{f"inception_resnet_v2.Block{size}": Slot(after="conv2d") for size in ("35", "17", "8")},
}


def slot_of(block: nn.Module) -> Slot | None:
    """The entry of a block's class, or of the nearest class it inherits from."""
    for cls in type(block).__mro__:
        key = f"{cls.__module__.rpartition('.')[2]}.{cls.__qualname__}"
        if cls.__module__.startswith("timm.") and key in SLOTS:
            return SLOTS[key]
    return None
