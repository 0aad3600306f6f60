"""A step as one CUDA graph: thousands of small kernels are then launched by one call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

WARM_UPS = 2


def out_of_memory(error: RuntimeError) -> bool:
    """Whether the device had too little memory: the allocator, the driver and cuBLAS say so in different words."""
    text = str(error)
    return isinstance(error, torch.OutOfMemoryError) or "out of memory" in text or "ALLOC_FAILED" in text


class Captured:
    """A function of tensors that stay at their addresses, called or, on CUDA, replayed from a graph.

    On CUDA it runs a few times when this is made, so it must leave no trace then. What it returns is overwritten by the next call.
    `failure` says why it could not be captured; it is then called as it is.
    """

    def __init__(self, function: Callable[[], Sequence[Tensor]], pool: Any = None) -> None:
        """pool: the memory that the graphs of a device share (torch.cuda.graph_pool_handle()); None does not capture."""
        self.function, self.failure = function, ""
        self.graph: torch.cuda.CUDAGraph | None = None
        self.outputs: Sequence[Tensor] = ()
        if pool is not None:
            self._capture(pool)

    def _capture(self, pool: Any) -> None:
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(WARM_UPS):
                results = self.function()
        torch.cuda.current_stream().wait_stream(side)
        # Outputs lie outside the graph's memory, which other graphs use too.
        outputs = [torch.empty_like(tensor) for tensor in results]
        del results
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph, pool=pool, capture_error_mode="thread_local"):
                for output, tensor in zip(outputs, self.function(), strict=True):
                    output.copy_(tensor)
        except RuntimeError as error:
            if out_of_memory(error):
                raise
            self.failure = str(error).splitlines()[0]
            return
        self.graph, self.outputs = graph, outputs

    def __call__(self) -> Sequence[Tensor]:
        if self.graph is None:
            return self.function()
        self.graph.replay()
        return self.outputs
