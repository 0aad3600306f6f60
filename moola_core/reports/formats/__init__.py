"""A report in each format, one module each."""

FORMATS = {"html": "HTML", "pdf": "PDF", "md": "Markdown", "json": "JSON", "zip": "ZIP"}
TIMEOUT_S = 180.0  # for one report; a report of every section and chart takes a tenth of it
