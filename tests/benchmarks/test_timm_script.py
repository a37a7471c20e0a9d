"""timm's training script: its own log, its images and its command line."""

import pytest

from benchmarks import timm_script
from benchmarks.recipes import RECIPES
from benchmarks.timm_script import ScriptFailed, by_epoch, first

LOG = """\
Scheduled epochs: 2 (epochs + cooldown_epochs). Warmup within epochs when warmup_prefix=False.
Train: 0 [   0/80 (  0%)]  Loss: 2.36 (2.36)  Time: 2.000s,   64.00/s  (2.000s,   64.00/s)  LR: 1.0
Train: 0 [  79/80 (100%)]  Loss: 2.32 (2.34)  Time: 0.049s, 2612.07/s  (0.075s, 1706.67/s)  LR: 1.0
Test: [   0/0]  Time: 0.137 (0.137)  Loss:   2.307 ( 2.307)  Acc@1:   7.031 (  7.031)
Train: 1 [   0/80 (  0%)]  Loss: 1.36 (1.36)  Time: 1.050s,  121.90/s  (1.050s,  121.90/s)  LR: 1.0
Train: 1 [  50/80 ( 63%)]  Loss: 1.36 (1.36)  Time: 0.050s, 2560.00/s  (0.070s, 1828.57/s)  LR: 1.0
Train: 1 [  79/80 (100%)]  Loss: 1.10 (1.30)  Time: 0.040s, 3200.00/s  (0.0625s, 2048.00/s)  LR: 1.0
"""


def test_the_rate_of_an_epoch_is_that_of_all_its_batches_but_the_first():
    # 80 batches of 128 at 1706.67/s take 6 s, 2 of them the first: 79 * 128 / 4; then 5 - 1.05 s
    assert by_epoch(LOG, 128) == pytest.approx([2528, 79 * 128 / 3.95], rel=1e-4)
    assert by_epoch("\n".join(LOG.splitlines()[2:]), 128) == by_epoch(LOG, 128)[1:]
    assert by_epoch("Traceback (most recent call last):", 128) == []


def test_rates_of_copies_are_added_up(monkeypatch, tmp_path):
    fake = tmp_path / "train.py"
    fake.write_text(f"import sys\nassert '--workers' in sys.argv\nprint({LOG!r})\n")
    monkeypatch.setattr(timm_script, "script", lambda: fake)
    monkeypatch.setattr(timm_script, "write_images", lambda folder, images: None)
    one, two = (timm_script.speed(["--workers", "1"], 1, 8, 128, copies) for copies in (1, 2))
    assert one == by_epoch(LOG, 128)[timm_script.TIMED]
    assert two == 2 * one
    fake.write_text("print('no images')\nraise SystemExit(3)")
    with pytest.raises(ScriptFailed, match="code 3: no images"):
        timm_script.speed([], 1, 8, 128, 2)


def test_an_idx_file_is_cut_after_its_first_items():
    sizes = b"".join(n.to_bytes(4, "big") for n in (3, 2, 2))
    whole = bytes([0, 0, 8, 3]) + sizes + bytes(range(12))
    cut = first(whole, 2)
    assert cut == bytes([0, 0, 8, 3]) + (2).to_bytes(4, "big") + sizes[4:] + bytes(range(8))
    assert first(whole, 99) == whole


def test_a_script_of_another_release_is_refused(monkeypatch, tmp_path):
    monkeypatch.setenv("ATTN_BENCH_DATA", str(tmp_path))
    path = tmp_path / "timm" / f"train-{timm_script.RELEASE}.py"
    path.parent.mkdir()
    path.write_text("print('3000.00/s')")
    with pytest.raises(ScriptFailed, match=r"train-.*\.py in the cache is not timm .* hash"):
        timm_script.script()


def test_a_script_that_is_nowhere_says_where_to_put_it(monkeypatch, tmp_path):
    monkeypatch.setenv("ATTN_BENCH_DATA", str(tmp_path))

    def no_network(*_, **__):
        raise OSError("no route to host")

    monkeypatch.setattr(timm_script.urllib.request, "urlopen", no_network)
    with pytest.raises(ScriptFailed, match=r"no route to host.*put https://.*/train\.py there"):
        timm_script.script()


def test_augmentation_layout_and_precision_are_in_the_command():
    words = timm_script.options(
        "resnet10_small", "nhwc", "bf16", False, recipe=RECIPES["full"], workers=2, copies=1
    )
    assert {"--channels-last", "--no-aug", "--amp", "bfloat16"} <= set(words)
    words = timm_script.options(
        "resnet10_small", "nchw", "fp32", True, recipe=RECIPES["smoke"], workers=0, copies=2
    )
    assert not {"--channels-last", "--no-aug", "--amp"} & set(words)
    smoke = RECIPES["smoke"]
    given = (words[words.index(f"--{name}") + 1] for name in ("batch-size", "lr", "weight-decay"))
    assert list(map(float, given)) == [smoke.batch_size, smoke.lr, smoke.weight_decay]
    assert words[words.index("--workers") + 1] == "0"
    assert words[words.index("--epochs") + 1] == "3"  # one that is ahead keeps its core busy
