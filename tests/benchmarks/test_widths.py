"""The widths have the channels that they are named for, and costs around those of every arm."""

import pytest
import timm
import torch

from benchmarks.cells import MODULES, Selection
from benchmarks.scaled import entrypoint, scaled
from benchmarks.widths import BACKBONE, IMAGE_SIZE, WIDTHS, Widths

COUNT = Widths()


def parameters(width: float) -> int:
    """Weights of the small net by its layers: convolutions without bias, two numbers a norm."""
    stem, *stages = (round(width * n) for n in (8, 16, 32, 64, 128))
    convs = [(1, stem, 9), (stem, stem, 9), (stem, 2 * stem, 9)]
    before = 2 * stem
    for stage, channels in enumerate(stages):
        convs += [(before, channels, 9), (channels, channels, 9)]
        if stage:
            convs.append((before, channels, 1))  # the shortcut
        before = channels
    return sum(a * b * k + 2 * b for a, b, k in convs) + 10 * before + 10


@pytest.mark.parametrize("name", [BACKBONE, *WIDTHS])
def test_parameters_and_maps(name):
    net = timm.create_model(name, in_chans=1, num_classes=10)
    assert sum(p.numel() for p in net.parameters()) == parameters(WIDTHS.get(name, 1.0))
    stages = timm.create_model(name, features_only=True, in_chans=1)
    maps = stages(torch.zeros(1, 1, 28, 28))
    assert [m.shape[-1] for m in maps] == [14, 14, 7, 4, 4]
    channels = [round(WIDTHS.get(name, 1.0) * n) for n in (16, 16, 32, 64, 128)]
    assert [m.shape[1] for m in maps] == channels


def test_a_width_of_one_is_the_backbone_itself():
    states = []
    for build in (entrypoint(BACKBONE, 1.0), lambda **kw: timm.create_model(BACKBONE, **kw)):
        torch.manual_seed(0)
        net = build(in_chans=1, num_classes=10)
        states.append((net.state_dict(), repr(net)))
    (ours, layers), (theirs, same) = states
    assert ours.keys() == theirs.keys() and layers == same
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)


def test_a_fraction_of_a_channel_is_refused():
    with pytest.raises(ValueError, match=r"a width of 1\.1 gives .* they must be whole"):
        scaled(1.1)


@pytest.fixture(scope="module")
def counted():
    cells = list(COUNT.cells(Selection("cpu")))
    return {(cell.backbone, cell.module): COUNT.measure(cell) for cell in cells}


def test_every_arm_and_every_width_is_counted(counted):
    wanted = {(BACKBONE, module) for module in MODULES} | {(name, "none") for name in WIDTHS}
    assert set(counted) == wanted
    for name, width in {BACKBONE: 1.0, **WIDTHS}.items():
        assert counted[name, "none"]["params"] == parameters(width)


@pytest.mark.parametrize("kind", ["params", "macs"])
def test_the_widths_lie_around_the_costs_of_every_arm(counted, kind):
    widths = [counted[name, "none"][kind] for name in WIDTHS]
    assert widths == sorted(widths)
    for module in MODULES:
        assert widths[0] < counted[BACKBONE, module][kind] < widths[-1]


def test_a_selection_of_backbones_is_obeyed():
    want = Selection("quick", backbones=(BACKBONE, "resnet18"))
    assert [cell.module for cell in COUNT.cells(want)] == list(MODULES)
    assert {cell.image_size for cell in COUNT.cells(want)} == {IMAGE_SIZE}
    assert not list(COUNT.cells(Selection("gpu", device="cuda")))
