"""What this host was measured to do, and the button that measures it."""

from __future__ import annotations

import streamlit as st

from moola_core.host import figures
from moola_core.launch import host
from moola_core.launch.devices import default_device
from moola_core.sections import host as section
from moola_core.sections.blocks import Section
from moola_core.ui import guard, loaders, render
from moola_core.ui.widgets import escape_markdown

LOOK = "3s"


def draw() -> None:
    """The figures of the device that runs train on, folded away; measuring goes on in the background."""
    kind = default_device().partition(":")[0]
    with st.expander("This host", icon=":material/speed:"):
        _contents(kind)


def _watch() -> None:
    st.caption(":material/hourglass_empty: Measuring this host. Runs that train meanwhile make its figures worse.")
    if not host.measuring(loaders.store().root):
        guard.redraw()


def _contents(kind: str) -> None:
    store = loaders.store().root
    known = figures.kept(store, kind)
    if host.measuring(store):
        guard.fragment(_watch, run_every=LOOK)()
    else:
        st.caption(
            "Measuring takes 3 minutes. Afterwards settings left on auto (engine, precision, fits at once, processes) are what was fastest here, and "
            "estimates of time come from it."
        )
        with st.container(horizontal=True):
            for title, quick in (("Measure", False), ("In 30 seconds", True)):
                st.button(
                    title, key=f"tune-{quick}", on_click=guard.callback(host.start_measuring), args=(store, quick)
                )
    if known is None:
        st.caption("It was not measured yet: engines, precision and estimates of time are those of a table.")
        return
    old = known.outdated(known.software.get("driver", ""))
    if old:
        st.warning(escape_markdown(old))
    render.section(Section("host", section.TITLE, section.blocks(known)))


def measure_once() -> None:
    """Measure a host with a card by itself, once, after the first start."""
    store, kind = loaders.store().root, default_device().partition(":")[0]
    if kind == "cuda" and not (store / figures.FOLDER).exists():
        guard.callback(host.start_measuring)(store, True)
