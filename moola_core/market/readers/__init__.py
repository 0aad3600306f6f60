"""File formats of bars and of labels: one file each, registered by name."""

from moola_core.market.readers.reader import (
    READERS,
    Header,
    Reader,
    holds_lists,
    read_header,
    read_labels,
    read_layout,
    read_table,
    reader_name,
    reader_of,
    suffix_of,
    write_table,
)
from moola_core.registry import import_members

__all__ = [
    "READERS",
    "Header",
    "Reader",
    "holds_lists",
    "read_header",
    "read_labels",
    "read_layout",
    "read_table",
    "reader_name",
    "reader_of",
    "suffix_of",
    "write_table",
]

import_members(__name__, __path__)
