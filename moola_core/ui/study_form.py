"""Starting a study, a comparison or a join from the Compare page."""

from __future__ import annotations

import streamlit as st

from moola_core import studies
from moola_core.errors import MoolaError
from moola_core.launch.estimate import Estimate, estimate_pretraining, estimate_study
from moola_core.market.ahead import held_out, refuse_pretraining, refuse_without_pointers
from moola_core.market.library import Dataset
from moola_core.market.unlabelled import choices
from moola_core.presets import available
from moola_core.runs.comparable import comparable
from moola_core.runs.joined import join_spec
from moola_core.runs.record import Record
from moola_core.sections.formatting import counted, duration, expected_time, time_range
from moola_core.specs import Compare, Data, Investigation, Study
from moola_core.specs.investigation import PLAN_BUDGET_S
from moola_core.ui import loaders, selecting, state, study_power, study_settings, widgets
from moola_core.ui.widgets import escape_markdown

QUICK = "quick"  # a study makes many runs
# The values of sampling.labelled as the page calls them.
LABELLED = {
    "exclude": "Left out",
    "per_fold": "Left out fold by fold",
    "see": "Seen, without the labels",
}


def new_study(dataset: Dataset) -> None:
    """Choose a named study and a preset; what it compares and how long it takes are shown before it starts."""
    starts = [key for key in available() if key != "october"]
    defaults = {
        state.STUDY_NAME: next(iter(studies.NAMED)),
        state.STUDY_PRESET: QUICK,
        state.STUDY_LABELLED: next(iter(LABELLED)),
    }
    for key, options in zip(defaults, (list(studies.NAMED), starts, list(LABELLED)), strict=True):
        state.init_state(key, options, defaults[key])
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.selectbox(
            "Study",
            list(studies.NAMED),
            format_func=lambda key: f"{key}: {studies.NAMED[key][0]}",
            key=state.STUDY_NAME,
            width=520,
        )
        start = st.selectbox("Settings from", starts, key=state.STUDY_PRESET, width=200)
        labelled = st.selectbox(
            "Bars of labelled windows",
            list(LABELLED),
            format_func=LABELLED.__getitem__,
            key=state.STUDY_LABELLED,
            width=300,
            help="What pre-training may see of them: sets pretrain.sampling.labelled.",
        )
    state.write_query_params(tuple(defaults), defaults)
    changes = {"pretrain.sampling.labelled": labelled} if dataset.bars else {}
    spec = None
    try:
        checkpoint, typed = study_settings.ask(name)
        own = (changes if name in studies.PRETRAINED and not checkpoint else {}) | typed
        own = study_settings.complete(checkpoint, own)
        asked = studies.study(name, start, loaders.data_of(dataset), own, checkpoint)
        expected = study_time(asked, dataset)
        st.caption(
            f"Arms: {escape_markdown(', '.join(arm.name for arm in asked.arms))}. {counted(asked.base.training.repeats, 'repeat')} of "
            f"{asked.base.training.folds} folds, {expected_time(expected.seconds, expected.low, expected.high)}, "
            f"from {escape_markdown(expected.source)}."
        )
        study_power.line(asked, dataset)
        for note in (*asked.notes, *what_is_left(asked, dataset)):
            st.caption(escape_markdown(note))
        refuse_impossible(asked, dataset)
        spec = asked
    except MoolaError as error:
        widgets.show_error(error)
    launcher = loaders.launcher()
    with st.container(horizontal=True):
        if st.button("Start the study", type="primary", icon=":material/play_arrow:", disabled=spec is None):
            assert spec is not None
            _follow(launcher.submit(spec, name=spec.name))
        whole = (
            f"An investigation in the order of your phases, of at most {duration(PLAN_BUDGET_S)}: what a phase decides, the next ones start from. "
            "It is shown on Investigate."
        )
        if st.button("Run the whole plan", icon=":material/account_tree:", help=whole):
            _start_plan(dataset, start, changes)


def _start_plan(dataset: Dataset, start: str, changes: dict[str, str]) -> None:
    """Begin the plan and show it where investigations are shown."""
    spec = Investigation(
        preset=start,
        data=Data(**loaders.data_of(dataset)),
        changes=changes,
        order="phases",
        budget_s=PLAN_BUDGET_S,
    )
    state.open_page("investigate", **{state.INVESTIGATION: loaders.launcher().submit(spec, name="plan")})


