"""Data sets are the published ones, or an error says where they were looked for."""

import gzip
import hashlib
import os
import subprocess
from http.client import IncompleteRead
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import torch

from benchmarks import data
from benchmarks.data import DataError

LABELS = "t10k-labels-idx1-ubyte"


def idx(array):
    """The IDX format of http://yann.lecun.com/exdb/mnist/: type 8 is unsigned byte."""
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.astype(np.uint8).tobytes()


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    """Neither cache nor Debian's folder nor network; small files in place of the published ones."""
    rng = np.random.default_rng(0)
    files = {
        "train-images-idx3-ubyte": idx(rng.integers(256, size=(6, 28, 28))),
        "train-labels-idx1-ubyte": idx(np.arange(6)),
        "t10k-images-idx3-ubyte": idx(rng.integers(256, size=(3, 28, 28))),
        LABELS: idx(np.array([7, 8, 9])),
    }
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}

    def no_network(url):
        raise URLError("no route to host")

    def no_debian(file):
        raise subprocess.CalledProcessError(100, ["apt-get", "download"])

    monkeypatch.setenv("ATTN_BENCH_DATA", str(tmp_path / "cache"))
    monkeypatch.setattr(data, "DEBIAN_FOLDER", tmp_path / "debian")
    monkeypatch.setattr(data, "FASHION_MNIST_SHA256", hashes)
    monkeypatch.setattr(data, "_download", no_network)
    monkeypatch.setattr(data, "_from_debian", no_debian)
    return files


def test_what_is_downloaded_is_what_lies_there(tmp_path):
    (tmp_path / "file.gz").write_bytes(b"\0packed")
    assert data._download((tmp_path / "file.gz").as_uri()) == b"\0packed"
    with pytest.raises(OSError):
        data._download((tmp_path / "none.gz").as_uri())


STAND_IN = """#!/bin/sh
case "$(basename "$0") $1" in
  "apt-get download") touch "$2_1.0_all.deb" ;;
  "dpkg-deb -x") mkdir -p "$3{folder}" && printf packed > "$3{folder}/images.gz" ;;
esac
"""


@pytest.fixture
def debian(tmp_path, monkeypatch):
    """Commands that do in small what those of Debian do."""
    for name in ("apt-get", "dpkg-deb"):
        (tmp_path / name).write_text(STAND_IN.format(folder=data.DEBIAN_FOLDER))
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    data._debian_files.cache_clear()
    yield
    data._debian_files.cache_clear()


def test_debians_package_is_fetched_and_unpacked(debian):
    assert data._from_debian("images.gz") == b"packed"


def test_without_debians_tools_there_is_no_package(monkeypatch):
    data._debian_files.cache_clear()
    monkeypatch.setenv("PATH", "")
    with pytest.raises(FileNotFoundError):
        data._from_debian("images.gz")


def put(folder, name, content):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.gz").write_bytes(content)


def test_data_that_is_nowhere_names_every_place_and_what_to_do(nowhere, tmp_path):
    with pytest.raises(DataError) as caught:
        data.load("fashion-mnist")
    message = str(caught.value)
    for place in (tmp_path / "cache", tmp_path / "debian", data.FASHION_MNIST_URL, "no route"):
        assert str(place) in message
    assert message.count("not there") == 2
    assert "apt-get install dataset-fashion-mnist" in message
    assert "put the four .gz files" in message


def damaged(content):
    packed = gzip.compress(content)
    return {
        "truncated": packed[:-9],
        "a truncated header": packed[:5],
        "empty": b"",
        "flipped bits": packed[:12] + bytes(b ^ 0xFF for b in packed[12:]),
        "a bad checksum": packed[:-8] + bytes(8),
        "no archive": b"<html>404 not found</html>",
        "other content": gzip.compress(content[:-1] + b"\x01"),
    }


