"""The environment of the peers, `.venv-bench`, and how they are asked."""
import json
import subprocess
import sys
from pathlib import Path

from src_mindspore.errors import LabError
from src_mindspore.files import sha256_of, write_text

REQUIREMENTS = Path("bench/requirements.txt")
VENV = Path(".venv-bench")


def make_environment():
    """Create or complete `.venv-bench`; does nothing when it is up to date.

    Raises:
        LabError: pip failed.
    """
    stamp, wanted = VENV / "requirements.sha256", sha256_of(REQUIREMENTS)
    if stamp.exists() and stamp.read_text() == wanted:
        return
    print(f"making {VENV} for the peers (0.2 GB to fetch or more) ...", flush=True)
    for command in ([sys.executable, "-m", "venv", str(VENV)],
                    [str(VENV / "bin" / "python"), "-m", "pip", "install", "--quiet",
                     "--disable-pip-version-check", "--no-deps", "-r", str(REQUIREMENTS)]):
        result = subprocess.run(command, check=False, capture_output=True, text=True)
        if result.returncode:
            raise LabError(f"The peers could not be installed: {result.stderr.strip()[-500:]} "
                           f"Without them nothing can be compared; see {REQUIREMENTS}.")
    write_text(stamp, wanted)


def ask_torch(**job):
    """Run one task of bench.torch_peer in a process of its own; returns its answer."""
    result = subprocess.run([str(VENV / "bin" / "python"), "-m", "bench.torch_peer"], text=True,
                            input=json.dumps(job), capture_output=True, check=False)
    if result.returncode:
        raise LabError(f"PyTorch failed at {job['task']}: {result.stderr[-1500:]}")
    return json.loads(result.stdout.splitlines()[-1])
