"""What a file cannot prove is asked: questions with their possible answers, and the error that carries them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from moola_core.errors import DataError

COMMON_ZONES = (
    "UTC",
    "America/New_York",
    "America/Chicago",
    "Europe/London",
    "Europe/Berlin",
    "Etc/GMT-2",
    "Etc/GMT+5",
)


@dataclass(frozen=True)
class Question:
    """Something that the file leaves open.

    id: the field of `ReadOptions` that the answer sets; answers: each possible value, and what follows from it; flag: how the
    answer is given on the command line. open_ended: any other value of the same kind is an answer too, such as a time zone.
    """

    id: str
    question: str
    answers: Mapping[str, str]
    flag: str
    open_ended: bool = False

    def __str__(self) -> str:
        shown = [f"{self.flag} {value}" + (f" ({means})" if means else "") for value, means in self.answers.items()]
        return f"{self.question} Answer with {', '.join(shown[:-1])}{' or ' if shown[1:] else ''}{shown[-1]}."

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "question": self.question,
            "answers": list(self.answers),
            "meanings": dict(self.answers),
            "flag": self.flag,
        }


class OpenQuestions(DataError):
    """A file that can be read in more than one way; `questions` says what has to be answered."""

    def __init__(
        self, questions: Sequence[Question], *, where: str = "", reader: str = "", confidence: float = 0.0
    ) -> None:
        self.questions, self.reader, self.confidence = tuple(questions), reader, confidence
        super().__init__(
            " ".join(str(question) for question in questions),
            where=where,
            hint="The answers are saved next to the file with --save, or in the app: Overview, Read a new file.",
        )

    def __reduce__(self) -> tuple:
        return (_rebuild, (self.questions, self.where, self.reader, self.confidence))


def _rebuild(questions: tuple[Question, ...], where: str, reader: str, confidence: float) -> OpenQuestions:
    return OpenQuestions(questions, where=where, reader=reader, confidence=confidence)


class Asking:
    """Collects the questions of one file, so that all are asked at once.

    The steps of reading go on with a provisional answer; `close` raises OpenQuestions where one was needed. Used as a context, it also
    replaces an error that a provisional answer may have caused.
    """

    def __init__(self, where: str) -> None:
        self.where, self.reader, self.confidence = where, "", 0.0
        self.questions: list[Question] = []

    def ask(self, question: Question) -> None:
        if all(other.id != question.id for other in self.questions):
            self.questions.append(question)

    def close(self) -> None:
        if self.questions:
            raise OpenQuestions(
                self.questions, where=self.where, reader=self.reader, confidence=self.confidence
            ) from None

    def __enter__(self) -> Asking:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if error is None or (isinstance(error, DataError) and not isinstance(error, OpenQuestions)):
            self.close()


def which_zone(example: pd.Timestamp | None) -> Question:
    """The question for the time zone of naive times, of which `example` is one."""
    answers = dict.fromkeys(COMMON_ZONES, "")
    if example is not None:
        placed = {zone: example.tz_localize(zone, ambiguous=True, nonexistent="shift_forward") for zone in COMMON_ZONES}
        answers = {zone: f"{example:%H:%M} is {moment.tz_convert('UTC'):%H:%M} UTC" for zone, moment in placed.items()}
    return Question(
        "tz",
        f"Its times, such as {example or 'those given'}, carry no time zone, and nothing in the file shows which it is.",
        answers | {"UTC": "any other name of the IANA list may be given too"},
        "--tz",
        open_ended=True,
    )
