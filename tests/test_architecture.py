"""Who may import whom, and what may be loaded where: read from the sources, and checked in fresh processes."""

from __future__ import annotations

import ast
import csv
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "moola_core"
ANYONE = {
    "__version__",
    "arguments",
    "durations",
    "errors",
    "metrics",
    "outgoing",
    "overlap",
    "registry",
    "spans",
    "specs",
    "targets",
}
EVERYTHING = {"*"}

# Of the project, and of the heavy third parties, what each room may import. A longer name wins over a shorter one.
MAY: dict[str, tuple[set[str], set[str]]] = {
    "errors": (set(), set()),
    "registry": (set(), set()),
    "arguments": (set(), set()),
    "durations": (set(), set()),
    "spans": ({"spans"}, {"scipy"}),
    "specs": ({"specs"}, {"pydantic"}),
    "targets": (set(), {"pydantic"}),
    "outgoing": (set(), set()),
    "overlap": (set(), set()),
    "presets": ({"market.folder"}, {"pydantic"}),
    "market.folder": (set(), set()),
    "adoption": ({"market.folder", "presets", "runs"}, set()),
    "examination": ({"api", "diagnostics.results", "runs"}, set()),
    "studies": ({"presets", "features.catalog"}, {"pydantic"}),
    "searches": (set(), {"pydantic"}),
    "market": ({"market"}, {"pandas", "pyarrow"}),
    "market.demo": ({"market"}, {"pandas", "pyarrow", "numba"}),
    "metrics": (set(), set()),
    "features": ({"features", "market"}, {"numba"}),
    "weight_files": ({"weight_files", "features.catalog"}, set()),
    "host": ({"host", "runs.codec", "runs.files"}, set()),
    "models": ({"models", "host.engine", "features.catalog", "weight_files"}, {"torch"}),
    "training": ({"training", "host", "models", "features", "market", "metrics"}, {"torch"}),
    "training.folds": ({"training"}, {"sklearn"}),
    "training.terms": ({"training", "estimators", "models", "features"}, {"torch"}),
    "training.baselines": ({"training", "estimators", "host.threads"}, set()),
    "estimators": ({"estimators"}, {"scipy", "sklearn", "aeon", "skops"}),
    "runs": ({"runs", "features.catalog", "weight_files"}, {"pyarrow", "sqlite3"}),
    "runs.facts": (set(), {"pydantic"}),
    "diagnostics": (
        {"diagnostics", "metrics", "estimators", "features", "market", "runs"},
        {"scipy", "sklearn", "pandas"},
    ),
    **{
        f"diagnostics.{name}": (
            {"diagnostics", "metrics", "estimators", "features", "market", "models", "runs"},
            {"torch", "shap", "scipy", "sklearn", "pandas"},
        )
        for name in ("attribution", "fitted", "network_outputs", "predict", "transfer")
    },
    **{f"diagnostics.doctor.{name}": ({"presets"}, set()) for name in ("suspects", "preset_ranges")},
    "diagnostics.results": ({"diagnostics.results"}, set()),
    "investigation": (
        {"investigation", "diagnostics", "metrics", "runs", "launch.estimate", "presets", "studies", "searches"},
        {"scipy", "pandas", "pydantic"},
    ),
    "investigation.public": ({"api", "runs"}, set()),
    "charts": ({"charts", "host", "diagnostics.results", "features.catalog"}, {"plotly"}),
    "sections": (
        {
            "sections",
            "charts",
            "host",
            "diagnostics.gates",
            "diagnostics.results",
            "runs",
            "features.catalog",
            "studies",
        },
        set(),
    ),
    "diagnostics.gates": ({"diagnostics.results"}, {"scipy"}),
    "reports": ({"reports", "sections", "charts", "runs"}, {"jinja2"}),
    "launch": ({"launch", "host", "runs", "features.catalog"}, set()),
    "launch.host": ({"launch", "host"}, {"torch"}),
    "launch.tuning": ({"launch", "host", "training", "models", "features", "market", "presets"}, {"torch"}),
    "launch.demo": ({"launch", "runs", "presets", "studies", "market"}, {"pydantic"}),
    "launch.report_files": ({"launch", "runs", "reports"}, set()),
    "launch.predicted_files": ({"launch", "runs", "market"}, {"pandas"}),
    "launch.training_specs": ({"launch", "runs", "presets", "features.catalog", "weight_files"}, set()),
    "launch.ray_jobs": ({"launch", "runs"}, {"ray"}),
    "launch.worker": (
        {
            "launch",
            "host",
            "runs",
            "training",
            "models",
            "features",
            "market",
            "diagnostics",
            "estimators",
            "studies",
            "investigation",
            "presets",
        },
        {"pyarrow", "pandas"},
    ),
    "launch.worker.proposals": ({"diagnostics.results"}, {"optuna"}),
    "ui": (
        {
            "ui",
            "charts",
            "host",
            "reports",
            "sections",
            "launch",
            "runs",
            "diagnostics.results",
            "market",
            "features",
            "adoption",
            "history",
            "presets",
            "searches",
            "studies",
            "weight_files",
        },
        {"streamlit", "pandas", "plotly", "pydantic"},
    ),
    "pages": (
        {
            "ui",
            "charts",
            "reports",
            "sections",
            "launch",
            "runs",
            "diagnostics.results",
            "market",
            "features",
            "presets",
            "studies",
        },
        {"streamlit", "pandas"},
    ),
    "cli": (EVERYTHING, EVERYTHING),
    "api": (EVERYTHING, {"pandas"}),
    "history": ({"market", "runs"}, set()),
    "searching": (EVERYTHING, set()),
}
CALLBACKS = ("on_click", "on_change", "on_select", "on_submit", "on_dismiss")
HEAVY = {
    "torch",
    "sklearn",
    "scipy",
    "shap",
    "pandas",
    "pyarrow",
    "numba",
    "plotly",
    "streamlit",
    "sqlite3",
    "jinja2",
    "ray",
    "pydantic",
    "optuna",
}


