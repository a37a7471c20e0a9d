"""Precision, layout and loss of a cell reach the network, in each training loop and each timing."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
import trial
from torch import nn
from torch.nn import functional as F

from benchmarks import canvas, session, training
from benchmarks.folders import How
from benchmarks.recipes import Recipe
from benchmarks.segmenting import Recipe as SegmentingRecipe
from benchmarks.segmenting import train as train_segmenter
from benchmarks.session import Session

RECIPE = Recipe("test", 1, 64, 0.0, 0.0)

WAYS = {
    ("fp32", "nchw"): (torch.float32, "nchw"),
    ("bf16", "nchw"): (torch.bfloat16, "nchw"),
    ("fp32", "nhwc"): (torch.float32, "nhwc"),
    ("bf16", "nhwc"): (torch.bfloat16, "nhwc"),
}
"""The type and the layout in which a map of several channels passes, by precision and layout."""

pytestmark = pytest.mark.usefixtures("one_thread")


class Probe(nn.Module):
    """Notes whether it is trained, in which type and layout a map passes."""

    def __init__(self):
        super().__init__()
        self.seen = set()

    def forward(self, x):
        last = x.is_contiguous(memory_format=torch.channels_last)
        self.seen.add((self.training, x.dtype, "nhwc" if last else "nchw"))
        return x


def a_net(*behind, channels=1):
    """Two convolutions: the second one's map has several channels, so that its layout is told."""
    torch.manual_seed(0)
    convolutions = nn.Conv2d(channels, 8, 3, padding=1), nn.Conv2d(8, 6, 3, padding=1)
    return nn.Sequential(*convolutions, Probe(), *behind)


def classifier(side):
    return a_net(nn.Flatten(), nn.Linear(6 * side * side, 10))


@pytest.mark.parametrize("way", WAYS)
def test_a_training_and_its_test_compute_as_they_are_told(way):
    net = classifier(8)
    precision, layout = way
    training.train(net, trial.noise(128, 8), RECIPE, seed=0, precision=precision, layout=layout)
    assert net[2].seen == {(True, *WAYS[way]), (False, *WAYS[way])}


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_the_loss_is_smoothed_as_the_recipe_says(smoothing):
    """At a rate of zero the mean loss of an epoch is that of all images at once."""
    images, net = trial.noise(128, 8), classifier(8)
    recipe = replace(RECIPE, label_smoothing=smoothing)
    found = training.train(net, images, recipe, seed=0).train_loss
    with torch.no_grad():
        scores = net(images.normalised()[0])
    expected = F.cross_entropy(scores, images.train_y, label_smoothing=smoothing).item()
    assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("whiten", [False, True])
def test_the_first_convolution_whitens_where_the_recipe_says_so(whiten):
    images, net, alike = trial.noise(128, 8), classifier(8), classifier(8)
    x = images.normalised()[0]
    training.prepare(net, x, replace(RECIPE, whiten=whiten))
    if whiten:
        training.whiten(alike[0], x)
        assert not torch.equal(net[0].weight, classifier(8)[0].weight)
    assert torch.equal(net[0].weight, alike[0].weight)
    assert torch.equal(net[1].weight, alike[1].weight)


class OneScore(nn.Module):
    """A segmenter of one scale: its map is its scores."""

    def __init__(self):
        super().__init__()
        self.net = a_net()

    def forward(self, x):
        return (self.net(x),)


def some_scenes():
    torch.manual_seed(0)
    x = torch.randint(256, (8, 1, 16, 16), dtype=torch.uint8)
    y = torch.randint(6, (8, 16, 16)).to(torch.uint8)
    return canvas.Labelled("some", tuple("abcdef"), x, y, x[:4], y[:4])


@pytest.mark.parametrize("way", WAYS)
def test_a_segmenter_is_trained_as_it_is_told(way):
    net, recipe = OneScore(), SegmentingRecipe(epochs=1, batch_size=4, lr=0.0, window=16)
    train_segmenter(net, some_scenes(), recipe, seed=0, precision=way[0], layout=way[1])
    assert net.net[2].seen == {(True, *WAYS[way])}


class SeesBatches(nn.Module):
    """A segmenter that keeps what it is shown, and draws random numbers if it is asked to."""

    def __init__(self, draws):
        super().__init__()
        self.net, self.draws, self.shown = a_net(), draws, []

    def forward(self, x):
        self.shown.append(x.clone())
        torch.rand(self.draws)
        return (self.net(x),)


def test_segmenters_of_one_seed_see_the_same_images_mirrored_alike():
    recipe = SegmentingRecipe(epochs=2, batch_size=4, lr=0.1, window=12)
    nets = [SeesBatches(0), SeesBatches(7), SeesBatches(0)]
    for net, seed in zip(nets, (1, 1, 2), strict=True):
        train_segmenter(net, some_scenes(), recipe, seed=seed)
    one, drawing, other = (net.shown for net in nets)
    assert len(one) == 4
    assert all(map(torch.equal, one, drawing))
    assert not any(map(torch.equal, one, other))


@pytest.mark.parametrize("way", WAYS)
def test_images_in_folders_are_shown_as_a_cell_says(way):
    precision, layout = way
    how, net = How(8, "cpu", precision, layout, 0), a_net(channels=3).eval()
    kind = torch.channels_last if layout == "nhwc" else torch.contiguous_format
    net.to(memory_format=kind)
    with how.autocast():
        net(how.put(torch.rand(2, 3, 8, 8)))
    assert net[2].seen == {(False, *WAYS[way])}


def small(*_):
    net = a_net(channels=3)
    net.pretrained_cfg = {"input_size": (3, 16, 16)}
    return net


@pytest.mark.parametrize("way", WAYS)
def test_a_session_times_what_it_is_told(way, monkeypatch):
    made = []
    monkeypatch.setattr(session.models, "create", lambda *_: made.append(small()) or made[-1])
    asked = Session("any", (), precision=way[0], layout=way[1], image_size=16, batch_size=2)
    forward = session._forward(asked, "none", "")
    with torch.inference_mode():
        assert forward().shape == (2, 6, 16, 16)
    assert made[0][2].seen == {(False, *WAYS[way])}


@pytest.fixture
def gpu_settings():
    """What `session.measure` sets of torch for a GPU is put back."""
    cudnn, precision = torch.backends.cudnn, torch.get_float32_matmul_precision()
    before = cudnn.benchmark, cudnn.allow_tf32
    yield lambda: (cudnn.benchmark, cudnn.allow_tf32, torch.get_float32_matmul_precision())
    cudnn.benchmark, cudnn.allow_tf32 = before
    torch.set_float32_matmul_precision(precision)


@pytest.mark.parametrize(
    ("precision", "expected"),
    [("fp32", (True, False, "highest")), ("tf32", (True, True, "high"))],
)
def test_a_gpu_rounds_only_where_a_session_says_so(precision, expected, monkeypatch, gpu_settings):
    found = []
    monkeypatch.setattr(torch.cuda, "set_device", lambda index: None)
    monkeypatch.setattr(session, "cuda_timer", lambda cuda: None)
    monkeypatch.setattr(session, "gpu_look", lambda cuda: lambda: None)
    monkeypatch.setattr(session, "Watch", lambda look: SimpleNamespace(clocks=[]))
    monkeypatch.setattr(session, "_built", lambda *_: found.append(gpu_settings()) or [])
    record = session.Record([], [])
    monkeypatch.setattr(session, "interleave", lambda *_, **words: record)
    session.measure(Session("any", (), device="cuda", precision=precision), lambda arm: None)
    assert found == [expected]
