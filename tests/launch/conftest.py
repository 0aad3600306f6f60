"""Runs that are really made, each with few trees beside it."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def quick_doctor(few_trees: None) -> None: ...
