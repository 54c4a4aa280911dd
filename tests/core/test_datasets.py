"""hia.datasets: the split, the conversions, the files and what is said when something is wrong."""

import hashlib
import json
import os
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import torch
import torchvision
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torchvision.transforms import functional

from hia import datasets
from hia.datasets import FACTS, NAMES, DatasetError, load, read, table2
from hia_book import published

ROOT = Path(__file__).parents[2]


def pixels(name: str, n: int, seed: int = 0) -> np.ndarray:
    """Random images in the stored form of a data set."""
    facts = FACTS[name]
    shape = (n, facts.size, facts.size) + ((3,) if facts.channels == 3 else ())
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def write(folder: Path, name: str, **arrays: np.ndarray) -> str:
    """NAME.npz with these arrays; its SHA-256."""
    path = folder / f"{name}.npz"
    np.savez_compressed(path, **arrays)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_images(folder: Path, name: str, n: int, seed: int = 0) -> str:
    every = np.arange(n) % FACTS[name].classes
    return write(folder, name, images=pixels(name, n, seed), labels=every)


@pytest.fixture(autouse=True)
def no_folder_of_the_user(monkeypatch, tmp_path):
    monkeypatch.setenv("HIA_DATA", str(tmp_path / "unused"))


def torchvision_class(name: str) -> str:
    return FACTS[name].label.replace("-", "")


def go_offline(monkeypatch, name: str) -> None:
    """torchvision's class leaves half a file and fails, as without a network."""

    def fail(root, **options):
        Path(root, "half.tar.gz").write_bytes(b"half a download")
        raise URLError("no route to host")

    monkeypatch.setattr(torchvision.datasets, torchvision_class(name), fail)


def test_table2_is_the_paper_s_but_for_two_misprints():
    table, paper = table2(), published.table(2, ROOT / "data" / "published")
    paper["size"] = paper["size"].str.split("*").str[0].astype(int)
    differs = table != paper.rename(columns={"dataset": "name"})[list(table)]
    rows, columns = np.nonzero(differs)
    assert set(zip(table["name"][rows], table.columns[columns], strict=True)) == {
        ("eurosat", "images"),
        ("semeion", "channels"),
    }
    assert set(FACTS) - set(NAMES) == {"digits"}


@pytest.mark.parametrize(
    ("max_images", "n_train", "n", "n_val"),
    [
        (200, None, 160, 40),
        (1593, None, 1274, 319),
        (1000, 200, 200, 200),
        (200, 1437, 1437, 40),
        (None, 500, 500, 360),
    ],
)
def test_a_sample_is_the_beginning_of_the_whole(max_images, n_train, n, n_val):
    whole = load("digits")
    data = load("digits", max_images=max_images, n_train=n_train)
    assert data.train_labels.tolist() == whole.train_labels[:n].tolist()
    assert data.val_labels.tolist() == whole.val_labels[:n_val].tolist()


@st.composite
def labels_of_classes(draw):
    counts = draw(st.lists(st.integers(5, 30), min_size=2, max_size=8))
    labels = np.repeat(np.arange(len(counts)), counts)
    return np.random.default_rng(draw(st.integers(0, 99))).permutation(labels)


