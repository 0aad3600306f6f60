import pandas as pd

from moola_core.cli import main
from moola_core.market.library import datasets, find_files
from moola_core.market.settings import save_reading
from moola_core.specs import ReadOptions


def test_files_are_recognised_by_their_headers_and_paired_by_folder(demo_files, tmp_path):
    folder = tmp_path / "data"
    (folder / "nq").mkdir(parents=True)
    (folder / ".hidden").mkdir()
    for name in ("bars", "windows"):
        (folder / "nq" / f"{name}.parquet").write_bytes(demo_files[name].read_bytes())
    pd.DataFrame({"start_time": ["2024-01-01"], "label": ["a"]}).to_csv(folder / "nq" / "more.csv", index=False)
    pd.DataFrame({"timestamp": [1], "open": [1], "high": [1], "low": [1], "close": [1]}).to_csv(
        folder / "es.csv", index=False
    )
    pd.DataFrame({"x": [1]}).to_csv(folder / "other.csv", index=False)
    (folder / "broken.parquet").write_bytes(b"no")
    (folder / ".hidden" / "b.csv").write_text("label,start_time\n")
    save_reading(folder / "es.csv", ReadOptions(tz="UTC"))
    kinds = {file.path.name: file.kind for file in find_files(folder)}
    assert kinds == {
        "bars.parquet": "bars",
        "windows.parquet": "windows",
        "more.csv": "labels",
        "es.csv": "bars",
        "other.csv": "unknown",
        "broken.parquet": "unknown",
    }
    found = {dataset.name: dataset for dataset in datasets(folder)}
    assert found["nq"].windows.name == "windows.parquet" and found["nq"].bars.name == "bars.parquet"
    assert found["nq/more.csv"].bars.name == "bars.parquet"
    assert found["es.csv"].windows is None


def test_a_link_out_of_the_folder_is_not_read(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "bars.csv").write_text("timestamp,open,high,low,close\n2024-01-02 10:00,1,2,1,2\n")
    (tmp_path / "data" / "bars.csv").symlink_to(tmp_path / "bars.csv")
    (file,) = find_files(tmp_path / "data")
    assert file.kind == "unknown" and "leads out of the data folder" in file.why and datasets(tmp_path / "data") == []


def test_windows_are_paired_with_bars_of_another_folder_and_remember_them(demo_files, tmp_path):
    folder = tmp_path / "data"
    labelled, raw = folder / "processed" / "labeled" / "train_latest.parquet", folder / "raw" / "nq_fixed.parquet"
    for path, name in ((labelled, "windows"), (raw, "bars")):
        path.parent.mkdir(parents=True)
        path.write_bytes(demo_files[name].read_bytes())
    (dataset,) = datasets(folder)
    assert (dataset.windows, dataset.bars) == (labelled, raw)
    (folder / "es").mkdir()
    table = pd.read_parquet(raw)
    table.iloc[:500].to_parquet(folder / "es" / "es.parquet")
    assert {data.bars for data in datasets(folder) if data.windows} == {None}, "two files may be meant"
    assert main(["check", str(labelled), "--bars", str(raw), "--save"]) == 0
    moved = raw.rename(folder / "nq.parquet")
    assert {data.bars for data in datasets(folder) if data.windows} == {moved}


def test_bars_that_have_windows_of_their_own_are_not_taken_for_others(demo_files, tmp_path):
    for name in ("demo/windows.parquet", "demo/bars.parquet", "mine/windows.parquet"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(demo_files[path.stem].read_bytes())
    assert {data.name: data.bars is not None for data in datasets(tmp_path)} == {"demo": True, "mine": False}
