"""Text as Streamlit's markdown shows it."""

from __future__ import annotations


def escape_markdown(text: str) -> str:
    """Text whose signs markdown would take for its own."""
    for sign in ("\\", "$", "*", "_", "[", "]", "`", "~", "<", ">", ":"):
        text = text.replace(sign, f"\\{sign}")
    return text
