"""Numba's cache on disk, safe where several processes fill it at once."""

from __future__ import annotations

import hashlib
from typing import Any

import numba
from numba.core.caching import FunctionCache, IndexDataCacheFile


class KernelFiles(IndexDataCacheFile):
    """An index of compiled kernels, each in a file that is named by what it was compiled from.

    Numba numbers the files. Two processes that compile two kernels of one function at the same time, for other numbers
    of tags say, can give both the same number. The index then names a file for one kernel that holds the other, which
    reads and writes outside of its arrays when it is called.
    """

    def save(self, key: Any, data: Any) -> None:
        """Write a kernel, then the index that names it. An entry that another process loses is compiled again."""
        digest = hashlib.sha256(f"{numba.__version__} {key!r}".encode()).hexdigest()[:32]
        name = f"{self._index_name.removesuffix('.nbi')}.{digest}.nbc"
        self._save_data(name, data)
        self._save_index(self._load_index() | {key: name})


class KernelCache(FunctionCache):
    """The cache of one function."""

    def __init__(self, function: Any) -> None:
        """Find the folder.

        Raises:
            RuntimeError: no folder for the cache can be written.
        """
        super().__init__(function)
        self._cache_file = KernelFiles(
            cache_path=self._cache_path,
            filename_base=self._impl.filename_base,
            source_stamp=self._impl.locator.get_source_stamp(),
        )
