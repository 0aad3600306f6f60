import pickle

from moola_core.errors import DataError, MoolaError, nearest


def test_errors_say_what_where_and_mend_across_processes():
    error = pickle.loads(pickle.dumps(DataError("3 rows are bad.", where="a.csv", hint="Mend them.")))
    assert isinstance(error, DataError) and isinstance(error, MoolaError)
    assert str(error) == "a.csv: 3 rows are bad. Mend them."
    assert error.exit_status == 2


def test_nearest_lists_everything_when_nothing_is_close():
    assert nearest("patience", ["patienc", "epochs"]) == "Did you mean patienc?"
    assert nearest("zzz", ["a", "b"]) == "Known: a, b."
