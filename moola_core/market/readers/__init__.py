"""File formats of bars and of labels: one file each, registered by name."""

from importlib import import_module
from pkgutil import iter_modules

from moola_core.market.readers.reader import (
    READERS,
    Header,
    Reader,
    read_header,
    read_labels,
    read_table,
    reader_of,
    suffix_of,
    write_table,
)

__all__ = [
    "READERS",
    "Header",
    "Reader",
    "read_header",
    "read_labels",
    "read_table",
    "reader_of",
    "suffix_of",
    "write_table",
]

for _module in iter_modules(__path__):  # each registers its format
    import_module(f"{__name__}.{_module.name}")
