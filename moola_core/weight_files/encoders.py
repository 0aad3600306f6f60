"""Finding an encoder among named tensors: by the names that torch gives to a layer's parameters and by their shapes, whatever
stands before and after these names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from moola_core.weight_files.tensors import FLOATS, Tensor

RECURRENT = re.compile(
    r"^(?P<before>.*?)(?P<own>(?:weight|bias)_(?:ih|hh|hr)_l(?P<layer>\d+)(?P<way>_reverse)?)(?P<after>(?:[^\w].*|_.*)?)$"
)
BLOCK = re.compile(r"^(?P<before>.*?)(?P<own>blocks\.\d+\.(?:convolutions\.[03]|skip)\.(?:weight|bias))$")
OF_OPTIMISER = re.compile(
    r"(^|[.|/])(exp_avg|exp_avg_sq|max_exp_avg_sq|exp_inf|momentum|momentum_buffer|moment|square_avg|grad_avg|acc_delta|grad|optim\w*)($|[.|/])"
    r"|_(exp_avg|exp_avg_sq|momentum_buffer|grad)$"
)
REWRITTEN = re.compile(r"(_raw|_g|_v|_u|_orig|_mask|\.original\d?)$")
ENCODER_WORD = re.compile(r"(?<!auto)encoder(?!.*decoder)|(^|_)enc($|_)|backbone|feature_extractor")
DECODER_WORD = re.compile(r"(?<!encoder)(?<!encoder_)decoder|(^|[._])dec($|[._])")
NORMALISES = re.compile(r"norm|bn|ln|running_|batch")
GATES = {4: "LSTM", 3: "GRU", 1: "plain recurrent network"}


@dataclass(frozen=True)
class Encoder:
    """An encoder in a file.

    Attributes
    ----------
    prefix : str
        What stands before the names of its layers' parameters in the file.
    kind : str
        ``"bilstm"`` or ``"tcn"``, as `model.encoder`; of one that cannot be used, what it is.
    layers, hidden, inputs : int
        As in the settings of the model; hidden is of one direction.
    normalisation : str
        ``"none"``, ``"layer"`` or ``"batch"``.
    names : dict of str to str
        Our names of the parameters to those in the file.
    fault : str
        Why it cannot be used; empty where it can.
    """

    prefix: str
    kind: str
    layers: int = 0
    hidden: int = 0
    inputs: int = 0
    normalisation: str = "none"
    names: dict[str, str] = field(default_factory=dict)
    fault: str = ""

    @property
    def title(self) -> str:
        """Type and size in a few words."""
        size = f" {self.layers}×{self.hidden} on {self.inputs} inputs" if self.hidden else ""
        return f"{self.kind}{size}"


class _Unfit(Exception):
    """Why a group of tensors is no encoder that can be used."""


def encoders_in(tensors: Mapping[str, Tensor]) -> list[Encoder]:
    """Every encoder in the file, those too that cannot be used and why; the state of an optimiser is none."""
    made = [_recurrent(prefix, own, tensors) for prefix, own in _groups(tensors, RECURRENT)]
    return made + [_blocks(prefix, own, tensors) for prefix, own in _groups(tensors, BLOCK)]


def _groups(tensors: Mapping[str, Tensor], pattern: re.Pattern[str]) -> Iterator[tuple[str, dict[str, str]]]:
    """What stands before the names, and torch's own name to the name in the file, of each module."""
    groups: dict[tuple[str, str], dict[str, str]] = {}
    for name in tensors:
        match = pattern.match(name)
        if match and not OF_OPTIMISER.search(name):
            after = match["after"] if "after" in pattern.groupindex else ""
            groups.setdefault((match["before"], after), {})[match["own"]] = name
    for (before, after), own in groups.items():
        yield f"{before}*{after}" if after else before.rstrip("._/|:"), own