@given(labels_of_classes())
def test_split_is_a_partition_and_every_beginning_is_stratified(labels):
    train, val = datasets._split(labels)
    assert sorted([*train, *val]) == list(range(len(labels)))
    assert len(val) == -(-len(labels) // 5)
    counts = np.bincount(labels)
    assert (np.abs(np.bincount(labels[val], minlength=len(counts)) - counts / 5) < 1).all()
    for part in (train, val):
        beginnings = np.cumsum(np.eye(len(counts))[labels[part]], axis=0)
        expected = np.arange(1, len(part) + 1)[:, None] / len(part) * beginnings[-1]
        # Each class is rounded on its own; the classes that tie for the last places share them.
        assert (np.abs(beginnings - expected) <= 1.5).all()


def test_the_split_depends_on_nothing_else():
    """Recorded rows can only be checked while it stays what it was."""
    train, val = datasets._split(np.arange(50) % 3)
    assert train[:8].tolist() == [13, 14, 18, 7, 23, 27, 31, 9]
    assert val.tolist() == [30, 11, 34, 12, 28, 47, 3, 26, 16, 33]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_images": 1798}, r"digits: max_images=1798 asked for, there are 1797 images"),
        ({"n_train": 1438}, r"digits: n_train=1438 asked for, there are 1437 training images"),
        ({"max_images": 0}, r"digits: max_images must be a whole number from 1, not 0"),
        ({"n_train": True}, r"n_train must be a whole number from 1, not True"),
        ({"max_images": 40}, r"max_images=40.* 32 training and 8 validation .*no validation image"),
        ({"n_train": 9}, r"n_train=9 gives 9 training .*: 1 of the classes .*no training image"),
        ({"channels": 2}, r"digits: channels must be 1, 3 or None, not 2"),
        ({"name": "../mnist"}, r"unknown data set '\.\./mnist'; known are cifar10, .*"),
    ],
)
def test_impossible_requests_are_refused(options, message):
    with pytest.raises(DatasetError, match=message):
        load(**({"name": "digits"} | options))


def test_digits_are_embedded():
    data, raw = load("digits", folder="/nowhere"), read("digits")
    assert (data.train_images.shape, data.val_images.shape) == ((1437, 1, 8, 8), (360, 1, 8, 8))
    assert (data.name, data.n_classes, data.channels, data.size) == ("digits", 10, 1, 8)
    assert (raw.images.min(), raw.images.max()) == (0, 255)
    digest = hashlib.sha256(raw.images.tobytes() + raw.labels.tobytes()).hexdigest()
    assert data.sha256 == raw.sha256 == digest


@pytest.mark.parametrize("name", ["cifar10", "mnist"])
def test_tensors_are_standardised_by_the_training_part(tmp_path, name):
    sha256 = write_images(tmp_path, name, 100)
    data = load(name, folder=tmp_path, max_images=60)
    raw = read(name, folder=tmp_path)
    train, val = datasets._select(name, raw.labels, 60, None)
    stored = raw.images.reshape(100, data.size, data.size, -1).astype(float)
    mean, std = stored[train].mean((0, 1, 2)), stored[train].std((0, 1, 2))
    for images, labels, part in (
        (data.train_images, data.train_labels, train),
        (data.val_images, data.val_labels, val),
    ):
        assert (images.dtype, labels.dtype) == (torch.float32, torch.int64)
        assert images.is_contiguous(memory_format=torch.channels_last)
        expected = (stored[part] - mean) / std
        np.testing.assert_allclose(images.permute(0, 2, 3, 1).numpy(), expected, atol=1e-5)
        assert labels.tolist() == raw.labels[part].tolist()
    assert data.sha256 == sha256


def test_colour_to_grey_is_torchvisions_and_grey_to_colour_repeats(tmp_path):
    images = pixels("cifar10", 20)
    for image, luma in zip(images, datasets._luma(images), strict=True):
        expected = functional.rgb_to_grayscale(Image.fromarray(image))
        np.testing.assert_array_equal(luma, np.asarray(expected))
    every_grey = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    np.testing.assert_array_equal(datasets._luma(every_grey), np.arange(256))
    images[..., 1] = 7
    write(tmp_path, "cifar10", images=images.repeat(3, axis=0), labels=np.arange(60) % 10)
    assert (load("cifar10", folder=tmp_path).train_images[:, 1] == 0).all()  # constant
    data = load("cifar10", folder=tmp_path, channels=1)
    assert (data.channels, data.train_images.shape) == (1, (48, 1, 32, 32))
    grey, colour = load("digits"), load("digits", channels=3)
    assert colour.train_images.is_contiguous(memory_format=torch.channels_last)
    for channel in range(3):
        assert torch.equal(colour.train_images[:, channel], grey.train_images[:, 0])


