"""Hand-ins that misbehave: each costs its own score, and nothing else is touched."""
import os
import signal
import socket
import tempfile
import threading

import psutil
import pytest
from hand_ins import FOLDERS, SMALL, honest

from lab.grading.inside.wire import Decoder, WireError, pack
from lab.grading.record import record_of
from lab.grading.score import score_of


@pytest.fixture(autouse=True)
def leaves_nothing(tmp_path, monkeypatch):
    """No process and no file of a hand-in outlives it."""
    folder = tmp_path / "temporary"
    folder.mkdir(mode=0o755)
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    before = {p.pid for p in psutil.Process().children(recursive=True)}
    yield
    assert {p.pid for p in psutil.Process().children(recursive=True)} <= before
    assert list(folder.iterdir()) == []


@pytest.fixture
def needs(protection):
    """Function from a key of Protection.rows that skips where this machine cannot enforce it."""
    def skip(key):
        if not dict(protection.rows())[key]:
            pytest.skip(f"not enforced on this machine with these layers: {key}")
    return skip


def ended(record):
    return record["ended"] and record["ended"]["code"]


def answered(record):
    """The one answer that all photos got."""
    names = {answer["name"] for answer in record["answers"]}
    assert len(names) == 1, record["ended"]
    return names.pop()


@pytest.mark.parametrize(("code", "expected"), [
    ("1 / 0", "ZeroDivisionError: division by zero (main.py, line 1)"),
    ("import sys\nsys.exit('done')", "SystemExit: done (main.py, line 2)"),
    ("def predict(image) return 1", "SyntaxError"),
    ("x = 1", "NameError: main.py defines no function predict(image)"),
    ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
    ("class Odd(Exception):\n    def __str__(self): raise self\nraise Odd", "Odd:"),
    ("def deep(): deep()\ndeep()", "RecursionError"),
])
def test_failure_of_the_import_is_told_in_one_line(ask_once, code, expected):
    record = ask_once(code)
    assert ended(record) == "import"
    assert record["ended"]["detail"]["reason"].startswith(expected)
    assert "\n" not in record["ended"]["detail"]["reason"]
    assert record["asked"] == 0


@pytest.mark.parametrize(("code", "limits", "expected"), [
    ("while True: pass", {"import_seconds": 1}, "import_time"),
    ("import time\ndef predict(image): time.sleep(99)", {"image_seconds": 0.5}, "image_time"),
    ("import signal, time\nfor s in (1, 2, 3, 15): signal.signal(s, signal.SIG_IGN)\n"
     "def predict(image): time.sleep(99)", {"image_seconds": 0.5}, "image_time"),
    ("import time\ndef predict(image): time.sleep(0.05); return 'Hats'", {"total_seconds": 1},
     "total_time"),
    ("import os\nos._exit(0)", {}, "exited"),
    ("def predict(image):\n import os; os._exit(3)", {}, "exited"),
    ("import os, signal\ndef predict(image): os.kill(os.getpid(), signal.SIGSEGV)", {}, "crashed"),
    ("import os\nwhile True: os.write(1, bytes(65536))", {}, "output"),
    ("import sys\nwhile True: print('x' * 9999, file=sys.stderr)", {}, "output"),
    # One process, then many that each stay below the limit.
    ("x = []\nwhile True: x.append(bytearray(b'1' * 10_000_000))", {}, "memory"),
    ("import os, time\nfor i in range(9):\n    if not os.fork(): break\n"
     "x = b'1' * 90_000_000\ntime.sleep(9)", {}, "memory"),
    ("import os, time\nfor i in range(3):\n    if not os.fork(): break\n"
     "while True: pass", {"cpu_seconds": 1}, "cpu"),
    ("import os\nfor handle in range(3, 256):\n    try: os.write(handle, b'\\xff' * 70000)\n"
     "    except OSError: pass\ndef predict(image): return 'Hats'", {}, "protocol"),
    ("import os\nos.closerange(0, 256)\nimport time\ntime.sleep(99)", {"import_seconds": 1},
     "import_time"),
])
def test_limit_ends_the_hand_in(ask, code, limits, expected):
    record = ask(code, **limits)
    # RLIMIT_CPU may be quicker than the watchdog; then the kernel's signal is the reason.
    assert ended(record) in ({"cpu", "crashed"} if expected == "cpu" else {expected})
    assert record["asked"] < 130


def test_noise_behind_a_message_does_not_swallow_the_message():
    """A worker that says hello and a hand-in that then floods may arrive in one read."""
    messages = Decoder().feed(pack({"hello": True}) + b"\xff" * 70_000)
    assert next(messages) == {"hello": True}
    with pytest.raises(WireError):
        next(messages)


