"""Every registered module, a stranger's included, has every property; a broken one is caught."""

import shutil
import textwrap

import pytest
import torch
from torch import nn

import attn
from attn.testing import PROPERTIES, check_module

MODULES = attn.list_modules()

VARIANTS = [
    ("se", "reduction=8 bias=False squeeze='max'"),
    ("se_gc", "groups=4"),
    ("cbam", "form='paper' pool='avg' kernel_size=3"),
    ("cbam", "spatial='conv' order='spatial_first'"),
    ("cbam", "spatial=None"),
    ("cbam", "order='parallel'"),
    ("eca", "kernel_size=5"),
    ("coord", "axes='height'"),
    ("coord", "axes='width' reduction=8"),
    ("sk", "share=True"),
    ("sk", "branches=((3,1),)"),
    ("sk", "branches=((1,1),(3,1),(3,2)) groups=1"),
    ("pam", "reduction=1"),
    ("cam", "form='paper'"),
    ("danet", "reduction=4 form='paper'"),
]


@pytest.mark.parametrize("name", MODULES)
def test_module(name):
    check_module(name)


@pytest.mark.parametrize("name, variant", VARIANTS)
def test_variant(name, variant):
    check_module(name, skip=("timm_hook",), **attn.parse_options(variant))


@pytest.mark.parametrize("channels", [24, 96])
@pytest.mark.parametrize("name", MODULES)
def test_channels_that_are_no_power_of_two(name, channels):
    check_module(name, channels, only=("shape", "stride", "gradients", "channels_last"))


@pytest.mark.skipif(shutil.which("c++") is None, reason="inductor needs a C++ compiler")
@pytest.mark.parametrize("name", MODULES)
def test_inductor(name):
    check_module(name, only=("inductor",))


def test_what_a_compiler_changes_is_seen(monkeypatch):
    """No compiler is needed: what stands for it gives a network that is off by a hundredth."""
    compiled = []

    def compile_badly(module):
        compiled.append(module)
        return lambda x: 1.01 * module(x)

    monkeypatch.setattr(torch, "compile", compile_badly)
    with pytest.raises(AssertionError, match="inductor: compiled and eager: differ by"):
        check_module("se", only=("inductor",))
    assert len(compiled) == 1
    monkeypatch.setattr(torch, "compile", lambda module: module)
    check_module("se", only=("inductor",))


class Gate(nn.Module):
    """A stranger's module: `y = x * sigmoid(Wx)`. The broken ones below override one thing each."""

    def __init__(self, channels, *, device=None, dtype=None):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 1, device=device, dtype=dtype)

    def forward(self, x):
        return x * torch.sigmoid(self.conv(x))


class Shrinks(Gate):
    def forward(self, x):
        return x.mean((2, 3), keepdim=True) * torch.sigmoid(self.conv(x).mean())


class OnePixelIsNan(Gate):
    def forward(self, x):
        return x / x.var((2, 3), correction=0, keepdim=True) * torch.sigmoid(self.conv(x))


class IgnoresStride(Gate):
    def __init__(self, channels, *, stride=1, out_channels=None, device=None, dtype=None):
        super().__init__(channels, device=device, dtype=dtype)


class InPlace(Gate):
    def forward(self, x):
        gate = torch.sigmoid(self.conv(x))
        return x.data.mul_(2) * gate


class MixesImages(Gate):
    def forward(self, x):
        return x * torch.sigmoid(self.conv(x).mean(0, keepdim=True))


class Noisy(Gate):
    def forward(self, x):
        return x * torch.sigmoid(self.conv(x)) * torch.rand(1, device=x.device, dtype=x.dtype)


class DeafToDevice(Gate):
    def __init__(self, channels, *, device=None, dtype=None):
        super().__init__(channels, dtype=dtype)


class DeafToDtype(Gate):
    def __init__(self, channels, *, device=None, dtype=None):
        super().__init__(channels, device=device)


class LosesBits(Gate):
    def forward(self, x):
        return x * torch.sigmoid(self.conv(x) + 1000 - 1000)


class ForgetsLayout(Gate):
    def forward(self, x):
        return super().forward(x).contiguous()


class BranchesOnData(Gate):
    def forward(self, x):
        return x * torch.sigmoid(self.conv(x)) if x.sum() > 0 else x


class Unscriptable(Gate):
    def forward(self, x, **options):
        return x * torch.sigmoid(self.conv(x))