def _follow(study_id: str) -> None:
    """Show what was just started in the place of the study that was shown."""
    selecting.put(state.STUDY, study_id)
    st.rerun()


def refuse_impossible(spec: Study, dataset: Dataset) -> None:
    """Raise DataError when arms of the study cannot be trained on the dataset, before anything is started."""
    windows = loaders.windows_of(dataset.windows, dataset.bars) if dataset.windows else None
    if windows is not None:
        refuse_without_pointers(spec, windows)
    if dataset.bars:
        for encoder, arms in spec.pretrainings():
            held = held_out(spec, encoder, windows)
            refuse_pretraining(encoder, arms, loaders.bars_of(dataset.bars), held)


def what_is_left(spec: Study, dataset: Dataset) -> list[str]:
    """What each choice of the labelled bars leaves for the first pre-training and costs; nothing where none is made or windows are not known."""
    first = next(iter(spec.pretrainings()), None)
    if first is None or not dataset.bars or not dataset.windows:
        return []
    encoder, bars = first[0], loaders.bars_of(dataset.bars)
    held = held_out(spec, encoder, loaders.windows_of(dataset.windows, dataset.bars))
    each = estimate_pretraining(encoder, len(bars), loaders.store())
    options = [
        f"{LABELLED[one.labelled].lower()}: {'about ' * (one.labelled == 'per_fold')}{one}, about {duration(each.seconds * one.pretrainings)} "
        f"({time_range(each.low * one.pretrainings, each.high * one.pretrainings)})"
        for one in choices(bars, encoder, held)
    ]
    return [f"Windows left for each pre-training: {'; '.join(options)}."]


def study_time(spec: Study, dataset: Dataset) -> Estimate:
    """How long all runs of the study take on this host."""
    windows = (
        len(loaders.windows_of(dataset.windows, dataset.bars).trainable(spec.base.data.exclude_grades)[0])
        if dataset.windows
        else 0
    )
    bars = len(loaders.bars_of(dataset.bars)) if dataset.bars else 0
    return estimate_study(spec, windows, bars, loaders.store())


def new_comparison(records: tuple[Record, ...]) -> None:
    """Choose finished runs; the first is what the others are compared with."""
    done = {record.run_id: record for record in records if record.state == "done"}
    titles = widgets.unique_titles({run_id: widgets.title_of(record) for run_id, record in done.items()})
    state.choose_several(state.COMPARED, list(titles))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        selected = st.multiselect(
            "Runs, the baseline first", list(titles), format_func=titles.__getitem__, key=state.COMPARED, width=640
        )
        state.write_query_params((state.COMPARED,))
        if st.button("Compare them", icon=":material/compare_arrows:", disabled=len(selected) < 2):
            try:
                comparable(loaders.store(), selected)
            except MoolaError as error:
                widgets.show_error(error)
                return
            _follow(loaders.launcher().submit(Compare(runs=tuple(selected)), name="comparison", parent=selected[0]))


def new_join(records: tuple[Record, ...]) -> None:
    """Choose the run of the classes and that of the expansions; together they become one run, which predicts with the models of both."""
    done = {record.run_id: record for record in records if record.state == "done"}
    titles = widgets.unique_titles({run_id: widgets.title_of(record) for run_id, record in done.items()})
    st.caption(
        "The classes of one run and the expansions of another on the same folds, as one model. Nothing is trained."
    )
    keys = {state.JOINED_CLASS: "Classes of", state.JOINED_POINTERS: "Expansions of"}
    for key in keys:
        state.init_state(key, list(titles), None)
    state.init_text(state.JOINED_NAME)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        of_class, of_pointers = (
            st.selectbox(label, list(titles), index=None, format_func=titles.__getitem__, key=key, width=320)
            for key, label in keys.items()
        )
        name = st.text_input("Name", key=state.JOINED_NAME, width=240)
        state.write_query_params(state.OF_JOIN)
        if st.button("Join them", icon=":material/join:", disabled=of_class is None or of_pointers is None):
            assert of_class is not None and of_pointers is not None
            try:
                spec = join_spec(loaders.store(), of_class, of_pointers)
            except MoolaError as error:
                widgets.show_error(error)
                return
            run_id = loaders.launcher().submit(spec, name=name)
            state.open_page("runs", **{state.RUN: run_id})