def test_fork_bomb(ask, needs):
    needs("processes")
    record = ask("import os\nwhile True:\n    try: os.fork()\n    except OSError: pass",
                 import_seconds=1)
    assert ended(record) in ("processes", "import_time", "memory", "cpu")


def test_large_file_is_cut_off(ask):
    record = ask("import os\nsize = 0\ntry:\n"
                 "    with open('big', 'wb') as file:\n"
                 "        while True: size += file.write(bytes(1_000_000))\n"
                 "except OSError as error: pass\ndef predict(image): return str(size)")
    # The kernel's limit on a file and the watchdog's on the folder are alike: either may be first.
    assert ended(record) == "disk" or 20e6 < int(answered(record)) < 40e6


def test_many_files_are_cut_off(ask):
    record = ask("import time\ntry:\n    for i in range(60):\n"
                 "        with open(str(i), 'wb') as file: file.write(b'x' * 1_000_000)\n"
                 "    time.sleep(2)\nexcept OSError: pass\n"
                 "def predict(image): return 'stopped'")
    assert ended(record) == "disk" or answered(record) == "stopped"


@pytest.mark.parametrize("place", ["../../{name}", "{folder}/{name}", "/usr/{name}", "/etc/{name}",
                                   "/{name}", "/dev/{name}"])
def test_writing_outside_is_refused(ask, needs, tmp_path, place):
    needs("writes")
    path = place.format(folder=tmp_path, name="written-by-a-hand-in")
    record = ask(f"try:\n    open({path!r}, 'w'); done = 'written'\n"
                 "except OSError: done = 'refused'\ndef predict(image): return done")
    assert answered(record) == "refused"
    assert not os.path.exists(path)


def test_files_of_others_stay(ask, needs, tmp_path, hidden):
    needs("writes")
    victim = tmp_path / "other-student" / "main.py"
    victim.parent.mkdir()
    victim.write_text("precious")
    victim.chmod(0o777)
    victim.parent.chmod(0o777)
    record = ask("import os, shutil\n"
                 f"for path in ({str(victim.parent)!r}, {str(hidden)!r}):\n"
                 "    shutil.rmtree(path, ignore_errors=True)\n"
                 f"try: open({str(victim)!r}).read(); done = 'read'\n"
                 "except OSError: done = 'refused'\ndef predict(image): return done")
    assert answered(record) == "refused"
    assert victim.read_text() == "precious"
    assert len(list(hidden.rglob("*.png"))) == 130


def test_truth_cannot_be_read(ask, needs, hidden):
    """By name, through other processes, and through what the process was started with."""
    needs("hidden")
    parts = [hidden.name, *FOLDERS]
    record = ask(f"""
import glob, os, sys
places = [{str(hidden)!r}, {str(hidden.parent)!r}]
for process in glob.glob("/proc/[0-9]*"):
    if os.path.basename(process) != str(os.getpid()):
        places += [process + "/root" + {str(hidden)!r}, process + "/cwd"]
seen = ""
for place in places:
    try: seen += " ".join(os.listdir(place))
    except OSError: pass
for process in glob.glob("/proc/[0-9]*") + ["/proc/self"]:
    for name in ("environ", "cmdline", "maps", "mountinfo"):
        try: seen += open(process + "/" + name).read()
        except OSError: pass
    try: seen += " ".join(os.readlink(f) for f in glob.glob(process + "/fd/*"))
    except OSError: pass
found = [part for part in {parts!r} if part in seen.split("/") or " " + part + " " in seen]
import gc
found += ["object" for o in gc.get_objects() if isinstance(o, (list, dict)) and "labels" in o]
def predict(image): return "found " + str(found)
""")
    assert answered(record) == "found []"


def test_network_is_out_of_reach(ask, needs):
    needs("network")
    heard = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)

        def listen():
            with pytest.raises(TimeoutError):
                heard.append(server.accept())
        port = server.getsockname()[1]
        record = ask(f"""
import socket
done = []
for family, kind, target in ((2, 1, ("127.0.0.1", {port})), (2, 2, ("127.0.0.1", {port})),
                             (1, 1, "/run/dbus/system_bus_socket"), (16, 3, None)):
    try:
        with socket.socket(family, kind) as s: s.connect(target)
        done.append("connected")
    except OSError: pass
def predict(image): return str(done)
""")
        thread = threading.Thread(target=listen)
        thread.start()
        thread.join()
    assert answered(record) == "[]"
    assert heard == []


