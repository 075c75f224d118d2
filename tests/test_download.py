import hashlib
import io
import tarfile
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from test_data import make_cifar10
from torchvision.datasets import CIFAR10

from cifar_utils import __main__ as cli
from cifar_utils import data, download


class Server(ThreadingHTTPServer):
    """A data-set host on the loopback address that can misbehave."""

    content = b""
    broken_answers = 0
    asked = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/{CIFAR10.filename}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked += 1
        broken = self.server.asked <= self.server.broken_answers
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.server.content)))
        self.end_headers()
        self.wfile.write(self.server.content[: 1000 if broken else None])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    source = tmp_path / "source"
    source.mkdir()
    folder = make_cifar10(source, monkeypatch)
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        tar.add(folder, CIFAR10.base_folder)
    with Server(("127.0.0.1", 0), Handler) as running:
        running.content = archive.getvalue()
        monkeypatch.setattr(CIFAR10, "tgz_md5", hashlib.md5(running.content).hexdigest())
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


def test_what_is_downloaded_is_read(server: Server, tmp_path: Path) -> None:
    target = download.download(tmp_path / "data", server.url)
    assert [path.name for path in (tmp_path / "data").iterdir()] == [target.name]
    assert data.load("cifar10", tmp_path / "data", val_size=50).name == "cifar10"
    download.download(tmp_path / "data", server.url)
    assert server.asked == 1


def test_a_broken_connection_is_tried_again(server: Server, tmp_path: Path) -> None:
    server.broken_answers = 2
    download.download(tmp_path / "data", server.url)
    assert server.asked == 3


def test_it_gives_up_and_leaves_nothing_half_written(server: Server, tmp_path: Path) -> None:
    server.broken_answers = 9
    with pytest.raises(ConnectionError, match="broke 3 times"):
        download.download(tmp_path / "data", server.url)
    assert not list((tmp_path / "data").iterdir())


def test_wrong_bytes_are_refused(server: Server, tmp_path: Path) -> None:
    server.content = b"not CIFAR-10" * 200
    with pytest.raises(ValueError, match="its MD5 differs; nothing was kept"):
        download.download(tmp_path / "data", server.url)
    assert not list((tmp_path / "data").iterdir())


def test_no_answer_is_given_up_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "CONNECT_SECONDS", 0.3)
    monkeypatch.setattr("urllib.request.urlopen", lambda *_, **__: time.sleep(30))
    start = time.monotonic()
    with pytest.raises(ConnectionError, match="can't be reached"):
        download.download(tmp_path, "http://127.0.0.1/")
    assert time.monotonic() - start < 5


def test_the_command_says_what_happens_instead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    def refuse(*_: object) -> None:
        raise ConnectionError("the host can't be reached")

    monkeypatch.setattr(download, "download", refuse)
    assert not cli.entry(["data", "--optional", "--root", str(tmp_path)])
    assert "stand-in" in capsys.readouterr().out
    assert cli.entry(["data", "--root", str(tmp_path)]) == 1
    assert "Error: the host can't be reached" in capsys.readouterr().err


def test_a_damaged_folder_is_named(server: Server, tmp_path: Path) -> None:
    target = download.download(tmp_path / "data", server.url)
    (target / "data_batch_2").write_bytes(b"")
    with pytest.raises(OSError, match="data_batch_2"):
        download.download(tmp_path / "data", server.url)
