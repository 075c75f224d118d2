import errno
import hashlib
import os
import re
import shutil
import signal
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from test_data import make_cifar10
from torchvision.datasets import CIFAR10

from cifar_utils import __main__ as cli
from cifar_utils import data
from cifar_utils.batch import download

SHORT_WAITS = (0.01, 0.02, 0.04)


@dataclass
class Answer:
    """How the host answers one request."""

    status: int = 200
    cut: int | None = None  # bytes sent before the connection is dropped
    pause: float = 0  # seconds: after `cut` bytes, or after every tenth of the answer
    knows_ranges: bool = True
    begins_at: int | None = None  # what a range really begins with, and is said to
    shifted: int = 0  # how many bytes too late a range begins, and is not said to
    content: bytes | None = None
    says_length: bool = True


class Host(ThreadingHTTPServer):
    """A data-set host on the loopback address that can misbehave."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content = b""
        self.answers: list[Answer] = []  # one a request; after them, good ones
        self.asked: list[str] = []  # the ranges that were asked for

    def handle_error(self, *_: object) -> None:
        """A client that went away is no error here."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/{CIFAR10.filename}"


class Handler(BaseHTTPRequestHandler):
    server: Host

    def do_GET(self) -> None:
        wanted = self.headers.get("Range", "")
        self.server.asked.append(wanted)
        answer = self.server.answers.pop(0) if self.server.answers else Answer()
        content = self.server.content if answer.content is None else answer.content
        asked_from = int(re.sub(r"\D", "", wanted) or 0)
        ranged = bool(wanted) and answer.knows_ranges and answer.status == 200
        begin = asked_from if answer.begins_at is None else answer.begins_at
        if ranged and begin >= len(content):
            self.send_error(416)
        elif answer.status != 200:
            self.send_error(answer.status)
        else:
            self.send_response(206 if ranged else 200)
            if ranged:
                self.send_header(
                    "Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}"
                )
            self.send(answer, content[begin + answer.shifted :] if ranged else content)

    def send(self, answer: Answer, body: bytes) -> None:
        if answer.says_length:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if answer.cut is not None:
            self.wfile.write(body[: answer.cut])
            time.sleep(answer.pause)
            return
        step = len(body) // 10 + 1
        for begin in range(0, len(body), step):
            self.wfile.write(body[begin : begin + step])
            time.sleep(answer.pause)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a small `cifar-10-batches-py`, and its archive, as torchvision expects them."""
    folder = tmp_path / "source"
    folder.mkdir()
    make_cifar10(folder, monkeypatch)
    with tarfile.open(folder / CIFAR10.filename, "w:gz") as tar:
        tar.add(folder / CIFAR10.base_folder, CIFAR10.base_folder)
    whole = (folder / CIFAR10.filename).read_bytes()
    monkeypatch.setattr(CIFAR10, "tgz_md5", hashlib.md5(whole).hexdigest())
    return folder


@pytest.fixture
def host(source: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    monkeypatch.setattr(download, "WAITS", SHORT_WAITS)
    with Host() as running:
        running.content = (source / CIFAR10.filename).read_bytes()
        serve = threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True)
        serve.start()
        yield running
        running.shutdown()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "data"


def part_of(root: Path) -> Path:
    return root / f"{CIFAR10.filename}.part"


def assert_whole(root: Path) -> None:
    """CIFAR-10 is there, reads, and nothing else is there."""
    assert [path.name for path in root.iterdir()] == [CIFAR10.base_folder]
    assert data.load("cifar10", root, val_size=50).name == "cifar10"


def test_what_is_downloaded_is_read_and_not_fetched_again(host: Host, root: Path) -> None:
    assert download.download(root, host.url) == root / CIFAR10.base_folder
    assert_whole(root)
    download.download(root, host.url)
    assert host.asked == [""]


def test_a_broken_connection_goes_on_where_it_broke(host: Host, root: Path) -> None:
    host.answers = [Answer(cut=1000), Answer(cut=500), Answer(cut=0)]
    download.download(root, host.url)
    assert host.asked == ["", "bytes=1000-", "bytes=1500-", "bytes=1500-"]
    assert_whole(root)


def test_the_next_call_goes_on_too(host: Host, root: Path) -> None:
    host.answers = [Answer(cut=1000)] + [Answer(status=500)] * len(SHORT_WAITS)
    with pytest.raises(ConnectionError, match="The 1,000 bytes that came are kept"):
        download.download(root, host.url)
    assert [path.name for path in root.iterdir()] == [part_of(root).name]
    with pytest.raises(FileNotFoundError):
        data.locate("cifar10", root)
    download.download(root, host.url)
    assert host.asked[-1] == "bytes=1000-"
    assert_whole(root)


def test_a_complete_part_needs_no_host(source: Path, root: Path) -> None:
    root.mkdir()
    shutil.copy(source / CIFAR10.filename, part_of(root))
    download.download(root, "http://127.0.0.1:9/")
    assert_whole(root)


def test_a_host_without_ranges_sends_the_whole_again(host: Host, root: Path) -> None:
    host.answers = [Answer(cut=1000), Answer(knows_ranges=False)]
    download.download(root, host.url)
    assert host.asked == ["", "bytes=1000-"]
    assert_whole(root)


def test_a_range_that_was_not_asked_for_is_not_kept(host: Host, root: Path) -> None:
    wrong_range = Answer(begins_at=400)
    host.answers = [Answer(cut=1000), wrong_range, Answer(cut=1200), wrong_range]
    download.download(root, host.url)
    assert host.asked == ["", "bytes=1000-", "", "bytes=1200-", ""]
    assert_whole(root)


def test_a_length_that_is_not_said_is_no_obstacle(host: Host, root: Path) -> None:
    host.answers = [Answer(says_length=False)]
    download.download(root, host.url)
    assert_whole(root)


@pytest.mark.parametrize("kept", [b"X" * 700, b"X" * 10_000_000])
def test_a_wrong_part_is_thrown_away_and_fetched_from_the_beginning(
    host: Host, root: Path, kept: bytes
) -> None:
    root.mkdir()
    part_of(root).write_bytes(kept)
    download.download(root, host.url)
    assert host.asked == [f"bytes={len(kept)}-", ""]
    assert_whole(root)


def test_pieces_that_do_not_fit_are_thrown_away_too(host: Host, root: Path) -> None:
    host.answers = [Answer(cut=1000), Answer(shifted=1)]
    download.download(root, host.url)
    assert host.asked == ["", "bytes=1000-", ""]
    assert_whole(root)


def test_wrong_bytes_are_refused(host: Host, root: Path) -> None:
    host.content = b"not CIFAR-10" * 200
    with pytest.raises(ValueError, match="its MD5 differs; nothing was kept"):
        download.download(root, host.url)
    assert not list(root.iterdir()) and host.asked == ["", ""]


def test_a_stall_is_a_broken_connection(
    host: Host, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "STALL_SECONDS", 0.3)
    host.answers = [Answer(cut=1000, pause=9)]
    start = time.monotonic()
    download.download(root, host.url)
    assert host.asked == ["", "bytes=1000-"] and time.monotonic() - start < 5
    assert_whole(root)


def test_a_slow_host_is_no_stalled_one(
    host: Host, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "STALL_SECONDS", 0.5)
    host.answers = [Answer(pause=0.06)]  # 0.6 s in all
    download.download(root, host.url)
    assert host.asked == [""]
    assert_whole(root)


@pytest.fixture
def waited(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds waited between tries, by a clock that only waiting moves."""
    waits: list[float] = []

    class Clock:
        sleep = staticmethod(waits.append)

        @staticmethod
        def monotonic() -> float:
            return sum(waits)

    monkeypatch.setattr(download, "time", Clock)
    return waits


