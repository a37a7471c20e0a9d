"""Image data sets as tensors in memory: real images, checked before use.

Fashion-MNIST (Xiao, Rasul, Vollgraf 2017, https://arxiv.org/abs/1708.07747) is looked for in the
cache, in Debian's package folder, at its official address, and in Debian's archive, in this order.
CIFAR-10 and CIFAR-100 come through torchvision, the 8x8 digits from scikit-learn.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import subprocess
import tempfile
import urllib.request
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from http.client import HTTPException
from pathlib import Path
from subprocess import SubprocessError

import numpy as np
import torch
from torch import Tensor

FASHION_MNIST_URL = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")
DEBIAN_PACKAGE = "dataset-fashion-mnist"

FASHION_MNIST_SHA256 = {
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}
"""SHA-256 of each file after decompression (archives differ in their compression)."""


class DataError(RuntimeError):
    """A data set that is missing or damaged; the message says how to get it."""


@dataclass(frozen=True)
class Images:
    """A data set in memory: images (N, C, H, W) uint8, labels (N,) int64."""

    name: str
    train_x: Tensor
    train_y: Tensor
    test_x: Tensor
    test_y: Tensor
    num_classes: int
    flip: bool
    """Whether a mirrored image is still one of its class."""

    def normalised(self) -> tuple[Tensor, Tensor]:
        """Train and test images as float32, each channel with the training set's mean 0, std 1."""
        train, test = self.train_x.float(), self.test_x.float()
        std, mean = torch.std_mean(train, dim=(0, 2, 3), keepdim=True)
        return (train - mean) / std, (test - mean) / std

    def split(self, n: int, seed: int = 0) -> Images:
        """n random training images as the test set, the rest to train on; no test image is kept.

        What is chosen by its accuracy has not seen the test set. Raises ValueError if no training
        image would be left.
        """
        size = len(self.train_y)
        if not 0 < n < size:
            raise ValueError(
                f"{self.name} has {size} training images, so {n} can't be held out; "
                f"hold out 1 to {size - 1}"
            )
        order = torch.randperm(size, generator=torch.Generator().manual_seed(seed))
        held, rest = order[:n], order[n:]
        return replace(
            self,
            name=f"{self.name}-validation",
            train_x=self.train_x[rest],
            train_y=self.train_y[rest],
            test_x=self.train_x[held],
            test_y=self.train_y[held],
        )


def cache_folder() -> Path:
    """Where downloaded data lies: ``ATTN_BENCH_DATA``, or ``attn-bench`` in the user's cache."""
    chosen = os.environ.get("ATTN_BENCH_DATA")
    if chosen:
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "attn-bench"


def load(name: str) -> Images:
    """A data set by name. Raises DataError if it can't be had, ValueError if it is unknown."""
    if name not in DATASETS:
        raise ValueError(f"unknown data set {name!r}; allowed: {', '.join(DATASETS)}")
    return DATASETS[name]()


def _fashion_mnist() -> Images:
    raw = {name: fashion_mnist_file(name) for name in FASHION_MNIST_SHA256}
    arrays = {name: torch.from_numpy(_idx(data)) for name, data in raw.items()}
    return Images(
        name="fashion-mnist",
        train_x=arrays["train-images-idx3-ubyte"].unsqueeze(1),
        train_y=arrays["train-labels-idx1-ubyte"].long(),
        test_x=arrays["t10k-images-idx3-ubyte"].unsqueeze(1),
        test_y=arrays["t10k-labels-idx1-ubyte"].long(),
        num_classes=10,
        flip=True,
    )


def _idx(data: bytes) -> np.ndarray:
    """The array in an IDX file of unsigned bytes: magic, sizes as big-endian int32, values."""
    dims = data[3]
    shape = np.frombuffer(data, ">i4", count=dims, offset=4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * dims).reshape(shape).copy()


