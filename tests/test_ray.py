"""Ray: the same numbers as without, every row once whatever is killed, nothing left behind."""
import contextlib
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pyarrow.parquet as pq
import pytest

from src_mindspore import ray_units
from src_mindspore.data.prepare import prepare_photos
from src_mindspore.errors import LabError
from src_mindspore.features.of_config import extract_splits, prepare_backbone

ROOT = Path(__file__).parents[1]
COPIES = 8  # links to each of the 45 drawn pictures
PATIENCE = 300


def our_rays():
    """Return the processes of Ray that this test's own processes started."""
    found = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if re.match("ray::|gcs_server|raylet", process.name()) \
                    or "site-packages/ray/" in " ".join(process.cmdline()):
                found.append(process)
    return found


def wait_for(condition, what):
    end = time.monotonic() + PATIENCE
    while not (answer := condition()):
        assert time.monotonic() < end, f"no {what} in {PATIENCE} s"
        time.sleep(0.05)
    return answer


@pytest.fixture(scope="module")
def cluster():
    """Environment, address and the raylets of a Ray of two nodes."""
    folder = tempfile.mkdtemp(prefix="ray-", dir="/tmp")
    os.mkdir(f"{folder}/ray")
    environment = {**os.environ, **ray_units.COMMON_SETTINGS, **ray_units.OWN_SETTINGS,
                   # Workers import this file for the functions at its end, and die of a photo.
                   "PYTHONPATH": os.pathsep.join(
                       filter(None, [f"{ROOT}/tests", f"{ROOT}/tests/fatal_photo",
                                     os.environ.get("PYTHONPATH")])),
                   "RAY_AUTH_TOKEN": secrets.token_hex(32), "RAY_TMPDIR": folder}
    for _ in range(3):  # it gives its processes 15 s, which a busy machine needs by itself
        process = subprocess.Popen([sys.executable, ROOT / "tests" / "ray_cluster.py"], text=True,
                                   cwd=ROOT, env=environment, stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        line = process.stdout.readline()
        if line:
            break
        process.wait()
    assert line, "Ray did not start"
    yield environment, *json.loads(line).values()
    started = our_rays()
    process.communicate(timeout=60)
    _, left = psutil.wait_procs(started, timeout=20)
    alive = [p for p in left if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
    for survivor in left:
        survivor.kill()
    shutil.rmtree(folder, ignore_errors=True)
    # A zombie has ended; whoever adopted it has not asked for its exit code yet.
    assert alive == []


@pytest.mark.slow
def test_every_photo_is_once_there_after_kills(cluster, finished_run, drawn_data, tmp_path):
    environment, address, raylets = cluster
    photos = tmp_path / "photos"
    for source in drawn_data.rglob("*.jpg"):
        name = "-".join(source.relative_to(drawn_data).parts)
        for copy in range(COPIES):
            (photos / str(copy)).mkdir(parents=True, exist_ok=True)
            os.link(source, photos / str(copy) / name)
    # In the last part; tests/fatal_photo/sitecustomize.py knows it.
    (photos / "z").mkdir()
    (photos / "z" / "z.jpg").write_bytes(source.read_bytes() + b"this photo ends its process")
    out = tmp_path / "out"
    checkpoint = finished_run.folder / "best.ckpt"
    command = [sys.executable, "-m", "src_mindspore.deploy.bulk", photos, "--ckpt", checkpoint,
               "--out", out, "--part_rows", "3", "--batch_size", "3", "--ray", address]
    driver = subprocess.Popen(command, cwd=ROOT, env=environment, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def finished():
        assert driver.poll() is None, driver.communicate()
        return len(list((out / "predictions").glob("part*")))

    def actors(raylet):
        return [p for p in psutil.Process(raylet).children(recursive=True)
                if p.name().startswith("ray::Map")]
    parts = 45 * COPIES // 3
    # An actor of the first node, as soon as it works.
    wait_for(lambda: finished() > 5 and actors(raylets[0]), "work on the first node")
    victim = actors(raylets[0])[0]
    victim.kill()
    before = finished()
    # The whole second node, while its own actor works.
    wait_for(lambda: finished() > before + 5 and actors(raylets[1]), "work on the second node")
    node = psutil.Process(raylets[1])
    for process in [node, *node.children(recursive=True)]:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    at_the_kill = finished()
    assert 0 < before < at_the_kill < parts
    output, errors = driver.communicate(timeout=PATIENCE)
    assert driver.returncode == 0, errors
    assert (f"counted: {45 * COPIES + 1} rows, each exactly once; {45 * COPIES} predicted, "
            "1 without") in output
    assert "Traceback" not in errors

    rows = pq.read_table(out / "predictions").to_pylist()
    assert [row["row"] for row in rows] == list(range(45 * COPIES + 1))
    assert [(row["path"], row["error_kind"]) for row in rows if row["error"]] == [
        ("z/z.jpg", "fatal")]
    rows = [row for row in rows if not row["error"]]
    answers = {}
    for row in rows:  # the copies of one picture, wherever they were predicted, say the same
        answers.setdefault(row["path"].split("/")[1], set()).add(
            (row["label"], *row["top5_probabilities"]))
    assert len(answers) == 45
    assert {len(said) for said in answers.values()} == {1}


@pytest.mark.slow
def test_extraction_on_ray_is_the_plain_one(finished_run, make_config, make_argv, tmp_path):
    """Byte for byte, of two backbones; on loopback alone while it runs, and nothing is left when it
    ends."""
    folders, others = set(Path("/tmp").glob("ray-*")), set(our_rays())
    engine = finished_run.caches["train"].what["engine"]
    try:
        backbone = prepare_backbone(make_config(backbone="efficientnet_lite0"))
    except LabError as error:
        pytest.skip(f"the pretrained weights are neither here nor to be fetched: {error}")
    argv = make_argv(features_path=tmp_path / "features", results_path=tmp_path, engine=engine,
                     backbones="mobilenet_v2@96,efficientnet_lite0@96")
    driver = subprocess.Popen([sys.executable, "-m", "src_mindspore.features.extract", *argv,
                               "--ray", "--actors", "2"], cwd=ROOT, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    ours = wait_for(lambda: driver.poll() is not None or (
        any(p.name().startswith("ray::Map") for p in set(our_rays()) - others)
        and set(our_rays()) - others), "actors")
    addresses = set()
    for process in [] if ours is True else ours:
        with contextlib.suppress(psutil.Error):
            addresses |= {c.laddr.ip for c in process.net_connections("inet")
                          if c.status == psutil.CONN_LISTEN}
    _, errors = driver.communicate(timeout=PATIENCE)
    assert driver.returncode == 0, errors
    assert addresses
    assert addresses <= {"127.0.0.1", "::1", "::ffff:127.0.0.1"}
    config = make_config(features_path=str(tmp_path / "plain"), engine=engine)
    second = extract_splits(prepare_photos(config), backbone, config)
    for cache in (*finished_run.caches.values(), *second.values()):
        there = tmp_path / "features" / cache.folder.name
        names = {p.name for p in there.iterdir() if not p.name.startswith(".")}
        assert names == {p.name for p in cache.folder.iterdir() if not p.name.startswith(".")}
        for name in names:
            assert (there / name).read_bytes() == (cache.folder / name).read_bytes()
    assert set(our_rays()) <= others
    assert set(Path("/tmp").glob("ray-*")) <= folders
    assert not Path("/tmp/ray/ray_current_cluster").exists()


def divide(unit):
    """A worker for the tests below."""
    if unit == 13:
        raise LabError("13 is no number of ours.")
    if unit == 17:
        os.kill(os.getpid(), signal.SIGKILL)
    return {"unit": unit, "half": unit / 2}


def make_divider(allowed):
    """A maker of workers; refuses where it is told to."""
    if not allowed:
        raise LabError("This machine has no model.")
    return divide


@pytest.mark.slow
def test_what_a_worker_says_arrives(cluster):
    environment, address, _ = cluster
    code = """
import sys
from test_ray import make_divider
from src_mindspore import ray_units
from src_mindspore.errors import LabError
ray_units.MAX_RETRIES = 1
for units, allowed in (([3, 4, 8], True), ([13], True), ([3], False), ([17], True)):
    halves = []
    try:
        ray_units.run_units("units", units, make_divider, (allowed,), sys.argv[1], 1,
                            lambda result: halves.append(result["half"]))
        print('answer', sorted(halves))
    except LabError as error:
        print('answer', error)
"""
    done = subprocess.run([sys.executable, "-c", code, address], cwd=ROOT, env=environment,
                          text=True, capture_output=True, check=False, timeout=PATIENCE)
    halves, thirteen, refused, killed = re.findall("^answer (.*)", done.stdout, re.MULTILINE)
    assert halves == "[1.5, 2.0, 4.0]"
    assert re.fullmatch(r"13 is no number of ours\. \(said by a worker on .+\)", thirteen)
    assert refused.startswith("This machine has no model.")
    assert "ended after 0 of 1 units" in killed
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("address", ["photos", "host", "host:0", "host:70000", "a b:1"])
def test_what_is_no_address_is_refused(address):
    from types import SimpleNamespace
    with pytest.raises(LabError, match="expected host:port of a running Ray"):
        ray_units.check_ray_flags(SimpleNamespace(ray=address, actors=0))
