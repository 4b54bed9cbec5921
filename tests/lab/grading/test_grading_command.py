"""The command as a teacher and as a student see it."""
import csv
import os
import shutil
import signal
import threading
import time

import pytest
from hand_ins import CHINESE, ENGLISH, FOLDERS, honest, shuffled_folders

from lab import grade
from lab.grading import parallel
from lab.grading.protection import Protection

# What the planted BGR still gets right on these pictures.
BGR_RIGHT = 29
HOSTILE = "import os\ndef predict(image): os._exit(1)"


@pytest.fixture
def hand_ins(tmp_path, write_hand_in):
    """Folder of six hand-ins of all kinds."""
    write_hand_in(honest(), "王小明 2023001")
    write_hand_in(honest() + "# the same\n", "copy", **{"weights.bin": bytes(range(256)) * 9})
    write_hand_in(honest() + "# and again\n", "other copy",
                  **{"model.bin": bytes(range(256)) * 9})
    write_hand_in(honest(change="[::-1]"), "bgr")
    write_hand_in(HOSTILE, "=HYPERLINK(1)")
    write_hand_in("raise ValueError('<script>alert(1)</script>\\n| `x`')", "<b>bold")
    shutil.make_archive(str(tmp_path / "hand-ins" / "zipped"), "zip",
                        tmp_path / "hand-ins" / "bgr")
    (tmp_path / "hand-ins" / "list.xlsx").touch()
    return tmp_path / "hand-ins"


@pytest.fixture
def run(hidden, tmp_path):
    """Function from arguments to the rows of grades.csv by hand-in."""
    def run(folder, *argv, out=tmp_path / "out"):
        assert grade.main([str(folder), "--data", str(hidden), "--out", str(out), *argv]) == 0
        with open(out / "grades.csv", newline="", encoding="utf-8-sig") as file:
            return {row["submission"]: row for row in csv.DictReader(file)}
    return run


def test_grading_of_all_kinds(run, hand_ins, tmp_path, capsys):
    rows = run(hand_ins, "--jobs", "2")
    printed = capsys.readouterr().out
    assert "left alone, because neither a folder nor a zip: list.xlsx" in printed
    assert "the hidden photos, their truth and other hand-ins cannot be read: " in printed
    assert {name: int(row["correct"]) for name, row in rows.items()} == {
        "王小明 2023001": 130, "copy": 130, "other copy": 130, "bgr": BGR_RIGHT,
        "zipped": BGR_RIGHT, "'=HYPERLINK(1)": 0, "<b>bold": 0}
    assert [row["rank"] for row in rows.values()] == ["1", "1", "1", "4", "4", "6", "6"]
    assert (rows["copy"]["rank_best"], rows["copy"]["rank_worst"]) == ("1", "3")
    assert rows["bgr"]["likely_trap"] == "red and blue exchanged"
    assert float(rows["bgr"]["top1_without_trap"]) == 1
    assert rows["'=HYPERLINK(1)"]["reason"] == "its process ended itself (exit code 1)"
    assert rows["copy"]["alike"] == "other copy"
    assert rows["bgr"]["alike"] == "zipped"
    assert rows["copy"]["00_03 Cans"] == "5/5"
    assert float(rows["copy"]["latency_p50_ms"]) <= float(rows["copy"]["latency_p99_ms"])

    html = (tmp_path / "out" / "grades.html").read_text(encoding="utf-8")
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert "&lt;b&gt;bold" in html
    assert html.count("data:image/png;base64,") == 2
    assert "same files, byte for byte: " in html
    assert "the whole hand-in is the same, byte for byte" in html
    feedback = {p.stem for p in (tmp_path / "out" / "feedback").iterdir()}
    assert feedback == {name.removeprefix("'") for name in rows}
    bold = (tmp_path / "out" / "feedback" / "<b>bold.md").read_text(encoding="utf-8")
    assert "&lt;script" in bold
    assert "<script" not in bold
    assert "copy" not in bold


def test_chinese_page_and_feedback(run, hand_ins, tmp_path):
    rows = run(hand_ins, "--language", "zh")
    assert rows["'=HYPERLINK(1)"]["reason"] == "进程自行退出（退出码 1）"
    assert rows["copy"]["00_03 易拉罐"] == "5/5"
    html = (tmp_path / "out" / "grades.html").read_text(encoding="utf-8")
    feedback = (tmp_path / "out" / "feedback" / "bgr.md").read_text(encoding="utf-8")
    assert "括号内是从区间来看可能的名次" in html
    assert "红蓝通道互换" in html
    assert "如果红蓝通道互换" in feedback
    assert "| 00_03 易拉罐 |" in feedback
    for text in (html, feedback):
        for word in ("likely mistake", "Scores", "photos would", "What was tried", "hand-ins"):
            assert word not in text


def numbers(rows):
    return {name: {key: value for key, value in row.items()
                   if key not in ("latency_p50_ms", "latency_p99_ms", "import_seconds",
                                  "peak_memory_mb")} for name, row in rows.items()}


def test_twice_the_same_numbers(run, hand_ins, tmp_path):
    """From the records, asked again, and with another number of jobs."""
    first = run(hand_ins)
    # Latency, too: what is known is not asked again.
    assert run(hand_ins) == first
    assert numbers(run(hand_ins, "--again", "--jobs", "3")) == numbers(first)
    assert numbers(run(hand_ins, out=tmp_path / "elsewhere")) == numbers(first)


