"""The list of keys names those that the viewers read, and no others."""

from __future__ import annotations

import re

import pytest

from moola_core.ui.shortcuts import SHORTCUTS
from moola_core.ui.viewers import FOLDER

ARROWS = {"→": "ArrowRight", "←": "ArrowLeft"}


def read_by(script: str) -> set[str]:
    """The keys of the object that the script listens with."""
    text = (FOLDER / f"{script}.js").read_text(encoding="utf-8")
    body = text[text.index("  keys() {") :]
    body = body[: body.index("\n  }\n")]
    keys = set(re.findall(r'(?:^|[{,]\s*)"?([A-Za-z0-9+\-]+)"?: \(\) =>', body, flags=re.MULTILINE))
    jumps = re.search(r"const JUMPS = (\[\[.*\]\]);", text)
    for key in re.findall(r'\["(\w)",', jumps.group(1)) if jumps else ():
        keys |= {key, key.upper()}
    return keys


@pytest.mark.parametrize(("page", "script"), [("Windows", "windows"), ("Predict", "stretch")])
def test_the_list_names_every_key_of_the_viewer(page, script):
    named = {key for keys, _ in SHORTCUTS[page] for key in re.split(r", | or ", keys)}
    assert {ARROWS.get(key, key) for key in named} == read_by(script)