@pytest.mark.parametrize("damage", damaged(b""))
def test_a_damaged_copy_is_passed_over_and_named_when_there_is_no_other(nowhere, tmp_path, damage):
    cache, debian = tmp_path / "cache" / "fashion-mnist", tmp_path / "debian"
    bad = damaged(nowhere[LABELS])[damage]
    put(cache, LABELS, bad)
    with pytest.raises(DataError) as caught:
        data.fashion_mnist_file(LABELS)
    (reason,) = [line for line in str(caught.value).splitlines() if line.startswith(f"  {cache}")]
    if damage != "empty":
        assert len(reason) > len(f"  {cache}: ")
        assert "not there" not in reason
    put(debian, LABELS, gzip.compress(nowhere[LABELS]))
    assert data.fashion_mnist_file(LABELS) == nowhere[LABELS]
    assert (cache / f"{LABELS}.gz").read_bytes() == bad


def test_a_download_is_kept(nowhere, tmp_path, monkeypatch):
    asked = []

    def download(url):
        asked.append(url)
        return gzip.compress(nowhere[LABELS])

    monkeypatch.setattr(data, "_download", download)
    put(tmp_path / "cache" / "fashion-mnist", LABELS, b"damaged")
    assert data.fashion_mnist_file(LABELS) == nowhere[LABELS]
    assert data.fashion_mnist_file(LABELS) == nowhere[LABELS]
    assert asked == [f"{data.FASHION_MNIST_URL}{LABELS}.gz"]
    assert [path.name for path in (tmp_path / "cache" / "fashion-mnist").iterdir()] == [
        f"{LABELS}.gz"
    ]


def test_a_cache_that_cannot_be_written_is_no_obstacle(nowhere, tmp_path, monkeypatch):
    (tmp_path / "cache").write_text("a file")
    monkeypatch.setattr(data, "_download", lambda url: gzip.compress(nowhere[LABELS]))
    assert data.fashion_mnist_file(LABELS) == nowhere[LABELS]


@pytest.mark.parametrize("error", [IncompleteRead(b""), TimeoutError("timed out"), EOFError()])
def test_a_broken_connection_leads_to_the_next_place(nowhere, monkeypatch, error):
    def broken(url):
        raise error

    monkeypatch.setattr(data, "_download", broken)
    monkeypatch.setattr(data, "_from_debian", lambda file: gzip.compress(nowhere[LABELS]))
    assert data.fashion_mnist_file(LABELS) == nowhere[LABELS]


def test_images_and_labels_are_those_of_the_files(nowhere, tmp_path):
    for name, content in nowhere.items():
        put(tmp_path / "debian", name, gzip.compress(content))
    images = data.load("fashion-mnist")
    assert images.train_x.shape == (6, 1, 28, 28)
    assert images.test_x.shape == (3, 1, 28, 28)
    assert images.train_y.tolist() == [0, 1, 2, 3, 4, 5]
    assert images.test_y.tolist() == [7, 8, 9]
    assert images.train_x.dtype == torch.uint8
    assert images.train_y.dtype == torch.int64
    expected = np.random.default_rng(0).integers(256, size=(6, 28, 28))
    assert np.array_equal(images.train_x[:, 0].numpy(), expected)


@pytest.mark.skipif(
    not (Path("/usr/share/datasets/fashion-mnist") / f"{LABELS}.gz").exists(),
    reason="needs Debian's package dataset-fashion-mnist",
)
def test_fashion_mnist_is_the_published_data_set(monkeypatch, tmp_path):
    monkeypatch.setenv("ATTN_BENCH_DATA", str(tmp_path))
    images = data.load("fashion-mnist")
    assert images.train_x.shape == (60_000, 1, 28, 28)
    assert images.test_x.shape == (10_000, 1, 28, 28)
    assert images.train_y.bincount().tolist() == [6_000] * 10
    assert images.test_y.bincount().tolist() == [1_000] * 10
    assert images.flip
    scaled = images.train_x.double() / 255
    assert round(scaled.mean().item(), 4) == 0.2860
    assert round(scaled.std().item(), 4) == 0.3530


def test_digits_are_split_without_overlap():
    images = data.load("digits")
    assert images.train_x.shape == (1400, 1, 8, 8)
    assert images.test_x.shape == (397, 1, 8, 8)
    assert images.num_classes == 10
    assert not images.flip
    both = torch.cat([images.train_x, images.test_x]).flatten(1)
    labels = torch.cat([images.train_y, images.test_y])
    assert labels.bincount().tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    from sklearn.datasets import load_digits

    published = torch.from_numpy(load_digits().data * 255 / 16).round()
    assert both.double().sum(0).tolist() == published.sum(0).tolist()
    assert torch.equal(data.load("digits").train_x, images.train_x)


