"""The pieces of a stream that need neither Flink nor a model: what strangers send, and the rows."""
import contextlib
import errno
import io
import json
import os
import resource
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from src_mindspore.deploy.streaming import __main__ as command
from src_mindspore.deploy.streaming import frames, machine, rows
from src_mindspore.deploy.streaming import watch as watch_module
from src_mindspore.deploy.streaming.client import send_photos
from src_mindspore.deploy.streaming.frames import (
    MOST_BYTES,
    FrameError,
    read_frame,
    write_frame,
)
from src_mindspore.deploy.streaming.gateway import Gateway
from src_mindspore.deploy.streaming.manifests import (
    BadEntry,
    parse_line,
    read_manifest,
    resolve,
    write_manifest,
)
from src_mindspore.deploy.streaming.model_client import TRIES, ModelClient, ModelRefused
from src_mindspore.deploy.streaming.plots import latency_histogram
from src_mindspore.deploy.streaming.settings import StreamSettings
from src_mindspore.deploy.streaming.watch import Figures, ModelWatch, RowFiles
from src_mindspore.errors import LabError
from src_mindspore.files import sha256_of


# --- frames
def test_frames_come_back_as_they_were_sent():
    file = io.BytesIO()
    for data in (b"a", b"\0" * 70_000, "塑料瓶".encode()):
        write_frame(file, data)
    file.seek(0)
    assert [read_frame(file) for _ in range(3)] == [b"a", b"\0" * 70_000, "塑料瓶".encode()]
    assert read_frame(file) is None


@pytest.mark.parametrize(("data", "said"), [
    (b"\0\0", "inside a length"), (b"\0\0\0\x09half", "4 of 9 bytes"),
    (b"\0\0\0\0", "0 bytes was announced"), (b"\x40\0\0\0", "1,073,741,824 bytes was announced"),
    (b"GET / HTTP/1.1\r\n", "was announced")])
def test_what_is_no_frame_is_refused_in_words(data, said):
    with pytest.raises(FrameError, match=said):
        read_frame(io.BytesIO(data))


def test_an_announced_gigabyte_reserves_nothing():
    class Counting(io.BytesIO):
        asked = 0

        def read(self, size=-1):
            self.asked = max(self.asked, size)
            return super().read(size)

    file = Counting(b"\x3f\xff\xff\xff" + b"x" * 100)
    with pytest.raises(FrameError):
        read_frame(file)
    assert file.asked == 4


# --- manifests
def test_lines_name_photos_with_and_without_an_id():
    assert parse_line("a/b c.jpg\r\n") == ("a/b c.jpg", "a/b c.jpg")
    assert parse_line("7\ta.jpg") == ("7", "a.jpg")
    assert parse_line("\ufeffa.jpg") == ("a.jpg", "a.jpg")
    assert parse_line("  \n") == ("", "")


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "photos"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "a.jpg").write_bytes(b"photo")
    (tmp_path / "secret.txt").write_text("x")
    (folder / "link.jpg").symlink_to(tmp_path / "secret.txt")
    (tmp_path / "photos_too").mkdir()
    (tmp_path / "photos_too" / "b.jpg").write_bytes(b"x")
    os.mkfifo(folder / "pipe.jpg")
    return os.path.realpath(folder)


@pytest.mark.parametrize("path", ["sub/a.jpg", "./sub/../sub/a.jpg", "{root}/sub/a.jpg"])
def test_a_path_inside_the_root_is_found(root, path):
    assert resolve(path.format(root=root), root) == f"{root}/sub/a.jpg"


@pytest.mark.parametrize(("path", "said"), [
    ("../secret.txt", "outside"), ("/etc/passwd", "outside"), ("link.jpg", "outside"),
    ("{root}_too/b.jpg", "outside"), ("sub/none.jpg", "No such file"),
    ("sub", "no regular file"), ("pipe.jpg", "no regular file"), ("a\0b", "zero byte")])
def test_no_other_path_is_read(root, path, said):
    with pytest.raises(BadEntry, match=said):
        resolve(path.format(root=root), root)


