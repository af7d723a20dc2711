"""A headless Chromium that a test talks to over the DevTools pipe (file descriptors 3 and 4, JSON ended by NUL)."""

from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
import fcntl
import json
import os
from pathlib import Path
import select
import shutil
import subprocess
import time
from typing import Any

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    *("--headless=new", "--no-sandbox", "--disable-gpu-sandbox", "--hide-scrollbars", "--mute-audio"),
    *("--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--no-first-run", "--disable-background-networking"),
    *("--host-resolver-rules=MAP * ~NOTFOUND", "--remote-debugging-pipe"),
]


class Page:
    """One tab. Every wait has an end."""

    def __init__(self, out: int, into: int) -> None:
        self.out, self.into, self.number, self.left, self.session = out, into, 0, b"", ""
        self.events: list[dict[str, Any]] = []

    def call(self, method: str, seconds: float = 60, **params: object) -> dict[str, Any]:
        """The result of a DevTools command; RuntimeError for its error, TimeoutError without an answer."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.out, json.dumps(message).encode() + b"\0")
        end = time.monotonic() + seconds
        while True:
            answer = self.read(end)
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return dict(answer["result"])
            self.events.append(answer)

    def read(self, end: float) -> dict[str, Any]:
        while b"\0" not in self.left:
            if not select.select([self.into], [], [], max(end - time.monotonic(), 0))[0]:
                raise TimeoutError("Chromium does not answer")
            self.left += os.read(self.into, 1 << 20)
        text, _, self.left = self.left.partition(b"\0")
        return dict(json.loads(text))

    def attach(self) -> None:
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def open(self, path: Path, seconds: float = 60) -> float:
        """Open a file and wait for its load event; milliseconds from the start of the navigation to that event."""
        self.call("Page.navigate", url=path.resolve().as_uri())
        self.wait("document.readyState === 'complete' && performance.timing.loadEventEnd > 0", seconds)
        return float(self.run("performance.timing.loadEventEnd - performance.timing.navigationStart"))

    def run(self, script: str) -> Any:
        """Value of a JavaScript expression; of a promise, what it comes to."""
        found = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in found:
            raise RuntimeError(str(found["exceptionDetails"]))
        return found["result"].get("value")

    def wait(self, condition: str, seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while not self.run(condition):
            if time.monotonic() > end:
                raise TimeoutError(f"{condition} did not come true in {seconds} s; console: {self.console()}")
            time.sleep(0.05)

    def click(self, x: float, y: float) -> None:
        """At a place of the window, in pixels."""
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def console(self) -> list[str]:
        """Errors and warnings so far."""
        self.run("0")
        found = []
        for event in self.events:
            if event.get("method") == "Runtime.exceptionThrown":
                found.append(str(event["params"]["exceptionDetails"]))
            if event.get("method") == "Log.entryAdded":
                found.append(event["params"]["entry"]["text"])
            if event.get("method") == "Runtime.consoleAPICalled" and event["params"]["type"] in ("error", "warning"):
                found.append(str(event["params"]["args"]))
        return found

    def requests(self) -> list[str]:
        """Addresses that were asked for so far."""
        self.run("0")
        return [e["params"]["request"]["url"] for e in self.events if e.get("method") == "Network.requestWillBeSent"]

    def screenshot(self, path: Path) -> None:
        path.write_bytes(b64decode(self.call("Page.captureScreenshot", format="png")["data"]))


@contextmanager
def browser(profile: Path, width: int = 1250, height: int = 1400) -> Iterator[Page]:
    """A tab of a Chromium of its own, which ends with the block."""
    assert PROGRAM
    read_end, out = os.pipe()
    into, write_end = os.pipe()

    def move_pipes() -> None:
        ends = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (read_end, write_end)]  # which may be 3 or 4 themselves
        for number, end in zip((3, 4), ends, strict=True):
            os.dup2(end, number)

    line = [PROGRAM, *FLAGS, f"--window-size={width},{height}", f"--user-data-dir={profile}"]
    process = subprocess.Popen(
        line,
        preexec_fn=move_pipes,
        close_fds=False,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    os.close(read_end)
    os.close(write_end)
    page = Page(out, into)
    try:
        page.attach()
        yield page
    finally:
        try:
            page.session = ""
            page.call("Browser.close", seconds=10)
            process.wait(timeout=20)
        except (RuntimeError, TimeoutError, OSError, subprocess.TimeoutExpired):
            process.kill()
            process.wait()
        os.close(out)
        os.close(into)