class SharesItself(Gate):
    def __deepcopy__(self, memo):
        return self


class ForgetsState(Gate):
    def __init__(self, channels, *, device=None, dtype=None):
        super().__init__(channels, device=device, dtype=dtype)
        noise = torch.rand(1, device=device, dtype=dtype)
        self.register_buffer("noise", noise, persistent=False)

    def forward(self, x):
        return x * torch.sigmoid(self.conv(x)) * self.noise


class UnusedWeight(Gate):
    def __init__(self, channels, *, device=None, dtype=None):
        super().__init__(channels, device=device, dtype=dtype)
        self.unused = nn.Parameter(torch.zeros(1, device=device, dtype=dtype))


class DetachedGate(Gate):
    def forward(self, x):
        return x.detach() * torch.sigmoid(self.conv(x)) + 0 * x


class NoDeviceArgument(Gate):
    def __init__(self, channels):
        super().__init__(channels)


BROKEN = [
    ("shape", Shrinks, "became (1, 32, 1, 1)"),
    ("shape", OnePixelIsNan, "not finite for an input of (1, 32, 1, 1)"),
    ("stride", IgnoresStride, "at stride 2 gave"),
    ("input_untouched", InPlace, "the input changed"),
    ("images_apart", MixesImages, "one image alone and in a batch"),
    ("repeatable", Noisy, "differ by"),
    ("meta", DeafToDevice, "conv.weight is on cpu"),
    ("dtype", DeafToDtype, "conv.weight is torch.float32, not torch.float64"),
    ("autocast", LosesBits, "bfloat16 autocast and float32: differ by"),
    ("channels_last", ForgetsLayout, "torch.channels_last input gave strides"),
    ("compiles", BranchesOnData, "ata-dependent"),
    ("scripts", Unscriptable, "variable number of arguments"),
    ("deepcopy", SharesItself, "original after its copy changed"),
    ("state_dict", ForgetsState, "loaded and saved"),
    ("gradients", UnusedWeight, "unused: no finite gradient"),
    ("gradcheck", DetachedGate, "Jacobian mismatch"),
    ("timm_hook", NoDeviceArgument, "unexpected keyword argument"),
]


@pytest.mark.parametrize("name, factory, says", BROKEN)
def test_a_broken_module_is_caught(name, factory, says):
    with pytest.raises(AssertionError) as caught:
        check_module(factory, replaces_conv=factory is IgnoresStride, only=(name,))
    message = str(caught.value)
    assert f"{factory.__name__} with 32 channels fails 1 of 1 properties" in message
    assert f"  {name}: " in message
    assert says in message


def test_every_property_has_a_broken_module():
    assert {name for name, _, _ in BROKEN} == PROPERTIES.keys() - {"inductor"}


def test_all_failures_are_listed():
    with pytest.raises(AssertionError, match=r"2 of 3 .*\n  images_apart: .*\n  repeatable: "):
        check_module(Noisy, only=("shape", "images_apart", "repeatable"))


def test_a_strangers_module():
    check_module(Gate)


def test_a_strangers_module_by_registration(own_names):
    attn.register("gate", Gate, place="block")
    assert "gate" in attn.list_modules()
    check_module("gate")


@pytest.mark.parametrize("name", ["stranger_gate", "stranger:Gate"])
def test_a_strangers_module_by_entry_point_and_by_path(name, tmp_path, monkeypatch):
    source = """
        import torch
        from torch import nn

        class Gate(nn.Module):
            def __init__(self, channels, *, device=None, dtype=None):
                super().__init__()
                self.conv = nn.Conv2d(channels, channels, 1, device=device, dtype=dtype)

            def forward(self, x):
                return x * torch.sigmoid(self.conv(x))
    """
    (tmp_path / "stranger.py").write_text(textwrap.dedent(source))
    info = tmp_path / "stranger-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: stranger\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[attn.modules]\nstranger_gate = stranger:Gate\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "stranger_gate" in attn.list_modules()
    check_module(name)


def test_unknown_names_are_named():
    with pytest.raises(ValueError, match="no property 'shapes'; choose from shape, stride"):
        check_module("se", only=("shapes",))
    with pytest.raises(ValueError, match="unknown module 'see'"):
        check_module("see")
    with pytest.raises(TypeError, match="no option 'reductions'"):
        check_module("se", reductions=4)
