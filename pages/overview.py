"""Overview: what to do next, how far each target is, whether the data is sound."""

from __future__ import annotations

import streamlit as st

from moola_core.errors import MoolaError
from moola_core.launch import demo
from moola_core.sections import advice
from moola_core.ui import (
    answers,
    demo_card,
    doctor_sections,
    downloads,
    host_section,
    loaders,
    picker,
    progress,
    reading,
    state,
    targets_table,
    widgets,
)
from moola_core.ui.health import data_health
from moola_core.ui.places import data_folder, display_path


def make_demo() -> None:
    demo.files(data_folder())
    demo.start_filling(loaders.store())
    st.rerun()


selection = picker.current()
st.title("Overview")
if selection.dataset is None:
    widgets.empty_state(
        "No data yet",
        f"Put bars and labelled windows anywhere under `{display_path(data_folder())}`, or make the demo "
        "market to look around.",
        [
            ("Make the demo market", make_demo),
            ("Look again", st.rerun),
        ],
    )
    state.stop()


def result_of(record):
    run = loaders.store().open(record.run_id) if record else None
    result = loaders.evaluation(run) if run else None
    return (result, loaders.calibration(run)) if result else None


demo_card.draw(selection.dataset)
latest = result_of(selection.latest)
with st.container(border=True, key="next"):
    step = advice.next_step(
        selection.latest, latest and latest[0], selection.baseline is not None, latest and latest[1]
    )
    st.markdown(f"**Next** · {widgets.escape_markdown(step.fact)}  \n{widgets.escape_markdown(step.step)}")
    if selection.latest and selection.latest.active:
        progress.follow(loaders.store().open(selection.latest.run_id), progress.bar)
    if st.button(step.label, type="primary", icon=":material/arrow_forward:"):
        state.open_page(step.page, **dict(step.values))

answers.draw(selection.dataset, selection.own)
st.subheader("Targets")
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
    st.subheader("Data")
    if st.button("Read a new file", icon=":material/upload_file:", width="content"):
        reading.open_dialog()
places = " and ".join(
    f"*{widgets.escape_markdown(display_path(path))}*"
    for path in (selection.dataset.windows, selection.dataset.bars)
    if path
)
st.caption(f"From {places}")
try:
    data_health(selection.dataset)
    downloads.of_dataset(selection.dataset)
except MoolaError as error:
    widgets.show_error(error)
host_section.draw()
