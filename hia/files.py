"""Files that are whole or not there: written under another name, then given their own."""

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


@contextlib.contextmanager
def whole(path: str | os.PathLike[str]) -> Iterator[Path]:
    """The name under which a file is to be written that has its own once it is whole."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    try:
        yield partial
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    partial.replace(path)


def printable(text: str) -> str:
    """Text in which what commands a terminal, or turns the direction of writing, is told."""
    return "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in text)


def write_json(content: Mapping[str, Any], path: str | os.PathLike[str]) -> None:
    """Write a JSON file, whole or not at all."""
    with whole(path) as partial:
        text = json.dumps(content, indent=1, sort_keys=True) + "\n"
        partial.write_text(text, encoding="utf-8")


def read_parquet(path: str | os.PathLike[str]) -> "pd.DataFrame":
    """The table in a Parquet file. Raises ValueError naming a file that has none, or is damaged.
    What is damaged can fail anywhere in the reader, as an error of any kind."""
    import pandas as pd

    try:
        table = pd.read_parquet(path)
        for _, values in table.items():
            values.to_numpy()  # where text that is not UTF-8 is met
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        raise ValueError(f"{path}: not a readable Parquet file ({reason})") from error
    return table
