"""Shards: together they are the whole, byte for byte, and nothing else passes for it."""
import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from fake_engine import VIEWS, FakeEngine, extract_fake, fake_backbone, files_of, train_records

from src_mindspore.errors import LabError
from src_mindspore.features import command
from src_mindspore.features.shards import Shard, extract_shard, merge, parse_shard

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def whole(drawn_data, tmp_path_factory):
    """The features computed at once: 90 rows in 12 batches; not to be changed."""
    return extract_fake(drawn_data, tmp_path_factory.mktemp("whole"))


@pytest.fixture
def run_shard(drawn_data, tmp_path):
    """Function (number, of, engine=, backbone=, patience=) that computes a shard in tmp_path."""
    def run(number, of, engine=None, backbone=None, patience=0):
        return extract_shard(train_records(drawn_data), drawn_data, "train",
                             backbone or fake_backbone(), engine or FakeEngine(), VIEWS, tmp_path,
                             shard=Shard(number, of), workers=1, progress=False,
                             patience=patience)
    return run


@pytest.fixture
def run_merge(drawn_data, tmp_path):
    """Function that merges what is in tmp_path."""
    def run():
        return merge(train_records(drawn_data), drawn_data, "train", fake_backbone(), FakeEngine(),
                     VIEWS, tmp_path)
    return run


@pytest.mark.parametrize("of", [1, 2, 5, 12, 20])
def test_merged_shards_are_the_whole_byte_for_byte(whole, run_shard, run_merge, tmp_path, of):
    for number in reversed(range(1, of + 1)):
        run_shard(number, of)
    cache = run_merge()
    assert cache.folder.name == whole.folder.name
    assert files_of(cache.folder) == files_of(whole.folder)
    journal = "batches.jsonl"
    assert (cache.folder / journal).read_text() == (whole.folder / journal).read_text()
    assert [p.name for p in tmp_path.iterdir()] == [cache.folder.name]
    np.testing.assert_array_equal(run_merge().features(), whole.features())  # again: found whole


@pytest.mark.parametrize(("count", "of"), [(12, 5), (12, 12), (3, 7), (1000, 7)])
def test_every_batch_belongs_to_one_shard(count, of):
    parts = [list(Shard(i, of).batches(count)) for i in range(1, of + 1)]
    assert sum(parts, []) == list(range(count))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_interrupted_shard_goes_on(whole, run_shard, run_merge, capsys):
    def stop(number):
        if number == 3:
            raise KeyboardInterrupt
    run_shard(1, 2)
    with pytest.raises(KeyboardInterrupt):
        run_shard(2, 2, FakeEngine(at_call=stop))
    with pytest.raises(LabError, match=r"1 of 2 shards .* are missing: 2/2 \(unfinished\)"):
        run_merge()
    engine = FakeEngine()
    run_shard(2, 2, engine)
    assert engine.calls == 3  # of 6
    assert files_of(run_merge().folder) == files_of(whole.folder)


def test_a_shard_that_another_is_computing_is_waited_for(whole, run_shard, run_merge):
    """And is found finished then."""
    entered, ready = threading.Event(), threading.Event()

    def wait(number):
        entered.set()
        ready.wait()
    other = threading.Thread(target=run_shard, args=(1, 2, FakeEngine(at_call=wait)))
    other.start()
    entered.wait()
    with pytest.raises(LabError, match="Another run is computing these features now"):
        run_shard(1, 2, patience=0.1)
    threading.Timer(0.3, ready.set).start()
    engine = FakeEngine()
    run_shard(1, 2, engine, patience=60)
    assert engine.calls == 0
    other.join()
    run_shard(2, 2)
    assert files_of(run_merge().folder) == files_of(whole.folder)


