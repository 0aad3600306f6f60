"""Runs that are really made, each with few trees and draws beside it, those of a module's fixtures too."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import smaller_diagnostics


@pytest.fixture(autouse=True, scope="package")
def quick_doctor() -> Iterator[None]:
    with smaller_diagnostics():
        yield