def fashion_mnist_file(name: str) -> bytes:
    """One file of Fashion-MNIST, decompressed and checked, from the first place that has it.

    A damaged copy is passed over, and named in the error if no place has a good one.
    """
    cache = cache_folder() / "fashion-mnist"
    sources: tuple[tuple[str, Callable[[], bytes]], ...] = (
        (str(cache), (cache / f"{name}.gz").read_bytes),
        (str(DEBIAN_FOLDER), (DEBIAN_FOLDER / f"{name}.gz").read_bytes),
        (FASHION_MNIST_URL, lambda: _download(f"{FASHION_MNIST_URL}{name}.gz")),
        (f"Debian's package {DEBIAN_PACKAGE}", lambda: _from_debian(f"{name}.gz")),
    )
    problems = []
    for place, read in sources:
        try:
            packed = read()
            data = gzip.decompress(packed)
        except FileNotFoundError:
            problems.append(f"{place}: not there")
            continue
        except (OSError, EOFError, zlib.error, HTTPException, SubprocessError) as error:
            problems.append(f"{place}: {error}")
            continue
        if hashlib.sha256(data).hexdigest() != FASHION_MNIST_SHA256[name]:
            problems.append(f"{place}: damaged (its SHA-256 is not the published file's)")
            continue
        if place not in (str(cache), str(DEBIAN_FOLDER)):
            with suppress(OSError):  # a cache that can't be written costs the next download
                _keep(cache / f"{name}.gz", packed)
        return data
    raise DataError(
        f"Fashion-MNIST's file {name} was found nowhere:\n  " + "\n  ".join(problems) + "\n"
        f"Install it with `apt-get install {DEBIAN_PACKAGE}`, or put the four .gz files from "
        f"https://github.com/zalandoresearch/fashion-mnist into {cache}."
    )


def _keep(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_bytes(data)
    os.replace(part, path)


def _download(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=20) as response:
        return response.read()


def _from_debian(file: str) -> bytes:
    return _debian_files()[file]


@cache
def _debian_files() -> dict[str, bytes]:
    """The files of Debian's package, fetched and unpacked once."""
    if shutil.which("apt-get") is None:
        raise FileNotFoundError("apt-get")
    with tempfile.TemporaryDirectory() as folder:
        for command in (
            ["apt-get", "download", DEBIAN_PACKAGE],
            ["sh", "-c", f"dpkg-deb -x {DEBIAN_PACKAGE}_*.deb ."],
        ):
            subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=120)
        unpacked = Path(folder) / DEBIAN_FOLDER.relative_to("/")
        return {path.name: path.read_bytes() for path in unpacked.glob("*.gz")}


def _cifar(name: str, num_classes: int) -> Images:
    from torchvision import datasets

    loader = datasets.CIFAR10 if num_classes == 10 else datasets.CIFAR100
    folder = cache_folder() / name
    try:
        train, test = (loader(folder, train=part, download=True) for part in (True, False))
    except (OSError, RuntimeError) as error:
        raise DataError(
            f"{name} is not in {folder} and can't be downloaded ({error}); put "
            f"{loader.filename} from https://www.cs.toronto.edu/~kriz/cifar.html there"
        ) from error
    return Images(
        name=name,
        train_x=torch.from_numpy(train.data).permute(0, 3, 1, 2).contiguous(),
        train_y=torch.tensor(train.targets),
        test_x=torch.from_numpy(test.data).permute(0, 3, 1, 2).contiguous(),
        test_y=torch.tensor(test.targets),
        num_classes=num_classes,
        flip=True,
    )


def _digits() -> Images:
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    grey = torch.from_numpy(np.asarray(pixels) * 255 / 16).round().to(torch.uint8)
    x, y = grey.view(-1, 1, 8, 8), torch.from_numpy(np.asarray(labels)).long()
    order = torch.randperm(len(y), generator=torch.Generator().manual_seed(0))
    train, test = order[:1400], order[1400:]
    return Images("digits", x[train], y[train], x[test], y[test], num_classes=10, flip=False)


DATASETS: dict[str, Callable[[], Images]] = {
    "fashion-mnist": _fashion_mnist,
    "cifar10": lambda: _cifar("cifar10", 10),
    "cifar100": lambda: _cifar("cifar100", 100),
    "digits": _digits,
    "fashion-mnist-validation": lambda: _fashion_mnist().split(10_000),
}
