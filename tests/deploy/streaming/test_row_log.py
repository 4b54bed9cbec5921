"""Rows of a gateway in files: each once, also after a kill and beside a full disk."""
import io
import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from src_mindspore.deploy.streaming.row_log import RowLog
from src_mindspore.deploy.streaming.rows import make_row, read_rows
from src_mindspore.errors import LabError

PROJECT = Path(__file__).resolve().parents[3]
# What a command does that answers until it is killed.
WRITER = """import sys
from src_mindspore.deploy.streaming.row_log import RowLog
log = RowLog(sys.argv[1], "jsonl", 3600)
for number in range(int(sys.argv[2])):
    log.add({"id": number})
print("written", flush=True)
sys.stdin.read()
"""


def row(number):
    return make_row(f"photo-{number}", "", {"top5": [[3, 'a "glass", 瓶', 0.5]]}, 1.25, "a" * 64)


@pytest.mark.parametrize("format", ["jsonl", "csv"])
def test_files_appear_when_they_are_complete(tmp_path, format):
    now = [0.0]
    log = RowLog(tmp_path, format, seconds=2, clock=lambda: now[0])
    log.add(row(0))
    log.add(row(1))
    now[0] = 1.9
    log.tick()
    assert read_rows(tmp_path) == []
    now[0] = 2.0
    log.tick()
    assert [r["id"] for r in read_rows(tmp_path)] == ["photo-0", "photo-1"]
    now[0] = 9.0
    log.tick()  # nothing was added: no empty file
    log.add(row(2))
    log.close()
    read = read_rows(tmp_path)
    assert [r["id"] for r in read] == ["photo-0", "photo-1", "photo-2"]
    assert {r["name"] for r in read} == {'a "glass", 瓶'}
    assert len(list(tmp_path.iterdir())) == 2


def test_a_killed_command_loses_no_row(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), "500"], cwd=PROJECT,
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "written\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdin.close()
    process.stdout.close()
    assert read_rows(tmp_path) == []
    left, = tmp_path.iterdir()
    with open(left, "ab") as file:
        file.write(b'{"id": 500, "cut o')  # as a kill in the middle of a row leaves it
    log = RowLog(tmp_path, "jsonl", 1)
    assert [r["id"] for r in read_rows(tmp_path)] == list(range(500))
    log.add({"id": 500})
    log.close()
    assert [r["id"] for r in read_rows(tmp_path)] == list(range(501))


def test_a_full_disk_is_said_by_tick(tmp_path, monkeypatch):
    log = RowLog(tmp_path, "jsonl", 1)
    log.add(row(0))
    file = log._file
    with open("/dev/full", "wb", buffering=0) as full:
        log._file = full
        log.add(row(1))  # in the thread that serves clients, where nobody would see it
        with pytest.raises(LabError, match="The disk is full"):
            log.tick()
        with pytest.raises(LabError, match="The disk is full"):
            log.close()  # a command that ends before the next tick says it too
    file.close()
    assert json.loads(Path(file.name).read_bytes())["id"] == "photo-0"


def test_a_row_is_written_whole_or_not_at_all(tmp_path):
    log = RowLog(tmp_path, "jsonl", 1)
    log.add(row(0))
    path = Path(log._file.name)
    before = path.stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        # A write across the limit takes what there is room for, as at the end of a disk.
        resource.setrlimit(resource.RLIMIT_FSIZE, (before + 10, hard))
        log.add(row(1))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.stat().st_size == before
    log.add(row(2))
    with pytest.raises(LabError, match="could not be written: File too large"):
        log.close()
    assert [r["id"] for r in read_rows(tmp_path)] == ["photo-0", "photo-2"]


def test_a_write_that_takes_a_part_is_continued(tmp_path):
    class Slow(io.FileIO):
        def write(self, data):
            return super().write(data[:7])

    log = RowLog(tmp_path, "jsonl", 1)
    log.add(row(0))
    log._file.close()
    log._file = Slow(log._file.name, "ab")
    log.add(row(1))
    log.close()
    assert [r["id"] for r in read_rows(tmp_path)] == ["photo-0", "photo-1"]


def test_a_folder_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "rows").write_text("")
    with pytest.raises(LabError, match="could not be written"):
        RowLog(tmp_path / "rows", "jsonl", 1)
    assert os.path.isfile(tmp_path / "rows")