def test_a_file_larger_than_any_photo_is_not_read(root):
    with open(os.path.join(root, "huge.jpg"), "wb") as file:
        file.truncate(MOST_BYTES + 1)
    with pytest.raises(BadEntry, match="at most"):
        resolve("huge.jpg", root)


def test_a_list_is_read_and_its_mistakes_are_named(root, tmp_path):
    manifest = tmp_path / "list.txt"
    manifest.write_text("sub/none.jpg\n\n7\tsub/a.jpg\n")
    assert read_manifest(manifest, root) == [("sub/none.jpg", "sub/none.jpg"), ("7", "sub/a.jpg")]
    for text, said in (("sub/a.jpg\nsub/a.jpg\n", "'sub/a.jpg' twice"), ("\n", "names no photo"),
                       ("none.jpg\n", "no usable photo: none.jpg.*--root"),
                       ("../secret.txt\n", "outside")):
        manifest.write_text(text)
        with pytest.raises(LabError, match=said):
            read_manifest(manifest, root)
    manifest.write_bytes(b"\xff\xfe\x00a")
    with pytest.raises(LabError, match="UTF-8"):
        read_manifest(manifest, root)
    with pytest.raises(LabError, match="No such file"):
        read_manifest(tmp_path / "absent.txt", root)


def test_a_written_manifest_reads_back_and_leaves_nothing_half_written(root, tmp_path):
    folder = tmp_path / "manifests"
    write_manifest(folder / "1.txt", [("1", "sub/a.jpg"), ("照片", "b c.jpg")])
    assert read_manifest(folder / "1.txt", root) == [("1", "sub/a.jpg"), ("照片", "b c.jpg")]
    with pytest.raises(LabError, match="tab or a line"):
        write_manifest(folder / "2.txt", [("2", "a\tb.jpg")])
    assert [path.name for path in folder.iterdir()] == ["1.txt"]


# --- rows
GOOD = rows.make_row("1", 'a,"b".jpg', {"top5": [[3, "易拉罐, Cans", 0.9], [0, "x", 0.1]]}, 12.3456,
                     "f" * 64)
BAD = rows.make_row("2", "b.jpg", {"error": "two\nlines, and a \"quote\""}, 0.5, "f" * 64)


@pytest.mark.parametrize(("suffix", "to_line"), [("jsonl", rows.to_json), ("csv", rows.to_csv)])
def test_rows_survive_their_file(tmp_path, suffix, to_line):
    lines = [to_line(row) for row in (GOOD, BAD)]
    assert all("\n" not in line for line in lines)
    (tmp_path / f"rows-1.{suffix}").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (tmp_path / f".rows-2.{suffix}.inprogress").write_text("half a li")
    good, bad = rows.read_rows(tmp_path)
    assert good == GOOD
    assert bad["error"] in (BAD["error"], " ".join(BAD["error"].splitlines()))
    assert {**bad, "error": ""} == {**BAD, "error": ""}
    assert (bad["label"], bad["name"], bad["probability"], bad["top5"]) == (None, None, None, [])


def test_row_files_are_counted_once(tmp_path):
    files = RowFiles(tmp_path)
    assert list(files.new_rows()) == []
    (tmp_path / "rows-1.jsonl").write_text(rows.to_json(GOOD) + "\n")
    assert list(files.new_rows()) == [GOOD]
    (tmp_path / "rows-2.jsonl").write_text(rows.to_json(BAD) + "\n")
    assert list(files.new_rows()) == [BAD]
    assert list(files.new_rows()) == []


# --- the gateway, with a Flink of three lines
class FakeFlink:
    """Reads lines and answers with rows as the job would."""

    def __init__(self, gateway):
        self.lines = socket.create_connection(("127.0.0.1", gateway.lines_port))
        self.rows = socket.create_connection(("127.0.0.1", gateway.rows_port))
        self.lines.settimeout(20)  # a gateway that gives nothing fails the test
        self._file = self.lines.makefile("r", encoding="utf-8")

    def take(self):
        return parse_line(self._file.readline())

    def answer(self, identity, path):
        with open(path, "rb") as file:
            answer = {"top5": [[len(file.read()), "length", 1.0]]}
        self.send(rows.make_row(identity, path, answer, 1, "f" * 64))

    def send(self, row):
        self.rows.sendall((rows.to_json(row) + "\n").encode())

    def close(self):
        self._file.close()
        self.lines.close()
        self.rows.close()