def test_folder_argument_then_environment_then_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HIA_DATA", str(tmp_path / "named"))
    assert datasets.default_folder() == tmp_path / "named"
    monkeypatch.setenv("HIA_DATA", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert datasets.default_folder() == tmp_path / "cache" / "hia" / "datasets"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert datasets.default_folder() == tmp_path / ".cache" / "hia" / "datasets"
    write_images(tmp_path, "usps", 20)
    monkeypatch.setenv("HIA_DATA", str(tmp_path))
    assert len(read("usps").images) == 20


def test_tampered_file_is_refused(tmp_path):
    noted = write_images(tmp_path, "semeion", 50)
    (tmp_path / "manifest.json").write_text(json.dumps({"semeion": {"sha256": noted}}))
    assert load("semeion", folder=tmp_path).sha256 == noted
    now = write_images(tmp_path, "semeion", 50, seed=1)
    with pytest.raises(DatasetError, match=rf"semeion\.npz: SHA-256 is {now}.* says {noted}"):
        load("semeion", folder=tmp_path)


@pytest.mark.parametrize("content", ["{", "[]", '{"mnist": 1}'])
def test_damaged_manifest_is_named(tmp_path, content):
    write_images(tmp_path, "mnist", 50)
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(DatasetError, match=r"manifest\.json: (cannot be read|must be a JSON)"):
        load("mnist", folder=tmp_path)


def test_more_images_than_there_can_be_are_not_read(tmp_path, monkeypatch):
    """Semeion has 1,593: half a megabyte. This file has 24 kB and unfolds to 26 MB."""
    many, load_arrays = 100_000, np.load
    images = np.zeros((many, 16, 16), np.uint8)
    write(tmp_path, "semeion", images=images, labels=np.arange(many) % 10)
    monkeypatch.setattr(np, "load", lambda *_, **__: pytest.fail("it was read"))
    with pytest.raises(DatasetError, match=r"26,4.* more than 1,593 .*HIA_MAX_IMAGES"):
        read("semeion", folder=tmp_path)
    monkeypatch.setenv("HIA_MAX_IMAGES", "all")
    with pytest.raises(DatasetError, match="HIA_MAX_IMAGES=all is not a number of images"):
        read("semeion", folder=tmp_path)
    monkeypatch.setenv("HIA_MAX_IMAGES", str(many))
    monkeypatch.setattr(np, "load", load_arrays)
    assert len(read("semeion", folder=tmp_path).images) == many


TEN = np.arange(50) % 10


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"images": pixels("mnist", 50)}, r"cannot be read .*KeyError: .*labels"),
        ({"images": pixels("usps", 50), "labels": TEN}, r"images .*\(50, 28, 28\).*\(50, 16, 16\)"),
        ({"images": pixels("mnist", 50) / 255, "labels": TEN}, r"must be uint8 .*not float64"),
        ({"images": np.uint8(3), "labels": TEN}, r"images must be .* not uint8 of shape \(\)"),
        ({"images": pixels("mnist", 50), "labels": TEN + 1}, r"labels must be 0 to 9, found 10"),
        ({"images": pixels("mnist", 50), "labels": TEN // 2}, r"no image of class 5"),
        ({"images": pixels("mnist", 50), "labels": TEN.astype("u1")}, r"labels must be int64"),
    ],
)
def test_wrong_arrays_are_refused(tmp_path, arrays, message):
    write(tmp_path, "mnist", **arrays)
    with pytest.raises(DatasetError, match=r"mnist\.npz: .*" + message):
        load("mnist", folder=tmp_path)


def as_torchvision_keeps(name: str, images: np.ndarray, labels: np.ndarray) -> dict:
    """The attributes that torchvision's class of this data set has after loading."""
    if name == "semeion":
        return {"data": images, "labels": labels}
    if name in ("stl10", "svhn"):
        return {"data": images.transpose(0, 3, 1, 2), "labels": labels}
    if name == "emnist":  # rows and columns exchanged, as in NIST's files
        images = images.transpose(0, 2, 1)
    if name in ("mnist", "fashion_mnist", "emnist"):
        return {"data": torch.tensor(images), "targets": torch.from_numpy(labels)}
    return {"data": images, "targets": labels.tolist()}  # cifar10, cifar100, usps