def test_signals_reach_nobody_outside(ask, needs):
    needs("signals")
    caught = []
    before = signal.signal(signal.SIGTERM, lambda *_: caught.append("SIGTERM"))
    try:
        record = ask(f"""
import os, signal
for target in (os.getppid(), {os.getpid()}, -1, -os.getpgrp()):
    if target in (-os.getpid(), 0): continue
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try: os.kill(target, signal.SIGTERM)
    except OSError: pass
for target in (os.getppid(), {os.getpid()}):
    try: os.kill(target, signal.SIGKILL)
    except OSError: pass
def predict(image): return "alive"
""")
    finally:
        signal.signal(signal.SIGTERM, before)
    assert answered(record) == "alive"
    assert caught == []


def test_stray_processes_are_ended(ask):
    record = ask("import os, time\nif not os.fork():\n    os.setsid()\n"
                 "    if os.fork(): os._exit(0)\n    time.sleep(99)\n"
                 "time.sleep(0.5)\ndef predict(image): return 'started'")
    assert answered(record) == "started"


def test_dangerous_calls_are_refused(ask, protection):
    if not protection.seccomp:
        pytest.skip("this machine has no filter of system calls that fits")
    record = ask("""
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
done = []
if libc.unshare(0x10000000) == 0: done.append("user namespace")
if libc.ptrace(16, os.getppid(), 0, 0) == 0: done.append("ptrace")
if libc.mount(b"none", b"/proc", b"tmpfs", 0, None) == 0: done.append("mount")
if libc.syscall(425, 1, None) >= 0: done.append("io_uring")
if libc.memfd_create(b"x", 0) >= 0: done.append("memfd")
if libc.setns(0, 0) == 0: done.append("setns")
def predict(image): return str(done)
""")
    assert answered(record) == "[]"


@pytest.mark.parametrize(("body", "problem"), [
    ("return 3", "type"), ("return None", "type"), ("return ['Hats']", "type"),
    ("raise ValueError('no')", "exception"), ("import sys; sys.exit(1)", "exception"),
    ("return 'hats'", None), ("return 'x' * 5_000_000", None),
    ("raise BaseException('no')", "exception"), ("raise KeyboardInterrupt", "exception"),
])
def test_bad_answers_cost_their_photo_alone(ask_once, photos, body, problem):
    """Every second call misbehaves; the others count."""
    record = ask_once(honest() + "count, good = 0, predict\ndef predict(image):\n"
                      "    global count\n    count += 1\n    if count % 2: return good(image)\n"
                      f"    {body}")
    score = score_of(record, photos)
    assert record["ended"] is None
    assert (score.correct, record["asked"]) == (65, 130)
    assert score.problems[0]["code"] == (problem or "unknown")
    assert score.problems[0]["photos"] == 65
    assert all(len(name) <= 200 for name in score.names if name)


def test_noise_on_the_output_does_not_disturb(ask_once, photos):
    record = ask_once("import os, sys\nprint('hello')\n" + honest() + "good = predict\n"
                 "def predict(image):\n    print('\\x00\\xff' * 99)\n    os.system('echo shell')\n"
                 "    sys.stdout.buffer.write(b'\\x00\\x00\\x00\\x02{}')\n    return good(image)")
    assert score_of(record, photos).correct == 130
    assert record["output"].startswith("hello\n")
    assert "shell" in record["output"]


def test_photos_may_be_changed_in_place(ask_once, photos):
    record = ask_once(honest() + "good = predict\ndef predict(image):\n    name = good(image)\n"
                            "    image[:] = 0\n    return name")
    assert score_of(record, photos).correct == 130


def test_relative_files_and_own_modules_load(write_hand_in, photos, protection):
    """As the course's platform does it: the working folder is that of main.py."""
    submission = write_hand_in(
        "import os, tempfile, names\nfrom src_mindspore.data.preprocess import preprocess\n"
        "open('cache.txt', 'w').write('x')\nopen(os.path.expanduser('~/x'), 'w')\n"
        "tempfile.TemporaryFile()\nNAME = open('./model.txt').read() + names.END\n"
        "def predict(image): return NAME", **{"model.txt": b"Ha", "names.py": b"END = 'ts'"})
    (submission.path / "model.txt").chmod(0o400)
    record = record_of(submission, photos, protection, SMALL)
    assert answered(record) == "Hats"
    assert sorted(p.name for p in submission.path.iterdir()) == ["main.py", "model.txt", "names.py"]
