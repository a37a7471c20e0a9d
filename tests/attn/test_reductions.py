"""Reductions of a feature map are PyTorch's, whichever of their forms a layout and a size take."""

import pytest
import torch

from attn import reductions

LAYOUTS = {"nchw": torch.contiguous_format, "nhwc": torch.channels_last}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    "shape",
    [(3, 4, 5, 6), (2, 3, 9, 10), (1, 2, 1, 3), (2, 3, 33, 32)],
    ids=str,
)
def test_pooling_by_hand_is_the_mean(shape, layout):
    x = torch.randn(shape).contiguous(memory_format=LAYOUTS[layout])
    for dims in ([2, 3], [2], [3], [1]):
        torch.testing.assert_close(reductions.mean(x, dims), x.mean(dims, keepdim=True))


def test_many_channels_in_channels_last_are_averaged_by_a_pool(monkeypatch):
    """Unless there are more threads than samples, among which it divides its work."""
    shapes = []
    pool = torch.nn.functional.avg_pool2d
    monkeypatch.setattr(
        reductions.F, "avg_pool2d", lambda x, size: shapes.append(size) or pool(x, size)
    )
    x = 3 + torch.randn(2, reductions.WIDE, 56, 56)
    exact = x.double().mean([2, 3], keepdim=True).float()
    for threads, channels, pooled in ((2, 0, True), (3, 0, False), (2, 1, False)):
        shapes.clear()
        monkeypatch.setattr(torch, "get_num_threads", lambda n=threads: n)
        part = x[:, channels:].contiguous(memory_format=torch.channels_last)
        found = reductions.mean(part, [2, 3])
        torch.testing.assert_close(found, exact[:, channels:], rtol=1e-5, atol=0)
        assert shapes == [[56, 56]] * pooled


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("channels", [5, reductions.GROUPS, 3 * reductions.GROUPS])
def test_the_maximum_of_groups_is_the_maximum(channels, layout):
    x = torch.randn(2, channels, 4, 5).contiguous(memory_format=LAYOUTS[layout])
    values, places = reductions.first_max(x, [1])
    expected = x.max(1, keepdim=True)
    assert torch.equal(values, expected.values)
    assert torch.equal(places, expected.indices)


@pytest.mark.parametrize("pixels", [16 * 64, 14 * 90, 8 * 90, 7 * 77, 7 * 7])
def test_the_maximum_of_parts_is_the_maximum(pixels):
    x = torch.randn(2, 3, pixels)
    with torch.device("meta"):  # whatever device is the default
        values, places = reductions._max_of_parts(x)
    expected = x.max(2)
    assert torch.equal(values, expected.values)
    assert torch.equal(places, expected.indices)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dims", [[1], [2, 3]], ids=str)
@pytest.mark.parametrize("channels", [5, 4 * reductions.GROUPS, reductions.WIDE])
@pytest.mark.parametrize("height", [6, 14])
def test_the_largest_value_without_a_gradient(height, channels, dims, layout):
    x = torch.randn(2, channels, height, 5).contiguous(memory_format=LAYOUTS[layout])
    assert torch.equal(reductions.maximum(x, dims), x.amax(dims, keepdim=True))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("height", [6, 20])
def test_an_infinite_pixel_stays_in_its_row_and_column(height, layout):
    assert 6 * 5 <= reductions.SMALL_MAP < 20 * 5
    x = torch.randn(2, 3, height, 5).contiguous(memory_format=LAYOUTS[layout])
    x[0, 1, 2, 3] = torch.inf
    assert reductions.mean(x, [3]).isinf().sum() == 1
    assert reductions.mean(x, [2]).isinf().sum() == 1
    assert not reductions.mean(x, [3]).isnan().any()
    assert not reductions.mean(x, [2]).isnan().any()


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("channels", [2 * reductions.GROUPS, reductions.WIDE])
@pytest.mark.parametrize("side", [7, 9])
def test_no_maximum_is_taken_over_one_element(side, channels, layout, monkeypatch):
    """PyTorch makes that a slow copy of the map."""
    sizes = []
    amax = torch.Tensor.amax

    def noted(x, dim, **options):
        sizes.extend(x.shape[d] for d in ([dim] if isinstance(dim, int) else dim))
        return amax(x, dim, **options)

    monkeypatch.setattr(torch.Tensor, "amax", noted)
    for c in (channels, reductions.GROUPS):
        x = torch.randn(2, c, side, side).contiguous(memory_format=LAYOUTS[layout])
        for dims in ([1], [2, 3]):
            reductions.maximum(x, dims)
            reductions.first_max(x, dims)
    assert sizes and min(sizes) > 1
