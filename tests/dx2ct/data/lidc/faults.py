"""Everything that goes wrong between an archive and a disk, as changes of what the test archive answers."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from io import BytesIO
import re
import stat
import struct
from typing import Literal
from urllib.parse import urlencode
import zipfile
import zlib

from tests.dx2ct.data.lidc.archive import Answer, DATE, Fault, listing, nbia_zip, Request

BOMB_BYTES = 2**28
HTML = b"<!DOCTYPE html><html><body><h1>The service is temporarily unavailable</h1></body></html>"
JSON = b'{"error": "internal server error"}'
Edit = Callable[[Request, Answer], Answer]


@dataclass(frozen=True)
class Case:
    """A fault of one kind of source, and what must come of it: the verified series, or nothing and exit code 1.

    needs: a word that the error must contain; stalls: the client will have to lose its patience.
    """

    name: str
    kind: Literal["idc", "nbia"]
    fault: Fault
    verified: bool
    needs: str = ""
    stalls: bool = False


def on(kind: str, edit: Edit, times: int | None = None, files: int | None = None) -> Fault:
    """A fault of answers of one kind: of the first `times` to one request or of all, of so many files or of all."""

    def fault(request: Request, answer: Answer) -> Answer:
        if request.kind != kind or request.series is None or (times is not None and request.nth > times):
            return answer
        spared = sorted(request.series.files)[files:] if files else []
        return answer if request.path.rpartition("/")[2] in spared else edit(request, answer)

    return fault


def status(code: int, body: bytes = b"", **headers: str) -> Edit:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda request, answer: Answer(body, code, named)


def body(new: Callable[[Request, bytes], bytes]) -> Edit:
    return lambda request, answer: replace(answer, body=new(request, answer.body))


def cut_at_tenth(tenth: int) -> Edit:
    return lambda request, answer: replace(answer, cut=len(answer.body) * tenth // 10)


def stall(request: Request, answer: Answer) -> Answer:
    return replace(answer, stall=len(answer.body) // 2)


def silent(request: Request, answer: Answer) -> Answer:
    return replace(answer, stall=0)


def drip(request: Request, answer: Answer) -> Answer:
    """A byte every 100 ms: each arrives in time, the answer never does."""
    return replace(answer, drip_s=0.1)


def drip_headers(request: Request, answer: Answer) -> Answer:
    return replace(answer, drip_s=0.1, drip_headers=True)


def to_itself(request: Request, answer: Answer) -> Answer:
    return Answer(status=301, headers={"Location": f"{request.path}?{urlencode(request.query)}"})


def moved(request: Request, answer: Answer) -> Answer:
    """To an address with one more parameter."""
    if "NewFileNames" in request.query:
        return answer
    return Answer(
        status=307, headers={"Location": f"{request.path}?{urlencode(request.query | {'NewFileNames': 'No'})}"}
    )


def endless(request: Request, answer: Answer) -> Answer:
    return replace(answer, endless=True, body=answer.body * (2**16 // len(answer.body) + 1))


def flipped(request: Request, content: bytes) -> bytes:
    """One bit of one byte in the last third: pixels, or the packed data of a zip."""
    at = len(content) * 2 // 3
    return content[:at] + bytes([content[at] ^ 0x10]) + content[at + 1 :]


def raw(*headers: bytes, body: bytes = b"", status: bytes = b"200 OK") -> Edit:
    """Bytes as no library would write them."""
    sent = b"\r\n".join([b"HTTP/1.1 " + status, *headers, b"Connection: close", b"", body])
    return lambda request, answer: replace(answer, raw=sent)


def folder_for_ever(request: Request, page: bytes) -> bytes:
    """Every page has the folder's own key, no file, and one more page."""
    assert request.series is not None
    entry = f"<Contents><Key>{request.series.uuid}/</Key><Size>0</Size></Contents>"
    more = "<IsTruncated>true</IsTruncated><NextContinuationToken>0</NextContinuationToken>"
    return f"<ListBucketResult>{more}{entry}</ListBucketResult>".encode()


def files_of(request: Request) -> dict[str, bytes]:
    assert request.series is not None
    return dict(request.series.files)


def other_series(content: bytes) -> bytes:
    """The same image with another SeriesInstanceUID."""
    from pydicom import dcmread

    dataset = dcmread(BytesIO(content))
    dataset.SeriesInstanceUID = "1.2.3.4"
    buffer = BytesIO()
    dataset.save_as(buffer)
    return buffer.getvalue()


