"""The viewers: components of the app's own, whose scripts the app's server has under an address that changes with them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import streamlit as st
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from moola_core.charts.theme import palette

FOLDER = Path(__file__).with_name("viewer")
CSS = (FOLDER / "style.css").read_text(encoding="utf-8")


def _version() -> str:
    digest = hashlib.sha256()
    for path in sorted(FOLDER.rglob("*.js")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


# With the content in the address, a browser that keeps the scripts never mixes them with those of another version.
ADDRESS = f"/moola-viewer/{_version()}"


def route() -> Mount:
    """Where the server finds the scripts and the chart library."""
    return Mount(ADDRESS, app=StaticFiles(directory=FOLDER))


def component(name: str) -> Callable[..., Any]:
    """The component whose script is `viewer/<name>.js`."""
    # The definition is the server's, so it is given whenever it is used; the same one again changes nothing.
    script = f'const made = await import(new URL(".{ADDRESS}/{name}.js", document.baseURI).href);\nexport default made.default;\n'
    return st.components.v2.component(f"moola_{name}", css=CSS, js=script)


def colours(appearance: str) -> dict[str, str]:
    """What the scripts draw in, by what it marks."""
    own = palette(appearance)
    names = ("ink", "muted", "grid", "paper", "up", "down", "true", "predicted")
    return {name: getattr(own, name) for name in names} | {"start": own.categorical[4], "end": own.categorical[1]}