def test_interrupted_merge_goes_on(whole, run_shard, run_merge, monkeypatch):
    from src_mindspore.features import shards
    for number in (1, 2):
        run_shard(number, 2)
    link = shards._link

    def stop(source, target):
        if target.name == "label_7.npy":
            raise KeyboardInterrupt
        link(source, target)
    with monkeypatch.context() as patch:
        patch.setattr(shards, "_link", stop)
        with pytest.raises(KeyboardInterrupt):
            run_merge()
    assert files_of(run_merge().folder) == files_of(whole.folder)


def test_missing_shards_are_named(run_shard, run_merge):
    with pytest.raises(LabError, match="no shard of the features of train"):
        run_merge()
    run_shard(2, 4)
    with pytest.raises(LabError, match=r"3 of 4 shards of the features of train are missing: "
                                       r"1/4 \(absent\), 3/4 \(absent\), 4/4 \(absent\)"):
        run_merge()


def test_shard_of_other_settings_is_not_merged_and_explained(run_shard, run_merge):
    run_shard(1, 2)
    run_shard(2, 2, backbone=fake_backbone("bb"))
    with pytest.raises(LabError, match=r"2/2 \(absent\).*made with other settings or photos: "
                                       r"backbone.weights_sha256 bb -> aa"):
        run_merge()


def test_shards_of_two_divisions_overlap(run_shard, run_merge):
    for number, of in ((1, 2), (2, 2), (3, 3)):
        run_shard(number, of)
    with pytest.raises(LabError, match="divisions into 2 and 3: 1/2, 2/2, 3/3"):
        run_merge()


def truncate(folder):
    path = folder / "feature_8.npy"
    path.write_bytes(path.read_bytes()[:-1])


def remove(folder):
    (folder / "label_9.npy").unlink()


def swap(folder):
    shutil.copyfile(folder / "index_7.npy", folder / "index_8.npy")


def drop_a_batch(folder):
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["batches"].pop()
    (folder / "manifest.json").write_text(json.dumps(manifest))


def rename(folder):
    """Another shard's files under this shard's name."""
    shutil.rmtree(folder)
    shutil.copytree(folder.with_name(folder.name.replace("2-of-2", "1-of-2")), folder)


@pytest.mark.parametrize(("damage", "message"), [
    (truncate, "feature_8.npy is not the file"), (remove, "label_9.npy is not the file"),
    (swap, "index_8.npy is not the file"), (drop_a_batch, r"5 batches; expected 6 \(numbers 6 to"),
    (rename, "not the manifest of shard 2/2")])
def test_damaged_shard_is_named_and_nothing_is_lost(run_shard, run_merge, tmp_path, damage,
                                                     message):
    run_shard(1, 2)
    folder = run_shard(2, 2)
    damage(folder)
    with pytest.raises(LabError, match=message) as error:
        run_merge()
    assert "run --shard 2/2 again" in str(error.value)
    assert len(list(tmp_path.glob("*-shard-*"))) == 2
    shutil.rmtree(folder)
    run_shard(2, 2)
    assert len(run_merge()) == 90


@pytest.mark.parametrize("text", ["", "0/4", "5/4", "1/0", "1", "a/b", "-1/4", "1/4/2"])
def test_wrong_shards_are_explained(text):
    with pytest.raises(LabError, match="expected number/count counted from 1"):
        parse_shard(text)


def test_two_tasks_at_once_are_refused(ask_script):
    code, _, err = ask_script(command.main, ["--shard", "1/2", "--merge"])
    assert code == 2
    assert "give one of them" in err


def test_command_computes_and_merges(finished_run, make_argv, tmp_path):
    """The real command in processes of its own, against the caches of a whole run."""
    argv = make_argv(features_path=tmp_path / "features", results_path=tmp_path,
                     engine=finished_run.caches["train"].what["engine"])
    for task in (["--shard", "1/2"], ["--shard", "2/2"], ["--merge"]):
        done = subprocess.run([sys.executable, "-m", "src_mindspore.features.extract", *task,
                               *argv], cwd=ROOT, text=True, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
    for cache in finished_run.caches.values():
        assert files_of(tmp_path / "features" / cache.folder.name) == files_of(cache.folder)
