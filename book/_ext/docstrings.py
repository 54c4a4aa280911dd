"""A Sphinx extension: the docstrings of this package as autodoc takes them.

They are plain text for `help()`: parameters are sentences ("table: one row per trial."), code is in
single backticks, and a bar or an underscore is a bar or an underscore. reStructuredText would take
some of that for markup, and warnings are errors in the book. So every docstring is rewritten before
Sphinx reads it: names of parameters and fields at the start of a sentence become a list, Returns
and Raises paragraphs of their own, indented text is quoted as it is, sections in NumPy's style get
the same lists, and names of this package in backticks are links.

Signatures are as the code writes them: `ArrayLike`, not the eight types that it stands for.
"""

import ast
import dataclasses
import inspect
import re
import textwrap
from collections.abc import Collection, Iterator, Sequence
from itertools import pairwise
from typing import Any

# Signs that would start or end markup in reStructuredText.
_MARKUP = re.compile(r"([\\*|_`])")
_CODE = re.compile(r"(`{1,2})([^`]+)\1")
_UNDERLINE = re.compile(r"-{3,}$")
_BULLET = re.compile(r"- |\d+\. ")
_NAMED = re.compile(r"([\w, ]+?) : ")  # an entry of NumPy's style
_FIELD = re.compile(r"Alias for field number \d+$")
_OWN = re.compile(r"hia(_book)?(\.\w+)+")


def setup(app: Any) -> dict[str, bool]:
    """Called by Sphinx, which has this module among its extensions."""
    app.connect("autodoc-process-docstring", _process)
    app.connect("autodoc-process-signature", _sign)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def to_rst(docstring: str, names: Collection[str] = ()) -> str:
    """A docstring of this package as reStructuredText.

    docstring: without the indentation of its code, as `inspect.getdoc` gives it. names: of the
    parameters or fields, which begin a sentence as "name: " or, for several, "one, other: ".
    """
    lines: list[str] = []
    in_list = False
    for block in re.split(r"\n(?:[ \t]*\n)+", docstring.strip()):
        lines += _block(block.split("\n"), names, in_list)
        in_list = _BULLET.match(block) is not None
    return "\n".join(lines)


def _process(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Sphinx's event: the docstring of `obj` as `lines`, to be changed in place."""
    if lines and _FIELD.match(lines[0]):  # Python's own, of a named tuple; the class says more
        lines.clear()
    lines[:] = to_rst("\n".join(lines), _names(obj)).split("\n")


def _sign(
    app: Any, what: str, name: str, obj: Any, options: Any, given: str | None, result: str | None
) -> tuple[str | None, str | None]:
    """Sphinx's event: what is between and after the brackets of `obj`."""
    return to_signature(obj) or (given, result)


def to_signature(obj: Any) -> tuple[str, str | None] | None:
    """The arguments of a function or class in brackets, and what it returns, as in its source.

    None for what has no source of its own, such as a class that inherits how it is made.
    """
    try:
        node = ast.parse(textwrap.dedent(inspect.getsource(obj))).body[0]
    except (TypeError, OSError, SyntaxError):
        return None
    if isinstance(node, ast.ClassDef):
        made = [n for n in node.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"]
        if not made and dataclasses.is_dataclass(obj):
            fields = [ast.unparse(field) for field in node.body if isinstance(field, ast.AnnAssign)]
            return f"({', '.join(fields)})", None
        node = made[0] if made else node
    if not isinstance(node, ast.FunctionDef):
        return None
    if node.args.args and node.args.args[0].arg in ("self", "cls"):
        del node.args.args[0]
    returns = None if node.name == "__init__" else node.returns
    return f"({ast.unparse(node.args)})", None if returns is None else ast.unparse(returns)


def _names(obj: Any) -> tuple[str, ...]:
    """The parameters of a function or class, with the latter's fields and properties."""
    try:
        names = tuple(inspect.signature(obj).parameters)
    except (TypeError, ValueError):  # a module, a constant
        return ()
    if inspect.isclass(obj):
        names += tuple(obj.__annotations__)
        names += tuple(name for name, value in vars(obj).items() if isinstance(value, property))
    return names


def _block(block: Sequence[str], names: Collection[str], in_list: bool) -> Iterator[str]:
    """The lines of one block between empty lines, and an empty one after each part."""
    if len(block) > 1 and _UNDERLINE.match(block[1]):  # a section in NumPy's style
        yield from (f".. rubric:: {block[0]}", "")
        entries = re.split(r"\n(?! )", "\n".join(block[2:]))
        if block[0] in ("Parameters", "Attributes", "References"):
            for entry in entries:
                yield from _entry(" ".join(entry.split()))
            return
        block = block[2:]
    if all(line.startswith("  ") for line in block) and not in_list:
        yield from ("::", "", *block, "")
        return
    text: list[str] = []
    for line in [*block, "- "]:
        if _BULLET.match(line):  # a list, with or without an empty line before it
            yield from _paragraph(" ".join(text), names)
            text = []
        text.append(line.strip())


def _entry(text: str) -> Iterator[str]:
    found = _NAMED.match(text)
    start = f"{_labels(found[1])}: " if found else ""
    yield from (f"- {start}{_inline(text[found.end() :] if found else text)}", "")


def _paragraph(text: str, names: Collection[str]) -> Iterator[str]:
    """An item of a list; or prose, then parameters, then what is returned and raised."""
    if bullet := _BULLET.match(text):
        yield from (bullet[0] + _inline(text[bullet.end() :]), "")
        return
    one = "|".join([*map(re.escape, sorted(names, key=len, reverse=True)), r"`\w+`"])
    named = rf"(?:{one})(?:, (?:{one}))*: "
    for part in re.split(rf"(?:^|(?<=[.:;)] ))(?={named}|Returns |Raises )", text):
        if found := re.match(named, part):
            yield from (f"- {_labels(found[0][:-2])}: {_inline(part[found.end() :].strip())}", "")
        elif part.strip():
            yield from (_inline(part.strip()), "")


def _labels(names: str) -> str:
    return ", ".join(f"**{_escaped(name.strip(' `'))}**" for name in names.split(","))


def _inline(text: str) -> str:
    """Text with its code as literals or links, and no other markup."""
    parts: list[str] = []
    end = 0
    for found in _CODE.finditer(text):
        code = found[2]
        parts.append(_escaped(text[end : found.start()]))
        parts.append(f":py:obj:`{code}`" if _OWN.fullmatch(code) else f"``{code}``")
        end = found.end()
    parts.append(_escaped(text[end:]))
    joined = parts[0]
    for before, after in pairwise(parts):
        # An escaped space prints nothing and keeps markup apart from letters.
        joined += r"\ " if before and after and not (before[-1] + after[0]).count(" ") else ""
        joined += after
    return joined


def _escaped(text: str) -> str:
    return _MARKUP.sub(r"\\\1", text)
