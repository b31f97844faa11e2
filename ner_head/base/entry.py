"""How a program of the project starts and ends: `ner-head` and the stages of the pipeline alike."""

from __future__ import annotations

import io
import os
import platform
import sys
import tempfile
import traceback
from collections.abc import Callable
from typing import NoReturn

from ner_head.base.errors import NerHeadError, ResourceError, system_error

INTERRUPTED = 130  # 128 + SIGINT
CLOSED_PIPE = 141  # 128 + SIGPIPE
UNEXPECTED = 70  # EX_SOFTWARE of sysexits.h
NO_MEMORY = ("DefaultCPUAllocator: can't allocate memory", "out of memory")  # torch has no class of its own for these


def run(main: Callable[[], None], *, name: str, interrupted: str = "interrupted") -> None:
    """Run a program; what stops it is answered."""
    use_utf8()
    try:
        main()
        sys.stdout.flush()
    except (Exception, KeyboardInterrupt) as error:
        answer(error, name=name, interrupted=interrupted)


def answer(error: BaseException, *, name: str, interrupted: str) -> NoReturn:
    """Exit with one line on standard error, behind `name`, and an exit code.

    Anything that nobody expected exits with 70, and its traceback is in a file that the line names.
    """
    if isinstance(error, KeyboardInterrupt):
        stop(interrupted, INTERRUPTED)
    if isinstance(error, BrokenPipeError):
        # who read the output has enough; the interpreter must not complain when it flushes at the end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(CLOSED_PIPE)
    found = known(error)
    if found is not None:
        stop(f"{name}: {found}", found.exit_code)
    what = ": ".join([type(error).__name__, *str(error).splitlines()[:1]])
    stop(f"{name}: unexpected: {what:.300}, please report, with {keep_traceback(error)}", UNEXPECTED)


def use_utf8() -> None:
    """Write UTF-8 whatever the console's code page is; a lone surrogate (of a file's name) is escaped."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def stop(line: str, code: int) -> NoReturn:
    """Exit with a line on standard error; an error that lists several has one for each."""
    print(line, file=sys.stderr)
    sys.exit(code)


def known(error: BaseException) -> NerHeadError | None:
    """An error that a user can mend; None for any other."""
    if isinstance(error, NerHeadError):
        return error
    if isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and any(words in str(error) for words in NO_MEMORY)
    ):
        return ResourceError(f"not enough memory: {str(error) or 'none is left'}")
    if isinstance(error, OSError) and error.errno is not None:
        return system_error(error)
    return None


def keep_traceback(error: BaseException) -> str:
    """Write a traceback to a file of its own; its path, or why there is none."""
    head = f"Python {platform.python_version()}, {platform.platform()}\n{sys.argv}\n\n"
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="ner-head-", suffix=".log", delete=False, encoding="utf-8", errors="backslashreplace"
        ) as log:
            log.write(head + "".join(traceback.format_exception(error)))
            return log.name
    except OSError as refused:
        return f"what led to it (no traceback: {refused.strerror})"
