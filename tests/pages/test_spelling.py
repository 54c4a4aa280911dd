"""The spelling of what people read: the book, the README, docstrings and comments; in British."""

import io
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import codespell_lib

ROOT = Path(__file__).parents[2]
CODESPELL = codespell_lib.__name__

# Words of the field, of libraries and of titles that the dictionaries have as misspelt or American.
RIGHT = {
    *("optimizer", "optimizers", "optimization", "optimize", "optimizes", "program", "programs"),
    *("center", "grayscale", "license", "normalize", "neighbors"),
    *("commun", "generalized", "math"),
}
# A British dictionary of the words that codespell has as American ones is the other way round.
AMERICAN = "data/dictionary_en-GB_to_en-US.txt"


def pages() -> list[Path]:
    return [*ROOT.glob("*.md"), *ROOT.glob("*.cff"), *ROOT.glob("book/**/*.md")]


def modules() -> list[Path]:
    folders = ("hia", "notebooks", "tests", "benchmarks", "book/_ext")
    return [path for folder in folders for path in sorted((ROOT / folder).glob("**/*.py"))]


def prose(text: str) -> str:
    """Markdown without code, mathematics, links and names, on as many lines."""

    def blank(found: re.Match[str]) -> str:
        return "\n" * found.group().count("\n")

    for code in (r"```.*?```", r"`[^`]*`", r"\$[^$]*\$", r"\]\([^)]*\)", r"\{[^{}]*\}"):
        text = re.sub(code, blank, text, flags=re.S)
    # What has a sign in it is a name, not a word, and so is a parameter before its description.
    return re.sub(r"\S*[_/\\=<>@#.]\w\S*|\b\w+:(?=\s)", "", text)


def words_of_module(path: Path) -> str:
    """Comments, docstrings and texts of several words, on the lines where they are."""
    lines: dict[int, str] = {}
    code = path.read_text(encoding="utf-8")
    for token in tokenize.generate_tokens(io.StringIO(code).readline):
        if token.type == tokenize.COMMENT:
            text = token.string.lstrip("#")
        elif token.type == tokenize.STRING and " " in token.string:
            text = token.string
        else:
            continue
        for offset, line in enumerate(text.split("\n")):
            number = token.start[0] + offset
            lines[number] = f"{lines.get(number, '')} {line}"
    last = max(lines, default=0)
    return prose("\n".join(lines.get(number, "") for number in range(1, last + 1)))


def british(folder: Path) -> Path:
    """A dictionary for codespell: American words, each with the British one."""
    given = resources.files("codespell_lib").joinpath(AMERICAN).read_text(encoding="utf-8")
    pairs = [line.split("->") for line in given.splitlines()]
    path = folder / "american.txt"
    path.write_text("".join(f"{wrong.split(',')[0]}->{right}\n" for right, wrong in pairs), "utf-8")
    return path


def misspelt(texts: dict[str, str], folder: Path) -> Iterator[str]:
    """What codespell finds: file, line, the word and what would be right."""
    dictionary = british(folder)
    for name, text in texts.items():
        path = folder / name.replace("/", "-")
        path.write_text(text, encoding="utf-8")
    names = sorted(name.replace("/", "-") for name in texts)
    given = ["--builtin", "clear,rare", "-D", "-", "-D", str(dictionary)]
    command = [sys.executable, "-m", CODESPELL, *given, "-L", ",".join(sorted(RIGHT)), *names]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    yield from done.stdout.splitlines()
    if done.returncode not in (0, 65):
        yield done.stderr


def test_the_check_finds_what_is_wrong(tmp_path: Path) -> None:
    found = list(misspelt({"page.md": "The colour is fine,\nbut teh color is not.\n"}, tmp_path))
    assert len(found) == 2
    assert all(line.startswith("page.md:2: ") for line in found)


def test_only_prose_is_checked(tmp_path: Path) -> None:
    text = "A `color` and\n```python\ncolor = 1\n```\n$color$ {color} [x](color) grey_color\nteh\n"
    (line,) = misspelt({"page.md": prose(text)}, tmp_path)
    assert line.startswith("page.md:6: ")


def test_words_of_a_module_are_on_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text('"""One.\n\nTeh two."""\ncolor = 1  # teh third\nx = "color"\n')
    found = list(misspelt({"module.py": words_of_module(path)}, tmp_path))
    assert [line.split(" ")[0] for line in found] == ["module.py:3:", "module.py:4:"]


def test_all_that_people_read_is_spelt_right(tmp_path: Path) -> None:
    texts = {str(path.relative_to(ROOT)): prose(path.read_text("utf-8")) for path in pages()}
    here = Path(__file__)
    others = [path for path in modules() if path != here]
    texts |= {str(path.relative_to(ROOT)): words_of_module(path) for path in others}
    assert len(texts) > 50
    assert not list(misspelt(texts, tmp_path))