@cache
def sources() -> list[Path]:
    return [*sorted(PACKAGE.rglob("*.py")), *sorted((ROOT / "pages").glob("*.py")), ROOT / "app.py"]


def with_benchmarks() -> list[Path]:
    return [*sources(), *sorted((ROOT / "benchmarks").glob("*.py"))]


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def nodes_of(path: Path) -> list[ast.AST]:
    return list(ast.walk(tree_of(path)))


def hold(rule: Callable[[Path], Iterable[str]], paths: Iterable[Path]) -> None:
    """Fail with all that breaks a rule, file by file."""
    broken = [f"{path.relative_to(ROOT)}: {problem}" for path in paths for problem in rule(path)]
    assert not broken, "\n".join(broken)


def place(path: Path) -> str:
    """The file as a dotted room: features.matrix, pages.overview."""
    relative = path.relative_to(ROOT).with_suffix("")
    parts = relative.parts[1:] if relative.parts[0] == "moola_core" else relative.parts
    parts = parts[:-1] if parts[-1] == "__init__" else parts
    return "pages" if parts == ("app",) else ".".join(parts)


def rule(name: str) -> tuple[set[str], set[str]]:
    while name not in MAY and "." in name:
        name = name.rpartition(".")[0]
    return MAY[name]


def imports(path: Path) -> set[str]:
    typing_only = [
        node for node in nodes_of(path) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
    ]
    skipped = {id(inner) for node in typing_only for inner in ast.walk(node)}
    found = set()
    for node in nodes_of(path):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def within(module: str, rooms: set[str]) -> bool:
    return "*" in rooms or any(module == room or module.startswith(f"{room}.") for room in rooms)


def forbidden_imports(path: Path) -> Iterator[str]:
    name = place(path)
    if name in ("", "__main__"):
        return
    project, heavy = rule(name)
    for module in imports(path):
        top, _, rest = module.partition(".")
        if (top == "moola_core" and not within(rest, project | ANYONE)) or (top in HEAVY and not within(top, heavy)):
            yield f"may not import {module}"


def test_the_import_table_holds():
    hold(forbidden_imports, sources())


def test_no_modules_import_each_other_in_a_circle():
    """Not at the top and not inside a function either."""
    modules = {f"moola_core.{place(path)}".rstrip("."): path for path in PACKAGE.rglob("*.py")}

    def imported(path: Path) -> set[str]:
        names = imports(path)
        return {name if name in modules else name.rpartition(".")[0] for name in names} & modules.keys()

    graph = {name: imported(path) - {name} for name, path in modules.items()}
    assert sum(map(len, graph.values())) > 1000
    tuple(TopologicalSorter(graph).static_order())  # a CycleError names the modules of a circle