@pytest.fixture
def gateway(tmp_path):
    made = Gateway(tmp_path / "spool", silence_seconds=0.5)
    made.open()
    yield made
    made.close()


def connect(gateway, data=b""):
    connection = socket.create_connection(("127.0.0.1", gateway.port))
    connection.sendall(data)
    connection.settimeout(20)
    return connection


def frame(data):
    file = io.BytesIO()
    write_frame(file, data)
    return file.getvalue()


def read_lines(connection):
    with connection, connection.makefile("r", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def wait_for(condition, seconds=20):
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.01)


def test_every_photo_gets_its_answer_and_the_spool_is_empty_again(gateway, tmp_path):
    flink = FakeFlink(gateway)
    answers = send_photos(gateway.port, [b"x" * size for size in (5, 70_000, 1)])
    worker = threading.Thread(target=lambda: [flink.answer(*flink.take()) for _ in range(3)])
    worker.start()
    got = {row["sequence"]: row["label"] for row in answers}
    worker.join()
    assert got == {0: 5, 1: 70_000, 2: 1}
    assert list((tmp_path / "spool").iterdir()) == []
    flink.close()


def test_unanswered_photos_come_again_after_a_failure_and_second_rows_are_dropped(gateway):
    client = connect(gateway, frame(b"12") + frame(b"123"))
    client.shutdown(socket.SHUT_WR)
    flink = FakeFlink(gateway)
    first, second = flink.take(), flink.take()
    flink.answer(*first)
    wait_for(lambda: gateway.waiting == 1)
    flink.rows.sendall(b'{"id": "cut')
    flink.close()
    again = FakeFlink(gateway)
    assert again.take() == second
    row = rows.make_row(second[0], "", {"top5": [[3, "length", 1.0]]}, 1, "f" * 64)
    for _ in range(3):
        again.send(row)
    assert [(r["sequence"], r["label"]) for r in read_lines(client)] == [(0, 2), (1, 3)]
    wait_for(lambda: gateway.duplicates == 2)
    again.close()


@pytest.mark.parametrize(("data", "said"), [
    (b"\x40\0\0\0" + b"x" * 1000, "1,073,741,824 bytes was announced"),
    (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "four bytes of length"),
    (frame(b"x" * 100)[:50], "nothing came for 0.5 s in the middle"), (b"\0\0", "nothing came")])
def test_a_client_that_breaks_the_protocol_is_told_and_sent_away(gateway, data, said):
    answer, = read_lines(connect(gateway, data))
    assert said in answer["error"]
    assert gateway.waiting == 0


def test_half_a_photo_and_goodbye_reaches_nobody(gateway):
    client = connect(gateway, frame(b"x" * 100)[:50])
    client.shutdown(socket.SHUT_WR)
    answer, = read_lines(client)
    assert "46 of 100 bytes" in answer["error"]
    assert gateway.waiting == 0


def test_back_pressure_stops_a_client_and_not_the_others(tmp_path):
    gateway = Gateway(tmp_path / "spool", most_waiting=4)
    gateway.open()
    greedy = connect(gateway, frame(b"greedy") * 50)
    wait_for(lambda: gateway.waiting == 4)
    time.sleep(0.2)
    assert gateway.waiting == 4
    assert len(list((tmp_path / "spool").iterdir())) == 4
    flink = FakeFlink(gateway)
    for _ in range(50):
        flink.answer(*flink.take())
    greedy.shutdown(socket.SHUT_WR)
    assert len(read_lines(greedy)) == 50
    flink.close()
    gateway.close()


