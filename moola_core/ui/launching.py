"""The right-hand side of the Launch page: what was changed, what it takes, the command, and the start."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import streamlit as st

from moola_core.errors import CheckpointError, MoolaError
from moola_core.launch.estimate import estimate, estimate_pretraining
from moola_core.launch.estimate.memory import estimate_memory
from moola_core.market.known import first_bars
from moola_core.market.library import Dataset
from moola_core.market.unlabelled import HeldOut, refuse_too_few
from moola_core.market.windows import Windows
from moola_core.presets import network_preset, preset
from moola_core.runs.checkpoints import contradiction, description_of, find, fitted_networks, start_from
from moola_core.sections.formatting import duration, size, time_range
from moola_core.specs import Diagnose, change
from moola_core.specs.choices import ESTIMATORS, TRAINED
from moola_core.ui import guard, loaders, notices, owners, selecting, settings_form, state
from moola_core.ui.command import command
from moola_core.ui.places import data_folder, display_path, store_folder
from moola_core.ui.widgets import escape_markdown, figures, title_of, unique_titles
from moola_core.weight_files import CheckpointQuestion

FINETUNE, PRETRAIN = "finetune", "pretrain"
TITLES = {FINETUNE: "Fine-tune on the labelled windows", PRETRAIN: "Pre-train on the bars"}
SCRATCH, NETWORK = "", "network"
STARTS = {PRETRAIN: "pre-trained", FINETUNE: "each fit from the same fit of"}
PRESET_OF_MODEL, START_OF_PRESET = "preset_of_model", "start_of_preset"
NAME, NOTE = state.RUN_NAME, state.RUN_NOTE
WRITTEN = "set_written"  # the settings as this page has put them into the link


def base_spec(
    kind: str, name: str, dataset: Dataset, checkpoint: str = SCRATCH, model: str = "", which: str = ""
) -> Any:
    """The preset called `name` on the dataset, with the readings saved next to its files; from a checkpoint if any, of which
    `which` names the encoder where it holds more than one.

    model: the estimator, by default the preset's. Where a network is needed and the preset trains none, another preset stands in.
    """
    start = network_preset(name)[0] if kind == PRETRAIN or checkpoint or model == NETWORK else preset(name)
    spec: Any = start.finetune() if kind == FINETUNE else start.pretrain()
    if kind == FINETUNE and model and model != spec.estimator:
        spec = change(spec, {"estimator": model})
    spec = spec.model_copy(update={"data": spec.data.model_copy(update=loaders.data_of(dataset))})
    if kind == FINETUNE and checkpoint:
        state_too = dataset.bars is not None and start.keeps_state
        spec = change(spec, start_from(checkpoint, start.schedule, store_folder(), state_too, which))
    return spec


def choose_model(name: str) -> str:
    """The estimator, at first that of the preset called `name`, or the network where there is an encoder to start from."""
    own = NETWORK if state.remember(state.CHECKPOINT) else preset(name).finetune().estimator
    if st.session_state.get(PRESET_OF_MODEL) not in (None, name):
        st.session_state.pop(state.MODEL, None)
    st.session_state[PRESET_OF_MODEL] = name
    state.init_state(state.MODEL, list(TRAINED), own)
    selecting.select("Model", state.MODEL, {model: model.replace("_", " ") for model in TRAINED})
    st.caption(f"{ESTIMATORS[st.session_state[state.MODEL]].capitalize()}.")
    return str(st.session_state[state.MODEL])


def choose_checkpoint(dataset: Dataset, start: str = "") -> tuple[str, str]:
    """The checkpoint to start from, among pre-training runs, networks of this data and the files in data and artifacts, and which of its encoders.

    start: the one of the preset, which is selected at first. Warns of other bars, and describes a file.
    """
    owner = owners.Owner(dataset)
    fitted = [one for one in fitted_networks(store_folder()) if one.run and owner.has(one.run)]
    checkpoints = {c.reference: c for c in [*find(data_folder(), store_folder()), *fitted]}
    titles = {SCRATCH: "random weights (from scratch)"} | {
        name: f"{STARTS[one.run.kind]}: {title_of(one.run)}" if one.run else display_path(name)
        for name, one in checkpoints.items()
    }
    if start:
        titles.setdefault(start, f"as the preset's run: {start}")
    if st.session_state.get(START_OF_PRESET, start) != start:
        st.session_state.pop(state.CHECKPOINT, None)
    st.session_state[START_OF_PRESET] = start
    state.init_state(state.CHECKPOINT, list(titles), start or SCRATCH)
    selecting.select("Encoder", state.CHECKPOINT, unique_titles(titles))
    selected = st.session_state[state.CHECKPOINT]
    record = checkpoints[selected].run if selected in checkpoints else None
    if record is not None and not owners.belongs(record, dataset):
        bars = escape_markdown(display_path(owners.trained_on(record)))
        st.markdown(f":orange[:material/warning:] Pre-trained on {bars}, not on the bars of the selected dataset.")
    which = _describe_file(selected) if selected in checkpoints and record is None else ""
    return str(selected), which


def _describe_file(path: str) -> str:
    """Show what the file says of its encoder; the name of the one that is selected where it holds more than one."""
    which = ""
    try:
        try:
            described = description_of(path, store_folder())
        except CheckpointQuestion as asked:
            answers = list(asked.question.answers)
            which = str(
                st.selectbox("Which encoder of the file", answers, help=escape_markdown(asked.question.question))
            )
            described = description_of(path, store_folder(), which)
    except CheckpointError:
        return which  # shown in the form's place
    listed = ", ".join(f"{escape_markdown(name)} {_value(value)}" for name, value in described.settings().items())
    st.caption(f"Taken from the file: {listed}.")
    for note in described.notes:
        st.markdown(f":orange[:material/warning:] {escape_markdown(note)}")
    return which


def typed_settings(base: Any, form: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
    """What is typed in the form that `form` draws. A link can give it, so that a refreshed page, or one opened for another run, has it too."""
    text = state.remember(state.SETTINGS)
    if text and text != st.session_state.get(WRITTEN):
        problem = settings_form.take_over(base, text)
        if problem:
            notices.add(state.SETTINGS, problem)
    typed = form(base)
    st.session_state[state.SETTINGS] = st.session_state[WRITTEN] = json.dumps(typed) if typed else ""
    state.write_query_params((state.SETTINGS,))
    return typed


def summary(base: Any, checked: settings_form.FormState, windows: Windows | None, bars: int) -> None:
    """Is it valid, what was changed, what does it take; then name, command and start."""
    if checked.spec is None:
        problem = " ".join(f"{name} {text}".strip() for name, text in checked.errors.items())
    else:
        problem = data_problem(checked.spec, windows) or checkpoint_problem(checked.spec)
    if problem:
        st.error(escape_markdown(problem), icon=":material/error:")
    else:
        st.markdown(":green-badge[:material/check: valid]")
    if checked.spec is not None:
        changes_table(base, checked.spec)
        if not problem:
            costs(checked.spec, windows, bars)
    start(base, checked.spec, problem)


def changes_table(base: Any, spec: Any) -> None:
    """Each changed setting: the preset's value, the typed one, and what the setting means."""
    changes = settings_form.changed(base, spec)
    if not changes:
        st.caption("Nothing changed from the preset.")
        return
    lines = ["| Changed | Preset | Yours | Meaning |", "|:--|:--|:--|:--|"]
    for name, (before, after) in changes.items():
        meaning = escape_markdown(str(settings_form.fields(base.kind)[name].description or ""))
        lines.append(f"| {escape_markdown(name)} | {_value(before)} | **{_value(after)}** | {meaning} |")
    st.markdown("\n".join(lines))