def give_small_download(monkeypatch, name: str) -> tuple[np.ndarray, np.ndarray]:
    """To torchvision's class, whose own __getitem__ and __len__ stay. Returns the images and labels
    that it holds, all parts together."""
    classes, class_name = FACTS[name].classes, torchvision_class(name)
    real = getattr(torchvision.datasets, class_name)
    n_parts = 1 if name in ("eurosat", "semeion") else 2
    labels = np.arange(n_parts * classes) % classes
    images = pixels(name, len(labels))

    def make_folders(self):
        for index, image in enumerate(images):
            file = Path(self._data_folder, f"class{labels[index]}", f"{index}.png")
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(file)

    class Small(real):
        def __init__(self, root, train=None, split=None, download=False):
            assert download
            if name == "emnist":
                assert split == "balanced"
                split = None
            assert (train is None and split is None) == (n_parts == 1)
            second = train is False or split == "test"
            part = slice(classes, None) if second else slice(classes)
            self.transform = self.target_transform = None
            self.__dict__.update(as_torchvision_keeps(name, images[part], labels[part]))

    if name == "eurosat":
        monkeypatch.setattr(real, "download", make_folders)
    else:
        monkeypatch.setattr(torchvision.datasets, class_name, Small)
    return images, labels


@pytest.mark.parametrize("name", NAMES)
def test_file_is_made_from_torchvision(tmp_path, monkeypatch, name):
    images, labels = give_small_download(monkeypatch, name)
    folder = tmp_path / "new" / "folder"
    raw = read(name, folder=folder)
    assert (raw.images.dtype, raw.labels.dtype) == (np.uint8, np.int64)
    made, expected = (
        {image.tobytes(): label for image, label in zip(*pairs, strict=True)}
        for pairs in ((raw.images, raw.labels), (images, labels))
    )
    assert made == expected
    assert raw.labels.tolist() != labels.tolist()  # shuffled
    entry = json.loads((folder / "manifest.json").read_text())[name]
    assert (entry["sha256"], entry["images"]) == (raw.sha256, list(images.shape))
    assert torchvision_class(name) in entry["source"]
    assert set(os.listdir(folder)) == {"manifest.json", f"{name}.npz"}


def test_made_once_the_same_each_time_and_other_entries_are_kept(tmp_path, monkeypatch):
    give_small_download(monkeypatch, "usps")
    other, manifest = {"sha256": "0" * 64}, tmp_path / "manifest.json"
    manifest.write_text(json.dumps({"mnist": other, "usps": {"sha256": "of a deleted file"}}))
    first = read("usps", folder=tmp_path).sha256
    (tmp_path / "usps.npz").unlink()
    assert read("usps", folder=tmp_path).sha256 == first
    noted = json.loads(manifest.read_text())
    assert (noted["mnist"], noted["usps"]["sha256"]) == (other, first)
    go_offline(monkeypatch, "usps")
    assert read("usps", folder=tmp_path).sha256 == first


def test_failed_and_incomplete_downloads_leave_nothing(tmp_path, monkeypatch):
    go_offline(monkeypatch, "usps")
    with pytest.raises(DatasetError, match=r"usps: .*/usps\.npz.*no route to host.* HIA_DATA"):
        load("usps", folder=tmp_path)
    give_small_download(monkeypatch, "semeion")
    monkeypatch.setattr(torchvision.datasets.SEMEION, "__len__", lambda self: 5)
    with pytest.raises(DatasetError, match=r"torchvision\.datasets\.SEMEION: no image of class 5"):
        load("semeion", folder=tmp_path)
    assert list(tmp_path.iterdir()) == []
