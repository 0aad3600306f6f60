"""Previous and Next, by click or arrow key. No step is lost, however fast they come and however late each is drawn."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

STEPS, DONE = "steps", "steps_done"
JS = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")
HTML = """
<button type="button" name="previous" disabled>Previous<kbd aria-hidden="true">←</kbd></button>
<button type="button" name="next" disabled>Next<kbd aria-hidden="true">→</kbd></button>
"""
CSS = """
:host { display: block; }
button {
  font: inherit; font-size: 0.95em; color: var(--st-text-color); background: var(--st-background-color); cursor: pointer;
  border: 1px solid var(--st-border-color); border-radius: var(--st-button-radius); padding: 0.25rem 0.75rem;
  min-height: 2.5rem; margin-right: 0.5rem; white-space: nowrap;
}
button:disabled { cursor: default; }
button:hover:enabled, button:focus-visible { border-color: var(--st-primary-color); color: var(--st-primary-color); }
kbd { font: inherit; opacity: 0.6; margin-left: 0.5rem; }
"""


def taken() -> int:
    """Draw both buttons; return the steps taken since the last call, those to the left negative."""
    # The definition is the server's, so it is given whenever it is used; the same one again changes nothing.
    draw = st.components.v2.component("moola_stepper", html=HTML, css=CSS, js=JS)
    steps = draw(key=STEPS, on_steps_change=lambda: None, width="content").get("steps") or {}
    drawn, net = steps.get("drawn"), int(steps.get("net", 0))
    before = st.session_state.get(DONE, (None, 0))
    st.session_state[DONE] = (drawn, net)
    return net - (before[1] if before[0] == drawn else 0)