def test_a_full_disk_costs_a_client_its_connection_and_the_gateway_nothing(tmp_path, monkeypatch):
    spool = tmp_path / "spool"
    gateway = Gateway(spool, most_waiting=4)
    gateway.open()
    write = Path.write_bytes

    def full(path, data):
        write(path, data[:1])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    for _ in range(5):  # one more than there is room for
        answer, = read_lines(connect(gateway, frame(b"photo")))
        assert answer["sequence"] is None
        assert "could not be kept: No space left" in answer["error"]
    assert "No space left" in gateway.look()
    assert gateway.look() == "", "said once"
    assert gateway.waiting == 0
    assert list(spool.iterdir()) == []
    with pytest.raises(LabError, match="could not be kept"):
        list(send_photos(gateway.port, [b"photo"]))
    monkeypatch.setattr(Path, "write_bytes", write)
    flink = FakeFlink(gateway)
    client = connect(gateway, frame(b"photo") * 4)
    for _ in range(4):
        flink.answer(*flink.take())
    client.shutdown(socket.SHUT_WR)
    assert [row["label"] for row in read_lines(client)] == [5] * 4
    flink.close()
    gateway.close()


def test_a_client_that_resets_its_connection_leaves_no_thread(gateway):
    flink = FakeFlink(gateway)
    before = set(threading.enumerate())
    for _ in range(3):
        client = connect(gateway, frame(b"photo") + frame(b"x" * 100)[:50])
        taken = flink.take()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        flink.answer(*taken)
    wait_for(lambda: not any("(_write)" in thread.name
                             for thread in set(threading.enumerate()) - before))
    assert gateway.waiting == 0
    flink.close()


def test_a_moment_without_free_descriptors_does_not_make_the_gateway_deaf(gateway):
    flink = FakeFlink(gateway)
    # The system has taken the descriptor of the first one before it waits for it.
    clients = [socket.socket(), socket.socket()]
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))  # those that every process has
        for client in clients:
            client.settimeout(20)
            client.connect(("127.0.0.1", gateway.port))
        time.sleep(0.2)  # so long it is tried in vain
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    for client in clients:
        client.sendall(frame(b"photo"))
        client.shutdown(socket.SHUT_WR)
        flink.answer(*flink.take())
        assert [row["label"] for row in read_lines(client)] == [5]
    flink.close()


def test_a_client_does_not_wait_for_a_job_that_is_over(gateway, monkeypatch):
    from src_mindspore.deploy.streaming import client
    monkeypatch.setattr(client, "LOOK_SECONDS", 0.01)
    looks = iter([None, None])

    def check():
        if next(looks, "over"):
            raise LabError("The job failed: out of memory")

    # More than there is room for, so the sender waits too.
    with pytest.raises(LabError, match="out of memory"):
        list(send_photos(gateway.port, [b"x" * 500_000] * 200, check=check))
    wait_for(lambda: not any("(send)" in thread.name for thread in threading.enumerate()))


def test_a_busy_port_is_named_with_its_flag(gateway):
    with pytest.raises(LabError, match=f"Port {gateway.port}, wanted for photos.*--listen"):
        machine.require_port(gateway.port, "photos over TCP", "--listen")
    with pytest.raises(LabError, match="1 to 65535"):
        machine.require_port(99_999, "photos over TCP", "--listen")
    machine.require_port(machine.free_port(), "photos over TCP", "--listen")


def test_the_gateway_listens_on_this_machine_alone(gateway):
    listening = {c.laddr for c in psutil.Process().net_connections("tcp") if c.status == "LISTEN"}
    ours = {address.ip for address in listening
            if address.port in (gateway.port, gateway.lines_port, gateway.rows_port)}
    assert ours == {"127.0.0.1"}


# --- the machine
def java(folder, says, code=0):
    path = folder / "bin" / "java"
    path.parent.mkdir(parents=True)
    path.write_text(f"#!/bin/sh\necho '{says}' >&2\nexit {code}\n")
    path.chmod(0o755)
    return folder


@pytest.mark.parametrize(("says", "version"), [
    ('openjdk version "17.0.15" 2025-04-15', 17), ('java version "21" 2023-09-19', 21),
    ('openjdk version "11.0.2"', 11)])
