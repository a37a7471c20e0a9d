"""Convolutional block attention module.

Woo et al., CBAM, ECCV 2018, https://arxiv.org/abs/1807.06521
"""

import torch
from torch import Tensor, nn

from attn.arguments import hidden_width, odd_int, one_of, positive_int
from attn.passes import for_convolution, scale, squeeze


class ChannelGate(nn.Module):
    """sigmoid(MLP(avgpool(x)) + MLP(maxpool(x))), one MLP for both (section 3, Eq. 2).

    Shapes: the pooled maps, each (N, C, 1, 1), to a gate of (N, C, 1, 1). Hidden
    width max(C // reduction, min_channels).
    """

    def __init__(
        self,
        channels: int,
        *,
        reduction: int,
        min_channels: int,
        bias: bool,
        pool: str,
        device=None,
        dtype=None,
    ):
        super().__init__()
        one_of("pool", pool, ("both", "avg", "max"))
        hidden = hidden_width(channels, reduction, min_channels)
        self.mlp = nn.Sequential(
            nn.Flatten(),
            nn.Linear(channels, hidden, bias=bias, device=device, dtype=dtype),
            nn.ReLU(),
            nn.Linear(hidden, channels, bias=bias, device=device, dtype=dtype),
        )
        for name, parameter in self.mlp.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(parameter)

    def forward(self, pooled: list[Tensor]) -> Tensor:
        logits = self.mlp(pooled[0])
        for other in pooled[1:]:
            logits = logits + self.mlp(other)
        return torch.sigmoid(logits)[:, :, None, None]


class SpatialGate(nn.Module):
    """sigmoid(BN(conv([max_c x, mean_c x]))), one gate a pixel (section 3, Eq. 3).

    Shapes: the maps that it sees, (N, 1 or 2, H, W), to a gate of (N, 1, H, W).
    """

    def __init__(
        self, channels: int, *, kernel_size: int, spatial: str, form: str, device=None, dtype=None
    ):
        super().__init__()
        self.compress = None
        if spatial == "conv":
            self.compress = nn.Conv2d(channels, 1, 1, bias=False, device=device, dtype=dtype)
        self.spatial = nn.Sequential()
        conv = nn.Conv2d(
            2 if spatial == "pool" else 1,
            1,
            odd_int("kernel_size", kernel_size),
            padding=kernel_size // 2,
            bias=False,
            device=device,
            dtype=dtype,
        )
        nn.init.kaiming_normal_(conv.weight, mode="fan_out")
        self.spatial.add_module("conv", conv)
        if form == "code":
            bn = nn.BatchNorm2d(1, momentum=0.01, device=device, dtype=dtype)
            nn.init.zeros_(bn.weight)
            self.spatial.add_module("bn", bn)

    def forward(self, maps: Tensor) -> Tensor:
        return torch.sigmoid(self.spatial(maps))


class CBAM(nn.Module):
    """y = x' * spatial(x') with x' = x * channel(x): what matters, then where (Eq. 1).

    Shapes: (N, C, H, W) to the same. With h = max(C // reduction, min_channels) the
    parameters are 2 C h weights, C + h biases if `bias`, 2 kernel_size^2, and 2 of the spatial BN.

    Paper and official code disagree, and the default follows the code: biases in the MLP, the
    maps in the order [max, mean], a BN after the spatial convolution whose weight starts at 0, so
    that every spatial gate starts at 0.5, and momentum 0.01. `form="paper"` is Eqs. 2 and 3 as
    printed: no biases, [mean, max], no BN.

    Args:
        channels: C.
        reduction: r.
        min_channels: least hidden width; 0 for none, as the official code.
        bias: biases in the MLP; None for what `form` says (on in the code, off as printed).
        kernel_size: of the spatial convolution, odd; the paper compares 3 and 7 (Table 2).
        pool: "both", "avg" or "max", the pooling of the channel gate (Table 1).
        spatial: "pool" for the two channel-pooled maps, "conv" for one map by a 1x1 convolution
            (Table 2), None for the channel gate alone.
        order: "channel_first", "spatial_first", or "parallel", both gates computed from x
            (Table 3).
        form: "code" or "paper".

    Raises:
        ValueError: a hidden width of 0 (reduction > channels), an even kernel size, a number
            below 1, an unknown word, an order asked for without a spatial gate.
    """

    def __init__(
        self,
        channels: int,
        *,
        reduction: int = 16,
        min_channels: int = 0,
        bias: bool | None = None,
        kernel_size: int = 7,
        pool: str = "both",
        spatial: str | None = "pool",
        order: str = "channel_first",
        form: str = "code",
        device=None,
        dtype=None,
    ):
        super().__init__()
        positive_int("channels", channels)
        odd_int("kernel_size", kernel_size)
        one_of("spatial", spatial, ("pool", "conv", None))
        one_of("order", order, ("channel_first", "spatial_first", "parallel"))
        one_of("form", form, ("code", "paper"))
        if spatial is None and order != "channel_first":
            raise ValueError(f"order={order!r} needs a spatial gate; give spatial='pool' or 'conv'")
        if bias is None:
            bias = form == "code"
        self.order = order
        self.pool = pool
        self.max_first = form == "code"
        # between the two gates nobody sees the map, unless a convolution takes it
        self.private = spatial == "pool"
        self.ChannelGate = ChannelGate(
            channels,
            reduction=reduction,
            min_channels=min_channels,
            bias=bias,
            pool=pool,
            device=device,
            dtype=dtype,
        )
        self.SpatialGate = None
        if spatial is not None:
            self.SpatialGate = SpatialGate(
                channels,
                kernel_size=kernel_size,
                spatial=spatial,
                form=form,
                device=device,
                dtype=dtype,
            )

    def forward(self, x: Tensor) -> Tensor:
        if self.SpatialGate is None:
            x, channel = self.channel_gate(x)
            return scale(x, [channel])
        if self.order == "parallel":
            x, channel = self.channel_gate(x)
            x, spatial = self.spatial_gate(x)
            return scale(x, [channel, spatial])
        if self.order == "spatial_first":
            x, first = self.spatial_gate(x)
            x, second = self.channel_gate(scale(x, [first], owns_y=self.private))
        else:
            x, first = self.channel_gate(x)
            x, second = self.spatial_gate(scale(x, [first], owns_y=self.private))
        return scale(x, [second], owns_x=self.private)

    def channel_gate(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x, as `squeeze` returns it, and its gate of (N, C, 1, 1)."""
        if self.pool == "avg":
            x, mean = squeeze(x, means=[[2, 3]])
            return x, self.ChannelGate([mean])
        if self.pool == "max":
            x, maximum = squeeze(x, maxima=[[2, 3]])
            return x, self.ChannelGate([maximum])
        x, mean, maximum = squeeze(x, means=[[2, 3]], maxima=[[2, 3]])
        return x, self.ChannelGate([mean, maximum])

    def spatial_gate(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x, as `squeeze` returns it, and its gate of (N, 1, H, W)."""
        if self.SpatialGate is None:
            raise ValueError("this CBAM was built with spatial=None and has no spatial gate")
        if self.SpatialGate.compress is not None:
            return x, self.SpatialGate(self.SpatialGate.compress(x))
        x, mean, maximum = squeeze(x, means=[[1]], maxima=[[1]])
        pair = (maximum, mean) if self.max_first else (mean, maximum)
        return x, self.SpatialGate(for_convolution(torch.cat(pair, dim=1)))