def test_changed_hand_in_or_setting_is_asked_again(run, hand_ins, monkeypatch):
    run(hand_ins)
    asked = []
    real = parallel.record_of
    monkeypatch.setattr(parallel, "record_of", lambda submission, *rest: (
        asked.append((submission.name, record := real(submission, *rest))), record)[1])
    (hand_ins / "copy" / "main.py").write_text(honest([CHINESE[f] for f in FOLDERS]))
    rows = run(hand_ins)
    assert rows["copy"]["correct"] == "0"
    assert rows["other copy"]["correct"] == "130"
    rows = run(hand_ins, "--channels", "BGR")
    assert (rows["bgr"]["correct"], rows["other copy"]["correct"]) == ("130", str(BGR_RIGHT))
    assert len(asked) == 14


def test_interrupted_grading_goes_on(run, hand_ins, tmp_path, ctrl_c):
    """Ctrl-C while one hand-in hangs: what is finished is kept, nothing is left running."""
    import psutil
    (hand_ins / "王小明 2023001" / "main.py").write_text("import time\ntime.sleep(60)")
    before = {p.pid for p in psutil.Process().children(recursive=True)}
    records = tmp_path / "out" / "records"

    def interrupt():
        for _ in range(600):
            if len([p for p in records.glob("*.json") if not p.name.startswith(".")]) == 6:
                break
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)
    threading.Thread(target=interrupt).start()
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run(hand_ins)
    assert time.monotonic() - started < 50
    assert {p.pid for p in psutil.Process().children(recursive=True)} <= before
    kept = {p.name: p.read_bytes() for p in records.iterdir()}
    assert len(kept) == 6
    assert not (tmp_path / "out" / "grades.csv").exists()
    (hand_ins / "王小明 2023001" / "main.py").write_text(honest())
    rows = run(hand_ins)
    assert rows["王小明 2023001"]["correct"] == "130"
    assert {name: (records / name).read_bytes() for name in kept} == kept


def test_damaged_record_is_asked_again(run, hand_ins, tmp_path):
    first = run(hand_ins)
    (tmp_path / "out" / "records" / "copy.json").write_text("{")
    (tmp_path / "out" / "records" / "bgr.json").write_text("[]")
    assert numbers(run(hand_ins)) == numbers(first)


def test_student_tries_before_handing_in(hidden, write_hand_in, capsys):
    submission = write_hand_in(honest([ENGLISH[f] for f in shuffled_folders()]), "mine")
    main = submission.path / "main.py"
    assert grade.main(["--check", str(main), "--data", str(hidden)]) == 0
    printed = capsys.readouterr().out
    assert "# mine: 10 of 130 right" in printed
    assert "With names read in the order of label.txt, 130 instead of 10" in printed
    main.write_text("print('loading')\nimport no_such_module")
    assert grade.main(["--check", str(main), "--data", str(hidden), "--language", "zh"]) == 1
    printed = capsys.readouterr().out
    assert "main.py 导入失败：ModuleNotFoundError: No module named 'no_such_module'" in printed
    assert "loading" in printed
    assert sorted(p.name for p in submission.path.iterdir()) == ["main.py"]


def test_check_uses_val_of_the_lab(drawn_data, write_hand_in, capsys):
    submission = write_hand_in("def predict(image): return 'Hats'", "mine")
    assert grade.main(["--check", str(submission.path), "--data", str(drawn_data)]) == 0
    assert "# mine: 3 of 15 right" in capsys.readouterr().out


@pytest.mark.parametrize(("argv", "told"), [
    ([], "Name a folder of hand-ins"),
    (["a", "--check", "b"], "Name a folder of hand-ins"),
    (["a"], "Name the hidden photos"),
    (["nothing", "--data", "x"], "The folder of hand-ins nothing cannot be read"),
    (["--check", "nothing/main.py"], "There is no hand-in nothing/main.py"),
    (["a", "--data", "b", "--jobs", "0"], "--jobs is 0; expected a number above 0"),
    (["a", "--data", "b", "--image_seconds", "nan"], "expected a number above 0"),
    (["a", "--data", "b", "--channels", "GBR"], "GBR"),
])
def test_mistakes_on_the_command_line(ask_script, argv, told):
    code, _, err = ask_script(grade.main, argv)
    assert code == 2
    assert told in err
    assert "Traceback" not in err


def test_data_that_hand_ins_could_read_is_refused(ask_script, hand_ins, hidden, monkeypatch):
    from lab.grading import protection
    monkeypatch.setattr(protection, "SYSTEM", (*protection.SYSTEM, str(hidden.parent)))
    code, _, err = ask_script(grade.main, [hand_ins, "--data", hidden])
    assert code == 2
    assert "which every hand-in may read" in err


def test_machine_that_cannot_confine_is_refused(ask_script, hand_ins, hidden, monkeypatch):
    monkeypatch.setattr(grade, "find_protection", lambda: Protection(False, 0, False, False))
    code, out, err = ask_script(grade.main, [hand_ins, "--data", hidden])
    assert code == 2
    assert "--weak" in err
    assert "! the hidden photos, their truth and other hand-ins cannot be read: not enforced" in out


def test_fault_of_the_machine_is_not_the_hand_ins(ask_script, hand_ins, hidden, tmp_path,
                                                  monkeypatch):
    from lab.grading import session
    monkeypatch.setattr(session, "INSIDE", tmp_path / "missing")
    monkeypatch.setattr(grade, "find_protection", lambda: Protection(False, 7, True, False))
    code, _, err = ask_script(grade.main, [hand_ins, "--data", hidden, "--out", tmp_path / "out"])
    assert code == 2
    assert "this machine's fault" in err
    assert not (tmp_path / "out" / "grades.csv").exists()
