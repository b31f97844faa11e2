from __future__ import annotations

import pytest

from ner_head.base.errors import UsageError
from ner_head.base.extras import require_extra


def test_an_absent_library_is_named_with_its_extra() -> None:
    require_extra("train", "json")
    with pytest.raises(UsageError, match=r"^no_such_module is not installed; .* pip install 'ner-head\[train\]'$"):
        require_extra("train", "json", "no_such_module")
