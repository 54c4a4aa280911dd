"""Parameters of a notebook: declared once, in its cell tagged "parameters", and checked before it
runs.

    n_neighbors = 30  # J, neighbours of each CNN; at least 1
    metric = "euclidean"  # distance between configurations; choices: euclidean, manhattan
    datasets: list[str] = []  # data sets to use, all where empty; choices: hia.datasets.NAMES
    cap: int | None = None  # CNNs per interval; null: scaled to our number

The type is the annotation, or that of the default. What else is asked for ends the comment, after a
semicolon: `at least 1`, `above 0`, `0 to 1`, or `choices:` with words or the name of a tuple.
"""

import ast
import difflib
import io
import math
import operator
import pydoc
import re
import tokenize
from collections.abc import Sequence
from typing import Any, NamedTuple

_ASSIGNMENT = re.compile(
    r"""\s*(?P<name>[A-Za-z_]\w*)=
    (?P<value>'[^']*'|"[^"]*"|\[[^\]]*\]|[^\s'"\[]\S*|)(?=\s|$)""",
    re.VERBOSE,
)
_RULE = re.compile(
    r"; (?:choices: (?P<choices>.+)|at least (?P<least>\S+)|above (?P<above>\S+)"
    r"|(?P<low>\S+) to (?P<high>\S+))$"
)
_KINDS = {"int": "a whole number", "float": "a number", "bool": "true or false", "str": "a word"}
_INTEGER = re.compile(r"[-+]?(0|[1-9]\d{0,17})", re.ASCII)
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", re.ASCII)


class ParameterError(Exception):
    """What was given is not of the form, not a parameter, or not a value that it can have."""


class Parameter(NamedTuple):
    """An assignment of the parameters cell: name, default, comment on its line, and type."""

    name: str
    value: Any
    comment: str
    type: str


def declared(source: str) -> list[Parameter]:
    """The assignments in a cell of parameters, in their order.

    Raises ValueError where a default is no literal, or has no type that is known here.
    """
    comments = {
        token.start[0]: token.string.lstrip("# ")
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    }
    parameters = []
    for statement in ast.parse(source).body:
        if isinstance(statement, ast.AnnAssign) and statement.value is not None:
            target: ast.expr = statement.target
            value = ast.literal_eval(statement.value)
            kind = ast.unparse(statement.annotation)
        elif isinstance(statement, ast.Assign):
            target, value = statement.targets[0], ast.literal_eval(statement.value)
            kind = _type_of(value)
        else:
            continue
        comment = comments.get(statement.end_lineno or statement.lineno, "")
        parameters.append(Parameter(ast.unparse(target), value, comment, kind))
    return parameters


def parse(line: str, parameters: Sequence[Parameter]) -> dict[str, Any]:
    """The values in a line such as `n_neighbors=50 datasets=[mnist, usps]`.

    Raises ParameterError, one line that says what would be right.
    """
    by_name = {parameter.name: parameter for parameter in parameters}
    values, place = {}, 0
    while line[place:].strip():
        assignment = _ASSIGNMENT.match(line, place)
        if assignment is None:
            raise ParameterError(f"{line[place:].strip()!r} is not of the form name=value")
        name, text = assignment["name"], assignment["value"]
        if name not in by_name:
            raise ParameterError(
                f"no parameter {name!r}; there are: {', '.join(by_name) or 'none'}"
            )
        values[name] = _value(by_name[name], text[1:-1] if text[:1] in ("'", '"') else text)
        place = assignment.end()
    return values


def written(value: Any) -> str:
    """A value as `parse` reads it."""
    if isinstance(value, list):
        return f"[{', '.join(map(written, value))}]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)


def _type_of(value: Any) -> str:
    if isinstance(value, list):
        return f"list[{_type_of(value[0]) if value else 'str'}]"
    if type(value).__name__ not in _KINDS:
        raise ValueError(f"{value!r}: such a parameter needs an annotation")
    return type(value).__name__


def _value(parameter: Parameter, text: str) -> Any:
    kind, optional = parameter.type.removesuffix(" | None"), parameter.type.endswith(" | None")
    if optional and text == "null":
        return None
    if not kind.startswith("list["):
        return _one(parameter, kind, text, text)
    if not (text.startswith("[") and text.endswith("]")):
        example = f"[{text}]" if text else written(parameter.value)
        raise ParameterError(
            f"{parameter.name}={text}: a list is meant, such as {parameter.name}={example}"
        )
    items = [item.strip(" '\"") for item in text[1:-1].split(",") if item.strip()]
    return [_one(parameter, kind[5:-1], item, text) for item in items]


def _one(parameter: Parameter, kind: str, item: str, text: str) -> Any:
    """A single value, or an item of a list that `text` is."""
    rule = _RULE.search(parameter.comment)
    limits = {} if rule is None else rule.groupdict()
    choices = _choices(limits.get("choices"))
    wrong = f"{parameter.name}={text}: "
    if choices:
        if item in choices:
            return choices[item]
        close = difflib.get_close_matches(item, choices, 1)
        meant = f"; is {close[0]} meant?" if close else ""
        raise ParameterError(f"{wrong}{item!r} is none of {', '.join(choices)}{meant}")
    value = _read(kind, item)
    if value is None or not _within(value, limits):
        example = parameter.value if parameter.value not in (None, []) else None
        such = "" if example is None else f", such as {parameter.name}={written(example)}"
        raise ParameterError(f"{wrong}give {_KINDS[kind]}{_told(limits)}{such}")
    return value


def _choices(text: str | None) -> dict[str, Any]:
    """The values that there are, by how they are written."""
    if text is None:
        return {}
    named = pydoc.locate(text) if re.fullmatch(r"[\w.]+\.[A-Z_]+", text) else None
    values = text.split(", ") if named is None else list(named)  # type: ignore[call-overload]
    return {str(value): _number(value) for value in values}


def _number(value: Any) -> Any:
    return int(value) if isinstance(value, str) and _INTEGER.fullmatch(value) else value


def _read(kind: str, text: str) -> Any:
    """The value, or None where the text is none of this kind."""
    if kind == "bool":
        return {"true": True, "false": False}.get(text)
    if kind == "int":
        return int(text) if _INTEGER.fullmatch(text) else None
    if kind == "float":
        value = float(text) if _NUMBER.fullmatch(text) else math.nan
        return value if math.isfinite(value) else None
    return text if text.isprintable() else None


def _within(value: Any, limits: dict[str, str | None]) -> bool:
    return all(
        limit is None or test(value, float(limit))
        for limit, test in (
            (limits.get("least"), operator.ge),
            (limits.get("above"), operator.gt),
            (limits.get("low"), operator.ge),
            (limits.get("high"), operator.le),
        )
    )


def _told(limits: dict[str, str | None]) -> str:
    if limits.get("low") is not None:
        return f" from {limits['low']} to {limits['high']}"
    words = {"least": " of at least ", "above": " above "}
    return "".join(f"{words[key]}{limits[key]}" for key in words if limits.get(key) is not None)
