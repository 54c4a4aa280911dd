"""The README says what the first page finds, whose claims are checked where they are computed."""

import re

from chapters import ROOT


def test_the_readme_says_what_the_first_page_finds() -> None:
    page = (ROOT / "notebooks" / "intro.py").read_text(encoding="utf-8")
    found = re.search(r"^# \*\*(.+?)\*\*$", page, re.MULTILINE | re.DOTALL)
    assert found
    words = re.sub(r" *\{cite:p\}`[^`]+`", "", found[1].replace("\n# ", " "))
    readme = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    finding = words.split(" Tune the top three")[0]
    assert f"**{finding}**" in readme
