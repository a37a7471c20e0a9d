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
from pathlib import Path

from benchmarks.cells import ROOT

RELEASE = "1.0.28"
SHA256 = "1fb02d26fe16536bc7de2c987980644353117c2b2b8046532261464093cd1ac6"
URL = f"https://raw.githubusercontent.com/huggingface/pytorch-image-models/v{RELEASE}/train.py"
WORKERS = 2
EPOCHS = 4
LIMIT_S = 300.0

_LINE = re.compile(r"Train: (\d+) \[.*?\([\d.]+s, +([\d.]+)/s\)")


class ScriptFailed(RuntimeError):
    """timm's script can't be had, or ended without a rate; the message says what to do."""


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


def options(backbone: str, layout: str, augmentation: bool, *, batch_size: int) -> list[str]:
    """What a user gives the script for this model and these images, without the folders."""
    words = "--device cpu --device-modules benchmarks.backbones --dataset torch/fashion_mnist"
    words += f" --model {backbone} --num-classes 10 --input-size 1 28 28 --input-img-mode L"
    words += f" --mean 0.286 --std 0.353 --batch-size {batch_size} --workers {WORKERS}"
    words += f" --epochs {EPOCHS} --opt sgd --lr 0.2 --weight-decay 5e-4 --smoothing 0.05"
    words += " --channels-last" if layout == "nhwc" else ""
    words += "" if augmentation else " --no-aug"
    return words.split()


def rates(words: list[str], threads: int, images: int) -> list[float]:
    """Images a second of each epoch but the first, by the script's own log.

    ``images`` is the size of an epoch. Raises ScriptFailed.
    """
    path = script()
    env = {**os.environ, "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    env["PYTHONPATH"] = os.pathsep.join([str(ROOT), *filter(None, [env.get("PYTHONPATH")])])
    with tempfile.TemporaryDirectory() as folder:
        write_images(Path(folder), images)
        folders = ["--data-dir", folder, "--output", f"{folder}/output"]
        try:
            done = subprocess.run(
                [sys.executable, str(path), *words, *folders],
                env=env,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=LIMIT_S,
            )
        except subprocess.TimeoutExpired as error:
            raise ScriptFailed(f"timm's script took longer than {LIMIT_S:.0f} s") from error
    found = by_epoch(done.stdout)
    if done.returncode or len(found) < 2:
        last = (done.stdout.strip().splitlines() or ["it said nothing"])[-1]
        raise ScriptFailed(f"timm's script ended with code {done.returncode}: {last}")
    return found[1:]


def by_epoch(log: str) -> list[float]:
    """The mean rate in the last line of each epoch: the whole epoch's, loading included."""
    last = {int(epoch): float(rate) for epoch, rate in _LINE.findall(log)}
    return [last[epoch] for epoch in sorted(last)]


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
