import subprocess
import sys

import pytest

from src_mindspore.errors import LabError, run_as_script


def exit_code(main, argv=()):
    with pytest.raises(SystemExit) as caught:
        run_as_script(main, list(argv))
    return caught.value.code


@pytest.mark.parametrize(("result", "code"), [(None, 0), (0, 0), (1, 1), (3, 3)])
def test_a_script_ends_with_the_code_of_its_main(result, code):
    assert exit_code(lambda argv: result) == code


def test_a_mistake_is_one_paragraph_and_code_2(capsys):
    def main(argv):
        raise LabError("There is no data folder x.")

    assert exit_code(main) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.strip() == "error: There is no data folder x."


def test_ctrl_c_is_code_130_and_says_how_to_go_on(capsys):
    def main(argv):
        raise KeyboardInterrupt

    assert exit_code(main) == 130
    err = capsys.readouterr().err
    assert "Traceback" not in err
    assert "the same command goes on" in err


@pytest.mark.parametrize("mistake", [LabError("text"), KeyboardInterrupt()])
def test_debug_lets_the_error_through(mistake):
    def main(argv):
        assert argv == ["--epochs", "3"]
        raise mistake

    with pytest.raises(type(mistake)):
        run_as_script(main, ["--debug", "--epochs", "3"])


def test_a_bug_is_never_hidden():
    def main(argv):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_as_script(main, [])


SCRIPT = """
import sys
from src_mindspore.errors import LabError, run_as_script
def main(argv):
    if "many" in argv:
        for _ in range(100_000):
            print("a line")
        return
    raise LabError("wrong")
run_as_script(main)
"""


def run(*argv, **options):
    return subprocess.run([sys.executable, "-c", SCRIPT, *argv], capture_output=True, text=True,
                          check=False, **options)


def test_in_a_process_of_its_own():
    result = run()
    assert (result.returncode, result.stdout, result.stderr) == (2, "", "\nerror: wrong\n")
    result = run("--debug")
    assert result.returncode == 1
    assert "Traceback" in result.stderr
    assert "LabError: wrong" in result.stderr


def test_a_closed_pipe_is_no_error():
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, "many"], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    process.stdout.readline()
    process.stdout.close()
    assert "Traceback" not in process.stderr.read()
    process.stderr.close()
    process.wait()