def _recurrent(prefix: str, own: dict[str, str], tensors: Mapping[str, Tensor]) -> Encoder:
    title = "recurrent layers"
    try:
        kind, layers, hidden, inputs = _sizes(own, tensors)
        title = kind
        if kind != "LSTM":
            raise _Unfit(f"it is a {kind}; moola's recurrent encoder is a bidirectional LSTM")
        _check_complete(own, layers)
        _check_shapes(own, tensors, layers, hidden, inputs)
        names = {f"lstm.{ours}": theirs for ours, theirs in own.items()}
        normalisation, more = _beside(prefix, set(own.values()), tensors, 2 * hidden, inputs)
        return Encoder(prefix, "bilstm", layers, hidden, inputs, normalisation, names | more)
    except _Unfit as unfit:
        return Encoder(prefix, title, fault=str(unfit))


def _sizes(own: dict[str, str], tensors: Mapping[str, Tensor]) -> tuple[str, int, int, int]:
    """Kind, layers, hidden units and inputs. Raises _Unfit where the names or the shapes are of nothing known."""
    if any(REWRITTEN.search(theirs) for theirs in own.values()):
        raise _Unfit(
            "its weights are rewritten (weight normalisation, dropped or masked weights); store the plain weights"
        )
    for name in ("weight_ih_l0", "weight_hh_l0"):
        if name not in own:
            raise _Unfit(f"{name} is missing, so that it is incomplete")
        if len(tensors[own[name]].shape) != 2:
            raise _Unfit(f"{own[name]} is no matrix")
    rows, inputs = tensors[own["weight_ih_l0"]].shape
    if any("_hr_" in name for name in own):
        raise _Unfit("it is an LSTM with projections (proj_size), which moola's encoder has not")
    _, hidden = tensors[own["weight_hh_l0"]].shape
    kind = GATES.get(rows // hidden) if hidden and rows % hidden == 0 else None
    if kind is None:
        raise _Unfit(
            f"the shapes of its first layer, {rows}×{inputs} and {hidden} units, are those of no recurrent layer"
        )
    layers = 1 + max(int(name.split("_l")[1].removesuffix("_reverse")) for name in own)
    return kind, layers, hidden, inputs


def _check_complete(own: dict[str, str], layers: int) -> None:
    if not any(name.endswith("_reverse") for name in own):
        raise _Unfit("it is an LSTM in one direction; moola's encoder reads the bars in both")
    if not any(name.startswith("bias") for name in own):
        raise _Unfit("it is an LSTM without biases (bias=False), which moola's encoder has")
    missing = [name for name in _expected(layers) if name not in own]
    if missing:
        raise _Unfit(f"it is incomplete: {', '.join(missing[:4])} {'is' if len(missing) == 1 else 'are'} missing")


def _expected(layers: int) -> list[str]:
    return [
        f"{kind}_l{layer}{way}"
        for layer in range(layers)
        for way in ("", "_reverse")
        for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    ]


def _check_shapes(own: dict[str, str], tensors: Mapping[str, Tensor], layers: int, hidden: int, inputs: int) -> None:
    for name in _expected(layers):
        layer = int(name.split("_l")[1].removesuffix("_reverse"))
        width = (inputs if layer == 0 else 2 * hidden) if "_ih" in name else hidden
        wanted = (4 * hidden, width) if name.startswith("weight") else (4 * hidden,)
        shape, dtype = tensors[own[name]].shape, tensors[own[name]].dtype
        if shape != wanted:
            raise _Unfit(
                f"its sizes contradict each other: {own[name]} is {_shape(shape)} and {_shape(wanted)} is expected"
            )
        if dtype not in FLOATS:
            raise _Unfit(
                f"{own[name]} holds numbers of the type {dtype}, as a quantised model does; store it as float32"
            )


def _blocks(prefix: str, own: dict[str, str], tensors: Mapping[str, Tensor]) -> Encoder:
    """The convolutional encoder as this package writes it."""
    try:
        first = own.get("blocks.0.convolutions.0.weight", "")
        if not first or len(tensors[first].shape) != 3:
            raise _Unfit("blocks.0.convolutions.0.weight is missing, so that it is incomplete")
        width, inputs, _ = tensors[first].shape
        layers = 1 + max(int(name.split(".")[1]) for name in own)
        skips = [0] if inputs != width else []
        wanted = [
            f"blocks.{layer}.{part}.{kind}"
            for layer in range(layers)
            for part in ("convolutions.0", "convolutions.3", *(["skip"] if layer in skips else []))
            for kind in ("weight", "bias")
        ]
        missing = [name for name in wanted if name not in own]
        if missing:
            raise _Unfit(f"it is incomplete: {', '.join(missing[:4])} {'is' if len(missing) == 1 else 'are'} missing")
        if width % 2:
            raise _Unfit(f"it has {width} channels; moola's TCN has an even number")
        dtype = next((tensors[name].dtype for name in own.values() if tensors[name].dtype not in FLOATS), "")
        if dtype:
            raise _Unfit(f"it holds numbers of the type {dtype}, as a quantised model does; store it as float32")
        normalisation, more = _beside(
            f"{prefix}.blocks" if prefix else "blocks", set(own.values()), tensors, width, inputs
        )
        return Encoder(prefix, "tcn", layers, width // 2, inputs, normalisation, own | more)
    except _Unfit as unfit:
        return Encoder(prefix, "TCN", fault=str(unfit))


def _beside(
    prefix: str, own: set[str], tensors: Mapping[str, Tensor], width: int, inputs: int
) -> tuple[str, dict[str, str]]:
    """The normalisation after the layers and its parameters. Raises _Unfit when the module holds more than moola's encoder does.

    What lies in a module called an encoder belongs to it. Beside layers that lie in no such module, a normalisation of their width is
    taken as theirs, and everything else as heads.
    """
    owner, strict = _owner(prefix)
    modules: dict[str, dict[str, str]] = {}
    for name in tensors:
        module, _, parameter = name.rpartition(".")
        inner = module.removeprefix(f"{owner}." if owner else "")
        lies_in = (module == owner or module.startswith(f"{owner}.")) if owner else bool(module)
        if name not in own and lies_in and (strict or (module != owner and "." not in inner)):
            modules.setdefault(module, {})[parameter] = name
    norms = [module for module, inside in modules.items() if _is_norm(inside, tensors, width)]
    others = [name for module, inside in modules.items() if module not in norms for name in inside.values()]
    before = [name for name in others if tensors[name].shape == (inputs,) and NORMALISES.search(name.lower())]
    if strict and others:
        raise _Unfit(
            f"{owner} holds more than such an encoder has: {', '.join(others[:3])}; its layers alone would give other outputs"
        )
    if before:
        raise _Unfit(f"its inputs are normalised by {before[0]}, which moola's encoder has not")
    if len(norms) > 1:
        raise _Unfit(f"it is not clear which normalisation follows the layers: {', '.join(sorted(norms))}")
    if not norms:
        return "none", {}
    inside = modules[norms[0]]
    return "batch" if "running_mean" in inside else "layer", {
        f"normalisation.{one}": name for one, name in inside.items()
    }


def _owner(prefix: str) -> tuple[str, bool]:
    """The module that the layers are part of, and whether it is known to be an encoder of which everything belongs to it."""
    steps = prefix.split(".")
    for i in range(len(steps) - 2, -1, -1):
        if ENCODER_WORD.search(steps[i].lower()):
            return ".".join(steps[: i + 1]), True
    return ".".join(steps[:-1]), False


def _is_norm(inside: Mapping[str, str], tensors: Mapping[str, Tensor], width: int) -> bool:
    known = {"weight", "bias", "running_mean", "running_var", "num_batches_tracked"}
    if not {"weight", "bias"} <= set(inside) <= known or ("running_mean" in inside) != ("running_var" in inside):
        return False
    return all(tensors[name].shape == (width,) for one, name in inside.items() if one != "num_batches_tracked")


def _shape(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape)) or "one number"