def test_java_is_found_by_its_home_and_on_the_path(tmp_path, says, version):
    home = java(tmp_path, says)
    assert machine.require_java({"JAVA_HOME": str(home)}) == version
    assert machine.require_java({"PATH": f"{home}/bin:/bin"}) == version


def test_java_missing_broken_or_too_old(tmp_path):
    with pytest.raises(LabError, match="There is no Java.*apt install"):
        machine.require_java({"PATH": str(tmp_path)})
    with pytest.raises(LabError, match="of JAVA_HOME does not run"):
        machine.require_java({"JAVA_HOME": str(tmp_path / "none")})
    with pytest.raises(LabError, match='too old: java version "1.8.0_292"'):
        machine.require_java({"JAVA_HOME": str(java(tmp_path / "8", 'java version "1.8.0_292"'))})
    with pytest.raises(LabError, match="does not run"):
        machine.require_java({"JAVA_HOME": str(java(tmp_path / "broken", "no", code=1))})


def test_a_missing_flink_environment_names_the_command(tmp_path):
    with pytest.raises(LabError, match="make stream-env"):
        machine.require_flink(tmp_path / ".venv-flink" / "bin" / "python")


def test_a_flink_whose_path_flink_itself_would_break_is_refused(tmp_path):
    for name in ("照片", "my lab"):
        package = tmp_path / name / "lib" / "python3.11" / "site-packages" / "pyflink"
        package.mkdir(parents=True)
        (package / "version.py").write_text("")
    python = tmp_path / "照片" / "bin" / "python"
    assert machine.require_flink(python) == python
    with pytest.raises(LabError, match="at a space"):
        machine.require_flink(tmp_path / "my lab" / "bin" / "python")


# --- the command
@pytest.mark.parametrize(("argv", "said"), [
    ((), "Name one source"), (("--list", "a", "--listen", 9), "Name one source"),
    (("--list", "a", "--parallelism", 0), "--parallelism is 0"),
    (("--watch", "a", "--checkpoint_seconds", 0), "expected 0.1"),
    (("--watch", "a", "--cluster", "here"), "HOST:PORT"), (("--listen", "x"), "invalid int")])
def test_a_command_that_makes_no_sense_is_refused(ask_script, argv, said):
    code, _, err = ask_script(command.main, argv)
    assert code == 2
    assert said in err


@pytest.fixture
def ready(monkeypatch):
    """A machine with Java and Flink, as far as the command looks."""
    monkeypatch.setattr(machine, "require_java", lambda: 17)
    monkeypatch.setattr(machine, "require_flink", lambda python: python)


def test_what_the_command_needs_is_checked_before_anything_starts(
        ask_script, ready, gateway, root, tmp_path):
    out = tmp_path / "out"
    manifest = tmp_path / "list.txt"
    manifest.write_text("sub/a.jpg\n")
    common = ("--out", out, "--ckpt", tmp_path / "none.ckpt")
    (tmp_path / "earlier" / "rows").mkdir(parents=True)
    (tmp_path / "earlier" / "rows" / "rows-1.jsonl").write_text("")
    for argv, said in (
            (("--listen", gateway.port, *common), f"Port {gateway.port}"),
            (("--watch", tmp_path / "nowhere", "--root", root, *common), "no folder"),
            (("--list", manifest, "--root", tmp_path / "nowhere", *common), "--root names"),
            (("--list", manifest, "--root", root, "--out", tmp_path / "earlier"), "--resume"),
            (("--list", manifest, "--root", root, *common), "There is no model")):
        code, _, err = ask_script(command.main, argv)
        assert code == 2
        assert said in err, err
    assert not (out / "rows").exists()