def data_problem(spec: Any, windows: Windows | None) -> str:
    """Why this data cannot be trained on with this spec; empty when it can."""
    if spec.kind == PRETRAIN:
        return _pretraining_problem(spec, windows)
    if windows is None:
        return "Fine-tuning needs labelled windows. Choose a dataset that has them."
    kept, _ = windows.trainable(spec.data.exclude_grades)
    counts = {name: int((kept.label == name).sum()) for name in kept.classes}
    if len(counts) < 2:
        return "Training needs windows of two or more classes. Leave out fewer grades."
    rarest = min(counts, key=lambda name: counts[name])
    if counts[rarest] < spec.training.folds:
        return f"{rarest} has {counts[rarest]} windows, fewer than the {spec.training.folds} folds. Use fewer folds."
    return ""


def _pretraining_problem(spec: Any, windows: Windows | None) -> str:
    if not spec.data.bars:
        return "Pre-training needs bars. Choose a dataset that has them."
    length, notes = spec.sampling.window_bars, list[str]()
    try:
        bars = loaders.bars_of(spec.data.bars)
        if windows is not None:
            position = first_bars([windows], length)
        else:
            known = loaders.known_windows(spec.data.bars)
            position, notes = known.first(length), known.notes(spec.sampling.labelled != "see")
        refuse_too_few(bars, spec, HeldOut(position))
    except MoolaError as error:
        return " ".join([str(error), *notes])
    return ""


