"""Kind idc: a public bucket over HTTPS, one folder a series, one object a file; Amazon S3 and Google's XML API.

Objects of one upload carry their MD5 as ETag; those of several parts do not, and are checked by size and content only.
"""

from dataclasses import dataclass
from functools import partial
import re
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from dx2ct.config import DownloadSettings, RemoteSource
from dx2ct.data.sources.lidc.errors import PassingError, SourceError
from dx2ct.data.sources.lidc.http import Http, Params
from dx2ct.data.sources.lidc.patience import patiently
from dx2ct.data.sources.lidc.series import Series
from dx2ct.data.sources.lidc.staging import Staging
from dx2ct.data.sources.lidc.verify import md5_of, Part, require_counts, require_series, verified

_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}\.dcm\Z")
_MD5 = re.compile(r"[0-9a-f]{32}\Z")
_LISTING_BYTES = 2**22  # a page has at most 1,000 keys of at most 1 kB, plus tags


@dataclass(frozen=True)
class Listed:
    """One object of the bucket."""

    key: str
    size: int
    md5: str | None


def gather(
    source: RemoteSource, series: Series, settings: DownloadSettings, http: Http, staging: Staging
) -> list[Part]:
    """Every file of the series, verified and staged; what was staged before is not fetched again."""
    if not series.idc_uuid:
        raise SourceError("the manifest gives no idc_uuid for this series")
    listed = list_series(source.url, series, settings, http)
    staging.keep_only([one.key for one in listed])
    parts = [_file(source.url, one, series, settings, http, staging) for one in listed]
    require_series(parts, series, exact=True)
    return parts


def list_series(url: str, series: Series, settings: DownloadSettings, http: Http) -> list[Listed]:
    """What the bucket holds of the series; as many files and bytes as the manifest says, or a fault."""
    prefix, token, found = f"{series.idc_uuid}/", "", list[Listed]()
    for _ in range(series.images + 1):  # a page has one key at least, and the folder may be one more
        params = {"list-type": "2", "prefix": prefix} | ({"continuation-token": token} if token else {})
        page = patiently(settings, partial(_page, http, url, params))
        entries = [_listed(one, prefix) for one in page if _tag(one) == "Contents"]
        found += [one for one in entries if one.key != prefix]  # some tools make an empty object for a folder
        token = _text(page, "NextContinuationToken")
        if _text(page, "IsTruncated") != "true":
            break
        if not token or not entries or len(found) > series.images:
            raise SourceError(f"the listing has no end within {len(found)} files")
    else:
        raise SourceError(f"the listing has no end within {series.images + 1} pages")
    if not found:
        raise SourceError(f"has no folder {prefix}")
    if len({one.key for one in found}) != len(found):
        raise SourceError("the listing names a file twice")
    try:
        require_counts(len(found), sum(one.size for one in found), series, exact=True)
    except PassingError as error:  # a bucket's listing is never half-written
        raise SourceError(f"lists {error}") from None
    return found


def _page(http: Http, url: str, params: Params) -> Element:
    body = http.ask(url.rstrip("/") + "/", params, _LISTING_BYTES)
    try:
        page: Element = fromstring(body, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError):  # LookupError: an encoding that does not exist
        raise PassingError(f"answers {body[:20].decode('ascii', 'replace')!r} where a listing is expected") from None
    if _tag(page) != "ListBucketResult":
        raise PassingError(f"answers {_tag(page)[:40]!r} where a listing is expected")
    return page


def _listed(entry: Element, prefix: str) -> Listed:
    key, size, etag = _text(entry, "Key"), _text(entry, "Size"), _text(entry, "ETag").strip('"').lower()
    if not key.startswith(prefix) or not (key == prefix or _NAME.match(key[len(prefix) :])):
        raise SourceError(f"lists {key[:100]!r}, which is no DICOM file of {prefix}")
    if not re.fullmatch("[0-9]{1,12}", size):
        raise PassingError(f"lists {key} with size {size[:20]!r}")
    return Listed(key, int(size), etag if _MD5.match(etag) else None)


def _file(url: str, one: Listed, series: Series, settings: DownloadSettings, http: Http, staging: Staging) -> Part:
    def read() -> bytes:
        return staging.load(one.key) or b""

    content = staging.load(one.key)
    if content is not None and len(content) == one.size and one.md5 in (None, md5_of(content)):
        http.skip(len(content))
        return verified(content, series, one.key, one.md5, read)

    def fetch() -> Part:
        content = http.read(f"{url.rstrip('/')}/{one.key}", one.size)
        if len(content) != one.size and one.md5 is None:
            raise PassingError(f"{one.key}: {len(content)} of {one.size} bytes")
        part = verified(content, series, one.key, one.md5, read)
        staging.keep(one.key, content)
        return part

    return patiently(settings, fetch)


def _tag(element: Element) -> str:
    """Without the namespace: Amazon and Google write different ones."""
    return str(element.tag).rpartition("}")[2]


def _text(element: Element, tag: str) -> str:
    return next((one.text or "" for one in element if _tag(one) == tag), "")
