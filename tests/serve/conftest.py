"""A server in this process: the worker's tasks run in a thread, with a small random network."""

from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import Event
from pathlib import Path
from typing import Any

import cv2
from fastapi.testclient import TestClient
import numpy as np
import pytest

import dx2ct
from dx2ct.predict.model import Model
from dx2ct.serve import films
from dx2ct.serve.about import about
from dx2ct.serve.app import make_app, Server
from dx2ct.serve.guard import Door
from dx2ct.serve.line import Line
from dx2ct.serve.process import Worker
from dx2ct.serve.server import working
from dx2ct.serve.sessions import Sessions
from dx2ct.serve.worker import _answer, Desk
from tests.fabricate import cohort, lateral, pa, random_run
from tests.fabricate.xray_files import write_dicom

HERE = "http://127.0.0.1:8000"


class Local(Worker):
    """The tasks of a worker without its process."""

    def __init__(self, model: Model, given: dict[str, Path], folder: Path, for_films: Model | None = None) -> None:
        super().__init__({})
        self.model, self.given, self.folder, self.for_films = model, given, folder, for_films
        self.sent: list[tuple[str, Any]] = []
        self.halt = Event()

    def start(self) -> None:
        for view, path in self.given.items():
            films.write_example(self.model, view, path, self.folder / f"example.{view}.png")
        self.desk = Desk(self.model, self.given, self, self.halt, self.for_films)  # type: ignore[arg-type]
        named = {view: str(path) for view, path in self.given.items()}
        self.told(about(self.model, self.for_films) | {"examples": named, "words": "made up"})

    def send(self, message: tuple[str, Any]) -> None:
        if message[0] == "progress":
            self.tell(message[1])
        else:
            self.sent.append(message)

    def call(self, name, arguments, tell, limit_s, is_unwanted):  # type: ignore[no-untyped-def]
        self.tell = tell
        self.halt.clear()
        _answer(self, lambda: getattr(self.desk, f"do_{name}")(**arguments), name)  # type: ignore[arg-type]
        return self.sent.pop()


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return dx2ct.load(random_run(tmp_path_factory.mktemp("runs") / "run"), "cpu", 1)


@pytest.fixture(scope="session")
def integrals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    data = cohort(tmp_path_factory.mktemp("data"))
    return {view: data / f"xrays/scan-3/{view}.mha" for view in ("pa", "lateral")}


@pytest.fixture(scope="session")
def films_of(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A film of each view: PNG without a scale, DICOM with one and with a patient's name."""
    folder = tmp_path_factory.mktemp("films")
    cv2.imwrite(str(folder / "pa.png"), (pa() * 65535).astype(np.uint16))
    write_dicom(folder / "lateral.dcm", (lateral() * 4000).astype(np.uint16), PixelSpacing=[2.0, 2.0])
    return {"pa": (folder / "pa.png").read_bytes(), "lateral": (folder / "lateral.dcm").read_bytes()}


@contextmanager
def served(
    model: Model,
    given: dict[str, Path],
    token: str | None = None,
    keep_minutes: float = 5,
    host: str = "127.0.0.1",
    for_films: Model | None = None,
) -> Iterator[TestClient]:
    """A client of a server of its own."""
    worker = Local(model, given, Path(), for_films)
    line = Line(worker)
    line.is_measured = True  # tests ask for it
    sessions = Sessions(line, keep_minutes)
    worker.folder = sessions.folder
    server = Server(line, sessions, keep_minutes)
    app = make_app(server, Door(host, token), lambda: working(server, worker, lambda text: None))
    with TestClient(app, base_url=HERE, raise_server_exceptions=False) as client:
        client.server = server
        yield client


@pytest.fixture(scope="module")
def client(model: Model, integrals: dict[str, Path]) -> Iterator[TestClient]:
    with served(model, integrals) as client:
        yield client


@pytest.fixture
def session(client: TestClient) -> Iterator[str]:
    """The address of a new session."""
    path = f"/api/sessions/{client.post('/api/sessions').json()['session']}"
    yield path
    client.delete(path)
