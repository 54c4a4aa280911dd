"""Starts `hia` in no time, so that it can be killed often: imports once, then forks.

Reads lines of JSON, the arguments of `hia` and a file for its output, and prints the process number
of each. What it starts is `hia` itself, in a process group of its own, but for one thing: workers
are forked, too, where `hia` starts a fresh Python for each.
"""

import json
import os
import signal
import sys

from faults import fork_workers

from hia import cli


def run(arguments: list[str], output: str) -> int:
    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    file = os.open(output, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    for stream in (1, 2):
        os.dup2(file, stream)
    fork_workers()
    return cli.main(arguments)


def main() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks how they ended
    for line in sys.stdin:
        started = os.fork()
        if not started:
            code = 1
            try:
                code = run(*json.loads(line))
                sys.stdout.flush()
            finally:
                os._exit(code)
        print(started, flush=True)


if __name__ == "__main__":
    main()