def too_large(path: Path) -> Iterator[str]:
    limit = 120 if path.parent.name == "pages" else 60 if path == ROOT / "app.py" else 400
    lines = path.read_text(encoding="utf-8").count("\n")
    if lines > limit:
        yield f"{lines} lines"
    for node in nodes_of(path):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            lines = body[-1].end_lineno - body[0].lineno + 1 if body else 0
            if lines > 60:
                yield f"{node.name} has {lines} lines"
            if "triton.jit" in map(ast.unparse, node.decorator_list):
                continue  # a kernel's arguments are pointers and sizes, one by one
            names = [a.arg for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
            if len([name for name in names if name not in ("self", "cls")]) > 6:
                yield f"{node.name} takes {names}"


def test_files_and_functions_stay_small():
    hold(too_large, with_benchmarks())


def unnamed_parts(path: Path) -> Iterator[str]:
    """Parameters that hold several unlike things in a tuple, known by their places alone, or that are called `how`."""
    for node in nodes_of(path):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        for given in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs):
            kinds = [ast.unparse(part) for part in tuple_parts(given.annotation)]
            if given.arg == "how" or (len(set(kinds)) > 1 and "..." not in kinds):
                yield f"line {node.lineno}: {given.arg}: take its parts one by one, or a small dataclass that names them"


def tuple_parts(annotation: ast.expr | None) -> Sequence[ast.expr]:
    """The parts of `tuple[A, B]`, or of `tuple[A, B] | None`; empty for other annotations, such as that of a list of tuples."""
    if isinstance(annotation, ast.BinOp):
        return tuple_parts(annotation.left) or tuple_parts(annotation.right)
    if not isinstance(annotation, ast.Subscript) or ast.unparse(annotation.value) != "tuple":
        return []
    return annotation.slice.elts if isinstance(annotation.slice, ast.Tuple) else []


def test_what_a_function_takes_has_names(tmp_path):
    hold(unnamed_parts, with_benchmarks())
    for line in ("def f(a: tuple[int, str]): ...", "def f(a: tuple[A, B] | None): ...", "def f(how): ..."):
        path = tmp_path / f"{len(line)}.py"
        path.write_text(line, encoding="utf-8")
        assert len([*unnamed_parts(path)]) == 1, line


def prints_or_swallows(path: Path) -> Iterator[str]:
    for node in nodes_of(path):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "print" and not place(path).startswith("cli"):
            yield f"line {node.lineno} prints"
        if (
            isinstance(node, ast.ExceptHandler)
            and (node.type is None or getattr(node.type, "id", "") in ("Exception", "BaseException"))
            and not any(isinstance(inner, ast.Raise) for inner in ast.walk(node))
        ):
            yield f"line {node.lineno} swallows every error"


def test_nothing_prints_outside_the_command_line_and_nothing_is_swallowed():
    hold(prints_or_swallows, sources())


def unguarded(path: Path) -> Iterator[str]:
    for node in nodes_of(path):
        if isinstance(node, ast.Attribute | ast.Name | ast.alias):
            name = getattr(node, "attr", "") or getattr(node, "id", "") or getattr(node, "name", "")
            whose = ast.unparse(node.value) if isinstance(node, ast.Attribute) else ""
            if name in ("fragment", "dialog") and whose != "guard":
                yield f"{name} of {whose}: take that of guard"
        if isinstance(node, ast.keyword) and (node.arg or "") in CALLBACKS:
            value = ast.unparse(node.value)
            if not (value.startswith("guard.callback(") or isinstance(node.value, ast.Constant)):
                yield f"{node.arg}={value}"


def test_every_fragment_dialog_and_callback_explains_its_errors():
    """Streamlit shows an error in one of them as a crash; `ui.guard` makes a sentence of it."""
    hold(unguarded, [p for p in sources() if place(p).startswith(("ui", "pages")) and place(p) != "ui.guard"])


MODE = re.compile(r"[rwaxbt+]{1,3}")


