"""Memory maps without a file descriptor, so that a store may have any number of shards.

Python's `mmap` keeps a duplicate of the descriptor as long as the map exists (from 3.13 on this can be turned off). A
process that is limited to 1,024 open files could read about 1,000 shards.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import weakref
from functools import cache
from pathlib import Path


class MappedFile:
    """A read-only memory map of a file.

    Attributes:
        view: content of the file; arrays over it keep the map alive.
    """

    def __init__(self, path: Path) -> None:
        """Map a file that is not empty.

        Raises:
            OSError: the file cannot be opened or mapped.
        """
        with path.open("rb") as handle:
            size = os.fstat(handle.fileno()).st_size
            if os.name == "posix":
                self._start = _map(handle.fileno(), size)
                content = (ctypes.c_ubyte * size).from_address(self._start)
                # not at exit: arrays may still be used then, and the system unmaps the file anyway
                weakref.finalize(content, _libc().munmap, self._start, size).atexit = False
                self.view = memoryview(content).cast("B").toreadonly()
            else:
                self._start = 0
                self.view = memoryview(mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ))

    def will_need(self, low: int, high: int) -> None:
        """Ask the system to read bytes [low, high) ahead. Page faults alone would read them in blocks of 4 kB."""
        if self._start and hasattr(mmap, "MADV_WILLNEED"):
            low -= low % mmap.PAGESIZE
            _libc().madvise(self._start + low, high - low, mmap.MADV_WILLNEED)


def _map(descriptor: int, size: int) -> int:
    start: int = _libc().mmap(None, size, mmap.PROT_READ, mmap.MAP_SHARED, descriptor, 0)
    if start == ctypes.c_void_p(-1).value:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return start


@cache
def _libc() -> ctypes.CDLL:
    """The C library, with the argument types of the functions used here."""
    library = ctypes.CDLL(None, use_errno=True)
    address, size, number = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
    library.mmap.restype = address
    library.mmap.argtypes = [address, size, number, number, number, ctypes.c_long]
    library.munmap.argtypes = [address, size]
    library.madvise.argtypes = [address, size, number]
    return library
