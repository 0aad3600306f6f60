"""The wish that a run be cancelled: a file in its folder, which marks a TERM that was asked for."""

from __future__ import annotations

from moola_core.runs.files import write_text
from moola_core.runs.liveness import carried_out_by
from moola_core.runs.references import ancestors
from moola_core.runs.store import Run, utcnow_iso

WISH = "cancel"


def ask(run: Run) -> None:
    """Ask for the run to be cancelled; whoever watches it ends it."""
    write_text(run.folder / WISH, utcnow_iso() + "\n")


def asked(run: Run) -> bool:
    """Whether the run, or the study or plan that it is part of, is to be cancelled."""
    if (run.folder / WISH).is_file():
        return True
    process = run.record.process
    for above in ancestors(run):
        if not carried_out_by(process, above.record.process):  # made of that run, not a part of it
            return False
        if (above.folder / WISH).is_file():
            return True
    return False


def withdraw(run: Run) -> None:
    """Forget the wish: the run goes on."""
    (run.folder / WISH).unlink(missing_ok=True)