def test_images_are_normalised_by_the_training_set_alone():
    generator = torch.Generator().manual_seed(0)
    train = torch.randint(256, (50, 3, 4, 4), generator=generator, dtype=torch.uint8)
    test = torch.randint(100, (20, 3, 4, 4), generator=generator, dtype=torch.uint8)
    label = torch.zeros(1, dtype=torch.long)
    images = data.Images("made up", train, label, test, label, 10, True)
    train_x, test_x = images.normalised()
    torch.testing.assert_close(train_x.mean((0, 2, 3)), torch.zeros(3), atol=1e-6, rtol=0)
    torch.testing.assert_close(train_x.std((0, 2, 3)), torch.ones(3), atol=1e-6, rtol=0)
    mean, std = train.double().mean((0, 2, 3)), train.double().std((0, 2, 3))
    expected = (test.double() - mean.view(3, 1, 1)) / std.view(3, 1, 1)
    torch.testing.assert_close(test_x.double(), expected, atol=1e-5, rtol=0)


def test_an_unknown_data_set_is_answered_with_the_known_ones():
    with pytest.raises(ValueError, match="unknown data set 'mnist'; allowed: fashion-mnist, cifar"):
        data.load("mnist")


def test_the_cache_lies_where_the_user_says(monkeypatch, tmp_path):
    monkeypatch.setenv("ATTN_BENCH_DATA", str(tmp_path / "here"))
    assert data.cache_folder() == tmp_path / "here"
    monkeypatch.delenv("ATTN_BENCH_DATA")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert data.cache_folder() == tmp_path / "attn-bench"


@pytest.mark.parametrize(("name", "loader"), [("cifar10", "CIFAR10"), ("cifar100", "CIFAR100")])
@pytest.mark.parametrize("error", [URLError("no route"), RuntimeError("not found or corrupted")])
def test_cifar_that_cannot_be_had_says_what_to_do(monkeypatch, tmp_path, name, loader, error):
    from torchvision import datasets

    def fail(*_, **__):
        raise error

    monkeypatch.setenv("ATTN_BENCH_DATA", str(tmp_path))
    monkeypatch.setattr(getattr(datasets, loader), "__init__", fail)
    with pytest.raises(DataError) as caught:
        data.load(name)
    archive = getattr(datasets, loader).filename
    assert archive == f"cifar-{name.removeprefix('cifar')}-python.tar.gz"
    for words in (str(tmp_path / name), archive, "cs.toronto.edu", str(error)):
        assert words in str(caught.value)


def test_cifar_images_have_their_channels_first(monkeypatch, tmp_path):
    from torchvision import datasets

    def made_up(self, root, train, download):
        self.data = np.arange(2 * 32 * 32 * 3, dtype=np.uint8).reshape(2, 32, 32, 3)
        self.targets = [3, 9]

    monkeypatch.setenv("ATTN_BENCH_DATA", str(tmp_path))
    monkeypatch.setattr(datasets.CIFAR10, "__init__", made_up)
    images = data.load("cifar10")
    assert images.train_x.shape == (2, 3, 32, 32)
    assert images.train_x[0, :, 0, 0].tolist() == [0, 1, 2]
    assert images.train_y.tolist() == [3, 9]


def test_a_validation_split_is_of_the_training_set_alone():
    images = data.load("digits")
    split = images.split(400, seed=1)
    assert (len(split.train_y), len(split.test_y)) == (1000, 400)
    assert split.train_x.shape == (1000, 1, 8, 8)

    def rows(x, y):
        both = torch.cat([x.flatten(1).long(), y[:, None]], 1).tolist()
        return sorted(both)

    x, y = torch.cat([split.train_x, split.test_x]), torch.cat([split.train_y, split.test_y])
    assert rows(x, y) == rows(images.train_x, images.train_y)
    assert torch.equal(images.split(400, seed=1).test_x, split.test_x)
    assert not torch.equal(images.split(400, seed=2).test_x, split.test_x)


@pytest.mark.parametrize("n", [0, 1400, -1])
def test_a_split_leaves_images_on_both_sides(n):
    with pytest.raises(ValueError, match=f"digits has 1400 training images, so {n} can't"):
        data.load("digits").split(n)
