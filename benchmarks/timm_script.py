"""timm's own training script, run as its users run it, on the images that the suite trains on.

timm's package holds no ``train.py``; it is the script in its repository, of one release, checked
by its hash, from the cache or from GitHub.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import tempfile
import urllib.request
from contextlib import ExitStack
from pathlib import Path

from benchmarks.fresh import environment
from benchmarks.recipes import Recipe

RELEASE = "1.0.28"
SHA256 = "1fb02d26fe16536bc7de2c987980644353117c2b2b8046532261464093cd1ac6"
URL = f"https://raw.githubusercontent.com/huggingface/pytorch-image-models/v{RELEASE}/train.py"
TIMED = 1
"""The epoch that is timed: the second, because the first holds what is done once."""
LIMIT_S = 300.0

_LINE = re.compile(r"Train: (\d+) \[ *(\d+)/\d+ .*?Time: ([\d.]+)s, .*?\([\d.]+s, +([\d.]+)/s\)")
"""Epoch, batch, seconds of the batch, and mean speed of the epoch so far."""


class ScriptFailed(RuntimeError):
    """timm's script can't be had, or ended without a speed; the message says what to do."""


def script() -> Path:
    """Where the script lies, after it was fetched if need be and its hash compared."""
    from benchmarks.data import cache_folder

    path = cache_folder() / "timm" / f"train-{RELEASE}.py"
    if not path.exists():
        try:
            with urllib.request.urlopen(URL, timeout=20) as response:
                content = response.read()
        except OSError as error:
            raise ScriptFailed(
                f"timm's training script is not in the cache and can't be downloaded ({error}); "
                f"put {URL} there as {path.parent.name}/{path.name}"
            ) from error
        _compare(content, "what was downloaded")
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        part.write_bytes(content)
        os.replace(part, path)
    _compare(path.read_bytes(), f"{path.parent.name}/{path.name} in the cache")
    return path


def _compare(content: bytes, what: str) -> None:
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise ScriptFailed(f"{what} is not timm {RELEASE}'s train.py (its hash differs); remove it")


def options(
    backbone: str,
    layout: str,
    precision: str,
    augmentation: bool,
    *,
    recipe: Recipe,
    workers: int,
    copies: int,
) -> list[str]:
    """What a user gives the script for this model, recipe and images, without the folders.

    Of several copies, one that is ahead trains another epoch, so that its core stays busy while
    the others are timed.
    """
    epochs = TIMED + (1 if copies == 1 else 2)
    words = "--device cpu --device-modules benchmarks.backbones --dataset torch/fashion_mnist"
    words += f" --model {backbone} --num-classes 10 --input-size 1 28 28 --input-img-mode L"
    words += f" --mean 0.286 --std 0.353 --batch-size {recipe.batch_size} --workers {workers}"
    words += f" --epochs {epochs} --opt {recipe.optimizer} --lr {recipe.lr:g}"
    words += f" --weight-decay {recipe.weight_decay:g} --smoothing {recipe.label_smoothing:g}"
    words += " --channels-last" if layout == "nhwc" else ""
    words += " --amp --amp-dtype bfloat16" if precision == "bf16" else ""
    words += "" if augmentation else " --no-aug"
    return words.split()


def speed(words: list[str], threads: int, images: int, batch_size: int, copies: int = 1) -> float:
    """Images a second of the timed epoch by the script's log, summed over copies side by side.

    ``images`` is the size of an epoch. The first batch of the epoch is left out, so no wait for the
    workers' first images is in it. Raises ScriptFailed.
    """
    path = script()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        write_images(Path(folder), images)
        started = []
        for copy in range(copies):
            folders = ["--data-dir", folder, "--output", f"{folder}/output-{copy}"]
            child = subprocess.Popen(
                [sys.executable, str(path), *words, *folders],
                env=environment(threads),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            stack.callback(_end, child)
            started.append(child)
        return sum(_timed_speed(child, batch_size) for child in started)


def _end(child: subprocess.Popen[str]) -> None:
    """Stop a script that still runs; its workers end with it."""
    if child.poll() is None:
        child.terminate()
    child.communicate()


def _timed_speed(child: subprocess.Popen[str], batch_size: int) -> float:
    try:
        log, _ = child.communicate(timeout=LIMIT_S)
    except subprocess.TimeoutExpired as error:
        raise ScriptFailed(f"timm's script took longer than {LIMIT_S:.0f} s") from error
    found = by_epoch(log, batch_size)
    if child.returncode or len(found) <= TIMED:
        last = (log.strip().splitlines() or ["it said nothing"])[-1]
        raise ScriptFailed(f"timm's script ended with code {child.returncode}: {last}")
    return found[TIMED]


def by_epoch(log: str, batch_size: int) -> list[float]:
    """Images a second of each epoch after its first batch, loading included.

    An epoch's last line has the mean speed of all its batches, its first line the seconds of the
    first batch. An epoch without both is left out.
    """
    lines: dict[int, dict[int, tuple[float, float]]] = {}
    for epoch, batch, seconds, mean in _LINE.findall(log):
        lines.setdefault(int(epoch), {})[int(batch)] = float(seconds), float(mean)
    found = []
    for _, seen in sorted(lines.items()):
        last = max(seen)
        if 0 in seen and last > 0:
            seconds = (last + 1) * batch_size / seen[last][1] - seen[0][0]
            found.append(last * batch_size / seconds)
    return found


def write_images(folder: Path, n: int, tested: int = 128) -> None:
    """The first images of Fashion-MNIST, as torchvision's class of that name reads them."""
    from benchmarks.data import FASHION_MNIST_SHA256, fashion_mnist_file

    raw = folder / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    for name in FASHION_MNIST_SHA256:
        kept = n if name.startswith("train") else tested
        (raw / name).write_bytes(first(fashion_mnist_file(name), kept))


def first(data: bytes, n: int) -> bytes:
    """An IDX file cut after its first n items."""
    dims = data[3]
    sizes = [int.from_bytes(data[4 + 4 * i : 8 + 4 * i], "big") for i in range(dims)]
    item = 1
    for size in sizes[1:]:
        item *= size
    n = min(n, sizes[0])
    start = 4 + 4 * dims
    return data[:4] + n.to_bytes(4, "big") + data[8 : start + n * item]
