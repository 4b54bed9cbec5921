"""What a stream needs of the machine: Java, Flink's environment, free ports."""
import os
import re
import shutil
import socket
import subprocess
from pathlib import Path

from src_mindspore.errors import LabError

FLINK_PYTHON = Path(".venv-flink") / "bin" / "python"
OLDEST_JAVA, RECOMMENDED_JAVA = 11, 17


def require_java(environ=os.environ):
    """Find Java as Flink's scripts do: JAVA_HOME, else the path.

    Args:
        environ: mapping with, perhaps, JAVA_HOME and PATH.

    Returns:
        int, its major version.

    Raises:
        LabError: there is none, it does not run, or it is too old.
    """
    home = environ.get("JAVA_HOME")
    java = str(Path(home) / "bin" / "java") if home else shutil.which(
        "java", path=environ.get("PATH", os.defpath))
    remedy = (f"Flink needs Java {OLDEST_JAVA} or newer, best {RECOMMENDED_JAVA} (Debian: `apt "
              f"install openjdk-{RECOMMENDED_JAVA}-jre-headless`); then set JAVA_HOME or PATH.")
    if java is None:
        raise LabError(f"There is no Java: no JAVA_HOME and no `java` on the PATH. {remedy}")
    try:
        # On standard error, by tradition.
        text = subprocess.run([java, "-version"], check=True, capture_output=True, text=True,
                              timeout=60).stderr
    except (OSError, subprocess.SubprocessError) as error:
        raise LabError(f"The Java {java}{' of JAVA_HOME' if home else ''} does not run: {error}. "
                       f"{remedy}") from error
    found = re.search(r'version "(?:1\.)?(\d+)', text)
    if not found or int(found[1]) < OLDEST_JAVA:
        raise LabError(f"The Java {java} is too old: "
                       f"{text.splitlines()[0] if text else 'it tells no version'}. {remedy}")
    return int(found[1])


def require_flink(python=FLINK_PYTHON):
    """Return Flink's interpreter as an absolute path that still goes through its environment.

    Raises:
        LabError: the environment was not made, or Flink cannot start it.
    """
    python = Path(os.path.abspath(python))
    if not any((python.parent.parent / "lib").glob("python*/site-packages/pyflink/version.py")):
        raise LabError(f"Flink's environment is not there: {python} has no pyflink. Flink and "
                       "MindSpore need contradictory packages, so it has one of its own: run "
                       "`make stream-env` (450 MB to fetch, 1.2 GB on disk).")
    if len(str(python).split()) > 1:
        raise LabError(f"Flink cannot start {python}: its own scripts break a path at a space. "
                       "Move the project to a folder without one.")
    return python


def require_port(port, purpose, flag):
    """Refuse a port that is taken.

    Args:
        port: int.
        purpose: str, what it is for.
        flag: str, where another one is chosen.

    Raises:
        LabError: it is out of range, or somebody listens on it.
    """
    if not 0 < port < 65536:
        raise LabError(f"{flag} is {port}; expected a port from 1 to 65535.")
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError as error:
        raise LabError(f"Port {port}, wanted for {purpose}, cannot be used: {error.strerror}. "
                       f"Another program probably listens on it; choose another with {flag}."
                       ) from error


def free_port():
    """Return a port of 127.0.0.1 that nobody listens on at the moment."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]
