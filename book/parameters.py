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
from collections.abc import Callable, Sequence
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
_WITHIN = {"least": operator.ge, "above": operator.gt, "low": operator.ge, "high": operator.le}
# What is asked for, how it is written, and what makes it of that.
_KINDS: dict[str, tuple[str, str, Callable[[str], Any]]] = {
    "int": ("a whole number", r"[-+]?(0|[1-9]\d{0,17})", int),
    "float": ("a number", r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", float),
    "bool": ("true or false", "true|false", "true".__eq__),
    "str": ("a word", ".*", str),
}


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
    for line in ast.parse(source).body:
        if isinstance(line, ast.Assign | ast.AnnAssign) and line.value is not None:
            value = ast.literal_eval(line.value)
            if isinstance(line, ast.AnnAssign):
                name, kind = ast.unparse(line.target), ast.unparse(line.annotation)
            else:
                name, kind = ast.unparse(line.targets[0]), _type_of(value)
            comment = comments.get(line.end_lineno or line.lineno, "")
            parameters.append(Parameter(name, value, comment, kind))
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
            there = ", ".join(by_name) or "none"
            raise ParameterError(f"no parameter {name!r}; there are: {there}")
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
    if parameter.value and not items:
        example = f"{parameter.name}={written(parameter.value)}"
        raise ParameterError(f"{parameter.name}={text}: one at least is meant, such as {example}")
    return [_one(parameter, kind[5:-1], item, text) for item in items]


def _one(parameter: Parameter, kind: str, item: str, text: str) -> Any:
    """A single value, or an item of a list that `text` is."""
    rule = _RULE.search(parameter.comment)
    limits = {} if rule is None else rule.groupdict()
    wrong = f"{parameter.name}={text}: "
    if listed := limits.pop("choices", None):
        named = pydoc.locate(listed) if re.fullmatch(r"[\w.]+\.[A-Z_]+", listed) else None
        choices: Any = listed.split(", ") if named is None else named
        if item in choices:
            return int(item) if item.isdecimal() else item
        close = difflib.get_close_matches(item, choices, 1)
        meant = f"; is {close[0]} meant?" if close else ""
        raise ParameterError(f"{wrong}{item!r} is none of {', '.join(choices)}{meant}")
    asked, form, make = _KINDS[kind]
    value = make(item) if item.isprintable() and re.fullmatch(form, item, re.ASCII) else None
    if value in (None, math.inf, -math.inf) or not all(
        limit is None or _WITHIN[name](value, float(limit)) for name, limit in limits.items()
    ):
        words = {"least": " of ", "above": " ", "high": " from "}
        told = words[str(rule.lastgroup)] + rule[0].removeprefix("; ") if rule else ""
        given = parameter.value not in (None, [])
        such = f", such as {parameter.name}={written(parameter.value)}" if given else ""
        none = " or null" if parameter.type.endswith(" | None") else ""
        raise ParameterError(f"{wrong}give {asked}{told}{none}{such}")
    return value
