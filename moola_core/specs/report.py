"""A report of a run as a file."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from moola_core.specs.part import SpecModel


class Report(SpecModel):
    """Writes the report of `run`, or of what the doctor found in it, as one file that can be shared."""

    kind: Literal["report"] = "report"
    run: str = Field(description="the run that the report is of")
    about: Literal["", "doctor"] = Field(
        "", description="doctor: what the doctor found in it, instead of the run's own results"
    )
    format: Literal["html", "pdf", "md", "json", "zip"] = Field("html", description="the kind of file")
    sections: tuple[str, ...] = Field((), description="names of its sections; all where none is named")
    file: str = Field(
        "report", pattern=r"^[^/\\\x00]{1,200}$", description="what the file is called, without its ending"
    )
    timeout_s: float = Field(180.0, gt=0, description="how long making it may take, in seconds")
