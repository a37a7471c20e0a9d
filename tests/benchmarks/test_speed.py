"""A module by itself: equal work, exact floors and memory, and rows whose truth is known."""

import os

import pytest
import torch

from attn import reductions
from benchmarks import alone, breakdown, networks, position, speed
from benchmarks.cells import Cell, Selection
from benchmarks.elementwise import count
from benchmarks.evaluation import TimingFailed
from benchmarks.fresh import ProcessDied, in_fresh_process
from benchmarks.stats import NOISY, SAME
from benchmarks.timing import Record, Timing

SMALL = Cell("speed", "", "se", data="2x64x9x7", recipe="inference", threads=1)


def cell(**fields):
    return Cell(**{**vars(SMALL), **fields})


@pytest.mark.parametrize("data", ["2x64x9x7", "1x256x4x4"])
@pytest.mark.parametrize("layout", alone.LAYOUTS)
@pytest.mark.parametrize("module", speed.MODULES)
def test_ours_and_timms_give_the_same_output_and_gradients(module, layout, data):
    torch.manual_seed(0)
    mine = cell(module=module, layout=layout, data=data, recipe="training")
    ours = alone.build(mine)
    theirs = alone.twin(module, ours, alone.shape(data)[1])
    x, gradient = alone.maps(mine)
    found, wanted = (
        alone.call(net, list(net.parameters()), x, gradient)() for net in (ours, theirs)
    )
    assert len(found) == len(wanted) == 1 + len(list(ours.parameters()))
    for one, other in zip(found, wanted, strict=True):
        if other.shape == (1, 2, 7, 7):
            other = other.flip(1)  # timm's maps come in the other order
        torch.testing.assert_close(one, other.view_as(one), atol=2e-5, rtol=1e-4)
    theirs = alone.twin(module, ours.eval(), alone.shape(data)[1])  # momenta of CBAM's norms differ
    with torch.inference_mode():
        torch.testing.assert_close(ours(x), theirs(x), atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("module", speed.MODULES)
def test_no_gate_is_idle_so_that_equal_outputs_mean_something(module):
    torch.manual_seed(0)
    mine = cell(module=module, data="2x64x9x7")
    x, _ = alone.maps(mine)
    gates = alone.build(mine)(x) / x
    assert gates.std() > 1e-3


@pytest.mark.parametrize("layout", alone.LAYOUTS)
@pytest.mark.parametrize("mode", alone.MODES)
def test_the_floor_reads_and_writes_as_often_as_it_says(mode, layout):
    mine = cell(recipe=mode, layout=layout, data="2x16x8x8")
    x, gradient = alone.maps(mine)
    floor = alone.bare_passes(mine, x, gradient)
    moved = count(lambda _: floor(), x)
    size = x.numel() * x.element_size()
    scalars = moved.elementwise_bytes + moved.matmul_bytes - size * sum(alone.PASSES[mode])
    assert 0 <= scalars <= 16


def test_an_input_that_cannot_be_read_is_named():
    for fields, message in (
        ({"data": "8x256x56"}, "8x256x56"),
        ({"data": "8x256x0x56"}, "images x channels"),
        ({"recipe": "sleeping"}, "unknown mode"),
        ({"layout": "hwcn"}, "unknown layout"),
        ({"module": "sk"}, "a twin in timm"),
    ):
        with pytest.raises(ValueError, match=message):
            speed.Speed().check([cell(**fields)])


def record(*per_call, errors=None):
    errors = errors or {}
    return Record([Timing([t] * 3, 2, errors.get(i, "")) for i, t in enumerate(per_call)], [])


def test_rows_of_synthetic_times():
    values = speed.evaluate([record(0.010, 0.010, 0.020, 0.008, 0.005)] * 3)
    assert values["latency_ms"] == pytest.approx(10)
    assert values["ratio"] == pytest.approx(0.5)
    assert values["verdict"] == "faster"
    assert values["compiled_ratio"] == pytest.approx(1.25)
    assert values["compiled_verdict"] == "slower"
    assert values["floor_ratio"] == pytest.approx(2)
    assert (values["noise_low"], values["noise_high"]) == (1, 1)
    assert (values["rounds"], values["processes"]) == (3, 3)


def test_copies_that_differ_rank_nothing_and_equal_times_are_no_difference():
    assert speed.evaluate([record(0.010, 0.011, 0.020, 0.02, 0.005)] * 2)["verdict"] == NOISY
    assert speed.evaluate([record(0.010, 0.010, 0.010, 0.01, 0.005)] * 2)["verdict"] == SAME


def test_without_a_compiler_the_rest_is_measured_and_the_reason_kept():
    broken = record(0.010, 0.010, 0.020, 0.0, 0.005, errors={3: "InvalidCxxCompiler: none"})
    values = speed.evaluate([broken] * 2)
    assert values["ratio"] == pytest.approx(0.5)
    assert values["compiled_reason"] == "InvalidCxxCompiler: none"
    assert not {"compiled_ms", "compiled_ratio", "compiled_verdict"} & set(values)


@pytest.mark.parametrize("arm", ["ours", "copy", "timm", "floor"])
def test_a_row_needs_every_other_arm(arm):
    broken = record(*[0.01] * 5, errors={speed.ARMS.index(arm): "RuntimeError: no"})
    with pytest.raises(speed.SpeedFailed, match=f"{arm} can't be timed: RuntimeError: no"):
        speed.evaluate([broken])


def test_a_real_row_without_a_compiler(monkeypatch):
    def no_compiler(*_, **__):
        raise RuntimeError("no C++ compiler")

    monkeypatch.setattr(torch, "compile", no_compiler)
    values = speed.evaluate([speed.time_cell(SMALL, seed, 2, warmup_s=0.0) for seed in (0, 1)])
    assert values["compiled_reason"] == "RuntimeError: no C++ compiler"
    assert values["latency_ms"] > values["floor_ms"] > 0
    assert set(values) <= {c.name for c in speed.Speed.columns}


def test_cells_are_the_modules_maps_layouts_and_modes_on_one_thread():
    cells = list(speed.Speed().cells(Selection("cpu")))
    assert len(cells) == 4 * 3 * 2 * 2
    assert {c.threads for c in cells} == {1}
    assert {c.backbone for c in cells} == {""}
    assert len({speed.Speed().group(c) for c in cells}) == 4
    for suite in ("quick", "gpu"):
        assert not list(speed.Speed().cells(Selection(suite)))


def test_the_materialised_map_equals_ours():
    torch.manual_seed(0)
    mine = cell(benchmark="position", module="pam", data="2x32x30x30", recipe="training")
    ours = alone.build(mine)
    x, gradient = alone.maps(mine)
    weights = list(ours.parameters())
    found = alone.call(ours, weights, x, gradient)()
    wanted = alone.call(position.materialised(ours), weights, x, gradient)()
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-3)


