"""HTTP as an archive needs it: nothing unbounded, nothing from another host, and words for what goes wrong."""

from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from types import TracebackType
from urllib.parse import urljoin, urlsplit

import requests
import urllib3

from dx2ct.config import DownloadSettings
from dx2ct.data.sources.lidc.errors import PassingError, SourceError
from dx2ct.data.sources.lidc.patience import LONGEST_PAUSE_S, retry_after_s, within

CHUNK = 2**16
MAX_REDIRECTS = 3
_OK, _PASSING = 200, {408, 429}
Params = dict[str, str]


class Http:
    """One session with the archives: a connection is kept from request to request."""

    def __init__(self, settings: DownloadSettings, on_bytes: Callable[[int], object]) -> None:
        """on_bytes: told of every chunk of a file, and of minus those of a request that then failed."""
        self._settings = settings
        self._on_bytes = on_bytes
        self._session = requests.Session()
        # not packed: what arrives is counted, and a packed answer may unpack to any size
        self._session.headers.update({"User-Agent": "dx2ct", "Accept-Encoding": "identity"})

    def __enter__(self) -> "Http":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self._session.close()

    def ask(self, url: str, params: Params, most_bytes: int) -> bytes:
        """The body of an answer that is no part of the series: its bytes are not counted."""
        content = bytearray()
        self._receive(url, params, most_bytes, content.extend)
        return bytes(content)

    def read(self, url: str, most_bytes: int) -> bytes:
        """One file that fits into memory."""
        content = bytearray()
        self.stream(url, None, most_bytes, content.extend)
        return bytes(content)

    def skip(self, count: int) -> None:
        """Count bytes that need not be fetched again."""
        self._on_bytes(count)

    def stream(self, url: str, params: Params | None, most_bytes: int, sink: Callable[[bytes], object]) -> None:
        """Hand the body of the answer to `sink` in chunks, each of which must arrive within the read timeout.

        Raises PassingError for what may be better next time, SourceError for the rest. Bytes may have gone to the sink
        before. What the sink itself raises passes through.
        """
        received = 0

        def count(chunk: bytes) -> None:
            nonlocal received
            received += len(chunk)
            self._on_bytes(len(chunk))
            sink(chunk)

        try:
            self._receive(url, params, most_bytes, count)
        except BaseException:
            self._on_bytes(-received)
            raise

    def _receive(self, url: str, params: Params | None, most_bytes: int, sink: Callable[[bytes], object]) -> None:
        received = 0
        with closing(self._chunks(url, params, most_bytes)) as chunks:
            for chunk in chunks:
                received += len(chunk)
                if received > most_bytes:
                    raise SourceError(f"sends more than {most_bytes} bytes")
                sink(chunk)

    def _chunks(self, url: str, params: Params | None, most_bytes: int) -> Generator[bytes]:
        try:
            with self._answer(url, params) as response:
                _require_good(response, most_bytes)
                chunks = response.iter_content(CHUNK)
                while True:
                    with within(self._settings.read_timeout_s):
                        chunk = next(chunks, b"")
                    if not chunk:
                        return
                    yield chunk
        except (SourceError, MemoryError):
            raise
        # Not a list of kinds: on an answer that breaks the rules of HTTP, requests, urllib3 and http.client also fail
        # with a ValueError, a UnicodeError, an AttributeError ... None of it is from the sink, which runs outside.
        except Exception as error:
            raise PassingError(self._words(error)) from None

    @contextmanager
    def _answer(self, url: str, params: Params | None) -> Iterator[requests.Response]:
        timeouts = self._settings.connect_timeout_s, self._settings.read_timeout_s
        for _ in range(MAX_REDIRECTS + 1):
            with within(sum(timeouts)):
                response = self._session.get(url, params=params, stream=True, timeout=timeouts, allow_redirects=False)
            with response:
                if not response.is_redirect:
                    yield response
                    return
                target = urljoin(url, response.headers["Location"])
            if _origin(target) != _origin(url):
                raise SourceError(f"redirects to another host, {target[:100]!r}: not followed")
            url, params = target, None
        raise SourceError(f"redirects more than {MAX_REDIRECTS} times")

    def _words(self, error: Exception) -> str:
        cause = error.args[0] if error.args else None
        if isinstance(error, requests.ConnectTimeout):
            return f"no connection within {self._settings.connect_timeout_s:g} s"
        if isinstance(error, (requests.Timeout, TimeoutError)) or isinstance(
            cause, urllib3.exceptions.ReadTimeoutError
        ):
            return f"stalls for {self._settings.read_timeout_s:g} s"
        if not isinstance(error, (requests.RequestException, urllib3.exceptions.HTTPError, OSError)):
            return f"answers against the rules of HTTP ({type(error).__name__})"
        kind = getattr(cause, "reason", None) or cause
        return f"connection fails ({type(kind if isinstance(kind, Exception) else error).__name__})"


def _require_good(response: requests.Response, most_bytes: int) -> None:
    status, headers = response.status_code, response.headers
    if status in _PASSING or status >= 500:
        wait_s = retry_after_s(headers.get("Retry-After"))
        if wait_s > LONGEST_PAUSE_S:
            raise SourceError(f"HTTP {status}, asks to come back in {wait_s:.0f} s")
        raise PassingError(f"HTTP {status}", wait_s)
    if status != _OK:
        raise SourceError(f"HTTP {status}")
    if headers.get("Content-Encoding", "identity") != "identity":
        raise SourceError(f"sends {headers['Content-Encoding'][:20]!r} where plain bytes were asked for")
    length = headers.get("Content-Length", "")
    if length.isascii() and length.isdigit() and int(length) > most_bytes:
        raise SourceError(f"announces {int(length)} bytes, more than {most_bytes}")


def _origin(url: str) -> tuple[str, str | None, int | None]:
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.hostname, parts.port
    except ValueError:  # a port that is no number
        return url, None, None
