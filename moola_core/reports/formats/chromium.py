"""Headless Chromium: PDF and PNG of pages that lie on this disk."""

from __future__ import annotations

import base64
import os
import re
import shutil
import subprocess
from pathlib import Path

from moola_core.errors import ReportError
from moola_core.runs.files import scratch

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
# The last one sends every name to nowhere: a report needs no network, and shall have none.
FLAGS = (
    "--headless",
    "--disable-gpu",
    "--no-first-run",
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--hide-scrollbars",
    "--window-size=1000,1400",
    "--virtual-time-budget=30000",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)
PAGE_S = 600.0
PICTURE = re.compile(r'<img data-picture="([^"]+)" src="data:image/png;base64,([^"]+)"')


def find() -> str:
    """The path of an installed Chromium or Chrome. Raises ReportError with the command that installs it."""
    for name in NAMES:
        path = shutil.which(name)
        if path:
            return path
    raise ReportError(
        "no Chromium is installed, and it draws the pages and pictures of pdf, md and zip.",
        hint="Install it (apt-get install -y --no-install-recommends chromium), or take html or json.",
    )


def print_pdf(page: str, out: Path) -> None:
    """Print the HTML text `page` to the PDF file `out`."""
    _run(page, f"--print-to-pdf={out}", "--no-pdf-header-footer")
    if not out.is_file():
        raise ReportError("Chromium printed no PDF.", hint="Take html, and print it from a browser.")


def pictures(page: str) -> dict[str, bytes]:
    """The PNG files that the page leaves in its document, by name: `<img data-picture=NAME src="data:image/png;base64,…">`."""
    return {name: base64.b64decode(data) for name, data in PICTURE.findall(_run(page, "--dump-dom"))}


def _run(page: str, *flags: str) -> str:
    """Open the page and return what Chromium printed. The caller's process bounds the time."""
    with scratch() as folder:
        path = folder / "page.html"
        path.write_text(page, encoding="utf-8")
        # Chromium's own sandbox does not start for root, as in most containers.
        sandbox = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
        command = [find(), *FLAGS, *sandbox, f"--user-data-dir={folder}/profile", *flags, path.as_uri()]
        try:
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                errors="replace",
                stdin=subprocess.DEVNULL,
                encoding="utf-8",
                timeout=PAGE_S,
                env=os.environ | {"TMPDIR": str(folder)},  # what it leaves when it is killed goes with the folder
            )
        except subprocess.TimeoutExpired:
            raise ReportError(
                f"Chromium had not drawn the page after {PAGE_S:g} s.", hint="Take fewer sections, or html or json."
            ) from None
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no output"])[-1]
            raise ReportError(f"Chromium ended with status {done.returncode}: {last}", hint="Take html or json.")
        return done.stdout