def test_waits_grow_and_begin_again_when_something_came(
    host: Host, root: Path, waited: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "WAITS", (1, 2, 4))
    host.answers = [Answer(cut=100), *[Answer(cut=0)] * 2, Answer(cut=100), *[Answer(cut=0)] * 3]
    with pytest.raises(ConnectionError, match="The 200 bytes"):
        download.download(root, host.url)
    assert waited == [1, 2, 4, 1, 2, 4]


def test_without_a_network_there_is_no_long_wait(root: Path, waited: list[float]) -> None:
    with pytest.raises(ConnectionError, match="Connection refused"):
        download.download(root, "http://127.0.0.1:9/")
    assert waited == [1, 2]


def test_a_host_that_always_breaks_at_the_same_byte_is_given_up(host: Host, root: Path) -> None:
    host.answers = [Answer(cut=1000, knows_ranges=False)] * 50
    with pytest.raises(ConnectionError, match="broke after 1,000 of"):
        download.download(root, host.url)
    assert len(host.asked) == 1 + len(SHORT_WAITS)


@pytest.mark.parametrize(("status", "times"), [(404, 1), (403, 1), (500, 4), (503, 4), (429, 4)])
def test_only_what_may_pass_is_asked_again(host: Host, root: Path, status: int, times: int) -> None:
    host.answers = [Answer(status=status)] * 9
    with pytest.raises(ConnectionError, match=f"{host.url}.*{status}.*--from"):
        download.download(root, host.url)
    assert len(host.asked) == times and not list(root.iterdir())


