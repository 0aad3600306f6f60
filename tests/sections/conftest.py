"""The sample runs of the reports, for the sections that they are made of."""

from tests.reports.conftest import (  # noqa: F401
    figures_run,
    full_run,
    hostile_run,
    hostile_study,
    investigation_run,
    plan_run,
    predict_run,
    pretrained,
    search_run,
    study_run,
    windows,
)
