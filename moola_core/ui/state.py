"""What the app remembers: the keys of session state, and their copy in the URL.

Streamlit's own `bind="query-params"` refuses `st.switch_page`, which a click on a confusion cell needs, so the copy is
made here: the URL is read when a session first asks for a key and when the browser goes back or forward, and written
whenever a page has drawn its widgets.
"""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Sequence
from typing import Any, NoReturn

import streamlit as st

from moola_core.sections import formatting
from moola_core.specs import Gates
from moola_core.ui import notices

DATASET, RUN = "dataset", "run"
WINDOW, REPEAT = "window", "repeat"
TRUE, PREDICTED, GRADE, OUTCOME, ERROR, ORDER = "true", "predicted", "grade", "outcome", "error", "order"
NOTED = "noted"
KIND, PRESET, MODEL, CHECKPOINT = "kind", "preset", "model", "checkpoint"
# What was typed on the Launch page.
SETTINGS, RUN_NAME, RUN_NOTE, RUN_TAGS = "set", "run_name", "run_note", "run_tags"
ARCHIVED = "archived"
SECTION, VIEW, STUDY, PREDICTION = "show", "view", "study", "prediction"
INVESTIGATION, EXPANSION = "investigation", "expansion"
DETAIL, PREVIEW = "section", "preview"
# Of parts of Performance and Predict.
CUT_CLASS, CUT, EXPLAINED = "threshold_class", "threshold", "explained"
LEAST_STATED, UNUSUAL = "least_stated", "unusual_level"
CHOICES = "choices"  # the keys of the choices inside of sections, each of which is in the URL under its own
# Of the Runs page: the run that is shown, of any kind, and what the table shows.
ROW, FIND, STATES, KINDS, TAGS, COLUMNS, DIFFERENT = "row", "find", "states", "kinds", "tags", "columns", "different"
ARRIVING, PAGE, DRAWN, EVERY_RUN = "arriving", "page", "drawn", "every_run"
# What the History page shows, the file of a report, and the forms of Compare.
EVENTS, REPORT_OF, REPORT_FORMAT = "events", "report_of", "format"
STUDY_NAME, STUDY_PRESET, STUDY_LABELLED = "study_name", "study_preset", "study_labelled"
STUDY_ENCODER, STUDY_SETTINGS = "study_encoder", "study_settings"
COMPARED, JOINED_CLASS, JOINED_POINTERS, JOINED_NAME = "compared", "join_class_run", "join_pointer_run", "join_name"
SEARCH_PRESET, SEARCH_MODEL = "search_preset", "search_model"
SEARCH_TRIALS, SEARCH_MINUTES = "search_trials", "search_minutes"
OF_STUDY = (STUDY_NAME, STUDY_PRESET, STUDY_LABELLED, STUDY_ENCODER, STUDY_SETTINGS)
STRIPS, SWINGS, BAR_SCORES = "strips", "swings", "bar_scores"
OF_DRAWING = (STRIPS, SWINGS, BAR_SCORES)
PREDICTED_DATA, PREDICTED_OF, STRIDE = "predict_data", "predict_kind", "stride"
OF_PREDICTION = (PREDICTED_DATA, PREDICTED_OF, STRIDE)
BUDGET, GOAL, ASKED_PRESET, ASKED_ENCODER = "budget", "goal", "investigated_preset", "given_encoder"
ASKED_SETTINGS = "investigated_settings"
GATES = {name: f"gate_{name}" for name in Gates.model_fields}
OF_INVESTIGATION = (BUDGET, GOAL, ASKED_PRESET, ASKED_ENCODER, ASKED_SETTINGS, *GATES.values())
OF_JOIN = (JOINED_CLASS, JOINED_POINTERS, JOINED_NAME)
OF_SEARCH = (SEARCH_PRESET, SEARCH_MODEL, SEARCH_TRIALS, SEARCH_MINUTES)
# The sections of a report, of each kind of report its own.
SECTIONS_OF = {kind: f"sections_{kind}" for kind in formatting.REPORT_OF}
OLD_URL, PUBLISHED = "old_url", "published"
WINDOW_KEYS = (WINDOW, REPEAT, TRUE, PREDICTED, GRADE, NOTED, OUTCOME, ERROR, ORDER)
CARRIED = (DATASET, RUN)
IN_URL = (
    *CARRIED,
    *WINDOW_KEYS,
    KIND,
    PRESET,
    MODEL,
    CHECKPOINT,
    SECTION,
    VIEW,
    STUDY,
    INVESTIGATION,
    PREDICTION,
    EXPANSION,
    DETAIL,
    PREVIEW,
    SETTINGS,
    RUN_NAME,
    RUN_NOTE,
    ROW,
    FIND,
    STATES,
    KINDS,
    TAGS,
    COLUMNS,
    DIFFERENT,
    CUT_CLASS,
    CUT,
    EXPLAINED,
    LEAST_STATED,
    UNUSUAL,
    RUN_TAGS,
    EVENTS,
    REPORT_OF,
    REPORT_FORMAT,
    *OF_STUDY,
    COMPARED,
    *OF_JOIN,
    *OF_SEARCH,
    *SECTIONS_OF.values(),
    *OF_DRAWING,
    *OF_PREDICTION,
    *OF_INVESTIGATION,
    ARCHIVED,
)
SEPARATOR = ","  # of several values of one key in the URL
DIGITS, LISTED = 9, 200


