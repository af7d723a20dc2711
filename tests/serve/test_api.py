"""Films in, framed; a run watched, cancelled, downloaded, compared: over HTTP."""

import gzip
import io
import json
from pathlib import Path
import time
from typing import Any
import zipfile

import cv2
from fastapi.testclient import TestClient
import nibabel
import numpy as np
from pydicom import dcmread
import pytest

import dx2ct
from dx2ct.predict.framing import Framing
from dx2ct.predict.model import Model
from tests.fabricate import random_run
from tests.serve.conftest import served

FAST = {"steps": 2, "seed": 3}


def uploaded(client: TestClient, session: str, films: dict[str, bytes]) -> dict[str, Any]:
    """What is said of each film."""
    return {
        view: client.put(f"{session}/films/{view}?name={view}", content=data).json() for view, data in films.items()
    }


def ended(client: TestClient, address: str, seconds: float = 120) -> dict[str, Any]:
    """A run when it is over."""
    end = time.monotonic() + seconds
    while (run := client.get(address).json())["state"] in ("waiting", "running"):
        assert time.monotonic() < end, run
        time.sleep(0.02)
    return dict(run)


def run_of(client: TestClient, session: str, settings: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    started = client.post(f"{session}/runs", json=settings)
    assert started.status_code == 202, started.text
    address = f"{session}/runs/{started.json()['run']}"
    return address, ended(client, address)


def test_the_model_says_what_it_is_and_no_path(client: TestClient, model: Model) -> None:
    while not (about := client.get("/api/model").json())["ready"]:
        time.sleep(0.05)
    assert about["views"] == ["pa", "lateral"] and about["samples"] and about["sides"]["lateral"] == "AP"
    assert about["phantoms_alone"] is False and "Not a medical device" in about["disclaimer"]
    assert str(model.folder) not in json.dumps(about)
    assert client.get("/api/model/examples/pa.png").content[:4] == b"\x89PNG"
    assert client.get("/api/model/examples/nose.png").status_code == 422


def test_a_film_is_shown_as_the_network_will_see_it(
    client: TestClient, session: str, films_of: dict[str, bytes], model: Model, tmp_path: Path
) -> None:
    told = uploaded(client, session, films_of)["pa"]
    assert told["size"] == [160, 200] and told["kind"] == "film" and told["label"] == "pa"
    (tmp_path / "pa.png").write_bytes(films_of["pa"])
    expected = model.seen({"pa": model.preparation.one("pa", tmp_path / "pa.png", Framing())})[0]
    picture = client.get(f"{session}/films/pa/seen.png").content
    shown = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_UNCHANGED)
    assert np.abs(shown / 255 - expected).max() < 0.003
    (scale,) = [note for note in told["notes"] if note["text"].startswith("NO SCALE")]
    assert scale["cure"] == {"label": "Say its pixel spacing", "set": {}} and "--" not in scale["text"]


def test_a_cure_cures(client: TestClient, session: str, films_of: dict[str, bytes]) -> None:
    told = uploaded(client, session, films_of)["pa"]
    upside = client.put(f"{session}/films/pa/framing", json=told["framing"] | {"invert": True}).json()
    (note,) = [note for note in upside["notes"] if "dark" in note["text"]]
    assert note["cure"] == {"label": "Invert it", "set": {"invert": False}} and "--" not in note["text"]
    cured = client.put(f"{session}/films/pa/framing", json=upside["framing"] | note["cure"]["set"]).json()
    assert [one["text"] for one in cured["notes"]] == [one["text"] for one in told["notes"]]
    assert cured["number"] == 2


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"crop": [0, 0, 900, 10]}, "pa: the crop (0, 0, 900, 10) does not lie inside its 160 x 200 pixels"),
        ({"rotate": 45}, "rotate: Value error, rotate 45: a multiple of 90 degrees"),
        ({"spacing_mm": -1}, "spacing_mm -1: a length above 0 mm"),
        ({"spacing_mm": 9}, "pa: pixels of 9 mm"),
        ({"turn": 1}, "turn: Extra inputs are not permitted"),
    ],
)
def test_a_framing_that_cannot_be_leaves_the_one_before(
    client: TestClient, session: str, films_of: dict[str, bytes], change: dict[str, Any], line: str
) -> None:
    told = uploaded(client, session, films_of)["pa"]
    refused = client.put(f"{session}/films/pa/framing", json=told["framing"] | change)
    assert refused.status_code == 422 and line in refused.json()["detail"]
    assert client.get(f"{session}/films/pa/seen.png").status_code == 200