def test_peak_bytes_of_a_call_with_a_known_peak():
    x = torch.zeros(256, 1024)  # 1 MiB

    def call():
        y = x.repeat(3, 1)  # 3 MiB
        z = y.clone()  # 6
        del y  # 3
        return z.repeat(2, 1)  # 9

    assert position.peak_bytes(call) == pytest.approx(9 * position.MIB, rel=0.001)
    assert position.peak_bytes(call) == position.peak_bytes(call)


def test_the_full_map_takes_the_memory_that_its_sizes_say():
    """Energy and its softmax are two maps of (H W)^2 numbers; ours needs less."""
    mine = cell(benchmark="position", module="pam", data="1x32x40x40")
    with torch.inference_mode():
        calls = position._calls(mine)
        full = position.peak_bytes(calls["materialised"])
        ours = position.peak_bytes(calls["ours"])
    maps = 2 * 4 * (40 * 40) ** 2
    assert maps < full < 1.1 * maps
    assert ours < full


def test_position_rows_of_synthetic_times():
    values = position.evaluate([record(0.010, 0.010, 0.020)] * 2)
    assert (values["ratio"], values["verdict"]) == (pytest.approx(0.5), "faster")
    with pytest.raises(RuntimeError, match="materialised can't be timed: no"):
        position.evaluate([record(0.01, 0.01, 0.01, errors={2: "no"})])


