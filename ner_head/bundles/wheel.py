"""Python wheels of bundles, written with the standard library.

The same bundle gives the same bytes: the order and the times of the files are fixed, and nothing is compressed, because
weights hardly get smaller. The format is that of the packaging specifications (binary distribution format, PEP 427, and
core metadata, PEP 566).
"""

from __future__ import annotations

import base64
import csv
import hashlib
import keyword
import os
import shutil
import sys
import zipfile
from importlib.metadata import metadata, version
from io import BufferedReader, BytesIO, StringIO
from pathlib import Path

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from ner_head.base.errors import UsageError
from ner_head.base.files import whole_file
from ner_head.models import CARD, GROUP, INSIDE, BundleRecord

LIBRARY = "ner-head"
EPOCH = (1980, 1, 1, 0, 0, 0)  # the first time that a zip file can have
BLOCK = 1 << 20  # bytes
Row = tuple[str, str, str]
MODULE = '''"""{summary}"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ner_head import Recognizer

path = Path(__file__).parent / "{inside}"
"""Folder of the model."""


def load(device: str = "auto", *, threads: int = 0) -> Recognizer:
    """Load the model, as `ner_head.Recognizer.load` does."""
    from ner_head import Recognizer

    return Recognizer.load(path, device, threads=threads)
'''


def wheel_path(output: Path, name: str, release: str) -> Path:
    """The path of a wheel that does not exist yet.

    Raises:
        UsageError: name or version are no name or version of a package, or the wheel exists.
    """
    check_name(name)
    try:
        number = Version(release)
    except InvalidVersion:
        raise UsageError(f"--version {release}: not a version of a Python package, such as 1.0.0") from None
    path = output / f"{canonicalize_name(name).replace('-', '_')}-{number}-py3-none-any.whl"
    if path.exists():
        raise UsageError(f"{path}: exists already; remove it, or give another --version")
    return path


def check_name(name: str) -> None:
    """Check the name of a package with a model.

    Raises:
        UsageError: it is not a name that can be imported, or another package has it.
    """
    if not (name.isascii() and name.isidentifier()) or keyword.iskeyword(name):
        raise UsageError(f"--name {name}: not the name of a Python package, such as my_ner")
    if name in sys.stdlib_module_names or canonicalize_name(name) == LIBRARY:
        raise UsageError(f"--name {name}: the name of another package; give another one, such as my_ner")


def write_wheel(path: Path, bundle: Path, record: BundleRecord) -> None:
    """Write the wheel of a bundle.

    Args:
        path: from `wheel_path`; absent or complete afterwards.
        bundle: folder of the bundle.
        record: its record; the name is that of the package.
    Raises:
        OSError: the wheel cannot be written.
    """
    distribution, release, _ = path.name.split("-", 2)
    info, name = f"{distribution}-{release}.dist-info", record.name
    texts = {
        f"{name}/__init__.py": MODULE.format(summary=docstring(record.summary), inside=INSIDE),
        f"{info}/METADATA": package_metadata(name, release, record.summary, (bundle / CARD).read_text("utf-8")),
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: {LIBRARY} {version(LIBRARY)}\nRoot-Is-Purelib: true\n"
        "Tag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[{GROUP}]\n{name} = {name}:path\n",
    }
    files = {
        f"{name}/{INSIDE}/{file.relative_to(bundle).as_posix()}": file for file in bundle.rglob("*") if file.is_file()
    }
    with whole_file(path) as handle, zipfile.ZipFile(handle, "w") as wheel:
        rows = [add_file(wheel, inside, files[inside]) for inside in sorted(files)]
        rows += [add(wheel, inside, BytesIO(text.encode())) for inside, text in texts.items()]
        add(wheel, f"{info}/RECORD", BytesIO(record_of([*rows, (f"{info}/RECORD", "", "")]).encode()))


def docstring(summary: str) -> str:
    """A line that can stand between three quotation marks."""
    return summary.replace("\\", "\\\\").replace('"', '\\"')


def package_metadata(name: str, release: str, summary: str, text: str) -> str:
    """The METADATA of the wheel. The summary, which may come from another bundle, cannot add lines to it."""
    return "\n".join(
        [
            "Metadata-Version: 2.1",
            f"Name: {name}",
            f"Version: {release}",
            f"Summary: {' '.join(summary.split())}",
            f"Requires-Python: {metadata(LIBRARY)['Requires-Python']}",
            f"Requires-Dist: {LIBRARY}>={version(LIBRARY)}",
            "Description-Content-Type: text/markdown",
            "",
            text,
        ]
    )


def add_file(wheel: zipfile.ZipFile, name: str, file: Path) -> Row:
    """Add a file to a wheel; returns its row of RECORD."""
    with file.open("rb") as source:
        return add(wheel, name, source)


def add(wheel: zipfile.ZipFile, name: str, source: BufferedReader | BytesIO) -> Row:
    """Add the content of an open file to a wheel; returns its row of RECORD."""
    digest, size = hashlib.file_digest(source, "sha256").digest(), source.seek(0, os.SEEK_END)
    source.seek(0)
    entry = zipfile.ZipInfo(name, EPOCH)
    entry.external_attr, entry.create_system, entry.file_size = 0o644 << 16, 3, size  # a file of Unix
    with wheel.open(entry, "w") as target:
        shutil.copyfileobj(source, target, BLOCK)
    return name, f"sha256={base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}", str(size)


def record_of(rows: list[Row]) -> str:
    """The RECORD of the wheel: path, digest and number of bytes of each file, as CSV."""
    text = StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