def zip_with(edit: Callable[[dict[str, bytes]], dict[str, bytes]], table: bool = True) -> Edit:
    """Other files in the zip; table: whether the table of MD5s is made of them, or of the true ones."""
    return body(lambda request, _: nbia_zip(edit(files_of(request)), None if table else files_of(request)))


def without_last(count: int) -> Callable[[dict[str, bytes]], dict[str, bytes]]:
    return lambda files: dict(list(files.items())[:-count])


def zip_without_table(count: int) -> Edit:
    """Neither the last files in the zip nor any MD5s."""
    return body(lambda request, _: nbia_zip(without_last(count)(files_of(request)), {}))


def swapped_first(new: Callable[[bytes], bytes]) -> Callable[[dict[str, bytes]], dict[str, bytes]]:
    return lambda files: {name: new(content) if i == 0 else content for i, (name, content) in enumerate(files.items())}


def doubled(files: dict[str, bytes]) -> dict[str, bytes]:
    return without_last(1)(files) | {"b.dcm": next(iter(files.values()))}


def renamed_first(name: str) -> Callable[[dict[str, bytes]], dict[str, bytes]]:
    return lambda files: {name if i == 0 else old: content for i, (old, content) in enumerate(files.items())}


def raw_zip(write: Callable[[zipfile.ZipFile, dict[str, bytes]], object]) -> Edit:
    """A zip written entry by entry, for what no decent writer does."""

    def make(request: Request, _: bytes) -> bytes:
        buffer = BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            write(archive, files_of(request))
        return buffer.getvalue()

    return body(make)


def zip_with_table(table: str, files: dict[str, bytes]) -> bytes:
    """Its table of MD5s is a text of our own."""
    buffer = BytesIO(nbia_zip(files, {}))
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr("md5hashes.csv", table)
    return buffer.getvalue()


def link(archive: zipfile.ZipFile, files: dict[str, bytes]) -> None:
    info = zipfile.ZipInfo("link.dcm", DATE)
    info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    archive.writestr(info, "/etc/passwd")


def twice(request: Request, _: bytes) -> bytes:
    """Two entries of one name; zipfile would warn of writing them."""
    one, two = list(files_of(request).items())[:2]
    return nbia_zip({"a.dcm": one[1], "b.dcm": two[1]}, {}).replace(b"b.dcm", b"a.dcm")