def test_shares_of_a_known_breakdown():
    times = {"mul": (0.006, 2), "mean": (0.003, 1), "view": (0.001, 4)}
    values = breakdown.summed(times)
    assert values["operators_ms"] == pytest.approx(10)
    assert values["calls"] == 7
    assert values["product_share"] == pytest.approx(60)
    assert values["pool_share"] == pytest.approx(30)
    assert values["other_share"] == pytest.approx(10)
    assert values["operations"] == "mul 60.0 (2); mean 30.0 (1); view 10.0 (4)"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("mul_", "product"),
        ("sigmoid_backward", "product"),
        ("amax", "pool"),
        ("adaptive_max_pool2d_backward", "pool"),
        ("mkldnn_convolution", "matrix"),
        ("convolution_backward", "matrix"),
        ("bmm", "matrix"),
        ("_softmax", "norm"),
        ("native_batch_norm", "norm"),
        ("native_batch_norm_backward", "norm"),
        ("native_batch_norm_backward of the weight alone", "pool"),
        ("copy_", "move"),
        ("as_strided", "other"),
        ("MulBackward0", "other"),
        ("autograd::engine::evaluate_function: MulBackward0", "other"),
    ],
)
def test_kinds_of_operators(name, kind):
    assert breakdown.kind(name) == kind


def test_a_normalisation_s_backward_pass_is_told_from_a_sum():
    x = torch.randn(2, 4, 8, 8)
    inner = x.clone().requires_grad_()
    norm = torch.nn.BatchNorm2d(4)
    inputs = (inner, *norm.parameters())
    for call, kind in (
        (lambda: reductions.dot(x, x, [0, 1]), "pool"),
        (lambda: torch.autograd.grad(norm(inner), inputs, x), "norm"),
    ):
        times = breakdown.own_times(call, repeats=1)
        kinds = {breakdown.kind(name) for name in times if "batch_norm_backward" in name}
        assert kinds == {kind}


@pytest.mark.parametrize("module", sorted(breakdown.TWINS))
def test_the_breakdown_compares_equal_modules(module):
    mine = cell(module=module, data="2x64x8x8")
    torch.manual_seed(0)
    ours = breakdown.build(mine)
    torch.manual_seed(0)
    theirs = breakdown.build(cell(module=breakdown.TWINS[module], data="2x64x8x8"))
    x, _ = alone.maps(mine)
    assert type(ours) is not type(theirs)
    torch.testing.assert_close(ours.eval()(x), theirs.eval()(x), atol=1e-6, rtol=1e-5)


def test_a_product_that_dominates_is_seen(one_thread):
    x = torch.randn(512, 512)
    values = breakdown.summed(breakdown.own_times(lambda: (x @ x, x.sum()), repeats=3))
    assert values["matrix_share"] > 70
    shares = [values[f"{kind}_share"] for kind in breakdown.WORDS]
    assert sum(shares) == pytest.approx(100)


def test_networks_time_training_and_keep_an_arm_that_fails(monkeypatch):
    monkeypatch.setattr(networks, "PROCESSES", 1)
    monkeypatch.setattr(networks, "MOST_PROCESSES", 1)
    monkeypatch.setattr(networks, "ROUNDS", {"inference": 1, "training": 1})
    bare = Cell("networks", "resnet18", recipe="training", image_size=32, batch_size=2, threads=1)
    cells = [bare, Cell(**{**vars(bare), "module": "eca"})]
    cells.append(Cell(**{**vars(bare), "module": "eca", "variant": "kernel_size=4"}))
    found = dict(networks.Networks().measure_group(cells))
    assert set(found[cells[1]]) == {c.name for c in networks.Networks.columns}
    assert found[cells[1]]["latency_ms"] > 0
    assert isinstance(found[cells[2]], TimingFailed)


def test_a_fresh_process_answers():
    assert in_fresh_process(divmod, 7, 3) == (2, 1)


@pytest.mark.parametrize(
    ("function", "arguments", "error", "message"),
    [
        (int, ("seven",), RuntimeError, "ValueError: invalid literal"),
        (os._exit, (3,), ProcessDied, "ended with code 3"),
        (os.abort, (), ProcessDied, "SIGABRT"),
    ],
)
def test_a_fresh_process_that_fails_says_how(function, arguments, error, message):
    with pytest.raises(error, match=message):
        in_fresh_process(function, *arguments)


def test_a_fresh_process_gets_the_number_of_threads():
    assert in_fresh_process(os.getenv, "OMP_NUM_THREADS", threads=3) == "3"