def opens_text(call: ast.Call) -> bool:
    """Whether the call opens a text file or a text pipe; `open` of a store or an archive gets a name before the mode."""
    name = getattr(call.func, "attr", getattr(call.func, "id", ""))
    given = {keyword.arg: getattr(keyword.value, "value", None) for keyword in call.keywords}
    if name in ("read_text", "write_text"):
        return True
    if name == "to_csv":
        return bool(call.args)
    if name in ("open", "fdopen"):
        place = 1 if isinstance(call.func, ast.Name) or name == "fdopen" else 0
        first = [getattr(argument, "value", None) for argument in call.args[place : place + 1]]
        mode = str(first[0] if first else given.get("mode") or "r")
        return bool(MODE.fullmatch(mode)) and "b" not in mode
    return name in ("run", "Popen", "check_output") and bool(given.get("text") or given.get("universal_newlines"))


def in_the_locales_encoding(path: Path) -> Iterator[str]:
    for node in nodes_of(path):
        if isinstance(node, ast.Call) and opens_text(node):
            named = {keyword.arg for keyword in node.keywords} & {"encoding", None}
            ours = ast.unparse(node).startswith(("write_text(", "to_csv("))  # functions of this project
            if not (named or ours):
                yield f"line {node.lineno}: {ast.unparse(node)[:80]} names no encoding"


def test_text_is_read_and_written_as_utf_8_whatever_the_locale():
    hold(in_the_locales_encoding, with_benchmarks())


def reads_columns_of_probabilities(path: Path) -> Iterator[str]:
    for node in nodes_of(path):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in ("startswith", "removeprefix", "filter"):
            given = [getattr(argument, "value", None) for argument in (*node.args, *[k.value for k in node.keywords])]
            if "p_" in given or "^p_" in given:
                yield f"line {node.lineno}: use runs.predictions.PredictionTable"


def test_only_the_table_of_predictions_knows_how_its_columns_of_probabilities_are_named():
    hold(reads_columns_of_probabilities, [path for path in sources() if place(path) != "runs.predictions"])


VAGUE = {"found", "told", "said", "beside", "chosen"}


def defined_names(path: Path) -> Iterator[tuple[str, int]]:
    """Every variable, parameter, function, class and field that the module names, with its line."""
    for node in nodes_of(path):
        if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield (node.id if isinstance(node, ast.Name) else node.attr), node.lineno
        elif isinstance(node, ast.arg):
            yield node.arg, node.lineno
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name, node.lineno


def vague_names(path: Path) -> Iterator[str]:
    return (f"{name} in line {line}: name what it holds" for name, line in defined_names(path) if name in VAGUE)


def test_names_say_what_they_hold():
    hold(vague_names, sources())


def renamed() -> list[dict[str, str]]:
    """Names of before, with those that took their place, and the room or module where they meant that; empty for everywhere."""
    with (ROOT / "tests" / "data" / "renamed.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_no_name_of_before_is_back():
    names = {place(path): {path.stem, *(name for name, _ in defined_names(path))} for path in sources()}
    rows = renamed()
    assert len(rows) > 50 and all(row["old"] and row["new"] for row in rows)
    back = [
        f"{row['old']} in {room}: call it {row['new']}"
        for row in rows
        for room, own in names.items()
        if row["old"] in own
        and f"{room}.".startswith(row["where"].replace("/", ".").rstrip(".") + "." if row["where"] else "")
    ]
    assert not back, back


def texts_of_before(path: Path) -> Iterator[str]:
    old = (ROOT / "tests" / "data" / "renamed_texts.txt").read_text(encoding="utf-8").splitlines()
    assert len(old) > 50
    for node in nodes_of(path):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from (f"line {node.lineno}: {text!r} reads oddly" for text in old if text in node.value)


def test_no_text_of_before_is_back():
    hold(texts_of_before, [path for path in sources() if place(path) != "specs.aliases"])


def page_modules() -> str:
    """What the pages import, as statements."""
    lines = {"import moola_core", "import moola_core.runs"}
    for path in [ROOT / "app.py", *sorted((ROOT / "pages").glob("*.py"))]:
        for node in tree_of(path).body:
            if isinstance(node, ast.Import | ast.ImportFrom) and "__future__" not in ast.unparse(node):
                lines.add(ast.unparse(node))
    return "; ".join(sorted(lines))


@pytest.mark.parametrize(
    "statements", ["import moola_core; import moola_core.runs", page_modules()], ids=["runs", "pages"]
)
def test_the_app_loads_no_torch(statements):
    check = (
        f"import sys; {statements}; print([m for m in ('torch', 'shap', 'sklearn', 'scipy.stats') if m in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.strip().splitlines()[-1] == "[]"
