"""Files of weights from anywhere: read without torch and without running code, and what they say of themselves."""

from __future__ import annotations

from moola_core.weight_files.description import Description, columns_question, describe, weights
from moola_core.weight_files.files import form_of
from moola_core.weight_files.questions import CheckpointQuestion, Question

__all__ = ["CheckpointQuestion", "Description", "Question", "columns_question", "describe", "form_of", "weights"]
