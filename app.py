"""The front door: `streamlit run app.py`. What each page shows is in pages/, how in moola_core/ui and charts."""

from __future__ import annotations

import streamlit as st

from moola_core.ui import first_start, frame, guard, picker, widgets
from moola_core.ui.places import LOGO, MARK


def main() -> None:
    """One run of the script: the menu, the pickers in the sidebar, and the page."""
    # A page_icon of Streamlit's own would be fetched from outside; ours is a local file.
    st.set_page_config(page_title="moola", page_icon=str(MARK), layout="wide")
    st.logo(str(LOGO), size="large", icon_image=str(MARK))
    page = frame.navigation()
    with guard.explained():
        first_start.prepare()
    with guard.explained():
        picker.pick()
        widgets.begin_page()
        page.run()
        widgets.chart_data()


if __name__ == "__main__":
    main()
else:
    # The server imports this file once, before the first visitor.
    first_start.load_ahead()
    app = st.App(__file__)
