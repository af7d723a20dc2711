"""Two hundred requests of two sessions at once: none is lost, none is mixed up."""

from concurrent.futures import ThreadPoolExecutor
import time
from typing import Any

import cv2
from fastapi.testclient import TestClient
import numpy as np

from tests.fabricate import pa

REQUESTS, AT_ONCE = 200, 12


def asked(client: TestClient, method: str, path: str, **body: Any) -> Any:
    """An answer, as a patient client gets it: again where the line is full."""
    while (answer := client.request(method, path, **body)).status_code == 503:
        time.sleep(0.01)
    return answer


def film(rows: int) -> bytes:
    return bytes(cv2.imencode(".png", (pa(rows, 160) * 255).astype(np.uint8))[1])


def test_two_hundred_requests_of_two_sessions(client: TestClient) -> None:
    sizes = {f"/api/sessions/{client.post('/api/sessions').json()['session']}": rows for rows in (200, 240)}
    for session, rows in sizes.items():
        assert asked(client, "PUT", f"{session}/films/pa", content=film(rows)).status_code == 200

    def one(number: int) -> bool:
        session, rows = [*sizes.items()][number % 2]
        if number % 4 < 2:
            framing = {"crop": [0, 0, 150, rows - number % 20]}
            told = asked(client, "PUT", f"{session}/films/pa/framing", json=framing).json()
            return bool(told["size"] == [160, rows] and told["framing"]["crop"][3] == rows - number % 20)
        picture = asked(client, "GET", f"{session}/films/pa/whole.png")
        return bool(cv2.imdecode(np.frombuffer(picture.content, np.uint8), 0).shape == (rows, 160))

    with ThreadPoolExecutor(AT_ONCE) as pool:
        assert all(pool.map(one, range(REQUESTS)))
    for session in sizes:
        client.delete(session)
