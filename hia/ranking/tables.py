"""Tables of trials from text, CSV or JSON: numbers as people and tools write them."""

import ast
import bz2
import codecs
import contextlib
import csv
import gzip
import io
import json
import lzma
import re
import warnings
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import IO, Any

import pandas as pd

# Read at most, unless told otherwise: bytes of text (unpacked), and columns.
MAX_BYTES = 2**31
MAX_COLUMNS = 10_000
TOO_LARGE = "--any-size reads it nevertheless"

# What a missing value looks like. "None" is not among them: between text it can be a choice.
_MISSING = ("", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "<NA>")
# Missing too, where all other values are numbers.
_NO_NUMBER = {
    *_MISSING, "None", "none", "na", "n.a.", "N.A.", "-", "--", "—", ".", "?",
    "#N/A", "#NV", "#DIV/0!", "#VALUE!", "#NUM!",
}  # fmt: skip
_SEPARATORS = ",;\t|"
_COMMENT = "#%"

_NUMBER = re.compile(r"[+-]?((\d+\.?\d*|\.\d+)(e[+-]?\d+)?|inf|infinity)", re.IGNORECASE)
_THOUSANDS = {sign: re.compile(rf"[+-]?[1-9]\d{{0,2}}(\{sign}\d{{3}})+(?!\d)") for sign in ",."}
_SPACED = re.compile(r"(?<=\d)[\s'’_](?=\d{3}(?!\d))")
_PRINTED = re.compile(
    r"\b(?:(?:np|numpy)\.(?:float|int|uint|bool|str)\w*|tensor|array)"
    r"\(([^()]*?)(?:, *(?:device|dtype|grad_fn)=[^()]*)?\)"
)
# A decimal point that is none of thousands, in a whole field.
_POINT = re.compile(r"(?:^|;)\"?[+-]?(?:0\.\d+|\d+\.(?:\d\d?|\d{4,}))\"?\s*(?:;|$)", re.MULTILINE)
_LIST_OF_ONE = re.compile(r"\A[\[(]\s*(['\"]?)([^,\[\](){}]*)\1,?\s*[\])]\Z")


def read_csv(path: Path, any_size: bool = False) -> pd.DataFrame:
    """The table in a text file, compressed or not.

    Read are UTF-8, UTF-16 and Windows' Latin-1; commas, semicolons, tabs, bars or blanks between
    the fields, or what a first line `sep=;` says; decimal commas; comment lines, which begin with
    # or % and, below the names, do not have as many fields. The last one before the rows is the
    names where it has as many fields as a row with numbers, which NumPy writes. Names in two lines,
    as pandas writes a MultiIndex, are joined: params and lr are params_lr.
    Raises ValueError for what is no such table, a name that is there twice, a row with more fields
    than there are names, or fewer, and what is too large.
    """
    lines = io.StringIO(_decode(_read_bytes(path, any_size))).readlines()
    separator = None
    if lines and (said := re.fullmatch(r'"?sep=(.)"?\s*', lines[0])):
        separator, lines[0] = said[1], "\n"
    first = next((k for k, line in enumerate(lines) if line.strip() and line[0] not in _COMMENT), 0)
    if not any(line.strip() for line in lines):
        raise ValueError("it is empty")
    separator = separator or max(_SEPARATORS, key=lambda sign: len(_fields(lines[first:], sign)))
    if len(_fields(lines[first:], separator)) == 1:  # blanks, which the names have as well
        words = [line.split() for line in lines]
        if len({len(fields) for fields in words[first:] if fields}) == 1:
            separator, lines = "\t", ["\t".join(fields) + "\n" for fields in words]
    names = _fields(lines[first:], separator)
    before = _fields([lines[first - 1].lstrip(_COMMENT)], separator) if first else []
    if len(before) == len(names) and any(map(_NUMBER.fullmatch, names)):
        names, lines[first - 1] = before, lines[first - 1].lstrip(_COMMENT)
    below = _fields(lines[first + 1 :] or [""], separator)
    # Names as well: some blanks and no number, where above a name is there twice, or Optuna's.
    numbers = "params" not in names and any(map(_NUMBER.fullmatch, below))
    twice = len(set(names)) < len(names) or "params" in names
    if twice and len(below) == len(names) and "" in below and any(below) and not numbers:
        names = ["_".join(filter(None, both)) for both in zip(names, below, strict=True)]
        lines[first] = "\n"
    for k, line in enumerate(lines):
        if line[0] in _COMMENT and (k < first or len(_fields([line], separator)) != len(names)):
            lines[k] = "\n"
    check_columns(len(names), any_size)
    if repeated := next((name for name, n in Counter(names).items() if name and n > 1), None):
        raise ValueError(f"two columns are called {repeated!r}: rename one")

    content = "".join(lines).encode("utf-8", "surrogatepass")
    options: dict[str, Any] = {
        "sep": separator, "header": 0, "index_col": False, "skipinitialspace": True,
        "keep_default_na": False, "na_values": list(_MISSING), "low_memory": False,
        "names": [name or f"Unnamed: {k}" for k, name in enumerate(names)],
    }  # fmt: skip
    more = f"a row has more fields than there are names of columns, {len(names)}"
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        try:
            table = pd.read_csv(io.BytesIO(content), **options)
            texts = [values for _, values in table.items() if _is_text(values)]
            likely = separator == ";" and not _POINT.search("".join(lines))
            commas = any(_has_commas(values, likely) for values in texts)
            if commas:  # then a point can stand for thousands: nothing is a number before
                table = pd.read_csv(io.BytesIO(content), dtype=str, **options)
        except pd.errors.ParserWarning:
            raise ValueError(f"{more} (the first row)") from None
        except pd.errors.ParserError as error:
            raise ValueError(f"{more} ({str(error).strip()})") from None
    if table.iloc[:, -1].isna().any():  # as it is of a row with fewer fields
        for number, row in _rows(lines, separator):
            if 0 < len(row) < len(names):
                raise ValueError(
                    f"line {number} has {len(row)} fields, and there are {len(names)} names of "
                    "columns: which is missing?"
                )
    return tidy(table, commas)


