"""The flags of the predecessor's scripts, answered with the moola command that does the same."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

SETTINGS = {
    "--epochs": "epochs",
    "--batch-size": "batch_size",
    "--learning-rate": "learning_rate",
    "--lr": "learning_rate",
    "--focal-gamma": "focal_gamma",
    "--pcgrad-threshold": "pcgrad_threshold",
    "--n-folds": "folds",
    "--device": "device",
    "--seed": "seed",
}
SWITCHES = {
    "--use-pcgrad": "--set pcgrad=true",
    "--no-pcgrad": "--set pcgrad=false",
    "--use-augmentation": "--set jitter_std=0.03",
}
FLAGS = {"--window-length": "--window-bars", "--output-dir": "--store", "--pretrained-encoder": "--checkpoint"}
DATA = {"finetune": "--windows", "pretrain": "--bars", "features": "", "check": ""}
DROPPED = {"--warmup-bars": "the state before the first swing is defined", "--config": "a preset and --set replace it"}


def translate(arguments: Sequence[str]) -> str:
    """The moola command that a command with flags of the predecessor's scripts means; empty when it has none.

    >>> translate(["finetune", "--data", "w.parquet", "--epochs", "20", "--use-pcgrad"])
    'moola finetune --windows w.parquet --set epochs=20 --set pcgrad=true'
    """
    command = next((word for word in arguments if not word.startswith("-")), "")
    words, left, met = [], _split(arguments), False
    while left:
        word = left.pop(0)
        if word in SWITCHES:
            words += SWITCHES[word].split()
        elif word in SETTINGS and left:
            words += ["--set", f"{SETTINGS[word]}={left.pop(0)}"]
        elif word in FLAGS:
            words.append(FLAGS[word])
        elif word in DROPPED:
            left[:1] = []
        elif word == "--data" and command in DATA:
            words += [DATA[command]] * bool(DATA[command])
        else:
            words.append(word)
            continue
        met = True
    return shlex.join(["moola", *words]) if met else ""


def _split(arguments: Sequence[str]) -> list[str]:
    """`--flag=value` as two words where the flag is the predecessor's."""
    words: list[str] = []
    for word in arguments:
        flag, equals, value = word.partition("=")
        theirs = flag in SETTINGS or flag in FLAGS or flag in DROPPED or flag == "--data"
        words += [flag, value] if equals and theirs else [word]
    return words
