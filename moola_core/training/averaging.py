"""The mean of an epoch's weights and those of the epochs before it: less noisy than any of them (Polyak and Juditsky 1992)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from torch import Tensor


class Averages:
    """An exponential moving average over epochs of tensors that are trained in place.

    Parameters
    ----------
    tensors : function
        The tensors, rows for fits where there are many; whole numbers among them are left as they are.
    decay : float
        Share of the earlier epochs, less in the first ones; 0 for the tensors of the epoch alone.
    """

    def __init__(self, tensors: Callable[[], Sequence[Tensor]], decay: float) -> None:
        self.tensors, self.decay = tensors, decay
        self.mean: list[Tensor] = []

    @contextmanager
    def in_force(self, epoch: int) -> Iterator[None]:
        """After an epoch, take it into the mean; inside, the tensors hold the mean."""
        if self.decay == 0:
            yield
            return
        trained = [tensor.detach() for tensor in self.tensors() if tensor.is_floating_point()]
        if not self.mean:
            self.mean = [tensor.clone() for tensor in trained]
        before = [tensor.clone() for tensor in trained]
        for mean, tensor in zip(self.mean, trained, strict=True):
            mean.lerp_(tensor, 1 - min(self.decay, epoch / (epoch + 2)))  # what does not change keeps its bits
            tensor.copy_(mean)
        try:
            yield
        finally:
            for tensor, own in zip(trained, before, strict=True):
                tensor.copy_(own)

    def select(self, rows: Tensor) -> None:
        """Go on with these fits alone."""
        self.mean = [mean[rows] for mean in self.mean]