def bomb_zip(unpacked: int, declared: int) -> bytes:
    """A zip of one entry that inflates to `unpacked` bytes (a multiple of 2**22) and declares some other number."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(bytes(2**22)) + packer.flush(zlib.Z_FULL_FLUSH)  # starts afresh: may be repeated
    data = block * (unpacked // 2**22) + packer.flush()
    name = b"a.dcm"
    common = struct.pack("<HHHHHLLLHH", 20, 0, zipfile.ZIP_DEFLATED, 0, 33, 0, len(data), declared, len(name), 0)
    local = b"PK\3\4" + common + name + data
    directory = b"PK\1\2" + struct.pack("<H", 20) + common + struct.pack("<HHHLL", 0, 0, 0, 0, 0) + name
    return local + directory + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, len(directory), len(local), 0)


def many_entries(archive: zipfile.ZipFile, files: dict[str, bytes]) -> None:
    for i in range(100):
        archive.writestr(f"{i}.dcm", b"")


def encrypted(request: Request, _: bytes) -> bytes:
    content = bytearray(nbia_zip(files_of(request)))
    at = content.index(b"PK\1\2")
    content[at + 8] |= 1
    return bytes(content)


def edited_listing(old: str, new: str) -> Edit:
    return body(lambda request, page: page.replace(old.encode(), new.encode()))


def short_listing(request: Request, page: bytes) -> bytes:
    assert request.series is not None
    short = replace(request.series, files=without_last(2)(request.series.files))
    return listing(request.query, short, 2)


def listing_for_ever(request: Request, page: bytes) -> bytes:
    return page.replace(b"<IsTruncated>false", b"<NextContinuationToken>0</NextContinuationToken><IsTruncated>true")


LAUGHS = (
    b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    b"<ListBucketResult><Contents><Key>&b;</Key></Contents></ListBucketResult>"
)
ETAG = re.compile(rb"&quot;[0-9a-f]{32}")
ELSEWHERE = {"Location": "http://localhost.invalid/series"}
SLIPS = {
    "../": "../../evil.dcm",
    "absolute": "/evil.dcm",
    "backslash": "..\\evil.dcm",
    "drive letter": "C:evil.dcm",
    "sub-folder": "a/evil.dcm",
    "NUL": "evil\0.dcm",
    "hidden": ".evil.dcm",
    "long": "e" * 300 + ".dcm",
    "unicode": "\u202eevil.dcm",
}


def either(kind: Literal["idc", "nbia"], unit: str) -> Iterator[Case]:
    """What happens to answers of any kind."""
    once, always = 1, None
    come_back = status(429, Retry_After="1")
    slow = [stall, silent, come_back]
    stalling = [stall, silent, drip, drip_headers]

    def case(name: str, edit: Edit, times: int | None, verified: bool, needs: str = "") -> Case:
        files = 1 if times and edit in slow else None
        often = "once" if times else "always"
        fault = on(unit, edit, times, files)
        return Case(f"{unit}: {name}, {often}", kind, fault, verified, needs, edit in stalling)

    for tenth in range(10) if unit != "listing" else (0, 5):
        yield case(f"reset at {tenth}/10 of the body", cut_at_tenth(tenth), once, True)
    for name, edit, needs in (
        ("reset at 5/10 of the body", cut_at_tenth(5), "connection"),
        ("stall at half of the body", stall, "stalls"),
        ("no answer", silent, "stalls"),
        ("HTTP 500", status(500, HTML), "HTTP 500"),
        ("HTTP 429", status(429), "HTTP 429"),
        ("HTML with status 200", body(lambda request, _: HTML), "<!DOCTYPE html"),
        ("JSON with status 200", body(lambda request, _: JSON), "error"),
        ("empty with status 200", body(lambda request, _: b""), ""),
        ("one flipped bit", body(flipped), ""),
    ):
        if (unit, name) == ("listing", "one flipped bit"):
            continue  # a listing that is still good names the files as well as before
        if "reset" not in name:
            yield case(name, edit, once, True)
        yield case(name, edit, always, False, needs)
    yield case("one byte every 100 ms", drip, always, False, "stalls")
    yield case("headers, one byte every 100 ms", drip_headers, always, False, "stalls")
    yield case("endless stream", endless, always, False, "sends more than")
    if unit != "listing":
        yield case("HTTP 429, Retry-After: 1", come_back, once, True)
    yield case("HTTP 503, Retry-After: an hour", status(503, Retry_After="3600"), always, False, "come back in 3600 s")
    yield case("HTTP 404", status(404, HTML), always, False, "HTTP 404")
    yield case("redirect to another host", status(302, b"", **ELSEWHERE), always, False, "another host")
    yield case("redirect to file:", status(302, Location="file:///etc/passwd"), always, False, "another host")
    yield case("redirect in a circle", to_itself, always, False, "redirects")
    yield case("redirect on the same host", moved, always, True)
    for name, edit, needs in (
        (
            "a chunk of negative size",
            raw(b"Transfer-Encoding: chunked", body=b"-5\r\nhello\r\n0\r\n\r\n"),
            "rules of HTTP",
        ),
        ("a chunk of no size", raw(b"Transfer-Encoding: chunked", body=b"\xff\r\nhello\r\n0\r\n\r\n"), "connection"),
        ("Content-Length: ²", raw("Content-Length: ²".encode("latin-1"), body=b"hello"), ""),
        ("Content-Length: -5", raw(b"Content-Length: -5", body=b"hello"), ""),
        ("Location: http://[::1", raw(b"Location: http://[::1", status=b"302 Found"), "the rules of HTTP"),
        ("Location in Latin-1", raw("Location: /ü/\udcff".encode("latin-1", "replace"), status=b"302 Found"), ""),
        (
            "Location to a host in Latin-1",
            raw("Location: http://ü/".encode("latin-1"), status=b"302 Found"),
            "the rules of HTTP",
        ),
        ("Location without an end", raw(b"Location: " + b"/a" * 30000, status=b"302 Found"), ""),
        ("a status that is no number", raw(status=b"two OK"), "connection"),
        ("headers that are none", raw(b"\xff\xfe\x00 \x01", b": : :", body=b"hello"), ""),
    ):
        yield case(name, edit, always, False, needs)
    yield case("packed, a gzip bomb", status(200, b"\x1f\x8b", Content_Encoding="gzip"), always, False, "'gzip'")


def of_idc() -> Iterator[Case]:
    yield from either("idc", "listing")
    yield from either("idc", "object")

    def case(name: str, kind: str, edit: Edit, needs: str) -> Case:
        return Case(f"{kind}: {name}, always", "idc", on(kind, edit), False, needs)

    yield case("lacks the last 2 files", "listing", body(short_listing), "where the manifest has")
    yield case("never ends", "listing", body(listing_for_ever), "listing")
    yield case("never ends with the folder's own key", "listing", body(folder_for_ever), "no end within")
    yield case("declares entities", "listing", body(lambda request, _: LAUGHS), "where a listing")
    yield case("another document", "listing", body(lambda request, _: b"<Error/>"), "'Error'")
    yield case("keys with ../", "listing", edited_listing(".dcm", "/../../evil.dcm"), "evil")
    yield case("keys of another folder", "listing", edited_listing("<Key>", "<Key>x"), "no DICOM file of")
    yield case("sizes that are no numbers", "listing", edited_listing("<Size>", "<Size>-"), "size")
    yield case("other sizes", "listing", edited_listing("<Size>", "<Size>1"), "bytes where the manifest")
    yield case(
        "MD5s of something else", "listing", body(lambda request, page: ETAG.sub(b"&quot;" + b"0" * 32, page)), "MD5"
    )
    parts = on("listing", body(lambda request, page: ETAG.sub(rb"\g<0>-2", page)))
    yield Case("listing: ETags of uploads in parts", "idc", parts, True)
    yield case("another series", "object", body(lambda request, content: other_series(content)), "")


def of_nbia() -> Iterator[Case]:
    yield from either("nbia", "zip")

    def case(name: str, edit: Edit, needs: str = "") -> Case:
        return Case(f"zip: {name}, always", "nbia", on("zip", edit), False, needs)

    for count in (1, 3):
        yield case(
            f"valid, lacks the last {count}, MD5s of the rest", zip_with(without_last(count)), "where the manifest"
        )
        yield case(f"valid, lacks the last {count} and the MD5s", zip_without_table(count), "lacks md5hashes.csv")
    yield case("without md5hashes.csv", body(lambda request, _: nbia_zip(files_of(request), {})), "lacks md5hashes.csv")
    half = body(lambda request, _: nbia_zip(files_of(request), without_last(2)(files_of(request))))
    yield case("md5hashes.csv lacks two files", half, "md5hashes.csv lacks")
    flip = swapped_first(lambda content: content[:-9] + b"!" + content[-8:])
    yield case("one changed byte under a good CRC", zip_with(flip, table=False), "MD5")
    yield case("wrong series, MD5s of it", zip_with(swapped_first(other_series)), "belongs to series")
    yield case("a file cut short, MD5s of it", zip_with(swapped_first(lambda content: content[:-40])), "")
    yield case("one file twice, one missing", zip_with(doubled), "one SOPInstanceUID")
    for name, evil in SLIPS.items():
        yield case(f"name with {name}", zip_with(renamed_first(evil)), "not read")
    yield case("a link", raw_zip(link), "link")
    yield case("two entries of one name", body(twice), "two entries")
    bomb = body(lambda request, _: bomb_zip(BOMB_BYTES, BOMB_BYTES))
    yield case(f"bomb of {BOMB_BYTES // 10**6} MB", bomb, "unpacks to more than")
    liar = body(lambda request, _: bomb_zip(BOMB_BYTES, 1000))
    yield case(f"bomb of {BOMB_BYTES // 10**6} MB that declares 1,000 bytes", liar)
    yield case("100 entries", raw_zip(many_entries), "entries")
    yield case("locked with a password", body(encrypted))
    yield case("bytes behind the end", body(lambda request, content: content + b"x" * 30), "no end")
    wide = body(lambda request, _: zip_with_table("a.dcm," + "0" * 200_000 + "\n", files_of(request)))
    yield case("md5hashes.csv with a field of 200 kB", wide, "damaged")
    yield case("md5hashes.csv with NUL", body(lambda request, _: zip_with_table("a\0,b", files_of(request))), "")
    yield case("HTTP 400, a text", status(400, b"Allowed parameters: ..."), "HTTP 400")


CASES = [*of_idc(), *of_nbia()]
