"""What a file of weights leaves open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from moola_core.errors import CheckpointError


@dataclass(frozen=True)
class Question:
    """What the file leaves open: the setting that answers it, the question, and the answers that there are."""

    setting: str
    question: str
    answers: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """As the questions of other files are printed."""
        asked = {"id": self.setting, "question": self.question, "answers": list(self.answers)}
        return asked | {"flag": f"--set {self.setting}="}


class CheckpointQuestion(CheckpointError):
    """The file leaves open what it is; `question` holds the setting that answers it."""

    def __init__(self, question: Question, where: str) -> None:
        self.question = question
        options = " or ".join(f"--set {question.setting}={answer}" for answer in question.answers[:6])
        super().__init__(question.question, where=where, hint=f"Give {options}." if options else "")

    def __reduce__(self) -> tuple:
        return (type(self), (self.question, self.where))
