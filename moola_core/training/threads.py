"""How many threads compute at once in a process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import threadpool_limits


@contextmanager
def one_product_at_a_time() -> Iterator[None]:
    """Hold NumPy's and SciPy's products to one thread inside.

    Those of a few hundred windows are so small that a second thread mostly waits for the first: on busy cores a fit of
    `locate_then_classify` took ten times the processor with it (docs/LOG.md). Sums then have one order too, whatever the host.
    """
    with threadpool_limits(1, user_api="blas"):
        yield
