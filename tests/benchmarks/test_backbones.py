"""The small nets have the maps and the parameters that they are described with."""

import pytest
import timm
import torch

from attn import create_model
from benchmarks import backbones  # noqa: F401  registers them

MAPS = {"resnet10_small": (14, 14, 7, 4, 2), "resnet10_small_os8": (14, 14, 7, 4, 4)}


@pytest.mark.parametrize("name", MAPS)
def test_maps_on_28_pixels(name):
    net = timm.create_model(name, features_only=True, in_chans=1)
    sizes = tuple(x.shape[-1] for x in net(torch.zeros(1, 1, 28, 28)))
    assert sizes == MAPS[name]


def test_a_stride_adds_no_parameter_and_starts_the_same():
    states = []
    for name in MAPS:
        torch.manual_seed(0)
        states.append(timm.create_model(name, in_chans=1, num_classes=10).state_dict())
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])


@pytest.mark.parametrize("module", ["pam", "sk"])
def test_modules_fit_the_finer_net(module):
    net = create_model("resnet10_small_os8", module, in_chans=1, num_classes=10).eval()
    assert net(torch.zeros(2, 1, 28, 28)).shape == (2, 10)