def test_a_run_of_films_gives_every_file(client: TestClient, session: str, films_of: dict[str, bytes]) -> None:
    uploaded(client, session, films_of)
    address, run = run_of(client, session, FAST | {"samples": 2})
    assert run["state"] == "done" and run["fraction"] == 1 and run["estimate"] >= 2, run
    result = run["result"]
    assert result["has_deviation"] and result["deviation_is_calibrated"] is False
    assert any("arbitrary units" not in text and "samples with" in text for text in result["notes"])
    for name in ("ct.nii.gz", "deviation.nii.gz", "estimate.nii.gz"):
        volume = nibabel.Nifti1Image.from_bytes(gzip.decompress(client.get(f"{address}/{name}").content))
        assert len(set(volume.shape)) == 1
    archive = zipfile.ZipFile(io.BytesIO(client.get(f"{address}/series.zip").content))
    slice_ = dcmread(io.BytesIO(archive.read(archive.namelist()[0])))
    assert slice_.PatientName == "SYNTHESIZED" and len(archive.namelist()) == volume.shape[0]
    assert client.get(f"{address}/sheet.png").content[:4] == b"\x89PNG"
    for view in films_of:
        for picture in ("film", "drr", "difference"):
            assert client.get(f"{address}/{view}/{picture}.png").status_code == 200


def test_nothing_of_the_patient_and_no_place_on_the_disk_is_in_the_record(
    client: TestClient, session: str, films_of: dict[str, bytes]
) -> None:
    for view, data in films_of.items():
        client.put(f"{session}/films/{view}", params={"name": "Doe_Jane.dcm"}, content=data)
    address, _ = run_of(client, session, FAST)
    text = client.get(f"{address}/run.json").text
    assert not any(word in text for word in ("Doe", "Jane", "SECRET-17", "dx2ct-serve-"))
    assert json.loads(text)["inputs"]["lateral"]["file"] == "lateral.dcm"
    asked, _ = run_of(client, session, FAST | {"keep_names": True})
    assert json.loads(client.get(f"{asked}/run.json").text)["inputs"]["pa"]["file"] == "Doe_Jane.dcm"


def test_it_is_what_predict_makes(client: TestClient, session: str, integrals: dict[str, Path], model: Model) -> None:
    assert [film["kind"] for film in client.post(f"{session}/examples").json()] == ["integrals", "integrals"]
    address, _ = run_of(client, session, FAST | {"consistency": 2})
    packed = gzip.decompress(client.get(f"{address}/ct.nii.gz").content)
    found = np.asarray(nibabel.Nifti1Image.from_bytes(packed).dataobj).T[:, ::1, ::1]
    expected = model.reconstruct(integrals, consistency=2, **FAST)
    assert np.array_equal(found, expected.array)


def test_films_go_to_a_model_of_their_own_and_line_integrals_do_not(
    model: Model, integrals: dict[str, Path], films_of: dict[str, bytes], tmp_path: Path
) -> None:
    other = dx2ct.load(random_run(tmp_path / "of_films"), "cpu", 1)
    with served(model, integrals, for_films=other) as client:
        while not (about := client.get("/api/model").json())["ready"]:
            time.sleep(0.05)
        assert (about["name"], about["for_films"]["name"]) == (model.folder.name, "of_films")
        session = f"/api/sessions/{client.post('/api/sessions').json()['session']}"
        client.post(f"{session}/examples")
        _, run = run_of(client, session, FAST)
        assert run["result"]["model"] == model.folder.name
        uploaded(client, session, {"pa": films_of["pa"]})  # one film among them is enough
        address, run = run_of(client, session, FAST)
        assert run["result"]["model"] == "of_films"
        assert client.get(f"{address}/run.json").json()["model"]["folder"].endswith("of_films")


