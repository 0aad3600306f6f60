"""How often this process and those of a user look for garbage."""

from __future__ import annotations

import gc
import subprocess
import sys

import pytest

from moola_core.host.garbage import loading

ASK = "import gc; {before}; import moola_core; print(gc.get_threshold()[0])"


@pytest.mark.parametrize(
    ("before", "after"), [("pass", 10_000), ("gc.set_threshold(0)", 0), ("gc.set_threshold(50)", 50)]
)
def test_it_is_looked_for_less_often_unless_the_user_has_said_how_often(before: str, after: int) -> None:
    asked = [sys.executable, "-c", ASK.format(before=before)]
    answer = subprocess.run(asked, capture_output=True, text=True, check=True)
    assert int(answer.stdout) == after


def test_none_is_looked_for_while_modules_are_loaded_whatever_happens_to_them() -> None:
    before = gc.get_freeze_count()
    with pytest.raises(ImportError), loading():
        loaded = [[] for _ in range(1000)]
        assert not gc.isenabled()
        raise ImportError
    assert gc.isenabled() and gc.get_freeze_count() - before >= len(loaded)