def test_flink_speaks_json_to_a_gateway_whatever_the_files_hold(ready, monkeypatch, root, tmp_path):
    monkeypatch.setattr(command, "freeze_model", lambda *_: tmp_path / "model")
    (tmp_path / "out" / "rows").mkdir(parents=True)
    (tmp_path / "out" / "rows" / "rows-1.csv").write_text("")  # of an earlier command: kept
    common = ["--format", "csv"]
    with contextlib.ExitStack() as stack:
        tcp = command.prepare(command.parse(["--listen", str(machine.free_port()), *common]),
                              tmp_path / "out", stack)
        assert (tcp.format, tcp.rows) == ("jsonl", "")
        assert command.rows_of(tcp) == tmp_path / "out" / "rows"
        files = command.prepare(command.parse(
            ["--watch", str(tmp_path), "--root", str(root), *common]), tmp_path / "other", stack)
    assert files.format == "csv"
    assert str(command.rows_of(files)) == files.rows == str(tmp_path / "other" / "rows")


class FakeJob:
    """A job that answers what a gateway gives it, until one client has got an answer."""

    def __init__(self, settings, client):
        self._flink, self._client = FakeFlink(settings), client
        self._worker = threading.Thread(target=self._answer)
        self._worker.start()
        self.answers = []

    def _answer(self):
        while (taken := self._flink.take())[0]:
            self._flink.answer(*taken)

    def ended(self):
        self.answers += read_lines(self._client)
        return True

    def wait_until_running(self):
        pass

    def check(self):
        pass

    def end(self):
        self._flink.lines.shutdown(socket.SHUT_RDWR)
        self._worker.join()
        self._flink.close()
        return ""


def test_whoever_connects_while_flink_starts_is_answered_and_stands_in_the_rows(
        ready, monkeypatch, capsys, tmp_path):
    out, port = tmp_path / "out", machine.free_port()
    argv = ["--listen", str(port), "--out", str(out)]
    monkeypatch.setattr(command, "freeze_model", lambda *_: tmp_path / "model")
    monkeypatch.setattr(ModelWatch, "of", lambda path, _: ModelWatch(tmp_path, "f" * 64))
    jobs = []

    def start(settings, resume):
        early = socket.create_connection(("127.0.0.1", port))
        early.settimeout(20)
        early.sendall(frame(b"photo"))
        early.shutdown(socket.SHUT_WR)
        jobs.append(FakeJob(settings, early))
        # A second stream in the same folder would empty the spool of this one.
        with pytest.raises(LabError, match="Another stream writes into"), \
                contextlib.ExitStack() as stack:
            command.prepare(command.parse(["--listen", str(machine.free_port())]), out, stack)
        return jobs[0]

    monkeypatch.setattr(command.launch, "start_local", start)
    command.main(argv)
    answer, = jobs[0].answers
    assert (answer["sequence"], answer["label"]) == (0, 5)
    assert rows.read_rows(out / "rows") == [answer]
    assert "1 images" in capsys.readouterr().out


