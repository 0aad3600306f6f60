"""Overview: what to do next, how far each target is, whether the data is sound."""

from __future__ import annotations

import streamlit as st

from moola_core.sections import advice
from moola_core.ui import (
    answers,
    demo_card,
    doctor_sections,
    downloads,
    health,
    host_section,
    loaders,
    no_data,
    picker,
    progress,
    reading,
    state,
    targets_table,
    widgets,
)
from moola_core.ui.places import display_path

selection = picker.current()
st.title("Overview")
if selection.dataset is None:
    no_data.show("No data yet", "Read bars and labelled windows of your own, or make the demo market to look around.")
    state.stop()


def result_of(record):
    run = loaders.store().open(record.run_id) if record else None
    result = loaders.evaluation(run) if run else None
    return (result, loaders.calibration(run)) if result else None


demo_card.draw(selection.dataset)
latest = result_of(selection.latest)
problem = health.problem(selection.dataset)
if problem is not None:
    no_data.show_error(problem)


def next_step() -> None:
    step = advice.next_step(
        selection.latest, latest and latest[0], selection.baseline is not None, latest and latest[1]
    )
    st.markdown(f"**Next.** {widgets.escape_markdown(step.step)}")
    about = f"{widgets.title_of(selection.latest)}: " if selection.latest else ""
    st.caption(widgets.escape_markdown(f"{about}{step.fact}"))
    if selection.latest and selection.latest.active:
        progress.follow(loaders.store().open(selection.latest.run_id), selection.latest, progress.bar)
    if st.button(step.label, type="primary", icon=":material/arrow_forward:"):
        state.open_page(step.page, **dict(step.values))


if problem is None or selection.latest:
    with st.container(border=True, key="next"):
        next_step()
answers.draw(selection.dataset, selection.own)
st.header("Targets")
finished = selection.latest if latest else next((record for record in selection.own if record.state == "done"), None)
shown_result, baseline = latest or result_of(finished), result_of(selection.baseline)
if shown_result is None:
    st.caption("The actual figures appear when the first run is done.")
else:
    pinned = (
        f"; baseline: {widgets.escape_markdown(widgets.title_of(selection.baseline))}"
        if selection.baseline
        else "; no baseline pinned"
    )
    named = f"Latest run: {widgets.escape_markdown(widgets.title_of(finished))}{pinned}"
    st.caption(f"{named}. In brackets: 95% interval.")
    doctor_sections.badge_line(loaders.store().open(finished.run_id))
targets_table.targets_table(shown_result, baseline)

with st.container(horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute"):
    st.header("Data")
    if st.button("Read a new file", icon=":material/upload_file:", width="content"):
        reading.open_dialog()
places = " and ".join(
    f"*{widgets.escape_markdown(display_path(path))}*"
    for path in (selection.dataset.windows, selection.dataset.bars)
    if path
)
st.caption(f"From {places}")
if problem is None:
    health.data_health(selection.dataset)
    downloads.of_dataset(selection.dataset)
host_section.draw()
