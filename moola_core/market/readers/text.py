"""Text files: CSV, TSV and whatever else separates its columns by a sign, plain or compressed."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.csv
from pandas.api.types import is_object_dtype, is_string_dtype

from moola_core.errors import DataError
from moola_core.market.questions import Asking
from moola_core.market.readers.compressed import read_bytes, write_bytes
from moola_core.market.readers.flat_tasks import decoded, is_regions, tasks_of_rows
from moola_core.market.readers.label_studio import read_tasks
from moola_core.market.readers.layout import DOTTED_DATE, Layout, footer, layout_of
from moola_core.market.readers.reader import READERS, Header, Reader, suffix_of
from moola_core.market.readers.unnamed import name_columns
from moola_core.market.tables import LABEL_NAMES, rename
from moola_core.outgoing import for_spreadsheet, from_spreadsheet
from moola_core.specs import ReadOptions

HEAD_BYTES, TAIL_BYTES = 1 << 16, 1 << 12
_MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


@READERS.register("csv")
class Text(Reader):
    """Rows of text: comma, semicolon, tab or pipe; with or without a header; any encoding; plain or compressed."""

    suffixes = (
        *(".csv", ".txt", ".tsv", ".tab", ".prn", ".asc"),
        *(".csv.gz", ".csv.zst", ".csv.gzip", ".csv.zip", ".txt.gz", ".tsv.gz", ".gz", ".zst", ".zip"),
    )

    def layout(self, path: Path, reading: ReadOptions) -> Layout:
        head, _ = _decoded(read_bytes(path, HEAD_BYTES))
        return _layout(head, reading, str(path))

    def header(self, path: Path, reading: ReadOptions) -> Header:
        return Header(list(self.layout(path, reading).columns))

    def table(self, path: Path, reading: ReadOptions) -> pd.DataFrame:
        text = read_bytes(path)
        head, encoding = _decoded(text[:HEAD_BYTES])
        if encoding != "utf-8":
            text = text.decode(encoding, errors="replace").encode()
            head = text[:HEAD_BYTES].decode("utf-8", errors="ignore")
        layout = _layout(head, reading, str(path))
        for line in reversed(footer(text[-TAIL_BYTES:].decode("utf-8", errors="ignore"), layout)):
            text = text[: text.rfind(line.encode())]
        text = _without_more_headers(text, head, layout)
        table = _parse_quickly(text, layout)
        table = _parse(text, layout, path) if table is None else table
        return table if b"'" not in text else _as_they_were(table)

    def labels(self, path: Path, reading: ReadOptions) -> tuple[pd.DataFrame, list[str]]:
        table = self.table(path, reading)
        if any(is_regions(decoded(c)) for c in table.head(50).to_numpy().ravel()):
            rows = [{name: decoded(cell) for name, cell in row.items()} for row in table.to_dict("records")]
            with Asking(str(path)) as asking:
                return read_tasks(tasks_of_rows(rows, str(path)), reading, asking)
        return rename(table, reading, LABEL_NAMES), []

    def write(self, table: pd.DataFrame, path: Path) -> None:
        separator = "\t" if suffix_of(path).startswith((".tsv", ".tab")) else ","
        cells = table.copy(deep=False)
        for at, kind in enumerate(cells.dtypes):
            if is_string_dtype(kind) or is_object_dtype(kind):
                cells.isetitem(at, cells.iloc[:, at].map(for_spreadsheet))
        data = cells.to_csv(index=False, sep=separator).encode("utf-8", "backslashreplace")
        write_bytes(data, path, f"{path.stem}.csv")


def _as_they_were(table: pd.DataFrame) -> pd.DataFrame:
    """The table without the apostrophes that `write` put before what a spreadsheet would compute."""
    for at, kind in enumerate(table.dtypes):
        if is_string_dtype(kind) or is_object_dtype(kind):
            table.isetitem(at, table.iloc[:, at].map(from_spreadsheet))
    return table


def _without_more_headers(text: bytes, head: str, layout: Layout) -> bytes:
    """The text without the lines that repeat the header, as files have them that were joined."""
    if not layout.header or len(layout.columns) < 2:
        return text
    line = b"\n" + head.splitlines()[layout.before - 1].encode()
    first = text.find(line) if layout.before > 1 else -1
    after = first + len(line) if first >= 0 else len(line) - 1
    return text[:after] + text[after:].replace(line, b"\n") if line in text[after:] else text


def _parse_quickly(text: bytes, layout: Layout) -> pd.DataFrame | None:
    """The rows below the header by pyarrow, several times as quick as pandas; None where only pandas reads them as they are meant."""
    head, sign = text[:HEAD_BYTES], layout.separator
    special = b'"' in head or b"#" in head or f"{sign} ".encode() in head or sign == " " or layout.thousands is not None
    rows = [row for row in layout.rows if len(row) == len(layout.columns)]
    if special or not rows or len(rows) < len(layout.rows) or len(set(layout.columns)) < len(layout.columns):
        return None
    number = re.compile(rf"-?(0|[1-9]\d*)({re.escape(layout.decimal)}\d+)?")
    cells = {name: [row[i] for row in rows] for i, name in enumerate(layout.columns)}
    texts = [name for name, column in cells.items() if not all(map(number.fullmatch, column))]
    if any(_is_number(cell) for name in texts for cell in cells[name]):  # such as 1e3, or next to empty cells
        return None
    try:
        table = pyarrow.csv.read_csv(
            pa.BufferReader(text),
            pyarrow.csv.ReadOptions(column_names=list(layout.columns), skip_rows=layout.before),
            pyarrow.csv.ParseOptions(delimiter=sign),
            pyarrow.csv.ConvertOptions(
                column_types=dict.fromkeys(texts, pa.string()), decimal_point=layout.decimal, strings_can_be_null=True
            ),
        )
    except pa.ArrowException:  # another kind of value further down, or a line of another length: pandas says which
        return None
    kinds = [field.type for field in table.schema if field.name not in texts]
    return table.to_pandas() if all(pa.types.is_integer(kind) or pa.types.is_floating(kind) for kind in kinds) else None


def _is_number(cell: str) -> bool:
    """Whether a cell is a number in a form that is no code with leading zeros, such as 0930, nor a date such as 02.01."""
    try:
        float(cell.replace(",", "."))
    except ValueError:
        return False
    return not re.fullmatch(r"0\d+", cell)


def _parse(text: bytes, layout: Layout, path: Path) -> pd.DataFrame:
    """The rows below the header. Digits with a leading zero, such as 0930, stay text, and so do dates such as 02.01.2024."""
    as_text = {
        name: str
        for i, name in enumerate(layout.columns)
        if any(re.fullmatch(r"0\d+", row[i]) or DOTTED_DATE.match(row[i]) for row in layout.rows)
    }
    try:
        return pd.read_csv(
            io.BytesIO(text),
            sep=r"\s+" if layout.separator == " " else layout.separator,
            header=None,
            names=list(layout.columns),
            skiprows=layout.before,
            decimal=layout.decimal,
            thousands=layout.thousands,
            skipinitialspace=True,
            skip_blank_lines=True,
            comment="#" if any("#" in row[0] for row in layout.rows) else None,
            dtype=as_text,
            low_memory=False,
        )
    except pd.errors.EmptyDataError:
        return pd.DataFrame(columns=list(layout.columns))
    except pd.errors.ParserError as error:
        raise DataError(
            f"its rows do not have the same columns: {str(error).rpartition('error: ')[2].strip().rstrip('.')}.",
            where=str(path),
            hint="Correct that line, or export the file again.",
        ) from None


def _decoded(head: bytes) -> tuple[str, str]:
    """The first bytes as text, and their encoding. Raises DataError when they are no text."""
    for mark, encoding in _MARKS.items():
        if head.startswith(mark):
            return head.decode(encoding, errors="ignore"), encoding
    if b"\x00" not in head:
        try:
            return head.decode("utf-8"), "utf-8"
        except UnicodeDecodeError as error:
            if error.start > len(head) - 4:  # cut within a character
                return head[: error.start].decode("utf-8"), "utf-8"
        if not any(byte < 9 for byte in head):
            return head.decode("cp1252", errors="replace"), "cp1252"  # the table itself is written in ASCII
    halves = head[::2].count(0), head[1::2].count(0)
    if max(halves) > 0.4 * len(head) / 2 and min(halves) == 0:
        encoding = "utf-16-be" if halves[0] else "utf-16-le"
        return head.decode(encoding, errors="ignore"), encoding
    raise ValueError("it is no text")


def _layout(head: str, reading: ReadOptions, where: str) -> Layout:
    """The layout of a text that starts with `head`, which may be cut within a line."""
    whole_lines = head[: head.rfind("\n") + 1] or head
    return name_columns(layout_of(whole_lines, reading, where), reading, where)
