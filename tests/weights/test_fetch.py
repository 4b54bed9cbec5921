"""Downloads from an address, against a server on this machine."""
import hashlib
import http.server
import threading

import numpy as np
import pytest

from src_mindspore.errors import LabError
from src_mindspore.weights.fetch import fetch_address

CONTENT = np.random.default_rng(0).bytes(700_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves CONTENT; the server's `mode` chooses how well."""

    def do_GET(self):
        mode = self.server.mode
        wanted = self.headers.get("Range")
        self.server.ranges.append(wanted)
        if mode == "missing":
            self.send_error(404)
            return
        if mode == "no http":
            self.wfile.write(b"hello, this is not HTTP\r\n\r\n")
            return
        start = 0
        if wanted and mode != "no range":
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            if start >= len(CONTENT):
                self.send_error(416)
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")
        else:
            self.send_response(200)
        body = CONTENT[start:]
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:300_000] if mode == "closes early" else body)

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.mode, server.ranges = "good", []
    server.address = f"http://127.0.0.1:{server.server_port}/weights.ckpt"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "folder" / "weights.ckpt"


def names(path):
    return sorted(entry.name for entry in path.parent.iterdir())


def test_a_file_arrives_whole(server, path):
    assert fetch_address(server.address, path, SHA256) == path
    assert path.read_bytes() == CONTENT
    assert names(path) == ["weights.ckpt"]
    assert server.ranges == [None]
    fetch_address(server.address, path, SHA256.upper())
    assert server.ranges == [None]  # it was there and right: nothing is fetched


def test_a_file_that_is_there_but_wrong_is_not_overwritten(server, path):
    path.parent.mkdir()
    path.write_bytes(b"mine")
    with pytest.raises(LabError, match="not the expected file"):
        fetch_address(server.address, path, SHA256)
    assert path.read_bytes() == b"mine"
    assert server.ranges == []


def test_a_broken_connection_is_resumed(server, path):
    server.mode = "closes early"
    with pytest.raises(LabError, match="ended after 300000 of 700000 bytes.*same command again"):
        fetch_address(server.address, path, SHA256)
    assert names(path) == ["weights.ckpt.part"]
    server.mode = "good"
    fetch_address(server.address, path, SHA256)
    assert server.ranges == [None, "bytes=300000-"]
    assert path.read_bytes() == CONTENT
    assert names(path) == ["weights.ckpt"]


def test_every_attempt_brings_a_bad_connection_further(server, path):
    server.mode = "closes early"
    for _ in range(2):
        with pytest.raises(LabError):
            fetch_address(server.address, path, SHA256)
    fetch_address(server.address, path, SHA256)
    assert server.ranges == [None, "bytes=300000-", "bytes=600000-"]
    assert path.read_bytes() == CONTENT


def test_a_server_that_cannot_resume_sends_all_again(server, path):
    path.parent.mkdir()
    path.with_name("weights.ckpt.part").write_bytes(CONTENT[:1000])
    server.mode = "no range"
    fetch_address(server.address, path, SHA256)
    assert server.ranges == ["bytes=1000-"]
    assert path.read_bytes() == CONTENT


def test_a_part_that_is_already_whole_or_longer_is_handled(server, path):
    path.parent.mkdir()
    path.with_name("weights.ckpt.part").write_bytes(CONTENT + b"and more")
    fetch_address(server.address, path, SHA256)
    assert server.ranges == [f"bytes={len(CONTENT) + 8}-", None]
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize("part", [b"", b"x" * 1000])
def test_wrong_content_is_refused_and_removed(server, path, part):
    path.parent.mkdir()
    if part:
        path.with_name("weights.ckpt.part").write_bytes(part)
    with pytest.raises(LabError, match="not the expected file"):
        fetch_address(server.address, path, "0" * 64 if not part else SHA256)
    assert names(path) == []
    fetch_address(server.address, path, SHA256)  # the next attempt starts anew
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize(("mode", "words"), [("missing", "HTTP 404"),
                                             ("no http", "could not be fetched")])
def test_an_answer_that_is_no_file_is_explained(server, path, mode, words):
    server.mode = mode
    with pytest.raises(LabError, match=words) as caught:
        fetch_address(server.address, path, SHA256)
    assert server.address in str(caught.value)
    assert str(path) in str(caught.value)
    assert not path.exists()


@pytest.mark.parametrize("address", ["http://127.0.0.1:9/a.ckpt", "no address", "gopher://x/y"])
def test_an_address_that_leads_nowhere_is_explained(path, address):
    with pytest.raises(LabError, match="could not be fetched.*put the file there yourself"):
        fetch_address(address, path, SHA256)
    assert not path.exists()
