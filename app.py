"""The front door: `streamlit run app.py`. What each page shows is in pages/, how in moola_core/ui and charts."""

from __future__ import annotations

import streamlit as st
from starlette.middleware import Middleware

from moola_core.ui import (
    first_start,
    frame,
    guard,
    history,
    host_section,
    own_origin,
    picker,
    shortcuts,
    state,
    viewers,
    widgets,
)
from moola_core.ui.places import LOGO, MARK


def main() -> None:
    """One run of the script: the menu, the pickers in the sidebar, and the page."""
    # A page_icon of Streamlit's own would be fetched from outside; ours is a local file.
    st.set_page_config(page_title="moola", page_icon=str(MARK), layout="wide")
    st.logo(str(LOGO), size="large", icon_image=str(MARK))
    guard.closed()
    page = frame.navigation()
    with guard.explained():
        first_start.prepare()
        host_section.measure_once()
    with guard.explained():
        unanswered = picker.pick(frame.name(page))
        st.set_page_config(page_title=picker.tab_title(page.title))
        shortcuts.draw()
        widgets.begin_page()
        if unanswered is None:
            page.run()
            widgets.chart_data()
        else:
            st.title(page.title)
            widgets.empty_state(unanswered.title, unanswered.body, unanswered.actions)
    state.settle()


if __name__ == "__main__":
    main()
else:
    # The server imports this file once, before the first visitor.
    first_start.load_ahead()
    app = st.App(
        __file__,
        routes=[viewers.route()],
        middleware=[Middleware(own_origin.OwnOriginAlone), Middleware(history.OneEntryAPage)],
    )
