"""Names, options and the three ways a stranger's module gets one."""

import importlib.metadata
import sys
from importlib.metadata import EntryPoint

import pytest
from torch import nn

import attn
from attn import registry

BUILTIN = ["cam", "cbam", "coord", "danet", "eca", "eca_ns", "pam"]
BUILTIN += ["se", "se_gc", "se_var1", "se_var2", "se_var3", "sk"]


class Gate(nn.Module):
    def __init__(self, channels, *, bias=True):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 1, bias=bias)

    def forward(self, x):
        return x * self.conv(x).sigmoid()


pytestmark = pytest.mark.usefixtures("own_names")


@pytest.fixture
def offer(monkeypatch):
    """Let packages offer entry points for the length of a test."""

    def install(*points):
        found = [EntryPoint(name, value, registry.ENTRY_POINT_GROUP) for name, value in points]
        monkeypatch.setattr(importlib.metadata, "entry_points", lambda *, group: found)

    return install


def test_the_names_of_the_six_papers(offer):
    offer()
    assert attn.list_modules() == BUILTIN


@pytest.mark.parametrize("name", BUILTIN)
def test_every_name_builds_a_module(name):
    assert isinstance(attn.build(name, 64), nn.Module)
    assert attn.get(name).name == name
    assert "arXiv" in attn.get(name).paper


def test_only_sk_replaces_a_convolution_and_danet_goes_last():
    assert [n for n in BUILTIN if attn.get(n).replaces_conv] == ["sk"]
    assert [n for n in BUILTIN if attn.get(n).place == "last_stage"] == ["cam", "danet", "pam"]


def test_an_unknown_name_is_answered_with_the_closest():
    with pytest.raises(ValueError, match="unknown module 'cbma'; did you mean cbam"):
        attn.build("cbma", 64)
    with pytest.raises(ValueError, match="allowed: cam, cbam"):
        attn.build("", 64)


@pytest.mark.parametrize("channels", [0, -8])
def test_fewer_than_one_channel_is_an_error(channels):
    with pytest.raises(ValueError, match="at least 1"):
        attn.build("se", channels)


@pytest.mark.parametrize("channels", [2.0, "64", True, None])
def test_channels_that_are_no_integer_are_an_error(channels):
    with pytest.raises(TypeError, match="channels must be an int"):
        attn.build("se", channels)


def test_an_unknown_option_is_answered_with_those_of_the_signature():
    with pytest.raises(TypeError, match="no option 'reductoin'; did you mean reduction.*bias"):
        attn.build("se", 64, reductoin=8)


def test_a_registered_module_is_built_by_name_with_its_own_options():
    spec = attn.register("gate", Gate, paper="mine")
    assert attn.get("gate") is spec
    assert "gate" in attn.list_modules()
    assert attn.build("gate", 8, bias=False).conv.bias is None
    with pytest.raises(TypeError, match="no option 'reduction'; allowed: bias"):
        attn.build("gate", 8, reduction=4)


def test_a_taken_name_is_an_error_unless_replaced():
    for name in ("se", "gate"):
        attn.register("gate", Gate, replace=True)
        with pytest.raises(ValueError, match=f"{name!r} exists"):
            attn.register(name, Gate)
    attn.register("se", Gate, replace=True)
    assert isinstance(attn.build("se", 8), Gate)


@pytest.mark.parametrize("name", ["none", "", "my gate", "my:gate", "my-gate"])
def test_a_name_is_a_plain_word(name):
    with pytest.raises(ValueError, match="cannot be called"):
        attn.register(name, Gate)


def test_a_factory_must_be_callable_its_place_known_and_its_product_a_module():
    with pytest.raises(TypeError, match="not callable"):
        attn.register("gate", 3)
    with pytest.raises(ValueError, match="place 'head'"):
        attn.register("gate", Gate, place="head")
    attn.register("gate", lambda channels: "a string")
    with pytest.raises(TypeError, match="built str, not an nn.Module"):
        attn.build("gate", 8)


def test_a_factory_that_takes_any_option_gets_them():
    attn.register("gate", lambda channels, **options: Gate(channels, **options))
    assert attn.build("gate", 8, bias=False).conv.bias is None


def test_a_module_of_the_current_directory_is_imported(tmp_path, monkeypatch):
    (tmp_path / "gate_of_mine.py").write_text("from torch import nn\nMyGate = nn.BatchNorm2d\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])
    assert attn.build("gate_of_mine:MyGate", 8).num_features == 8
    with pytest.raises(ValueError, match="no attribute 'MyGaet'; did you mean MyGate"):
        attn.build("gate_of_mine:MyGaet", 8)


def test_an_import_that_fails_says_why(tmp_path, monkeypatch):
    (tmp_path / "broken_gate.py").write_text("1 / 0\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    with pytest.raises(ValueError, match="ZeroDivisionError"):
        attn.build("broken_gate:Gate", 8)
    with pytest.raises(ValueError, match="No module named 'no_such_gate'"):
        attn.build("no_such_gate:Gate", 8)


def test_a_package_offers_modules_by_entry_point(offer):
    offer(("norm", "torch.nn:BatchNorm2d"), ("broken", "no_such_package:Gate"))
    assert {"norm", "broken", "se"} <= set(attn.list_modules())
    assert attn.build("norm", 8).num_features == 8
    with pytest.raises(ValueError, match="'no_such_package:Gate'.* failed"):
        attn.build("broken", 8)
    assert attn.build("se", 64) is not None


def test_an_entry_point_may_be_a_spec(offer, monkeypatch):
    spec = attn.Spec("se", Gate, place="last_stage")
    monkeypatch.setattr(sys.modules[__name__], "LAST", spec, raising=False)
    offer(("last", f"{__name__}:LAST"))
    for name in ("last", f"{__name__}:LAST"):
        assert attn.get(name).place == "last_stage"
        model = attn.create_model("resnet18", name)
        assert sum(isinstance(module, Gate) for module in model.modules()) == 1, name


def test_two_packages_with_one_name_are_an_error_that_names_both(offer):
    offer(("norm", "torch.nn:BatchNorm2d"), ("norm", "torch.nn:InstanceNorm2d"))
    with pytest.raises(ValueError, match="BatchNorm2d, torch.nn:InstanceNorm2d"):
        attn.get("norm")


@pytest.mark.parametrize(
    ("variant", "options"),
    [
        ("", {}),
        ("reduction=8 bias=False", {"reduction": 8, "bias": False}),
        ("form='paper'", {"form": "paper"}),
        ("kernel_size=None", {"kernel_size": None}),
        ("branches=((3,1),(3,2))", {"branches": ((3, 1), (3, 2))}),
        ("per_stage={'kernel_size':(3,5,5,7)}", {"per_stage": {"kernel_size": (3, 5, 5, 7)}}),
    ],
)
def test_a_variant_is_a_string_of_literals(variant, options):
    assert attn.parse_options(variant) == options


@pytest.mark.parametrize(
    ("variant", "complaint"),
    [
        ("reduction", "not of the form option=value"),
        ("reduction = 8", "not of the form option=value"),
        ("form=paper", "text needs quotes"),
        ("kernel_size=(3, 5)", "not a Python literal"),
        ("reduction=8 reduction=4", "twice"),
        ("reduction=__import__('os')", "not a Python literal"),
    ],
)
def test_a_variant_that_cannot_be_read_says_which_word(variant, complaint):
    with pytest.raises(ValueError, match=complaint):
        attn.parse_options(variant)
