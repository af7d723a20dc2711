"""A CT of X-ray files by the API of a running `dx2ct serve`: python docs/serve_client.py PA LATERAL -o CT.nii.gz"""

import argparse
import json
from pathlib import Path
import time
from typing import Any
from urllib.request import Request, urlopen


def main() -> None:
    """Send both films, wait for the run, fetch the volume, close the session."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pa", type=Path)
    parser.add_argument("lateral", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--settings", default="{}", help='JSON, as {"steps": 20, "seed": 1}')
    parser.add_argument("--server", default="http://127.0.0.1:8000")
    asked = parser.parse_args()

    def ask(method: str, path: str, body: bytes | None = None) -> bytes:
        request = Request(f"{asked.server}/api{path}", body, {"content-type": "application/json"}, method=method)
        with urlopen(request) as answer:
            return bytes(answer.read())

    def told(method: str, path: str, body: bytes | None = None) -> Any:
        return json.loads(ask(method, path, body))

    mine = f"/sessions/{told('POST', '/sessions')['session']}"
    for view in ("pa", "lateral"):
        film = told("PUT", f"{mine}/films/{view}", getattr(asked, view).read_bytes())
        print(*(note["text"] for note in film["notes"]), sep="\n", end="")
    run = told("POST", f"{mine}/runs", asked.settings.encode())
    while run["state"] in ("waiting", "running"):
        time.sleep(0.5)
        run = told("GET", f"{mine}/runs/{run['run']}")
    if run["state"] != "done":
        raise SystemExit(f"error: {run['error']}")
    asked.output.write_bytes(ask("GET", f"{mine}/runs/{run['run']}/ct.nii.gz"))
    ask("DELETE", mine)


main()
