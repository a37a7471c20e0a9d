"""A trained module's gates are seen as they are, and the network goes on with what it is given."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from attn.danet import CAM, PAM
from attn.se import SE
from benchmarks import models, taps
from benchmarks.accuracy import Accuracy, run_seed
from benchmarks.cells import MODULES, Selection
from benchmarks.data import Images
from benchmarks.learned import SEEDS, Learned
from benchmarks.recipes import RECIPES

NET = "resnet10_small_os8"
KINDS = {
    "se": ["channel"] * 4,
    "eca": ["channel"] * 4,
    "cbam": ["channel", "spatial"] * 4,
    "coord": ["height", "width"] * 4,
    "sk": ["branch"] * 4,
    "pam": ["residual"],
    "cam": ["residual"],
    "danet": ["residual"] * 2,
}


def network(module):
    """An arm in evaluation whose blocks and attentions all reach the output."""
    torch.manual_seed(0)
    net = models.create(NET, module, num_classes=10, in_chans=1)
    for part in net.modules():
        if isinstance(part, nn.BatchNorm2d):
            nn.init.ones_(part.weight)
        if isinstance(part, PAM | CAM):
            nn.init.constant_(part.gamma, 0.5)
    return net.eval()


@pytest.fixture(scope="module")
def x():
    return torch.randn(6, 1, 28, 28, generator=torch.Generator().manual_seed(1))


@torch.no_grad()
@pytest.mark.parametrize("module", KINDS)
def test_seen_and_left_as_it_is_or_held(module, x):
    net, moments = network(module), taps.Moments()
    y = net(x)
    with taps.tapped(net, moments):
        assert torch.equal(net(x), y) and torch.equal(net(x[:2]), net(x[:2]))
    assert moments.kinds == KINDS[module]
    assert not torch.equal(net(x[:1].expand(2, -1, -1, -1)), y[:2]), "images differ"
    with taps.tapped(net, taps.held(moments.means)):
        held = net(x)
    assert not torch.allclose(held, y), "the look at the image is gone"
    assert torch.equal(net(x), y), "and back behind the with"
    alike = taps.Moments()
    with taps.tapped(net, alike):
        net(x[:1].expand(4, -1, -1, -1))
    assert alike.between_images() == pytest.approx([0] * len(alike.kinds), abs=1e-4)


@torch.no_grad()
def test_statistics_are_those_of_the_gates(x):
    net, gates = network("se"), []
    for place in (m for m in net.modules() if isinstance(m, SE)):
        place.fc.register_forward_hook(lambda m, given, out: gates.append(out.sigmoid()))
    moments = taps.Moments()
    with taps.tapped(net, moments):
        net(x[:4]), net(x[4:])
    for i, found in enumerate(zip(gates[:4], gates[4:], strict=True)):
        gate = torch.cat(found).double()
        assert moments.levels()[i] == pytest.approx(gate.mean().item())
        spread = gate.mean(0).std(correction=0).item()
        assert moments.between_entries()[i] == pytest.approx(spread, rel=1e-4)
        moved = gate.var(0, correction=0).mean().sqrt().item()
        assert moments.between_images()[i] == pytest.approx(moved, rel=1e-4)
    net, maps = network("pam"), []
    pam = next(m for m in net.modules() if isinstance(m, PAM))
    pam.register_forward_hook(lambda m, given, out: maps.extend((given[0], out - given[0])))
    moments = taps.Moments()
    with taps.tapped(net, moments):
        net(x)
    size = (maps[1].square().mean() / maps[0].square().mean()).sqrt().item()
    assert moments.levels() == pytest.approx([size], rel=1e-3)


@torch.no_grad()
def test_the_mean_of_one_image_is_its_own_gate(x):
    for module in KINDS:
        net, moments = network(module), taps.Moments()
        with taps.tapped(net, moments):
            y = net(x[:1])
        with taps.tapped(net, taps.held(moments.means)):
            assert torch.allclose(net(x[:1]), y, atol=1e-5), module


def test_runs_of_the_main_table_again():
    cells = list(Learned().cells(Selection("cpu")))
    assert len(cells) == SEEDS * (len(MODULES) - 1)
    trained = set(Accuracy().cells(Selection("cpu")))
    for cell in cells:
        same = replace(cell, benchmark="accuracy")
        assert same in trained and run_seed(same) == run_seed(cell)
    assert not list(Learned().cells(Selection()))
    assert not list(Learned().cells(Selection("cpu", modules=(("se", ""),))))


def test_a_run_gives_the_accuracy_of_the_main_table(monkeypatch):
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(256, (300, 1, 28, 28), generator=generator).to(torch.uint8)
    y = torch.arange(300) % 10
    images = Images("tiny", x[:200], y[:200], x[200:], y[200:], 10, True)
    monkeypatch.setattr("benchmarks.data.load", lambda name: images)
    monkeypatch.setattr("benchmarks.accuracy._images", lambda name: images)
    monkeypatch.setitem(RECIPES, "full", replace(RECIPES["full"], epochs=1, batch_size=50))
    cell = next(c for c in Learned().cells(Selection("cpu")) if c.module == "cbam")
    found = Learned().measure(cell)
    plain = Accuracy().measure(replace(cell, benchmark="accuracy"))
    assert {k: found[k] for k in ("top1", "test_loss")} == {
        k: plain[k] for k in ("top1", "test_loss")
    }
    assert found["kinds"].split() == KINDS["cbam"] and found["looked_at"] == 200
    assert len(found["levels"].split()) == len(found["between_images"].split()) == 8
    assert set(found) == {column.name for column in Learned.columns}