def read_json(path: Path, any_size: bool = False) -> Any:
    """What is in a JSON file, or in a file with one JSON value per line."""
    text = _decode(_read_bytes(path, any_size))
    try:
        content = json.loads(text)
    except ValueError:
        content = [json.loads(line) for line in text.splitlines() if line.strip()]
    for record in content if isinstance(content, list) else ():
        check_columns(len(record) if isinstance(record, dict) else 0, any_size)
    return content


def check_parquet(path: Path, any_size: bool) -> None:
    """Raises ValueError for more columns or cells than are read, by what the file says of itself.

    What is no Parquet file passes: its reader says so.
    """
    from pyarrow import ArrowException, parquet

    try:
        size = parquet.read_metadata(path)
    except (OSError, ArrowException):
        return
    check_columns(size.num_columns, any_size)
    cells, most = size.num_rows * size.num_columns, MAX_BYTES // 8
    if cells > most and not any_size:
        raise ValueError(f"it has {cells:,} cells, more than {most:,}: {TOO_LARGE}")


def from_json(content: Any) -> pd.DataFrame:
    """A table from a list of records, from lists of the same length by name, or as pandas writes
    it; what is nested has names with points. Raises ValueError for anything else."""
    if isinstance(content, dict):
        if set(content) == {"columns", "index", "data"}:
            return tidy(pd.DataFrame(content["data"], columns=content["columns"]))
        rows = [set(cells) if isinstance(cells, dict) else None for cells in content.values()]
        if len(rows) > 1 and rows[0] and all(one == rows[0] for one in rows):
            return tidy(pd.DataFrame(content).reset_index(drop=True))
        if len(content) == 1 and isinstance(next(iter(content.values())), list | dict):
            return from_json(next(iter(content.values())))
        columns = pd.json_normalize(content).iloc[0].to_dict()
        lists = {name: value for name, value in columns.items() if isinstance(value, list)}
        if len({len(value) for value in lists.values()}) > 1:
            lengths = ", ".join(f"{name}: {len(value)}" for name, value in lists.items())
            raise ValueError(f"has lists of different lengths ({lengths}): which belong together?")
        content = pd.DataFrame(lists).to_dict("records")
    if not (isinstance(content, list) and content and all(isinstance(r, dict) for r in content)):
        raise ValueError("is neither a list of records nor lists by name")
    return tidy(pd.json_normalize(content))


def check_columns(count: int, any_size: bool) -> None:
    """Raises ValueError for more columns than are read."""
    if count > MAX_COLUMNS and not any_size:
        raise ValueError(f"it has {count:,} columns, more than {MAX_COLUMNS:,}: {TOO_LARGE}")


def tidy(table: pd.DataFrame, commas: bool = False) -> pd.DataFrame:
    """The table with numbers, true and false instead of text that says them, lists of one as what
    is in them, records unfolded into columns, no blanks around text, and names in one line.

    commas: whether a comma is the decimal sign.
    """
    parts = []
    table = table.rename(columns=lambda name: " ".join(str(name).splitlines()))
    for name, values in table.items():
        if _is_text(values) and (records := _records(values)) is not None:
            unfolded = tidy(pd.json_normalize(records).set_axis(values.index))
            parts.append(unfolded.add_prefix(f"{name}."))
        else:
            parts.append((_read_cells(values, commas) if _is_text(values) else values).to_frame())
    return pd.concat(parts, axis=1) if parts else table


def _open_zip(path: Path, mode: str) -> IO[bytes]:
    packed = zipfile.ZipFile(path)
    names = packed.namelist()
    if len(names) != 1:
        raise ValueError(f"has {len(names)} files in it, not one")
    return packed.open(names[0])