def asked(key: str) -> str:
    """What the URL says of `key`, as it stands there; empty when it says nothing. The only reader of the URL's values."""
    if st.query_params.to_dict() == st.session_state.get(OLD_URL):
        return ""  # it is still that of the page before
    return str(st.query_params.get(key, "")).strip()


def is_in_link(keys: Sequence[str]) -> bool:
    """Whether the URL says something of any of `keys`."""
    return any(asked(key) for key in keys)


def remember(key: str) -> str | None:
    """The session's value of `key`, else the URL's; None when neither has one."""
    if key not in st.session_state and asked(key):
        st.session_state[key] = asked(key)
    return st.session_state.get(key)


def init_state(key: str, options: Sequence[Any], default: Any) -> None:
    """Give `key` a value among `options` before its widget is drawn: the session's, else the URL's, else `default`."""
    text = asked(key)
    if key not in st.session_state and text:
        if text in options:
            st.session_state[key] = text
        else:
            known = ", ".join(str(option) for option in options if option != "")
            few = known and len(known) <= LISTED
            _ignored(key, text, f"It can be one of: {known}." if few else "Choose another on this page.")
    if key not in st.session_state or st.session_state[key] not in (*options, default):
        st.session_state[key] = default


def choose_number(key: str, low: int, high: int, default: int | None) -> None:
    """As `init_state`, for a whole number between `low` and `high`; None is no number."""
    if key not in st.session_state:
        text, number = asked(key), default
        # str.isdigit alone takes signs such as ² that int() refuses, and int() refuses numbers of thousands of digits.
        if text.isascii() and text.isdigit() and len(text) <= DIGITS and low <= int(text) <= high:
            number = int(text)
        elif text:
            _ignored(key, text, f"It can be a whole number from {low} to {high}.")
        st.session_state[key] = number
    if st.session_state[key] is not None:
        _correct(key, min(max(st.session_state[key], low), high))


def choose_several(key: str, options: Sequence[str], default: Sequence[str] = ()) -> None:
    """As `init_state`, for a list of `options`; none unless there is a default."""
    if key not in st.session_state:
        values = _parts(asked(key)) or list(default)
        for value in values:
            if value not in options:
                _ignored(key, value, "Choose another on this page.")
        st.session_state[key] = values
    _correct(key, [value for value in st.session_state[key] if value in options])


def init_list(key: str) -> None:
    """As `init_text`, for a list of texts of the visitor's own, such as tags."""
    if key not in st.session_state:
        st.session_state[key] = _parts(asked(key))


def choose_option(key: str, count: int) -> None:
    """As `choose_number`, for the place of an option among `count` inside of a section; the first one by default."""
    st.session_state.setdefault(CHOICES, set()).add(key)
    if key in st.session_state and st.session_state[key] not in range(count):
        st.session_state[key] = 0  # another run with more options was shown before
    choose_number(key, 0, max(count - 1, 0), 0)
    write_query_params((key,), {key: 0})


def init_fraction(key: str, low: float, high: float, default: float) -> None:
    """As `choose_number`, for a number between `low` and `high` with at most two decimals."""
    if key not in st.session_state:
        text, number = asked(key), default
        if re.fullmatch(r"\d(\.\d{1,2})?", text) and low <= float(text) <= high:
            number = float(text)
        elif text:
            _ignored(key, text, f"It can be a number from {low:g} to {high:g}.")
        st.session_state[key] = number
    _correct(key, min(max(st.session_state[key], low), high))


def _correct(key: str, value: Any) -> None:
    """Set `key` only where it differs: a widget whose key was set is sent to the browser, over what was chosen there in the meantime."""
    if st.session_state[key] != value:
        st.session_state[key] = value


def send_again(key: str) -> None:
    """Let the next message to the browser hold the value of `key`: what is in a popover is drawn when that is opened, from the last message alone."""
    if key in st.session_state:
        st.session_state[key] = st.session_state[key]


