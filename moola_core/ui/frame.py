"""The navigation over the pages."""

from __future__ import annotations

import streamlit as st
from streamlit.navigation.page import Page

FIRST = "overview"


def navigation() -> Page:
    """Draw the menu and return the page that is to run."""
    return st.navigation(
        {
            "Answer": [
                st.Page("pages/investigate.py", title="Investigate", icon=":material/travel_explore:"),
            ],
            "Data": [
                st.Page(f"pages/{FIRST}.py", title="Overview", icon=":material/home:", default=True),
                st.Page("pages/windows.py", title="Windows", icon=":material/candlestick_chart:"),
                st.Page("pages/features.py", title="Features", icon=":material/query_stats:"),
            ],
            "Runs": [
                st.Page("pages/launch.py", title="Launch", icon=":material/rocket_launch:"),
                st.Page("pages/runs.py", title="Runs", icon=":material/list_alt:"),
                st.Page("pages/history.py", title="History", icon=":material/history:"),
            ],
            "Results": [
                st.Page("pages/results.py", title="Performance", icon=":material/fact_check:"),
                st.Page("pages/doctor.py", title="Doctor", icon=":material/stethoscope:"),
                st.Page("pages/compare.py", title="Compare", icon=":material/balance:"),
                st.Page("pages/predict.py", title="Predict", icon=":material/online_prediction:"),
                st.Page("pages/report.py", title="Report", icon=":material/description:"),
            ],
        }
    )


def name(page: Page) -> str:
    """What the page is called in `pages/`; the first one has no path of its own in the URL."""
    return page.url_path or FIRST
