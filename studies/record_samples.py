"""Cuts ten images of each collection from the image files, for the page on the data.

    python studies/record_samples.py data/samples.png

The files are looked for as for a study (`HIA_DATA`); torchvision downloads missing ones.
"""

import sys

import numpy as np
from PIL import Image

from hia import datasets

CELL, GAP = 48, 3  # pixels: the side of an image, and the white between two
CLASSES = 10  # images per collection, a class each


def main() -> int:
    if len(sys.argv) != 2:
        print(__doc__)
        return 2
    collections = datasets.table2()
    side = CELL + GAP
    sheet = Image.new("RGB", (side * CLASSES - GAP, side * len(collections) - GAP), "white")
    for row, collection in enumerate(collections.itertuples()):
        images, labels, _ = datasets.read(str(collection.name))
        for column, label in enumerate(np.arange(CLASSES) * collection.classes // CLASSES):
            image = Image.fromarray(images[np.argmax(labels == label)]).convert("RGB")
            image = image.resize((CELL, CELL), Image.Resampling.LANCZOS)
            sheet.paste(image, (column * side, row * side))
    sheet.save(sys.argv[1], optimize=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