def init_text(key: str) -> None:
    """Give `key` a text before its widget is drawn: the session's, else the URL's."""
    if key not in st.session_state:
        st.session_state[key] = asked(key)


def init_switch(key: str, default: bool = False) -> None:
    """Give `key` a yes or no before its widget is drawn: the session's, else the URL's, else `default`."""
    if key not in st.session_state:
        st.session_state[key] = asked(key) != str(False) if default else asked(key) == str(True)


def write_query_params(keys: Sequence[str], defaults: dict[str, Any] | None = None) -> None:
    """Copy the session's values of `keys` to the URL; a default is left out."""
    values = {key: st.session_state.get(key) for key in keys}
    # A switch that is off by default says nothing while it is off; one that is on by default does.
    values = {
        key: str(False) if value is False and (defaults or {}).get(key) is True else _plain(value)
        for key, value in values.items()
    }
    parameters = {
        key: str(value) for key, value in values.items() if value not in (None, "", (defaults or {}).get(key))
    }
    if PUBLISHED in st.session_state:
        st.session_state[PUBLISHED] |= parameters
    else:
        _write({key: value for key, value in st.query_params.items() if key not in keys} | parameters)


def _plain(value: Any) -> Any:
    """A list as one text, and "no" as nothing."""
    if isinstance(value, list):
        return SEPARATOR.join(part.replace("%", "%25").replace(SEPARATOR, "%2C") for part in value)
    return None if value is False else value


def _parts(text: str) -> list[str]:
    """The list that `_plain` has made one text of."""
    return [urllib.parse.unquote(part) for part in text.split(SEPARATOR) if part]


def settle() -> None:
    """Write what a page has published that was just opened; when all of it is drawn. What was listed for it counts no more.

    Until the browser has the page's own address it would write this into the history's entry of the page before.
    """
    st.session_state.pop(EVERY_RUN, None)
    if PUBLISHED in st.session_state:
        own = {*IN_URL, *st.session_state.get(CHOICES, ())}
        others = {key: value for key, value in st.query_params.items() if key not in own}
        _write(others | st.session_state.pop(PUBLISHED))


def stop() -> NoReturn:
    """End the page here, with what it has published in the URL: after `st.stop` alone nothing is written any more."""
    settle()
    st.stop()


def open_page(page: str, **values: Any) -> None:
    """Go to `pages/<page>.py` with the session's keys set to `values`, and the dataset and run that are selected now.

    Every way from one page to another but the menu leads through here: `st.switch_page` alone would forget both.
    """
    carried = {key: st.session_state[key] for key in CARRIED if key in st.session_state}
    if page == "runs":
        carried[ROW] = None  # the chosen run is shown, not the row that was looked at before
    # A widget of this page may own a key and would refuse the change, so the next page's start makes it.
    st.session_state[ARRIVING] = (page, carried | values)
    # With the URL left as it is, this page's entry in the browser's history stays as it is too.
    st.switch_page(f"pages/{page}.py", query_params=st.query_params.to_dict())


def open_windows(**filters: Any) -> None:
    """Go to the windows that `filters` select; every other filter is dropped."""
    open_page("windows", **(dict.fromkeys(WINDOW_KEYS) | filters))


def arrive(page: str) -> bool:
    """Take over what `open_page` was given or what the browser went back to; before any widget is drawn.

    Returns whether the page is another one than in the run of the script before.
    """
    moved = st.session_state.get(PAGE) != page
    st.session_state[PAGE] = page
    target, values = st.session_state.pop(ARRIVING, ("", {}))
    if moved or target == page:
        st.session_state[PUBLISHED] = {}
        st.session_state.pop(OLD_URL, None)
    if target == page:
        for key, value in values.items():
            st.session_state.pop(key, None)
            if value is not None:
                st.session_state[key] = value
        st.session_state[OLD_URL] = st.query_params.to_dict()
    elif moved and any(asked(key) for key in IN_URL):
        # The menu leads to a page without values; with some, the browser goes back, forward, or opens a link.
        for key in (*IN_URL, *st.session_state.get(CHOICES, ())):
            if asked(key) or key not in CARRIED:
                st.session_state.pop(key, None)
    return moved


def _write(wanted: dict[str, str]) -> None:
    """Make the URL say `wanted`, in one message."""
    if wanted != st.query_params.to_dict():
        st.query_params.from_dict(wanted)


def _ignored(key: str, text: str, instead: str) -> None:
    shown = text if len(text) <= 60 else f"{text[:60]}…"
    notices.add(key, f"The link asks for {key}={shown}, which is not known here and is ignored. {instead}")
