import numpy as np

from moola_core.features.relativity import relativity
from moola_core.features.zigzag import swings


def test_swings_alternate_and_are_confirmed_after_their_bar(demo):
    found = swings(demo.bars.ohlc[:3000])
    assert len(found.bar) > 100
    assert (found.high[1:] != found.high[:-1]).all()
    assert (found.confirmed >= found.bar).all()
    highs = found.bar[found.high]
    assert np.array_equal(found.price[found.high][1:], demo.bars.ohlc[highs[1:], 1])


def test_the_features_count_from_the_same_swings(demo):
    ohlc = demo.bars.ohlc[:2000]
    found, features = swings(ohlc), relativity(ohlc, 105)
    for is_high, column in ((True, 8), (False, 9)):
        own = found.high == is_high
        for bar, confirmed in zip(found.bar[own], found.confirmed[own], strict=True):
            assert features[confirmed, column] == np.float32((confirmed - bar) / 105)
