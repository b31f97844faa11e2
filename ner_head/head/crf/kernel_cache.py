"""The cache of numba on disk, safe if several processes fill it at the same time."""

from __future__ import annotations

import hashlib
from typing import Any

import numba
from numba.core.caching import FunctionCache, IndexDataCacheFile


class KernelFiles(IndexDataCacheFile):
    """An index of compiled kernels. The name of a file is a hash of the signature and the constants of its kernel.

    numba numbers the files instead. Two processes that compile two kernels of one function at the same time, for
    example for two numbers of tags, can choose the same number. The index then names the wrong kernel, which reads and
    writes outside of its arrays.
    """

    def save(self, key: Any, data: Any) -> None:
        """Write a kernel, then the index. If another process overwrites the index, the kernel is compiled again."""
        digest = hashlib.sha256(f"{numba.__version__} {key!r}".encode()).hexdigest()[:32]
        name = f"{self._index_name.removesuffix('.nbi')}.{digest}.nbc"
        self._save_data(name, data)
        self._save_index(self._load_index() | {key: name})


class KernelCache(FunctionCache):
    """The cache of one function."""

    def __init__(self, function: Any) -> None:
        """Find the folder of the cache.

        Raises:
            RuntimeError: no folder for the cache can be written.
        """
        super().__init__(function)
        self._cache_file = KernelFiles(
            cache_path=self._cache_path,
            filename_base=self._impl.filename_base,
            source_stamp=self._impl.locator.get_source_stamp(),
        )