def test_nobody_listening_is_given_up_in_time(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "FIRST_ANSWER_SECONDS", 0.5)
    monkeypatch.setattr(download, "WAITS", (0.1, 0.2, 0.4, 20))
    start = time.monotonic()
    with pytest.raises(ConnectionError, match="Connection refused.*--from"):
        download.download(root, "http://127.0.0.1:9/")
    assert time.monotonic() - start < 10


def test_a_name_server_that_never_answers_is_given_up_in_time(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "FIRST_ANSWER_SECONDS", 0.3)
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: time.sleep(30))
    start = time.monotonic()
    with pytest.raises(ConnectionError, match="no answer in 0.3 s"):
        download.download(root, "http://host.invalid/")
    assert time.monotonic() - start < 10


def test_control_c_keeps_the_part(
    host: Host, root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(download.download, "__defaults__", (host.url,))
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    seen: list[str] = []  # beside the part, while it is fetched: what a kill would leave
    main = threading.main_thread().ident
    host.answers = [Answer(cut=1000, pause=10)]

    def interrupt() -> None:
        while not part_of(root).exists():
            time.sleep(0.02)
        time.sleep(0.3)
        seen.extend(path.name for path in root.iterdir())
        signal.pthread_kill(main, signal.SIGINT)

    stop = threading.Thread(target=interrupt, daemon=True)
    stop.start()
    try:
        assert cli.entry(["data", "--root", str(root)]) == 130
    finally:
        signal.signal(signal.SIGINT, previous)
    assert "the same command goes on" in capsys.readouterr().err
    assert [path.name for path in root.iterdir()] == [part_of(root).name]
    assert sorted(seen) == sorted([part_of(root).name, download.LOCK])
    assert cli.entry(["data", "--root", str(root)]) is None
    assert host.asked == ["", "bytes=1000-"]
    assert_whole(root)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_named(host: Host, root: Path) -> None:
    root.mkdir()
    part_of(root).symlink_to("/dev/full")
    with pytest.raises(OSError, match=f"put into {root}.*No space left.*350 MB.*--root") as caught:
        download.download(root, host.url)
    assert caught.value.__cause__.errno == errno.ENOSPC and host.asked == [""]


def test_a_disk_that_fills_while_unpacking_leaves_the_archive(
    host: Host, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill_up(path: Path, content: bytes) -> None:
        with path.open("wb") as file:
            file.write(content[:4])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", fill_up)
    with pytest.raises(OSError, match="No space left"):
        download.download(root, host.url)
    assert part_of(root).read_bytes() == host.content and len(list(root.iterdir())) == 1


def test_a_folder_that_cannot_be_made_is_named(host: Host, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file/data can't be written.*choose another folder"):
        download.download(tmp_path / "file" / "data", host.url)
    assert not host.asked


def test_a_damaged_folder_is_named(host: Host, root: Path) -> None:
    target = download.download(root, host.url)
    (target / "data_batch_2").write_bytes(b"")
    with pytest.raises(OSError, match="data_batch_2"):
        download.download(root, host.url)


FORMS: dict[str, Callable[[Path], Path]] = {
    "archive": lambda source: source / CIFAR10.filename,
    "folder": lambda source: source / CIFAR10.base_folder,
    "folder that holds the folder": lambda source: source,
}


@pytest.mark.parametrize("form", FORMS)
def test_a_copy_is_taken_in_every_form(source: Path, root: Path, form: str) -> None:
    assert cli.entry(["data", "--from", str(FORMS[form](source)), "--root", str(root)]) is None
    assert_whole(root)


def test_a_folder_that_holds_the_archive_is_taken_too(source: Path, root: Path) -> None:
    shutil.rmtree(source / CIFAR10.base_folder)
    download.take(source, root)
    assert_whole(root)
    assert (source / CIFAR10.filename).exists()


@pytest.mark.parametrize("damage", ["altered", "missing"])
def test_a_damaged_file_of_a_copy_is_named(source: Path, root: Path, damage: str) -> None:
    path = source / CIFAR10.base_folder / "data_batch_4"
    content = path.read_bytes()
    path.unlink()
    if damage == "altered":
        path.write_bytes(b"X" + content[1:])
    with pytest.raises(ValueError, match=f"source/.*data_batch_4 is.*{damage}.*nothing was copied"):
        download.take(source, root)
    assert not list(root.iterdir())


def test_a_cut_archive_is_named(source: Path, root: Path) -> None:
    archive = source / CIFAR10.filename
    archive.write_bytes(archive.read_bytes()[: archive.stat().st_size // 2])
    with pytest.raises(ValueError, match=f"{archive} is cut short.*nothing was copied.*make data"):
        download.take(archive, root)
    assert not list(root.iterdir())


def test_what_is_no_copy_is_said_so(
    source: Path, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    (tmp_path / "other").mkdir()
    with pytest.raises(FileNotFoundError, match="no CIFAR-10 in .*neither cifar-10-python.tar.gz"):
        download.take(root.parent / "other", root)
    assert cli.entry(["data", "--from", str(tmp_path / "none"), "--root", str(root)]) == 2
    assert "none' does not exist" in capsys.readouterr().err


def test_the_command_says_in_a_sentence_what_went_wrong(
    host: Host, root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(download.download, "__defaults__", (host.url,))
    host.answers = [Answer(status=404)]
    assert cli.entry(["data", "--root", str(root)]) == 1
    said = capsys.readouterr().err
    assert re.fullmatch(r"CIFAR-10 .*\nError: .*answers 404 .*--from, or .* --url\n", said)


def test_damaged_files_are_an_error(source: Path, capsys: pytest.CaptureFixture) -> None:
    (source / CIFAR10.base_folder / "test_batch").unlink()
    assert cli.entry(["data", "--root", str(source)]) == 1
    assert "test_batch is missing" in capsys.readouterr().err


def test_a_mirror_is_taken_and_its_bytes_are_checked(
    host: Host, root: Path, capsys: pytest.CaptureFixture
) -> None:
    assert cli.entry(["data", "--root", str(root), "--url", host.url]) is None
    assert_whole(root)
    host.content = b"another data set" * 100
    assert cli.entry(["data", "--root", str(root / "other"), "--url", host.url]) == 1
    assert f"what {host.url} sends is not cifar-10-python.tar.gz" in capsys.readouterr().err
    assert cli.entry(["data", "--from", str(root), "--url", host.url]) == 2


def test_the_makefile_hands_a_mirror_on() -> None:
    makefile = (data.PROJECT / "Makefile").read_text(encoding="utf-8")
    recipe = re.search(r"^data:.*\n\t(.*)", makefile, re.MULTILINE)[1]
    assert recipe.endswith("cifar_utils data $(if $(URL),--url '$(URL)')")


@pytest.mark.parametrize("url", ["mirror", "http://", "file:///etc/hosts", "ftp://a/b", "http://["])
def test_what_is_no_address_is_refused_before_anything_is_written(root: Path, url: str) -> None:
    with pytest.raises(ValueError, match="is no address of the web.*--from"):
        download.download(root, url)
    assert not root.exists()


def test_letters_of_any_alphabet_may_stand_in_an_address(host: Host, root: Path) -> None:
    download.download(root, host.url.replace("cifar", "spiegelung für alle/cifar"))
    assert_whole(root)


@pytest.mark.parametrize("status", [None, 403, 407, 503])
def test_a_proxy_is_named_without_its_password(
    host: Host, root: Path, monkeypatch: pytest.MonkeyPatch, status: int | None
) -> None:
    port = host.server_port if status else 9
    monkeypatch.setenv("http_proxy", f"http://me:secret@127.0.0.1:{port}/")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setattr("urllib.request._opener", None)  # it keeps the proxies that it was made for
    host.answers = [Answer(status=status)] * 9 if status else []
    with pytest.raises(ConnectionError) as caught:
        download.download(root, "http://mirror.invalid/")
    assert f"the proxy 127.0.0.1:{port} (http_proxy)" in str(caught.value)
    assert str(status or "Connection refused") in str(caught.value)
    assert "secret" not in str(caught.value)


def test_without_a_terminal_each_tenth_is_a_line(
    host: Host, root: Path, capsys: pytest.CaptureFixture
) -> None:
    download.download(root, host.url)
    first, *lines = capsys.readouterr().err.splitlines()
    assert first == f"CIFAR-10 (170 MB) from {host.url} into {root}"
    assert [int(re.search(r"CIFAR-10: (\d+) % of .*/s, \d\d:\d\d left", line)[1]) // 10
            for line in lines] == list(range(1, 11))  # fmt: skip


def test_a_slow_host_is_told_of_every_half_minute(
    waited: list[float], capsys: pytest.CaptureFixture
) -> None:
    lines = download.Lines(0, download.BYTES)
    for _ in range(24):
        waited.append(5)
        lines.update(5 * 66_000)
    told = capsys.readouterr().err.splitlines()
    assert told[0] == "CIFAR-10: 1 % of 170MB, 66.0kB/s, 42:33 left" and len(told) == 4


def test_a_second_call_waits_for_the_first_and_is_content(
    host: Host, root: Path, capsys: pytest.CaptureFixture
) -> None:
    host.answers = [Answer(pause=0.05)]
    first = threading.Thread(target=download.download, args=(root, host.url))
    first.start()
    while not part_of(root).exists():
        time.sleep(0.01)
    assert download.download(root, host.url) == root / CIFAR10.base_folder
    first.join()
    assert host.asked == [""]
    assert f"another call is getting CIFAR-10 into {root}; waiting" in capsys.readouterr().err
    assert_whole(root)


@pytest.mark.parametrize("there", [True, False])
def test_what_a_killed_call_left_goes_at_the_next(source: Path, root: Path, there: bool) -> None:
    if there:
        download.take(source, root)
    half = root / f"{download.UNPACKING}abc" / CIFAR10.base_folder
    half.mkdir(parents=True)
    (half / "data_batch_1").write_bytes(b"half")
    (root / download.LOCK).touch()
    (root / download.PART).write_bytes(b"half")
    download.take(source, root)
    (root / download.LOCK).unlink(missing_ok=True)  # an empty file that nobody holds
    assert_whole(root)


def test_a_source_that_does_not_read_is_not_the_target_s_fault(
    source: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path, mode: str) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))

    monkeypatch.setattr(Path, "open", fail)
    with pytest.raises(OSError, match=f"^{source}/.* can't be read .Input/output error.*--from$"):
        download.take(source, root)
