# SPDX-License-Identifier: LGPL-2.1-or-later
"""``python -m cuframes``"""

from __future__ import annotations

import argparse
import os
import sys
from typing import List, Optional

from . import errors
from ._commands import ls, snapshot, text, watch
from ._version import __version__

# As cuframes, the command: docs/cli.md.
_ERROR = 1
_USAGE = 2
_NOT_FOUND = 3
_REFUSED = 4
_TIMED_OUT = 5
_INTERRUPTED = 130


def main(arguments: Optional[List[str]] = None) -> int:
    """Runs a command and returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m cuframes", description="Look at the video streams of this machine.")
    parser.add_argument("--version", action="version", version=f"cuframes {__version__}")
    commands = parser.add_subparsers(title="commands", dest="command", required=True)
    for command in (ls, watch, snapshot):
        command.add(commands)
    parsed = parser.parse_args(arguments)
    try:
        return int(parsed.run(parsed))
    except errors.Error as error:
        if parsed.json:
            text.say_json({"error": {"name": error.name, "code": error.code, "text": error.message}})
        else:
            print(f"python -m cuframes: {error}", file=sys.stderr)
        return _exit_code(error)
    except (ImportError, OSError) as failure:
        if isinstance(failure, BrokenPipeError):
            # Whoever read has seen enough. The interpreter must not try again at its end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return _ERROR
        print(f"python -m cuframes: {failure}", file=sys.stderr)
        return _ERROR
    except KeyboardInterrupt:
        return _INTERRUPTED


def _exit_code(error: errors.Error) -> int:
    if isinstance(error, errors.StreamNotFound):
        return _NOT_FOUND
    if isinstance(error, errors.InvalidArgument):
        return _USAGE
    if isinstance(error, (errors.Refused, errors.AlreadyPublished)):
        return _REFUSED
    if isinstance(error, errors.TimedOut):
        return _TIMED_OUT
    return _ERROR


if __name__ == "__main__":
    sys.exit(main())