def _read_bytes(path: Path, any_size: bool) -> bytes:
    openers: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
    opener = (openers | {".zip": _open_zip}).get(path.suffix.lower(), open)
    try:
        with opener(path, "rb") as stream:
            content: bytes = stream.read(-1 if any_size else MAX_BYTES + 1)
    except (lzma.LZMAError, zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise ValueError(f"cannot be read ({error})") from None
    if len(content) > MAX_BYTES and not any_size:
        raise ValueError(f"it has more than {MAX_BYTES / 2**30:g} GiB of text: {TOO_LARGE}")
    return content


def _decode(content: bytes) -> str:
    first = "utf-8-sig"
    for start, encoding in enumerate(("utf-16-be", "utf-16-le")):  # of Latin letters, half is zero
        half = content[start:200:2]
        if 2 * half.count(0) > len(half) > 0:
            first = encoding
    if content[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        first = "utf-16"
    for encoding in (first, "cp1252", "latin-1"):
        with contextlib.suppress(UnicodeError):
            text = content.decode(encoding)
            break
    if "\0" in text:
        raise ValueError("it is no text")
    return text if "\n" in text else text.replace("\r", "\n")


def _rows(lines: Iterable[str], separator: str) -> Iterator[tuple[int, list[str]]]:
    """The number of the last line of each record, and its fields."""
    limit = csv.field_size_limit(MAX_BYTES)
    try:
        reader = csv.reader(lines, delimiter=separator, skipinitialspace=True)
        for row in reader:
            yield reader.line_num, row
    except csv.Error as error:
        raise ValueError(f"cannot be read ({error})") from None
    finally:
        csv.field_size_limit(limit)


def _fields(lines: Sequence[str], separator: str) -> list[str]:
    """The fields of the first record."""
    return [field.strip() for field in next(_rows(islice(lines, 100), separator))[1]]


def _is_text(values: pd.Series) -> bool:
    return bool(values.dtype == object or pd.api.types.is_string_dtype(values))


def _has_commas(values: pd.Series, likely: bool) -> bool:
    """Whether all are numbers if the comma is the decimal sign, and, unless that is likely, some
    are none if it is for thousands."""
    texts = {str(text).strip() for text in values.dropna().unique()} - _NO_NUMBER
    commas = {text for text in texts if "," in text}
    return (
        bool(commas)
        and all(_to_number(text, {",": "."}) is not None for text in texts)
        and all(text.count(",") == 1 for text in commas)
        and (likely or not all(_THOUSANDS[","].match(text) for text in commas))
    )


def _to_number(text: str, signs: Mapping[str, str | int | None]) -> float | int | None:
    """signs: what to put for decimal and thousands signs."""
    text = text.strip().replace("−", "-")
    percent = text.endswith("%")
    text = _SPACED.sub("", text.removesuffix("%").strip()).translate(str.maketrans({**signs}))
    if not _NUMBER.fullmatch(text):
        return None
    if percent:
        return float(text) / 100
    return int(text) if text.lstrip("+-").isdecimal() and len(text) < 19 else float(text)


def _read_cells(values: pd.Series, commas: bool) -> pd.Series:
    """Numbers, true and false where all that is not missing says so; else stripped text."""
    if values.dtype == object:
        if not values.map(lambda cell: isinstance(cell, str | list | tuple)).any():
            return values.infer_objects()
        values = values.map(str).where(values.notna())  # lists, and numbers among text
    cells = values.dropna().unique()
    plain = {cell: _PRINTED.sub(r"\1", cell).strip() for cell in cells}
    texts = {cell: _LIST_OF_ONE.sub(r"\2", text).strip() for cell, text in plain.items()}
    some = {*texts.values()} - _NO_NUMBER
    thousands, decimal = (".", ",") if commas else (",", ".")
    signs = {decimal: "."}
    if all(_THOUSANDS[thousands].match(text) for text in some if thousands in text):
        signs[thousands] = ""
    meanings: dict[str, Any] = {text: _to_number(text, signs) for text in some}
    parts = {text for text in some if text.endswith("%")}
    whole = [text for text in some - parts if abs(meanings[text] or 0) > 1]
    if parts and whole and None not in meanings.values():
        raise ValueError(
            f"column {values.name!r} has {min(parts)!r} and {min(whole)!r}: with % or without?"
        )
    if {text.lower() for text in some} <= {"true", "false"}:
        meanings = {text: text.lower() == "true" for text in some}
    elif None in meanings.values():
        if all(cell == text for cell, text in texts.items()):
            return values
        meanings = {text: text for text in texts.values() if text not in _MISSING}
    return values.map({cell: meanings.get(text) for cell, text in texts.items()}).infer_objects()


def _records(values: pd.Series) -> list[dict[str, Any]] | None:
    """What the cells say, where each is a record: JSON, or a dict as Python prints it."""
    texts = values.dropna()
    if texts.empty or not all(isinstance(text, str) and text[:1] == "{" for text in texts):
        return None
    records: dict[Any, dict[str, Any]] = {row: {} for row in values.index}
    for row, text in texts.items():
        try:
            records[row] = ast.literal_eval(_PRINTED.sub(r"\1", text))
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            try:
                records[row] = json.loads(text)
            except (ValueError, RecursionError):
                return None
    return list(records.values()) if all(isinstance(r, dict) for r in records.values()) else None