def test_a_result_is_compared_with_a_truth(client: TestClient, session: str, tmp_path: Path) -> None:
    client.post(f"{session}/examples")
    address, _ = run_of(client, session, FAST)
    assert client.post(f"{address}/scores").json()["detail"].startswith("there is no truth")
    (tmp_path / "ct.nii.gz").write_bytes(client.get(f"{address}/ct.nii.gz").content)
    body = nibabel.load(tmp_path / "ct.nii.gz")
    hu = np.full(body.shape, -1000, np.int16)
    hu[2:-2, 2:-2, :] = 40
    truth = nibabel.Nifti1Image(hu, body.affine)
    assert client.put(f"{session}/truth", content=truth.to_bytes()).status_code == 204
    scores = client.post(f"{address}/scores").json()
    assert scores["how"] == "its voxels are the result's" and scores["scores"]["mae_hu"] > 0
    assert client.get(f"{address}/truth.nii.gz").status_code == 200


def test_a_truth_that_is_none_is_refused(client: TestClient, session: str) -> None:
    refused = client.put(f"{session}/truth", content=b"<script>alert(1)</script>")
    assert refused.status_code == 422 and refused.json()["detail"].startswith("not a NIfTI file")
    client.post(f"{session}/examples")
    address, _ = run_of(client, session, FAST)
    client.put(f"{session}/truth", content=nibabel.Nifti1Image(np.ones((16, 16, 16), np.float32), np.eye(4)).to_bytes())
    refused = client.post(f"{address}/scores")
    assert refused.status_code == 422 and refused.json()["detail"].startswith("truth: values lie in [1, 1]")


def test_a_run_is_cancelled(client: TestClient, session: str) -> None:
    client.post(f"{session}/examples")
    started = client.post(f"{session}/runs", json={"steps": 900, "samples": 4}).json()
    address = f"{session}/runs/{started['run']}"
    while client.get(address).json()["fraction"] == 0:
        time.sleep(0.02)
    client.delete(address)
    assert ended(client, address)["state"] == "cancelled"
    assert run_of(client, session, FAST)[1]["state"] == "done"


def test_four_runs_wait_and_the_fifth_is_told_to_come_again(client: TestClient) -> None:
    sessions = [f"/api/sessions/{client.post('/api/sessions').json()['session']}" for _ in range(6)]
    for session in sessions:
        client.post(f"{session}/examples")
    first, *others = sessions
    run = client.post(f"{first}/runs", json={"steps": 900}).json()["run"]
    while client.get(f"{first}/runs/{run}").json()["state"] == "waiting":
        time.sleep(0.01)
    waiting = [client.post(f"{session}/runs", json=FAST) for session in others]
    assert [answer.status_code for answer in waiting] == [202, 202, 202, 202, 503]
    assert [answer.json()["before"] for answer in waiting[:4]] == [1, 2, 3, 4]
    assert waiting[4].headers["retry-after"] == "1" and "4 runs are waiting" in waiting[4].json()["detail"]
    for session in sessions:
        client.delete(session)


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"steps": 0}, "steps: Input should be greater than or equal to 1"),
        ({"steps": 5000}, "steps: Input should be less than or equal to 1000"),
        ({"solver": "euler"}, "solver 'euler' is not one of ddim, dpm"),
        ({"sample": 3}, "sample: Extra inputs are not permitted"),
    ],
)
def test_settings_that_cannot_be(client: TestClient, session: str, settings: dict[str, Any], line: str) -> None:
    client.post(f"{session}/examples")
    refused = client.post(f"{session}/runs", json=settings)
    assert refused.status_code == 422 and refused.json()["detail"].startswith(line)


def test_consistency_of_films_is_by_a_curve_of_each(
    client: TestClient, session: str, films_of: dict[str, bytes]
) -> None:
    uploaded(client, session, films_of)
    _, run = run_of(client, session, FAST | {"consistency": 1})
    assert run["state"] == "done" and any("curve" in str(note) for note in run["result"]["notes"])


def test_a_run_without_films_is_refused(client: TestClient, session: str) -> None:
    refused = client.post(f"{session}/runs", json={})
    assert refused.json()["detail"] == "no pa X-ray: the model was trained on pa and lateral"


def test_the_cost_is_known_after_a_step_and_grows(client: TestClient, session: str) -> None:
    client.post(f"{session}/examples")
    run_of(client, session, {"steps": 4})
    few, many = (client.post(f"{session}/cost", json={"steps": steps}).json()["seconds"] for steps in (4, 400))
    assert 0 <= few < many


def test_every_request_is_described(client: TestClient) -> None:
    api = client.get("/api/openapi.json").json()
    operations = [one for methods in api["paths"].values() for one in methods.values()]
    assert len(operations) > 15 and all(one["description"] for one in operations)
    assert "Not a medical device".lower() in api["info"]["description"].lower()