def checkpoint_problem(spec: Any) -> str:
    """In what the settings contradict the encoder to start from; empty when they agree."""
    reason = contradiction(spec, store_folder()) if spec.kind == FINETUNE else ""
    return f"The encoder does not fit: {reason}." if reason else ""


def costs(spec: Any, windows: Windows | None, bars: int) -> None:
    """Time, memory and disk that the run will take, from measured steps and runs like it, and its cost at an hourly price."""
    if spec.kind == PRETRAIN:
        expected = estimate_pretraining(spec, bars, loaders.store())
        fits, sizes = f"{spec.training.epochs} epochs", f"about {expected.fits} windows"
        if windows is None:
            for note in loaders.known_windows(spec.data.bars).notes(spec.sampling.labelled != "see"):
                st.caption(f":material/info: {escape_markdown(note)}")
    else:
        assert windows is not None
        kept, left_out = windows.trainable(spec.data.exclude_grades)
        expected = estimate(spec, len(kept), loaders.store())
        fits = f"{expected.fits} fits"
        sizes = f"{len(kept)} windows" + (f", {left_out} left out" if left_out else "")
    taken = estimate_memory(spec, expected.fits if spec.kind == PRETRAIN else len(kept), loaders.store())
    price = st.number_input(
        "Price of this machine, per hour",
        0.0,
        1000.0,
        0.0,
        step=0.1,
        key="price",
        persist_state="session",
        help="In your own currency. The cost is the estimated time at this price.",
    )
    values = {
        "Time": (duration(expected.seconds), f"8 times in 10 from {time_range(expected.low, expected.high)}"),
        "Disk": (size(expected.bytes), f"{fits}, {sizes}"),
    }
    if taken is not None:
        runs = f"{taken.runs} run{'s' * (taken.runs > 1)} like it on this host"
        values["Memory"] = (f"{taken.low / 1e9:.1f} to {taken.high / 1e9:.1f} GB", f"at most, in {runs}")
    if price:
        low, high = (price * seconds / 3600 for seconds in (expected.low, expected.high))
        values["Cost"] = (f"{price * expected.seconds / 3600:.2f}", f"{low:.2f} to {high:.2f}, at {price:g} an hour")
    figures(values)
    st.caption(f"From {escape_markdown(expected.source)}.")


def start(base: Any, spec: Any, problem: str) -> None:
    """Name, note and tags; the equivalent command; the button that starts the run."""
    for key in (NAME, NOTE):
        state.init_text(key)
    name = st.text_input(
        "Name", key=NAME, placeholder="what you will look for later", persist_state="session", live="300ms"
    )
    note = st.text_input("Note", key=NOTE, placeholder="why you run it", persist_state="session", live="300ms")
    state.init_list(state.RUN_TAGS)
    options = sorted({*_known_tags(), *st.session_state[state.RUN_TAGS]})
    tags = tuple(
        st.multiselect(
            "Tags", options, accept_new_options=True, key=state.RUN_TAGS, placeholder="none", persist_state="session"
        )
    )
    state.write_query_params((NAME, NOTE, state.RUN_TAGS))
    if st.button("Start the run", type="primary", icon=":material/play_arrow:", disabled=spec is None or bool(problem)):
        assert spec is not None
        with guard.explained():
            run_id = loaders.launcher().submit(spec, name=name, note=note, tags=tags)
            state.open_page("runs", **{state.RUN: run_id})
    if st.button(
        "Check before launch",
        icon=":material/stethoscope:",
        disabled=spec is None or bool(problem),
        help="The doctor looks at settings and data; nothing is trained.",
    ):
        assert spec is not None
        with guard.explained():
            loaders.launcher().submit(Diagnose(name="doctor", planned=spec.model_dump(mode="json")))
            state.open_page("doctor", **{state.VIEW: "planned"})
    if spec is not None:
        st.caption("The same from the command line:")
        st.code(command(spec, settings_form.changed(base, spec), name, note, tags), language="bash", wrap_lines=True)


def _known_tags() -> list[str]:
    return sorted({tag for record in loaders.records() for tag in record.tags})


def _value(value: object) -> str:
    if value is None:
        return "none"
    return escape_markdown(", ".join(map(str, value)) or "none" if isinstance(value, tuple) else f"{value}")
