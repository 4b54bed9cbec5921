"""Make an environment: `.venv` with the pinned versions of requirements.txt, or Flink's own.

    python3 -m src_mindspore.environment
    python3 -m src_mindspore.environment flink

Needs nothing but Python and pip. Without a network it installs from a folder `wheels`.
"""
import dataclasses
import hashlib
import subprocess
import sys
from pathlib import Path

from src_mindspore.errors import LabError, run_as_script

PYTHON_VERSION = (3, 11)
WHEELS = Path("wheels")


@dataclasses.dataclass(frozen=True)
class Environment:
    """An environment: a file of pinned versions, the folder they go to, and what makes it.

    Attributes:
        requirements, venv: Path.
        target: str, of the Makefile.
        size: str, what there is to fetch the first time.
    """

    requirements: Path
    venv: Path
    target: str
    size: str


ENVIRONMENTS = {
    "lab": Environment(Path("requirements.txt"), Path(".venv"), "env",
                       "1 GB to fetch the first time, about a minute on a good line"),
    # Flink's packages contradict MindSpore's (protobuf, dill), so they live apart.
    "flink": Environment(Path("requirements-flink.txt"), Path(".venv-flink"), "stream-env",
                         "450 MB to fetch the first time"),
}


def main(argv):
    """Create or complete an environment; does nothing when it is up to date."""
    name = argv[0] if argv else "lab"
    if name not in ENVIRONMENTS or len(argv) > 1:
        raise LabError(f"Received {' '.join(argv)!r}; expected one of {', '.join(ENVIRONMENTS)}.")
    environment = ENVIRONMENTS[name]
    requirements, venv = environment.requirements, environment.venv
    if not requirements.exists():
        raise LabError(f"There is no {requirements} here. Run the command in the project's "
                       "folder.")
    stamp = venv / "requirements.sha256"
    wanted = hashlib.sha256(requirements.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return
    if sys.version_info[:2] != PYTHON_VERSION:
        raise LabError(
            f"This is Python {sys.version_info[0]}.{sys.version_info[1]}; the pinned packages are "
            f"for Python {PYTHON_VERSION[0]}.{PYTHON_VERSION[1]}. Install it and run "
            f"`make PYTHON=python{PYTHON_VERSION[0]}.{PYTHON_VERSION[1]} "
            f"{environment.target}`.")
    python = venv / "bin" / "python"
    if not python.exists() or subprocess.run([python, "-m", "pip", "--version"], check=False,
                                             capture_output=True).returncode:
        print(f"making {venv} ...", flush=True)
        made = subprocess.run([sys.executable, "-m", "venv", "--clear", str(venv)], check=False,
                              capture_output=True, text=True)
        if made.returncode:
            raise LabError(f"The environment {venv} could not be made: "
                           f"{(made.stdout + made.stderr).strip()} Install Python with its venv "
                           f"module, or make {venv} yourself with any tool that puts pip into it.")
    install(python, environment)
    stamp.write_text(wanted)
    print(f"the environment is ready: {python}")


def install(python, environment):
    """Install the pinned versions with the pip of an environment.

    Args:
        python: Path of its interpreter.
        environment: Environment.

    Raises:
        LabError: pip failed; says which files to put where.
    """
    command = [str(python), "-m", "pip", "install", "--disable-pip-version-check", "--quiet",
               "--timeout", "15", "--retries", "2",
               "--requirement", str(environment.requirements)]
    offline = WHEELS.is_dir() and any(WHEELS.glob("*.whl"))
    if offline:
        command += ["--no-index", "--find-links", str(WHEELS)]
    print("installing the pinned packages" + (" from wheels/" if offline else "")
          + f" ({environment.size}) ...", flush=True)
    result = subprocess.run(command, check=False, stderr=subprocess.PIPE, text=True)
    if result.returncode:
        reasons = [line for line in result.stderr.splitlines() if line.startswith("ERROR")]
        raise LabError(
            f"pip could not install {environment.requirements} "
            f"({reasons[-1] if reasons else 'no answer'}). "
            "Without a network: on a machine of the same kind that has one, run `pip download -r "
            f"{environment.requirements} -d wheels`, copy the folder `wheels` (its .whl files) "
            f"beside it, and run `make {environment.target}` again.")


if __name__ == "__main__":
    run_as_script(main)
