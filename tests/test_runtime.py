import gc
import importlib.metadata
import json
import os
import subprocess
import sys
import weakref

import pytest

from src_mindspore import runtime
from src_mindspore.errors import LabError

AVX512 = {"avx2", "avx512f"}


def in_a_fresh_process(code, *arguments, **variables):
    """Run code without the two variables in the environment; returns the JSON it prints last."""
    environ = {name: value for name, value in os.environ.items()
               if name not in ("ONEDNN_MAX_CPU_ISA", "GLOG_v")}
    result = subprocess.run([sys.executable, "-c", code, *arguments], env={**environ, **variables},
                            capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout.splitlines()[-1])


@pytest.mark.parametrize("imports", ["import src_mindspore, mindspore",
                                     "import mindspore, src_mindspore",
                                     "import src_mindspore.data.preprocess"])
def test_importing_the_library_sets_the_limit_before_or_after_mindspore(imports):
    code = f"""{imports}
import json, os
print(json.dumps([os.environ.get("ONEDNN_MAX_CPU_ISA"), os.environ.get("GLOG_v")]))"""
    assert in_a_fresh_process(code) == ["AVX2", "3"]


def test_onednn_obeys_the_limit_even_when_mindspore_was_imported_first():
    code = """import mindspore as ms, numpy as np
import src_mindspore
import json
conv = ms.nn.Conv2d(3, 8, 3, pad_mode="pad", padding=1)
conv(ms.Tensor(np.ones((1, 3, 32, 32), np.float32))).asnumpy()
print(json.dumps(True))"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                            check=True, env={**{k: v for k, v in os.environ.items()
                                                if k != "ONEDNN_MAX_CPU_ISA"},
                                             "ONEDNN_VERBOSE": "1"})
    kernels = [line for line in result.stdout.splitlines() if ",convolution," in line]
    if not kernels:
        pytest.skip("this oneDNN does not report its kernels")
    assert not [line for line in kernels if "avx512" in line or "ref:any" in line]


def test_a_notebook_may_start_late_and_twice():
    code = """import json
import mindspore as ms, numpy as np
import src_mindspore
ms.ops.add(ms.Tensor(np.ones(3)), 1).asnumpy()
from src_mindspore import runtime
runtime.start(3)
first = np.random.random()
runtime.start(3)
print(json.dumps([ms.get_context("mode") == ms.GRAPH_MODE, first == np.random.random()]))"""
    assert in_a_fresh_process(code) == [True, True]


def test_what_the_user_set_is_kept():
    environ = {"ONEDNN_MAX_CPU_ISA": "SSE41"}
    runtime.set_environment(environ)
    assert environ == {"ONEDNN_MAX_CPU_ISA": "SSE41", "GLOG_v": "3"}


def versions(**changed):
    known = {"mindspore": runtime.MINDSPORE_VERSION, "numpy": "1.26.4", **changed}

    def version_of(name):
        if known[name] is None:
            raise importlib.metadata.PackageNotFoundError(name)
        return known[name]
    return version_of


def test_the_pinned_versions_are_accepted_here_and_in_principle():
    runtime.check_versions()
    runtime.check_versions(versions())


@pytest.mark.parametrize(("changed", "words"), [
    ({"mindspore": None}, "MindSpore is not installed for .*make env"),
    ({"mindspore": "2.8.0"}, r"MindSpore 2\.8\.0 is installed; expected 2\.10\.0"),
    ({"numpy": "2.1.0"}, r"NumPy 2\.1\.0 is installed.*expected numpy<2"),
    ({"numpy": "10.0"}, r"NumPy 10\.0")])
def test_other_versions_are_refused_with_the_remedy(changed, words):
    with pytest.raises(LabError, match=words):
        runtime.check_versions(versions(**changed))


@pytest.mark.parametrize("value", ["AVX512_CORE", "AVX512_CORE_AMX", "ALL", "DEFAULT", "", None])
def test_settings_that_slow_convolutions_down_are_refused(value):
    environ = {} if value is None else {runtime.ISA_VARIABLE: value}
    with pytest.raises(LabError, match="10 to 100 times too slow.*set ONEDNN_MAX_CPU_ISA=AVX2"):
        runtime.check_instruction_set(environ, AVX512)
    # A processor without AVX-512 has nothing to limit.
    runtime.check_instruction_set(environ, {"avx2"})
    runtime.check_instruction_set(environ, set())


@pytest.mark.parametrize("value", ["AVX2", "AVX", "SSE41"])
def test_settings_that_limit_it_are_accepted(value):
    runtime.check_instruction_set({runtime.ISA_VARIABLE: value}, AVX512)


def test_cores_are_those_this_process_may_use():
    assert 1 <= runtime.usable_cores() <= os.cpu_count()
    if hasattr(os, "sched_setaffinity"):
        code = """import json, os
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
from src_mindspore.runtime import usable_cores
print(json.dumps(usable_cores()))"""
        assert in_a_fresh_process(code) == 1


def test_the_record_of_a_run_names_versions_and_machine():
    described = runtime.describe()
    assert described["packages"]["mindspore"] == runtime.MINDSPORE_VERSION
    assert described["packages"]["numpy"].startswith("1.")
    assert described["cores"] == runtime.usable_cores()
    assert described["ONEDNN_MAX_CPU_ISA"] == os.environ["ONEDNN_MAX_CPU_ISA"]
    json.dumps(described)


SCRIPT = """import contextlib, io, json, runpy, sys
sys.path.insert(0, ".")
name, *sys.argv[1:] = sys.argv[1:]
sys.argv[0] = name
out, code = io.StringIO(), None
with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
    try:
        runpy.run_path(name, run_name="__main__")
    except SystemExit as error:
        code = error.code
print(json.dumps([code, "mindspore" in sys.modules, out.getvalue()]))"""


@pytest.mark.parametrize(("arguments", "code", "words"), [
    (["train_head.py", "--help"], 0, "--weight_decay"),
    (["train_head.py", "--epoch", "3"], 2, "'epochs'"),
    (["train_head.py", "--epochs", "many"], 2, "an integer from 1"),
    (["train_head.py", "--preset", "nothing"], 2, "Unknown preset"),
    (["evaluate.py", "--help"], 0, "--ckpt"),
    (["evaluate.py"], 2, "Name one model")])
def test_help_and_mistakes_answer_without_mindspore(arguments, code, words):
    ended, imported, text = in_a_fresh_process(SCRIPT, *arguments)
    assert ended == code
    assert not imported
    assert words in text
    assert "Traceback" not in text


def test_openvino_is_imported_without_its_telemetry():
    script = """import json, sys
sys.path.insert(0, ".")
from src_mindspore.runtime import import_openvino
core = import_openvino().Core()
from openvino.tools.ovc import telemetry_utils
loaded = sorted(name for name in sys.modules if name.startswith("openvino_telemetry."))
print(json.dumps([telemetry_utils.tm.__name__, "CPU" in core.available_devices, loaded]))"""
    assert in_a_fresh_process(script) == ["openvino.tools.ovc.telemetry_stub", True, []]


def test_modules_are_spared_by_collections_and_later_garbage_is_not(mindspore):
    class Ring:
        pass
    assert gc.get_freeze_count() > 100_000
    ring = Ring()
    ring.itself, gone = ring, weakref.ref(ring)
    del ring
    gc.collect()
    assert gone() is None
