"""The long half of the tests: `make torture`. It shares its tools with the quick half."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from faults import fork_workers

fork_workers()
