"""Make the environment: `.venv` with the pinned versions of requirements.txt.

    python3 -m src_mindspore.environment

Needs nothing but Python and pip. Without a network it installs from a folder `wheels`.
"""
import hashlib
import subprocess
import sys
from pathlib import Path

from src_mindspore.errors import LabError, run_as_script

PYTHON_VERSION = (3, 11)
REQUIREMENTS = Path("requirements.txt")
VENV = Path(".venv")
WHEELS = Path("wheels")


def main(_):
    """Create or complete the environment; does nothing when it is up to date."""
    if not REQUIREMENTS.exists():
        raise LabError("There is no requirements.txt here. Run the command in the project's "
                       "folder.")
    stamp = VENV / "requirements.sha256"
    wanted = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return
    if sys.version_info[:2] != PYTHON_VERSION:
        raise LabError(
            f"This is Python {sys.version_info[0]}.{sys.version_info[1]}; the pinned packages are "
            f"for Python {PYTHON_VERSION[0]}.{PYTHON_VERSION[1]}. Install it and run "
            f"`make PYTHON=python{PYTHON_VERSION[0]}.{PYTHON_VERSION[1]} env`.")
    python = VENV / "bin" / "python"
    if not python.exists() or subprocess.run([python, "-m", "pip", "--version"], check=False,
                                             capture_output=True).returncode:
        print("making .venv ...", flush=True)
        made = subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)], check=False,
                              capture_output=True, text=True)
        if made.returncode:
            raise LabError("The environment .venv could not be made: "
                           f"{(made.stdout + made.stderr).strip()} Install Python with its venv "
                           "module, or make .venv yourself with any tool that puts pip into it.")
    install(python)
    stamp.write_text(wanted)
    print("the environment is ready: .venv/bin/python")


def install(python):
    """Install requirements.txt with the pip of an environment.

    Args:
        python: Path of its interpreter.

    Raises:
        LabError: pip failed; says which files to put where.
    """
    command = [str(python), "-m", "pip", "install", "--disable-pip-version-check", "--quiet",
               "--timeout", "15", "--retries", "2", "--requirement", str(REQUIREMENTS)]
    offline = WHEELS.is_dir() and any(WHEELS.glob("*.whl"))
    if offline:
        command += ["--no-index", "--find-links", str(WHEELS)]
    print("installing the pinned packages" + (" from wheels/" if offline else "")
          + " (1 GB to fetch the first time, about a minute on a good line) ...", flush=True)
    result = subprocess.run(command, check=False, stderr=subprocess.PIPE, text=True)
    if result.returncode:
        reasons = [line for line in result.stderr.splitlines() if line.startswith("ERROR")]
        raise LabError(
            f"pip could not install requirements.txt ({reasons[-1] if reasons else 'no answer'}). "
            "Without a network: on a machine of the same kind that has one, run `pip download -r "
            "requirements.txt -d wheels`, copy the folder `wheels` (its .whl files) beside "
            "requirements.txt, and run `make env` again.")


if __name__ == "__main__":
    run_as_script(main)
