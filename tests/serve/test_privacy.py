"""Who is let in, what a browser may do, and what is left when somebody goes."""

from pathlib import Path
import re
import time

from fastapi.testclient import TestClient
import pytest

from drr.errors import InputError
from dx2ct.predict.model import Model
from dx2ct.serve.guard import Door
from dx2ct.serve.server import require
from dx2ct.serve.sessions import sweep
from tests.serve.conftest import served

TOKEN = "0123456789abcdef"


def test_two_sessions_do_not_see_each_other(client: TestClient, session: str, films_of: dict[str, bytes]) -> None:
    client.put(f"{session}/films/pa", content=films_of["pa"])
    other = f"/api/sessions/{client.post('/api/sessions').json()['session']}"
    assert client.get(f"{other}/films/pa/seen.png").status_code == 404
    assert client.get(f"{session}/films/pa/seen.png").status_code == 200
    guess = session[:-1] + ("a" if session[-1] != "a" else "b")
    assert client.get(f"{guess}/films/pa/seen.png").status_code == 404
    assert len(session.rsplit("/", 1)[-1]) >= 32


@pytest.mark.parametrize("leave", ["delete", "beacon"])
def test_a_session_that_is_closed_leaves_nothing(client: TestClient, films_of: dict[str, bytes], leave: str) -> None:
    path = f"/api/sessions/{client.post('/api/sessions').json()['session']}"
    client.put(f"{path}/films/pa", content=films_of["pa"])
    folder = client.server.sessions.all[path.rsplit("/", 1)[-1]].folder  # type: ignore[attr-defined]
    assert any(folder.iterdir())
    done = client.delete(path) if leave == "delete" else client.post(f"{path}/close")
    assert done.status_code == 204 and not folder.exists()
    assert client.get(f"{path}/films/pa/seen.png").status_code == 404


def test_what_is_not_used_is_deleted(model: Model, integrals: dict[str, Path], films_of: dict[str, bytes]) -> None:
    with served(model, integrals, keep_minutes=0.5 / 60) as client:
        path = f"/api/sessions/{client.post('/api/sessions').json()['session']}"
        assert client.put(f"{path}/films/pa", content=films_of["pa"]).status_code == 200
        everything = client.server.sessions.folder  # type: ignore[attr-defined]
        assert everything.stat().st_mode & 0o077 == 0
        time.sleep(0.7)
        gone = client.get(f"{path}/films/pa/seen.png")
        assert gone.status_code == 404 and "not any more" in gone.json()["detail"]
        assert not [one for one in everything.iterdir() if one.is_dir()]
    assert not everything.exists(), "nothing is left when the server ends"


def test_what_a_killed_server_has_left_is_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    dead, alive = tmp_path / "dx2ct-serve-4194999-abc", tmp_path / "dx2ct-serve-1-abc"
    for folder in (dead, alive):
        folder.mkdir()
    sweep()
    assert not dead.exists() and alive.exists()


def test_a_browser_may_ask_this_server_alone(client: TestClient) -> None:
    for path in ("/", "/api", "/page/main.js", "/api/model", "/api/nothing"):
        policy = client.get(path).headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy
        assert client.get(path).headers["x-content-type-options"] == "nosniff"


def test_the_page_names_no_other_place() -> None:
    page = Path(__file__).parents[2] / "dx2ct/serve/page"
    for path in page.iterdir():
        assert not re.findall(r"(?:https?:)?//[\w.-]+\.\w+", path.read_text(encoding="utf-8")), path


def test_no_text_becomes_html() -> None:
    page = Path(__file__).parents[2] / "dx2ct/serve/page"
    for path in page.glob("*.js"):
        assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(", path.read_text()), path


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "", "10.0.0.7"])
def test_a_name_that_somebody_points_here_is_refused(client: TestClient, host: str) -> None:
    assert client.get("/api/model", headers={"host": host}).status_code == 421


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost:8000", "[::1]:8000"])
def test_names_of_this_machine_are_known(client: TestClient, host: str) -> None:
    assert client.get("/api/model", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers", [{"origin": "http://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"}]
)
def test_a_page_of_another_site_cannot_write(client: TestClient, headers: dict[str, str]) -> None:
    assert client.post("/api/sessions", headers=headers).status_code == 403


def test_beyond_this_machine_the_token_is_asked_for(model: Model, integrals: dict[str, Path]) -> None:
    with served(model, integrals, TOKEN, host="0.0.0.0") as client:
        assert client.get("/api/model").status_code == 401
        assert client.get("/?token=wrong").status_code == 401
        assert client.get("/api/model", headers={"authorization": f"Bearer {TOKEN}x"}).status_code == 401
        assert client.get("/api/model", headers={"authorization": f"Bearer {TOKEN}"}).status_code == 200
        brought = client.get(f"/?token={TOKEN}", follow_redirects=False)
        cookie = brought.headers["set-cookie"].lower()
        assert brought.status_code == 303 and "httponly" in cookie and "samesite=strict" in cookie
        assert client.get("/").status_code == 200, "the cookie came back"


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"host": "0.0.0.0"}, "--host 0.0.0.0: others can reach it: give --token as well, or leave --host out"),
        ({"token": "short"}, "--token: give 16 characters at least, for example of `openssl rand -hex 16`"),
        ({"max_memory_mb": 100}, "--max-memory 100: MB, 1536 at least, or 0 for no bound"),
    ],
)
def test_what_is_refused_before_anything_listens(model: Model, changes: dict[str, object], line: str) -> None:
    usual: dict[str, object] = {"model": model.folder, "host": "127.0.0.1", "token": None, "max_memory_mb": 0}
    require(**usual)  # type: ignore[arg-type]
    with pytest.raises(InputError) as error:
        require(**(usual | changes))  # type: ignore[arg-type]
    assert str(error.value) == line


def test_a_door_beyond_loopback_knows_numbers_and_its_own_name() -> None:
    door = Door("0.0.0.0", TOKEN)
    assert door.knows("192.168.1.7") and door.knows("localhost") and not door.knows("evil.example")
