"""Start and end of the programs of this project: `ner-head` and the stages of the pipeline."""

from __future__ import annotations

import atexit
import errno
import gc
import io
import os
import sys
import warnings
from collections.abc import Callable
from typing import NoReturn

from ner_head.base.errors import NerHeadError, ResourceError, harmless, system_error
from ner_head.base.openmp import wait_passively

INTERRUPTED = 130  # 128 + SIGINT
CLOSED_PIPE = 141  # 128 + SIGPIPE
UNEXPECTED = 70  # EX_SOFTWARE of sysexits.h
COLLECT_EACH = 50_000  # new objects between two passes of the garbage collector; Python's default is 700
NO_MEMORY = ("DefaultCPUAllocator: can't allocate memory", "out of memory")  # torch has no exception class for these


def run(main: Callable[[], None], *, name: str, interrupted: str = "interrupted") -> None:
    """Run a program. An error ends it with one line on standard error and an exit code, see `end`.

    Call this before torch is imported: it sets how OpenMP's threads wait.

    Args:
        main: the program.
        name: prefix of error messages.
        interrupted: message after Ctrl-C.
    """
    use_utf8()
    wait_passively()
    warnings.formatwarning = lambda message, *_, **__: harmless(f"{name}: warning: {message}\n")
    try:
        main()
        sys.stdout.flush()
    except (Exception, KeyboardInterrupt) as error:
        end(error, name=name, interrupted=interrupted)


def end(error: BaseException, *, name: str, interrupted: str) -> NoReturn:
    """Exit with one line on standard error, which begins with `name`, and an exit code.

    An unexpected error exits with 70, and its traceback is written to a file that the line names.
    """
    if isinstance(error, KeyboardInterrupt):
        exit_with(interrupted, INTERRUPTED)
    if is_closed_pipe(error):
        # the reader has closed the pipe; the interpreter must not report that when it flushes at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(CLOSED_PIPE)
    found = known(error)
    if found is not None:
        exit_with(f"{name}: {found}", found.exit_code)
    what = ": ".join([type(error).__name__, *str(error).splitlines()[:1]])
    exit_with(f"{name}: unexpected: {what:.300}, please report, with {write_traceback(error)}", UNEXPECTED)


def is_closed_pipe(error: BaseException) -> bool:
    """Whether the reader of the output has closed it. Windows has no EPIPE: it calls the argument invalid."""
    if os.name == "nt" and isinstance(error, OSError) and error.errno == errno.EINVAL:
        return error.filename is None
    return isinstance(error, BrokenPipeError)


def collect_seldom() -> None:
    """Make the garbage collector run seldom, and not at the end of the process. For programs that do not train.

    Imports and tokenizers make millions of objects that stay. Going through them again and again took a quarter of the
    start of a prediction, and once more at the end a tenth of it.
    """
    gc.set_threshold(COLLECT_EACH, *gc.get_threshold()[1:])
    atexit.register(gc.freeze)


def use_utf8() -> None:
    """Write UTF-8 with LF, whatever the console's code page is. Lone surrogates, as in file names, are escaped."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace", newline="\n")


def exit_with(message: str, code: int) -> NoReturn:
    """Exit with a message on standard error. A message about several errors has one line for each."""
    print(harmless(message), file=sys.stderr)
    sys.exit(code)


def known(error: BaseException) -> NerHeadError | None:
    """The error as one that a user can fix; None for an unexpected error."""
    if isinstance(error, NerHeadError):
        return error
    if isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and any(words in str(error) for words in NO_MEMORY)
    ):
        return ResourceError(f"not enough memory: {str(error) or 'none is left'}")
    if isinstance(error, OSError) and error.errno is not None:
        return system_error(error)
    return None


def write_traceback(error: BaseException) -> str:
    """Write a traceback to a new file. Returns its path, or the reason why it cannot be written."""
    import platform
    import tempfile
    import traceback

    head = f"Python {platform.python_version()}, {platform.platform()}\n{sys.argv}\n\n"
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="ner-head-", suffix=".log", delete=False, encoding="utf-8", errors="backslashreplace"
        ) as log:
            log.write(head + "".join(traceback.format_exception(error)))
            return log.name
    except OSError as refused:
        return f"what led to it (no traceback: {refused.strerror})"
