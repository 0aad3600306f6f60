"""Names of before: settings, and keys and words of stored results, that are called otherwise now, so that older runs and commands still work."""

from __future__ import annotations

from typing import Any

# Old setting, by the last part of its name -> the setting that holds it now; and its old words -> those of now.
SETTINGS = {"reference": "estimator", "exclude_labelled": "labelled"}
SETTING_VALUES = {"reference": {"none": "network"}, "exclude_labelled": {"true": "exclude", "false": "see"}}

# Old field of a stored result -> the field that holds it now.
RESULT_FIELDS = {
    "spoils": "invalidates",
    "shows": "diagnostic",
}
# Field -> its old words -> those of now.
RESULT_VALUES = {"severity": {"blocks": "critical", "harms": "error", "note": "info"}}


def renamed(name: str) -> str:
    """What the setting of this name, dotted or not, is called now."""
    part, dot, last = name.rpartition(".")
    return f"{part}{dot}{SETTINGS.get(last, last)}"


def reworded(name: str, value: Any) -> Any:
    """The value of the setting that was or is called `name`, in the words of now."""
    words = SETTING_VALUES.get(name.rpartition(".")[2], {})
    return words.get(str(value).lower(), value)
