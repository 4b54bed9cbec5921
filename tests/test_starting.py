"""--help and mistakes in a flag answer before anything heavy is imported."""
import json
import subprocess
import sys

import pytest

HEAVY = ("mindspore", "sklearn", "matplotlib", "scipy", "cv2", "PIL", "openvino", "onnxruntime",
         "pandas", "ray", "torch")
CODE = """import json, sys
import {module}
from src_mindspore.errors import run_as_script
try:
    run_as_script({module}.main, sys.argv[1:])
except SystemExit as end:
    print(json.dumps([end.code, sorted({{name.split(".")[0] for name in sys.modules}})]))
"""


@pytest.mark.parametrize(("module", "argv", "code"), [
    ("train_head", ["--help"], 0),
    ("train_head", ["--epochs", "many"], 2),
    ("train_head", ["--epoch", "3"], 2),
    ("train_head", ["--config", "absent.yaml"], 2),
    ("evaluate", ["--help"], 0),
    ("evaluate", [], 2),
])
def test_answers_without_importing_what_computes(module, argv, code):
    result = subprocess.run([sys.executable, "-c", CODE.format(module=module), *argv], text=True,
                            capture_output=True, check=True)
    ended, modules = json.loads(result.stdout.splitlines()[-1])
    assert ended == code
    assert not set(HEAVY) & set(modules)
    assert len(result.stdout.splitlines()) > 20 if code == 0 else "error: " in result.stderr