def test_a_machine_without_java_is_told_so(ask_script, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    code, _, err = ask_script(command.main, ("--listen", machine.free_port()))
    assert code == 2
    assert "There is no Java" in err


def test_settings_travel_as_text():
    settings = StreamSettings("watch", "/m", "/照片", "/model", "/rows", "csv", "/state", "/p",
                              "/python", "/flink", parallelism=3)
    assert StreamSettings.from_json(settings.to_json()) == settings
    assert settings.flink_configuration()["python.fn-execution.bundle.size"] == "1"


# --- Flink's side of the model process, with a model process of a few lines
STUB = """
import os, sys, time
from src_mindspore.deploy.streaming.frames import read_message, write_message
mode = sys.argv[1]
requests, answers = sys.stdin.buffer, sys.stdout.buffer
if mode == "refuse":
    write_message(answers, {"fatal": "another hash"})
elif mode == "die":
    sys.exit(3)
else:
    write_message(answers, {"model_sha256": "f" * 64})
    while (request := read_message(requests)) is not None:
        if request["path"] == "poison":
            os._exit(1)
        if request["path"] == "hang":
            time.sleep(60)
        write_message(answers, {"top5": [[os.getpid(), request["path"], 1.0]]})
"""


@pytest.fixture
def ask_stub(tmp_path):
    package = tmp_path / "src_mindspore" / "deploy" / "streaming"
    package.mkdir(parents=True)
    (package / "model_process.py").write_text(STUB)
    shutil.copy(frames.__file__, package)
    made = []

    def start(mode="serve", seconds=20):
        client = ModelClient(sys.executable, str(tmp_path), mode, seconds)
        made.append(client)
        return client
    yield start
    for client in made:
        client.close()


def test_a_killed_model_process_is_started_again_and_the_photo_answered(ask_stub):
    client = ask_stub()
    assert client.ask("a")["top5"][0] == [client.pid, "a", 1.0]
    before = client.pid
    os.kill(before, 9)
    assert client.ask("b")["top5"][0] == [client.pid, "b", 1.0]
    assert client.pid != before
    assert not psutil.pid_exists(before)


def test_a_photo_that_ends_the_process_every_time_becomes_an_error(ask_stub):
    client = ask_stub()
    assert f"{TRIES} times" in client.ask("poison")["error"]
    assert client.ask("a")["top5"][0][1] == "a"


def test_a_process_that_hangs_is_ended(ask_stub):
    client = ask_stub(seconds=0.3)
    assert "hung" in client.ask("hang")["error"]
    assert client.ask("a")["top5"][0][1] == "a"


@pytest.mark.parametrize(("mode", "said"), [("refuse", "another hash"), ("die", "code 3")])
def test_a_model_that_is_refused_says_why(ask_stub, mode, said):
    with pytest.raises(ModelRefused, match=said):
        ask_stub(mode)


ORPHAN = """
import sys, time
sys.path.insert(0, {project!r})
from src_mindspore.deploy.streaming.ancestors import ancestors_up_to, die_with
die_with(ancestors_up_to("grandfather"))
print("watching", flush=True)
time.sleep(60)
"""


def test_nobody_outlives_the_process_they_work_for(tmp_path):
    script = tmp_path / "orphan.py"
    script.write_text(ORPHAN.format(project=os.getcwd()))
    # As in Flink: the JVM starts a shell, the shell a Python worker.
    grandfather = subprocess.Popen(
        ["bash", "-c", f"printf grandfather > /proc/$$/comm; "
         f"bash -c '{sys.executable} {script}; true'; true"], stdout=subprocess.PIPE, text=True)
    assert grandfather.stdout.readline() == "watching\n"
    family = psutil.Process(grandfather.pid).children(recursive=True)
    assert len(family) >= 2
    grandfather.kill()
    grandfather.wait()
    _, alive = psutil.wait_procs(family, timeout=20)
    assert alive == []
    grandfather.stdout.close()


# --- what a person sees
def test_figures_count_what_is_slow_and_what_is_wrong():
    now = [100.0]
    figures = Figures(500, clock=lambda: now[0])
    for number in range(100):
        now[0] += 0.1
        figures.add({"milliseconds": 10, "total_milliseconds": 20 if number else 600, "error": ""})
    figures.add({"milliseconds": 499, "error": "bad"})
    assert (figures.count, figures.over, figures.errors) == (101, 1, 1)
    assert figures.rate() == pytest.approx(10, rel=0.1)
    assert np.median(figures.latencies()) == 20
    assert "over 500 ms: 1" in figures.line()
    assert Figures(500).line()


def test_a_model_file_that_is_replaced_is_noticed_once_and_refused(tmp_path, monkeypatch):
    path = tmp_path / "best.ckpt"
    path.write_bytes(b"old")
    watch = ModelWatch(path, sha256_of(path))
    assert watch.look() == ""
    os.utime(path, ns=(1, 1))
    assert watch.look() == "", "the same bytes, only touched"
    path.write_bytes(b"a new one")
    assert "refused" in watch.look()
    assert watch.look() == ""
    path.unlink()
    assert "its own copy" in watch.look()
    path.write_bytes(b"a third")

    def gone(path):
        raise FileNotFoundError(errno.ENOENT, "No such file or directory")

    monkeypatch.setattr(watch_module, "sha256_of", gone)  # between the look and the reading
    assert "cannot be read (No such file" in watch.look()
    assert watch.look() == ""


def test_the_histogram_is_a_picture(tmp_path):
    latency_histogram(np.array([5.0, 7, 9, 800]), 500, tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
