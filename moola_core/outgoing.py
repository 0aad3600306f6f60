"""Texts that leave the program: for a terminal, for a spreadsheet, as the name of a file. They may come from anyone's data."""

from __future__ import annotations

import re

# Controls but for the tab and the new line, marks that turn the direction of writing, ends of lines that few expect, half characters.
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
RUN_BY_SPREADSHEETS = ("=", "+", "-", "@", "\t", "\r")
UNSAFE_IN_NAMES = re.compile(r"[^\w.-]+|^[.-]+|[. ]+$")
MOST_LETTERS = 80


def for_terminal(text: str, one_line: bool = False) -> str:
    r"""The text with its control characters escaped (``\x1b``), so that a terminal shows them and does not obey them.

    one_line: escape ends of lines and tabs too, as in the cell of a table.
    """
    text = CONTROLS.sub(_escaped, text)
    return text.replace("\n", "\\n").replace("\t", "\\t") if one_line else text


def json_for_terminal(text: str) -> str:
    r"""JSON text with the same value, its control characters as ``\u001b``."""
    return CONTROLS.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def for_spreadsheet(cell: object) -> object:
    """The cell as it may stand in a CSV file: a text that a spreadsheet would compute begins with an apostrophe, which shows it as it is."""
    if not isinstance(cell, str) or not cell.startswith(RUN_BY_SPREADSHEETS):
        return cell
    try:
        float(cell)
    except ValueError:
        return f"'{cell}"
    return cell


def from_spreadsheet(cell: object) -> object:
    """The cell as it was before `for_spreadsheet`."""
    written = isinstance(cell, str) and cell[:1] == "'" and for_spreadsheet(cell[1:]) == cell
    return cell[1:] if written and isinstance(cell, str) else cell


def file_name(text: str, otherwise: str = "moola") -> str:
    """The text as the name of a file that every system takes: letters, digits, ``.``, ``-`` and ``_``; `otherwise` where none is left."""
    return UNSAFE_IN_NAMES.sub("_", text)[:MOST_LETTERS].strip("_.- ") or otherwise


def _escaped(match: re.Match[str]) -> str:
    number = ord(match[0])
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"
