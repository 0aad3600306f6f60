"""Windows in the cells of a table of arrow's, read as arrays, against what pandas makes of them."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from moola_core.market.nested_lists import frame_of
from moola_core.market.window_columns import matrices


def table_of(features) -> pa.Table:
    return pa.table(
        {"window_id": [f"w{i}" for i in range(len(features))], "features": features, "label": ["a"] * len(features)}
    )


@pytest.mark.parametrize(
    "features",
    [
        [[[1.0, 2.0, 0.5, 1.5]] * 3, [[2.0, 3.0, 1.5, 2.5]] * 3],
        [[[1.0, 2.0, 0.5, 1.5]] * 3, [[2.0, 3.0, 1.5, 2.5]] * 5],  # windows of two lengths
        [[[1.0, 2.0, 0.5, 1.5]], []],
        [[[1.0, 2.0], [1.0]], [[1.0, 2.0]]],  # bars of two lengths
        [[[1.0, None, 0.5, 1.5]], [[1.0, 2.0, 0.5, 1.5]]],
        [[[1.0, 2.0, 0.5, 1.5]], None],
        [None, None],
        [[1.0, 2.0], [3.0]],
    ],
)
def test_nested_prices_are_those_that_pandas_reads(features):
    ours, theirs = frame_of(lambda: table_of(features)), table_of(features).to_pandas()
    assert list(ours.columns) == list(theirs.columns) and ours["window_id"].equals(theirs["window_id"])
    for mine, other in zip(matrices(ours["features"])[0], matrices(theirs["features"])[0], strict=True):
        assert np.array_equal(mine.reshape(-1), other.reshape(-1), equal_nan=True) and len(mine) == len(other)


def test_parts_of_several_chunks_and_of_a_slice_stay_in_their_rows():
    rng = np.random.default_rng(0)
    features = [rng.normal(size=(int(rng.integers(1, 6)), 4)).tolist() for _ in range(12)]
    whole = pa.concat_tables([table_of(features[:5]), table_of(features[5:])]).slice(2, 8)
    frame = frame_of(lambda: whole)
    assert all(np.array_equal(mine, other) for mine, other in zip(frame["features"], features[2:10], strict=True))


def test_an_index_and_the_order_of_columns_are_kept():
    frame = pd.DataFrame(
        {"features": [[[1.0, 2.0]], [[3.0, 4.0]]], "label": ["a", "b"]}, index=pd.Index([7, 9], name="number")
    )
    ours = frame_of(lambda: pa.Table.from_pandas(frame))
    assert list(ours.columns) == ["features", "label"] and list(ours.index) == [7, 9]
    assert ours["features"].iloc[1].tolist() == [[3.0, 4.0]]
