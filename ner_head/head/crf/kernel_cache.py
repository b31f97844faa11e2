"""The cache of numba on disk, safe if several processes fill it at the same time."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numba
from numba.core.caching import FunctionCache, IndexDataCacheFile

from ner_head.head.crf.vector import REVISION


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

        It is that of `NUMBA_CACHE_DIR`, or beside the kernels, or in the home directory. A user who can write to none
        of them gets a private folder for temporary files.

        Raises:
            RuntimeError: no folder for the cache can be written.
        """
        try:
            super().__init__(function)
        except RuntimeError:
            with cache_in(private_folder()):
                super().__init__(function)
        self._cache_file = KernelFiles(
            cache_path=self._cache_path,
            filename_base=self._impl.filename_base,
            source_stamp=self._impl.locator.get_source_stamp(),
        )

    def _index_key(self, sig: Any, codegen: Any) -> tuple[Any, ...]:
        """The key of a kernel: its signature, the processor, its code and its name, which has its constants.

        The stamp of the index covers the rest of its file, and `REVISION` the functions of `vector`. numba hashes the
        pickled closure instead. Pickles of equal closures differ with the identity of equal strings. It depends on
        whether Python compiled the modules or read their bytecode, and on what else was imported, so that the same
        kernel was compiled again and again.
        """
        code = hashlib.sha256(self._py_func.__code__.co_code).hexdigest()
        return sig, codegen.magic_tuple(), (code, self._py_func.__qualname__, REVISION)


@contextmanager
def cache_in(folder: Path) -> Iterator[None]:
    """Let numba take a folder, as if `NUMBA_CACHE_DIR` named it."""
    config: Any = numba.config  # its attributes are made at run time
    before, config.CACHE_DIR = config.CACHE_DIR, str(folder)
    try:
        yield
    finally:
        config.CACHE_DIR = before


def private_folder() -> Path:
    """A folder for temporary files that only this user can read or write. It is the same one in each process.

    numba unpickles what is in its cache, and everyone can create a folder of any name beside the temporary files. So a
    folder of another user, or one that others can write to, is refused.

    Raises:
        RuntimeError: there is no such folder.
    """
    try:
        user = os.getuid() if hasattr(os, "getuid") else 0
        folder = Path(tempfile.gettempdir(), f"ner-head-kernels-{user}")
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise RuntimeError(f"no folder for compiled kernels can be written ({error.strerror})") from None
    others = stat.S_IMODE(found.st_mode) & 0o077
    if hasattr(os, "getuid") and (not stat.S_ISDIR(found.st_mode) or found.st_uid != user or others):
        raise RuntimeError(f"{folder} is not a private folder of this user")
    return folder
