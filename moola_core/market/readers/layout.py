"""How a text file is laid out: what separates its columns, its decimal mark, and which lines are not rows of the table."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from moola_core.errors import DataError
from moola_core.market.questions import OpenQuestions, Question
from moola_core.specs import ReadOptions

SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}
NAMED = {name: sign for sign, name in SEPARATORS.items()} | {"space": " "}
SAMPLE_LINES = 200
NUMBER = re.compile(r"[+-]?(\d[\d.,'  ]*|[.,]\d+)([eE][+-]?\d+)?[%KMB]?")
DATE = re.compile(r"\d{1,4}[-/. ](\d{1,2}|[A-Za-z]{3})[-/. ]\d{1,4}")
_CLOCK = re.compile(r"\d{1,2}:\d\d")
DOTTED_DATE = re.compile(r"\d{1,2}\.\d{1,2}\.(\d{4}|\d\d)\b|\d{4}\.\d{1,2}\.\d{1,2}\b")
_PRICE_NAMES = {"open", "high", "low", "close", "last"}


@dataclass(frozen=True)
class Layout:
    """What a file looks like before its values are read.

    columns: the names of the columns, as the file gives them; header: whether the file gives any; rows: the first rows as
    they are written (text formats only); before: lines before the first row; notes: what was left out and why.
    """

    format: str
    columns: tuple[str, ...]
    header: bool = True
    separator: str = ""
    decimal: str = "."
    thousands: str | None = None
    rows: tuple[tuple[str, ...], ...] = ()
    before: int = 0
    title: str = ""
    notes: tuple[str, ...] = ()


def layout_of(head: str, reading: ReadOptions, where: str) -> Layout:
    """The layout of a text whose first lines are `head`. Raises OpenQuestions where two layouts fit, DataError where none does."""
    lines = head.splitlines()[:SAMPLE_LINES]
    declared = re.fullmatch(r"sep=(.)", lines[0].strip()) if lines else None
    given = reading.separator or (declared[1] if declared else None)
    separator = NAMED.get(given, given) if given else _separator(lines, where)
    rows = [_split(line, separator) if line.strip() else [] for line in lines]
    count = _fields(rows)
    table = [i for i, row in enumerate(rows) if len(row) == count and not lines[i].lstrip().startswith("#")]
    if not table:
        raise DataError("no table in it.", where=where, hint="Give one row a line, its columns separated by commas.")
    names, body = _header([rows[i] for i in table], reading)
    first = table[len(table) - len(body) - 1] + 1 if names else table[0]
    if not names and reading.header is None:
        names = _commented(lines[: table[0]], separator, count)
    _refuse_longer(rows, first, count, where)
    skipped = [line for i, line in enumerate(lines[: table[0]]) if line.strip() and not (i == 0 and declared)]
    notes = [f"{len(skipped)} lines before the table were left out."] if skipped else []
    decimal, thousands = _marks([cell for row in body for cell in row], separator, reading, where)
    columns = tuple(names) or reading.column_names or tuple(f"column {i + 1}" for i in range(count))
    columns += tuple(f"column {i + 1}" for i in range(len(columns), count))
    return Layout(
        "text",
        columns[:count],
        bool(names),
        separator,
        decimal,
        thousands,
        tuple(tuple(cell.strip() for cell in row) for row in body),
        first,
        " ".join(skipped),
        tuple(notes),
    )


def _refuse_longer(rows: Sequence[Sequence[str]], first: int, count: int, where: str) -> None:
    """Raise DataError when the first row has more cells than most; pandas would take some of them for an index."""
    longer = next((i for i in range(first, len(rows)) if rows[i]), None)
    if longer is not None and len(rows[longer]) > count:
        raise DataError(
            f"its rows do not have the same columns: line {longer + 1} has {len(rows[longer])} of them, and most have {count}.",
            where=where,
            hint="Correct that line, or export the file again.",
        )


def footer(tail: str, layout: Layout) -> list[str]:
    """The last lines of a text that are no rows of the table: of one cell where the table has more."""
    lines = tail.splitlines()[1:]  # the first may be cut
    last: list[str] = []
    while lines and (not lines[-1].strip() or len([c for c in _split(lines[-1], layout.separator) if c.strip()]) < 2):
        last.insert(0, lines.pop())
    return [line for line in last if line.strip()] if len(layout.columns) > 1 else []


def is_value(cell: str) -> bool:
    """Whether a cell holds a number, a date or a time of day, and so is no name of a column."""
    cell = cell.strip()
    return bool(NUMBER.fullmatch(cell) or DATE.search(cell) or _CLOCK.search(cell))


def _split(line: str, separator: str) -> list[str]:
    if separator == " ":
        return line.split()
    return next(csv.reader([line], delimiter=separator, skipinitialspace=True), [])


def _fields(rows: Sequence[Sequence[str]]) -> int:
    """How many columns most lines have."""
    sizes = Counter(len(row) for row in rows if row)
    return max(sizes, key=lambda size: (sizes[size], size)) if sizes else 0


def _separator(lines: Sequence[str], where: str) -> str:
    """The sign that splits most lines into equally many cells. Raises OpenQuestions when two do and both make numbers."""
    lines = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
    scores = {}
    for sign in SEPARATORS:
        rows = [_split(line, sign) for line in lines]
        count = _fields(rows)
        if count > 1:
            even = [row for row in rows if len(row) == count]
            cells = [cell for row in even[1:] or even for cell in row]
            readable = sum(is_value(cell) or not cell.strip() or _word(cell) for cell in cells) / len(cells)
            scores[sign] = (len(even) / len(rows) * readable, count)
    if not scores:
        return " " if len(lines) > 1 and all(len(line.split()) >= 5 for line in lines) else ","
    best = max(scores.values())[0]
    close = [sign for sign in scores if scores[sign][0] > 0.95 * best]
    outer = [sign for sign in close if sign != "," or not {";", "\t", "|"} & set(close)]
    if len(outer) > 1:  # comma is a decimal mark where another sign separates
        most = max(scores[sign][1] for sign in outer)
        outer = [sign for sign in outer if scores[sign][1] == most]
    if len(outer) > 1:
        answers = {SEPARATORS[sign]: f"{scores[sign][1]} columns" for sign in outer}
        raise OpenQuestions(
            [Question("separator", "Its columns may be separated in two ways.", answers, "--separator")], where=where
        )
    return outer[0]


def _word(cell: str) -> bool:
    return not re.search(r"[;|\t]", cell) and bool(re.search(r"[A-Za-z{\[]", cell))


def _header(rows: Sequence[Sequence[str]], reading: ReadOptions) -> tuple[list[str], Sequence[Sequence[str]]]:
    """The names of the columns, none without a header, and the rows below them; several lines of names become one."""
    if reading.header is False or (reading.header is None and any(map(is_value, rows[0]))):
        return [], rows
    names = [cell.strip() for cell in rows[0]]
    size = 1
    if {name.strip("<>").lower() for name in names} & _PRICE_NAMES:
        while size < len(rows) and not any(is_value(cell) for cell in rows[size]):
            size += 1
    for row in rows[1:size]:  # yfinance: fields, tickers, and the name of the index
        filled = [cell.strip() for cell in row]
        if filled[0] and not any(filled[1:]):
            names[0] = filled[0]
        elif len(set(filled[1:])) > 1:
            names = [
                names[0],
                *(f"{name}|{cell}" if cell else name for name, cell in zip(names[1:], filled[1:], strict=True)),
            ]
    return names, rows[size:]


def _commented(before: Sequence[str], separator: str, count: int) -> list[str]:
    """The names of the columns in the last line before the table, where that is a comment of as many cells; none where it is not."""
    last = next((line.strip() for line in reversed(before) if line.strip()), "")
    names = [cell.strip() for cell in _split(last.lstrip("#").strip(), separator)] if last.startswith("#") else []
    return names if len(names) == count and not any(map(is_value, names)) else []


def _marks(cells: Sequence[str], separator: str, reading: ReadOptions, where: str) -> tuple[str, str | None]:
    """The decimal mark and the sign between thousands. Raises OpenQuestions where a mark may be either."""
    numbers = [
        cell.strip().rstrip("%KMB")
        for cell in cells
        if NUMBER.fullmatch(cell.strip()) and not DOTTED_DATE.match(cell.strip())
    ]
    grouped = {sign: _grouped(numbers, sign) for sign in (",", ".", "'", " ")}
    if reading.decimal:
        other = "," if reading.decimal == "." else "."
        return reading.decimal, other if any(other in number for number in numbers) else None
    for sign in ("'", " "):
        if grouped[sign]:
            rest = [number.replace(sign, "") for number in numbers]
            return ("," if any("," in number for number in rest) else "."), sign
    commas, dots = ([number for number in numbers if sign in number] for sign in ",.")
    both = [number for number in commas if "." in number]
    if both:
        return (".", ",") if both[0].rfind(".") > both[0].rfind(",") else (",", ".")
    for sign, other, signed in ((",", ".", commas), (".", ",", dots)):
        if any(number.count(sign) > 1 for number in signed) and grouped[sign]:
            return other, sign
    if commas and dots:
        return (".", ",") if grouped[","] else (",", "." if grouped["."] else None)
    if commas or dots:
        mark, signed = (",", commas) if commas else (".", dots)
        unclear = grouped[mark] and all(re.fullmatch(r"[+-]?[1-9]\d{0,2}[.,]\d{3}", number) for number in signed)
        if unclear and (mark == "," or separator == ";") and len(signed) > 1:
            raise OpenQuestions([_either_mark(signed[0], mark)], where=where)
        return mark, None
    return ".", None


def _grouped(numbers: Sequence[str], sign: str) -> bool:
    """Whether the sign stands in numbers, and only between groups of three digits, of which the first does not begin with 0."""
    signed = [number for number in numbers if sign in number]
    return bool(signed) and all(
        re.fullmatch(rf"[+-]?[1-9]\d{{0,2}}({re.escape(sign)}\d{{3}})+([.,]\d+)?", number) for number in signed
    )


def _either_mark(example: str, mark: str) -> Question:
    plain = example.replace(mark, "")
    as_decimal = example.replace(mark, ".")
    return Question(
        "decimal",
        f"The {'comma' if mark == ',' else 'dot'} in {example} may be the decimal mark or stand between thousands.",
        {
            mark: f"{example} is {as_decimal}",
            ("." if mark == "," else ","): f"{example} is {plain}",
        },
        "--decimal",
    )
