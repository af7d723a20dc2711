"""The receipt beside a fetched series: what is in the zip, where it came from, when."""

from datetime import datetime, UTC
import hashlib
import json
from pathlib import Path
from typing import Any

from dx2ct.data.sources.lidc.series import Series
from dx2ct.data.sources.lidc.verify import Part


def receipt_path(output: Path) -> Path:
    """SCAN.receipt.json beside SCAN.zip."""
    return output.with_name(f"{output.stem}.receipt.json")


def make_receipt(series: Series, source: dict[str, str], archive: Path, parts: dict[str, Part]) -> str:
    """The receipt as JSON; parts by their names in the zip. Only `fetched`, the time, is new when it is made again."""
    receipt = {
        "series_uid": series.uid,
        "source": source,
        "fetched": datetime.now(UTC).isoformat(timespec="seconds"),
        "files": len(parts),
        "bytes": sum(part.size for part in parts.values()),
        "md5_stated_by_source": all(part.md5_stated for part in parts.values()),
        "zip": {"bytes": archive.stat().st_size, "sha256": _sha256(archive)},
        "content": [
            {"name": name, "from": part.origin, "bytes": part.size, "md5": part.md5} for name, part in parts.items()
        ],
    }
    return json.dumps(receipt, indent=1) + "\n"


def is_settled(output: Path, series: Series) -> bool:
    """True when zip and receipt are there, the zip is the one that was verified, and the manifest still wants it."""
    try:
        receipt: dict[str, Any] = json.loads(receipt_path(output).read_text(encoding="utf-8"))
        same = receipt["series_uid"] == series.uid and receipt["files"] == series.images
        return same and series.has_size(receipt["bytes"], exact=False) and receipt["zip"]["sha256"] == _sha256(output)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
