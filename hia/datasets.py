"""The ten image data sets of Wang et al. (2024), Table 2, and scikit-learn's digits.

A data set is one file, ``NAME.npz``, with ``images`` (uint8, (n, H, W) or (n, H, W, 3)) and
``labels`` (int64, 0 to classes - 1), in the folder of `default_folder`. A missing one is made from
torchvision's own download. A ``manifest.json`` beside them holds their SHA-256.

The split into training and validation images (8:2, Section 4.4) is made once on all images of a
file. Smaller samples are beginnings of the two parts, each ordered so that every beginning has the
class proportions of the whole. So samples are nested: fewer images are always a subset of more, in
both parts, and no image is used for training in one sample and for validation in another.

``digits`` (1,797 images of 8x8) comes with scikit-learn, needs no file and is not one of the ten.

No file is read that unfolds to more images than the complete data set has. The environment variable
``HIA_MAX_IMAGES`` sets another limit.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from hia.files import write_json

if TYPE_CHECKING:
    import torch

_MANIFEST = "manifest.json"
SEED = 2024  # of the split, and of the shuffle of a file made here; recorded rows depend on it
VALIDATION_EVERY = 5  # one image in five validates: 8:2
_SPARE_BYTES = 2**20  # of a file, for what is neither an image nor a label


class DatasetError(ValueError):
    """A data set that is unknown, missing, damaged or too small for what was asked."""


@dataclass(frozen=True)
class Facts:
    """A complete data set: its label in Table 2, the number of all labelled images and of classes,
    channels (1 or 3) and the side of the square images in pixels."""

    label: str
    images: int
    classes: int
    channels: int
    size: int


# In the order of Table 2. The facts are the data's own: where the paper's Table 2 differs
# (EuroSAT's number of images, Semeion's channels), the book shows both.
FACTS = {
    "cifar10": Facts("CIFAR-10", 60_000, 10, 3, 32),
    "cifar100": Facts("CIFAR-100", 60_000, 100, 3, 32),
    "mnist": Facts("MNIST", 70_000, 10, 1, 28),
    "emnist": Facts("EMNIST", 131_600, 47, 1, 28),  # the Balanced split
    "fashion_mnist": Facts("Fashion-MNIST", 70_000, 10, 1, 28),
    "eurosat": Facts("EuroSAT", 27_000, 10, 3, 64),
    "semeion": Facts("SEMEION", 1_593, 10, 1, 16),
    "stl10": Facts("STL10", 13_000, 10, 3, 96),
    "svhn": Facts("SVHN", 99_289, 10, 3, 32),  # without the "extra" part
    "usps": Facts("USPS", 9_298, 10, 1, 16),
    "digits": Facts("Digits", 1_797, 10, 1, 8),
}
NAMES = tuple(FACTS)[:10]  # the ten of Table 2

# torchvision's classes have the names of Table 2 without hyphens. The arguments that give the
# labelled parts, where they are not `train`.
_PARTS: dict[str, list[dict[str, Any]]] = {
    "emnist": [{"split": "balanced", "train": True}, {"split": "balanced", "train": False}],
    "eurosat": [{}],
    "semeion": [{}],
    "stl10": [{"split": "train"}, {"split": "test"}],
    "svhn": [{"split": "train"}, {"split": "test"}],
}


class Raw(NamedTuple):
    """All images of a data set as stored: uint8, (n, H, W) or (n, H, W, 3), and labels int64, (n,).
    sha256: of the file; for ``digits``, of the bytes of images and labels."""

    images: np.ndarray
    labels: np.ndarray
    sha256: str


@dataclass(frozen=True, eq=False)
class Dataset:
    """Training and validation images, ready for the trainer.

    train_images, val_images: float32, (n, channels, size, size), channels-last in memory, each
    channel standardised by the mean and standard deviation of the training images.
    train_labels, val_labels: int64, (n,), 0 to n_classes - 1. All four are on the same device.
    size: side of the images, pixels. sha256: see `Raw`.
    """

    name: str
    train_images: torch.Tensor
    train_labels: torch.Tensor
    val_images: torch.Tensor
    val_labels: torch.Tensor
    n_classes: int
    channels: int
    size: int
    sha256: str


def load(
    name: str,
    *,
    folder: str | os.PathLike[str] | None = None,
    max_images: int | None = None,
    n_train: int | None = None,
    channels: int | None = None,
    device: str | torch.device = "cpu",
) -> Dataset:
    """Load a data set, split 8:2 into training and validation images (Section 4.4).

    folder: where NAME.npz is or will be made; by default `default_folder`. max_images: of all
    images, a fifth of them (rounded up) for validation; None: all. n_train: training images,
    fewer or more than the rest of `max_images`. channels: 1 converts colour to luma (ITU-R 601), 3
    repeats grey; None: the data set's own.
    The same arguments and file always give the same images in the same order, bit for bit.

    Raises DatasetError as `read`, for more images than there are, for so few that a class is left
    out of a part, and for a number of channels other than 1 and 3.
    """
    import torch  # here, since it takes seconds, and facts and images as stored do without

    if channels not in (None, 1, 3):
        raise DatasetError(f"{name}: channels must be 1, 3 or None, not {channels!r}")
    raw = read(name, folder=folder)
    train, val = _select(name, raw.labels, max_images, n_train)
    train_pixels = _pixels(raw.images[train], channels)
    mean, std = torch.tensor(_moments(train_pixels), device=device).T[..., None, None]

    def standardize(pixels: np.ndarray) -> torch.Tensor:
        images = torch.from_numpy(pixels).permute(0, 3, 1, 2).to(device)
        images = images.to(torch.float32, memory_format=torch.channels_last)
        return images.sub_(mean).div_(std)

    return Dataset(
        name=name,
        train_images=standardize(train_pixels),
        train_labels=torch.from_numpy(raw.labels[train]).to(device),
        val_images=standardize(_pixels(raw.images[val], channels)),
        val_labels=torch.from_numpy(raw.labels[val]).to(device),
        n_classes=FACTS[name].classes,
        channels=train_pixels.shape[3],
        size=FACTS[name].size,
        sha256=raw.sha256,
    )


def read(name: str, *, folder: str | os.PathLike[str] | None = None) -> Raw:
    """All images and labels of a data set, as stored; a missing file is made first. Raises
    DatasetError for an unknown name, and for a file that is missing and cannot be made, is damaged,
    or differs from its SHA-256 in manifest.json."""
    if name not in FACTS:
        raise DatasetError(f"unknown data set {name!r}; known are {', '.join(FACTS)}")
    if name == "digits":
        return _read_digits()
    where = default_folder() if folder is None else Path(folder).expanduser()
    path = where / f"{name}.npz"
    if not os.path.exists(path):  # False, not an error, where the folder may not be read
        _make(name, path)
    return _read_npz(name, path)


def default_folder() -> Path:
    """The folder in HIA_DATA if that is set, else ``hia/datasets`` in the user's cache directory
    (XDG_CACHE_HOME, or ``~/.cache``)."""
    if named := os.environ.get("HIA_DATA"):
        return Path(named).expanduser()
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser() / "hia" / "datasets"


def table2() -> pd.DataFrame:
    """Table 2 from the facts of the ten data sets. One row per data set in the paper's order,
    columns `name` (this package's), `label` (the paper's), `images`, `classes`, `channels`, `size`
    (pixels)."""
    return pd.DataFrame([{"name": name, **vars(FACTS[name])} for name in NAMES])


def _select(
    name: str, labels: np.ndarray, max_images: int | None, n_train: int | None
) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the training and of the validation images."""
    train, val = _split(labels)
    for option, asked, available, what in (
        ("max_images", max_images, len(labels), "images"),
        ("n_train", n_train, len(train), "training images"),
    ):
        if asked is None:
            continue
        if isinstance(asked, bool) or not isinstance(asked, int | np.integer) or asked < 1:
            raise DatasetError(f"{name}: {option} must be a whole number from 1, not {asked!r}")
        if asked > available:
            raise DatasetError(f"{name}: {option}={asked} asked for, there are {available} {what}")
    total = len(labels) if max_images is None else max_images
    n_val = -(-total // VALIDATION_EVERY)
    train, val = train[: total - n_val if n_train is None else n_train], val[:n_val]
    for part, chosen in (("training", train), ("validation", val)):
        absent = np.setdiff1d(labels, labels[chosen])
        if absent.size:
            raise DatasetError(
                f"{name}: max_images={max_images}, n_train={n_train} gives {len(train)} training "
                f"and {len(val)} validation images of {len(labels)}, too few: {absent.size} of the "
                f"classes would have no {part} image"
            )
    return train, val


def _split(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Indices of all training and all validation images; every beginning of either has the class
    proportions of the whole, to within one image per class."""
    rng = np.random.default_rng(SEED)
    shuffled = rng.permutation(len(labels))
    by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
    # Every fifth of a list sorted by class is a fifth of each class, and exactly a fifth of all.
    val = by_class[::VALIDATION_EVERY]
    train = np.delete(by_class, np.s_[::VALIDATION_EVERY])
    return _interleave(train, labels, rng), _interleave(val, labels, rng)


def _interleave(by_class: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Put image k of the n of a class at the place (k + 1/2) / n, ties in random order."""
    classes = pd.Series(labels[by_class])
    place = (classes.groupby(classes).cumcount() + 0.5) / classes.map(classes.value_counts())
    return by_class[np.lexsort((rng.random(len(by_class)), place))]


def _pixels(images: np.ndarray, channels: int | None) -> np.ndarray:
    """uint8 (n, H, W, C), with the number of channels asked for."""
    if channels == 1 and images.ndim == 4:
        images = _luma(images)
    if images.ndim == 3:
        images = np.repeat(images[..., None], channels or 1, axis=3)
    return images


def _luma(images: np.ndarray) -> np.ndarray:
    """ITU-R 601 luma as PIL computes it: 0.299, 0.587, 0.114 in 16-bit fixed point, rounded."""
    red, green, blue = (images[..., channel].astype(np.uint32) for channel in range(3))
    return ((19595 * red + 38470 * green + 7471 * blue + 0x8000) >> 16).astype(np.uint8)


def _moments(pixels: np.ndarray) -> list[tuple[float, float]]:
    """Mean and standard deviation of each channel, 0 replaced by 1: of integers, so that neither
    machine nor threads matter."""
    moments = []
    for channel in np.moveaxis(pixels, 3, 0):
        counts = np.bincount(channel.ravel(), minlength=256)
        n, total, squares = (int(counts @ np.arange(256) ** power) for power in range(3))
        moments.append((total / n, math.sqrt((n * squares - total**2) / n**2) or 1.0))
    return moments


def _read_digits() -> Raw:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = np.rint(bunch.images * (255 / 16)).astype(np.uint8)  # stored as 0 to 16
    labels = bunch.target.astype(np.int64)
    return Raw(images, labels, hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest())


def _read_npz(name: str, path: Path) -> Raw:
    expected = _manifest(path.parent).get(name, {}).get("sha256")
    try:
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            if expected not in (None, sha256):
                raise DatasetError(
                    f"{path}: SHA-256 is {sha256}, {_MANIFEST} beside it says {expected}; the file "
                    "was changed or damaged: put the original back, or delete it to have it made "
                    "from the download"
                )
            _check_sizes(name, path)
            file.seek(0)
            with np.load(file, allow_pickle=False) as archive:
                images, labels = archive["images"], archive["labels"]
    except DatasetError:
        raise
    except Exception as error:  # whatever a damaged archive makes zipfile, zlib or NumPy raise
        raise DatasetError(
            f"{path}: cannot be read as an npz file of the plain arrays images and labels "
            f"({type(error).__name__}: {error})"
        ) from error
    _check(name, str(path), images, labels)
    return Raw(images, labels, sha256)


def _check_sizes(name: str, path: Path) -> None:
    """Raise DatasetError for an archive that unfolds to more than all images of the data set."""
    facts = FACTS[name]
    most = os.environ.get("HIA_MAX_IMAGES") or str(facts.images)
    if not most.isdecimal():
        raise DatasetError(f"HIA_MAX_IMAGES={most} is not a number of images, such as 100000")
    with zipfile.ZipFile(path) as archive:
        unfolded = sum(member.file_size for member in archive.infolist())
    bytes_of_one = facts.size**2 * facts.channels + np.dtype(np.int64).itemsize
    if unfolded > int(most) * bytes_of_one + _SPARE_BYTES:
        raise DatasetError(
            f"{path}: unfolds to {unfolded:,} bytes, more than {int(most):,} images and labels "
            f"of {name} take; if that is meant, set HIA_MAX_IMAGES to the number of images"
        )


def _check(name: str, where: str, images: np.ndarray, labels: np.ndarray) -> None:
    """Raise DatasetError unless the arrays are those of this data set, or a sample of it."""
    facts = FACTS[name]
    shape = (*images.shape[:1], facts.size, facts.size, facts.channels)
    for what, array, dtype, wanted in (
        ("images", images, "uint8", shape if facts.channels == 3 else shape[:-1]),
        ("labels", labels, "int64", shape[:1]),
    ):
        if array.dtype != dtype or array.shape != wanted:
            raise DatasetError(
                f"{where}: {what} must be {dtype} of shape {wanted}, not {array.dtype} of shape "
                f"{array.shape}"
            )
    classes = np.arange(facts.classes)
    if (wrong := np.setdiff1d(labels, classes)).size:
        raise DatasetError(f"{where}: labels must be 0 to {classes[-1]}, found {wrong[0]}")
    if (absent := np.setdiff1d(classes, labels)).size:
        raise DatasetError(
            f"{where}: no image of class {absent[0]}; there must be some of every class"
        )


def _manifest(folder: Path) -> dict[str, dict[str, Any]]:
    path = folder / _MANIFEST
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {name: noted | {} for name, noted in content.items()}
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise DatasetError(
            f"{path}: must be a JSON object with one object per data set ({error})"
        ) from error


def _make(name: str, path: Path) -> None:
    """Make NAME.npz from torchvision's download, and note its SHA-256 in manifest.json: first, so
    that the next call makes both again where this is killed in between."""
    _manifest(path.parent)  # an unreadable one is better found before the download
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=path.parent) as scratch:
            images, labels, source = _download(name, scratch)
            _check(name, source, images, labels)
            archive = Path(scratch, path.name)
            np.savez_compressed(archive, images=images, labels=labels)
            noted = _manifest(path.parent)  # others may have been added during the download
            noted[name] = {
                "images": list(images.shape),
                "classes": FACTS[name].classes,
                "sha256": hashlib.sha256(archive.read_bytes()).hexdigest(),
                "bytes": archive.stat().st_size,
                "source": source,
            }
            write_json(noted, path.parent / _MANIFEST)
            archive.replace(path)
    except DatasetError:
        raise
    except Exception as error:  # network, disk, archive: torchvision passes on many kinds
        raise DatasetError(
            f"{name}: there is no {path}, and making it from torchvision's download failed "
            f"({type(error).__name__}: {error}); connect to the network, or set HIA_DATA to a "
            f"folder with {path.name}"
        ) from error


def _download(name: str, scratch: str) -> tuple[np.ndarray, np.ndarray, str]:
    """All labelled images from torchvision, shuffled: images, labels, where they come from."""
    import torchvision

    class_name = FACTS[name].label.replace("-", "")
    pairs: list[tuple[Any, int]] = []
    for part in _PARTS.get(name, [{"train": True}, {"train": False}]):
        # Through __getitem__, not .data: it gives (image, class) in the same form for all ten.
        dataset = getattr(torchvision.datasets, class_name)(scratch, download=True, **part)
        for index in range(len(dataset)):
            image, label = dataset[index]
            pairs.append((np.asarray(image), int(label)))
    images = np.stack([image for image, _ in pairs])
    labels = np.array([label for _, label in pairs], dtype=np.int64)
    if name == "emnist":  # stored with rows and columns exchanged
        images = images.transpose(0, 2, 1)
    order = np.random.default_rng(SEED).permutation(len(labels))
    source = f"torchvision {torchvision.__version__}: torchvision.datasets.{class_name}"
    return images[order], labels[order], source
