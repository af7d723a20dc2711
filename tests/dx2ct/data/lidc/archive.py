"""A small archive on loopback: ListObjectsV2 and objects as in the public buckets, getImage as in NBIA's API.

Real HTTP over a real socket, so that resets, stalls and endless bodies are what they are in life. It stops by itself
after `most_requests` requests or `most_seconds` seconds, and answers nobody but this machine.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
import hashlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
import socket
import struct
import threading
import time
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import escape
import zipfile

MOST_ENDLESS_BYTES = 2**28
DATE = (2026, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Served:
    """A series as the archive has it: content by file name, in the folder `uuid` of the bucket."""

    uid: str
    uuid: str
    files: dict[str, bytes]

    @property
    def size(self) -> int:
        return sum(map(len, self.files.values()))


@dataclass(frozen=True)
class Answer:
    """What is sent, and what goes wrong on the way: faults return a changed copy.

    cut: reset the connection after so many bytes; stall: say nothing more after so many; drip_s: one byte each so many
    seconds, `drip_headers` also of the headers; endless: repeat the body; raw: all that
    is sent, headers and body.
    """

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    chunked: bool = False
    cut: int | None = None
    stall: int | None = None
    drip_s: float = 0
    drip_headers: bool = False
    endless: bool = False
    raw: bytes | None = None


@dataclass(frozen=True)
class Request:
    """path without the query; nth: how often this very address has been asked, from 1; kind: listing, object or zip."""

    path: str
    query: dict[str, str]
    nth: int
    kind: str
    series: Served | None


Fault = Callable[[Request, Answer], Answer]


@dataclass
class Archive:
    """The running server: where it is, what it was asked, and what it sent to the end."""

    url: str
    asked: list[str] = field(default_factory=list)
    completed: list[str] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)


@contextmanager
def archive(
    *series: Served,
    fault: Fault | None = None,
    pace_s: float = 0,
    page: int = 2,
    most_requests: int = 2000,
    most_seconds: float = 60,
) -> Iterator[Archive]:
    """Serve the series under URL/bucket (kind idc) and URL/nbia (kind nbia); pace_s: time that each answer takes.

    page: keys of one page of a listing, few, so that every series has several pages.
    """
    server = _Server(("127.0.0.1", 0), _Handler)
    server.series, server.fault, server.pace_s, server.page = series, fault, pace_s, page
    server.most_requests, server.zips = most_requests, {}
    server.state = state = Archive(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    clock = threading.Timer(most_seconds, server.stop)
    clock.daemon = True
    thread.start()
    clock.start()
    try:
        yield state
    finally:
        clock.cancel()
        server.stop()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    series: tuple[Served, ...]
    fault: Fault | None
    pace_s: float
    page: int
    zips: dict[str, bytes]
    most_requests: int
    state: Archive

    def stop(self) -> None:
        self.state.stopping.set()
        self.shutdown()

    def handle_error(self, request: object, address: object) -> None:
        """A client that hangs up is what these tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 10
    server: _Server

    def log_message(self, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        server, state = self.server, self.server.state
        state.asked.append(self.path)
        if len(state.asked) > server.most_requests:
            threading.Thread(target=server.stop, daemon=True).start()
            self.close_connection = True
            return
        request = self._request()
        answer = _answer(request, server.page, server.zips)
        if server.fault is not None:
            answer = server.fault(request, answer)
        state.stopping.wait(server.pace_s)
        self._send(answer)
        state.completed.append(self.path)

    def _request(self) -> Request:
        parts = urlsplit(self.path)
        query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
        nth = Counter(self.server.state.asked)[self.path]
        uid, folder = query.get("SeriesInstanceUID"), query.get("prefix", parts.path.removeprefix("/bucket/"))
        series = next((one for one in self.server.series if uid == one.uid or folder.split("/")[0] == one.uuid), None)
        kind = "zip" if parts.path == "/nbia/getImage" else "listing" if parts.path == "/bucket/" else "object"
        return Request(parts.path, query, nth, kind, series)

    def _send(self, answer: Answer) -> None:
        if answer.raw is not None:
            self._write(answer.raw, 0)
            self.close_connection = True
            return
        head = f"HTTP/1.1 {answer.status} x\r\n" + "".join(f"{k}: {v}\r\n" for k, v in answer.headers.items())
        if answer.endless:
            head += "Connection: close\r\n"
        else:
            head += "Transfer-Encoding: chunked\r\n" if answer.chunked else f"Content-Length: {len(answer.body)}\r\n"
        self._write(f"{head}\r\n".encode(), answer.drip_s if answer.drip_headers else 0)
        body = answer.body
        if answer.endless:
            self._repeat(body)
        end = answer.stall if answer.cut is None else answer.cut
        if end is not None:
            self._write(_framed(body[:end], answer.chunked, whole=False), 0)
            self._reset() if answer.cut is not None else self.server.state.stopping.wait(self.timeout)
            raise ConnectionAbortedError
        self._write(_framed(body, answer.chunked, whole=True), 0 if answer.drip_headers else answer.drip_s)

    def _write(self, data: bytes, drip_s: float) -> None:
        if not drip_s:
            self.wfile.write(data)
            return
        for at in range(len(data)):
            self.wfile.write(data[at : at + 1])
            if self.server.state.stopping.wait(drip_s):
                raise ConnectionAbortedError

    def _repeat(self, body: bytes) -> None:
        for _ in range(MOST_ENDLESS_BYTES // len(body)):
            self.wfile.write(body)
        raise ConnectionAbortedError

    def _reset(self) -> None:
        """Close with a RST instead of a FIN, as a dying router does."""
        self.wfile.flush()
        time.sleep(0.01)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()


def _framed(body: bytes, chunked: bool, *, whole: bool) -> bytes:
    if not chunked:
        return body
    return b"%x\r\n%b\r\n" % (len(body), body) * bool(body) + b"0\r\n\r\n" * whole


def _answer(request: Request, page: int, zips: dict[str, bytes]) -> Answer:
    series = request.series
    if request.kind == "zip":
        if series is None or request.query.keys() - {"SeriesInstanceUID", "IncludeMD5", "NewFileNames"}:
            return Answer(b"Allowed parameters: SeriesInstanceUID, NewFileNames, IncludeMD5", 400)
        if series.uid not in zips:
            zips[series.uid] = nbia_zip(series.files)
        return Answer(zips[series.uid], headers={"Content-Type": "application/zip"}, chunked=True)
    if request.kind == "listing":
        return Answer(listing(request.query, series, page), headers={"Content-Type": "application/xml"})
    name = request.path.rpartition("/")[2]
    if series is None or name not in series.files:
        return Answer(b"<Error><Code>NoSuchKey</Code></Error>", 404)
    return Answer(series.files[name])


def listing(query: dict[str, str], series: Served | None, page: int) -> bytes:
    """A page of ListObjectsV2."""
    names = sorted(series.files) if series else []
    start = int(query.get("continuation-token", "0"))
    entries = "".join(
        f"<Contents><Key>{escape(f'{series.uuid}/{name}')}</Key><Size>{len(series.files[name])}</Size>"
        f"<ETag>&quot;{hashlib.md5(series.files[name]).hexdigest()}&quot;</ETag></Contents>"
        for name in names[start : start + page]
        if series
    )
    more = start + page < len(names)
    token = f"<NextContinuationToken>{start + page}</NextContinuationToken>" if more else ""
    return (
        '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"<IsTruncated>{str(more).lower()}</IsTruncated>{token}{entries}</ListBucketResult>"
    ).encode()


def nbia_zip(files: dict[str, bytes], md5s: dict[str, bytes] | None = None) -> bytes:
    """A zip as getImage?IncludeMD5=Yes sends it; md5s: what the table of MD5s is made of, {} = no table."""
    buffer = BytesIO()
    table = files if md5s is None else md5s
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as zipped:
        for name, content in ({"LICENSE": b"CC BY 3.0\n"} | files).items():
            zipped.writestr(zipfile.ZipInfo(name, DATE), content, zipfile.ZIP_DEFLATED)
        if table:
            rows = [f"{name},{hashlib.md5(table[name]).hexdigest()}" for name in sorted(table, reverse=True)]
            zipped.writestr("md5hashes.csv", "\n".join(["Filename,MD5Hash", *rows]) + "\n")
    return buffer.getvalue()


def changed(series: Served, edit: Callable[[dict[str, bytes]], dict[str, bytes]]) -> Served:
    """The series with other files."""
    return replace(series, files=edit(dict(series.files)))
