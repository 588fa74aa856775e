"""The command line. Arguments are parsed before Qt or torch is imported.

Exit codes: 0 success, 1 an error told in one sentence, 2 wrong usage, 130 interrupted.
"""

import importlib
import io
import os
import sys
import traceback
from collections.abc import Sequence

from desktop_app.cli.parser import parsed
from desktop_app.sdk.errors import LoupeError

INTERRUPTED = 130


def run(arguments: Sequence[str]) -> int:
    """Do what the arguments ask for and return the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="surrogateescape")  # names of files are bytes on some disks
    options = parsed(arguments)
    module, function = options.command
    try:
        command = getattr(importlib.import_module(f"desktop_app.cli.{module}"), function)
        code: int = command(options)
    except LoupeError as problem:
        print(f"loupe: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("loupe: interrupted.", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has closed it; leave quietly, without a second complaint at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as problem:
        print(f"loupe: {_refused(problem)}", file=sys.stderr)
        return 1
    except Exception as problem:  # a method of anybody may fail in any way
        print(f"loupe: {_failed(problem)}", file=sys.stderr)
        return 1
    return code


def _refused(problem: OSError) -> str:
    place = problem.filename2 or problem.filename
    if place is None:
        return f"The system refused: {problem.strerror or problem}."
    path = os.fsencode(place).decode("utf-8", "replace")
    return f"The system refused '{path}': {problem.strerror}. Check the path and the permissions."


def _failed(problem: Exception) -> str:
    """Keep the traceback in a file and return one sentence."""
    from desktop_app.core.settings import cache_dir

    log = cache_dir() / "last-error.log"
    log.write_text("".join(traceback.format_exception(problem)), encoding="utf-8")
    reason = (str(problem).strip().splitlines() or [""])[0]
    return f"{type(problem).__name__}: {reason} The traceback is in '{log}'."
