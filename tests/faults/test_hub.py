"""A hub that is down, goes away in the middle of a file, falls silent, refuses or lies: the real clients, bounded."""

import hashlib
import signal
import threading
import time

import pytest

from tests.standin_hub import REVISION, Client, StandInHub, parquet, tiny_model

# long enough to be stored under its SHA-256, and never the same twice
TEXTS = [hashlib.sha256(str(i).encode()).hexdigest() for i in range(200)]
SCORES = [i / 40 for i in range(200)]
ROWS = [TEXTS, TEXTS[::-1], SCORES]
BIG = "data/test-00000-of-00001.parquet"
LOAD = "r = hub.load_hub({!r}); value = [r.left, r.right, r.scores.tolist()]"


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hub")
    (folder / "home" / "notebooks").mkdir(parents=True)
    (folder / "home" / "pyproject.toml").touch()
    return folder


@pytest.fixture(scope="module")
def running(root):
    """A hub and a client whose time-out is a second; each test uses names of its own."""
    with StandInHub() as hub, Client(root / "home", root / "cache", hub.address, HF_HUB_DOWNLOAD_TIMEOUT="1") as client:
        yield hub, client


@pytest.fixture
def hub(running):
    hub = running[0]
    yield hub
    hub.cut = hub.stall = hub.status = None
    hub.lies.clear()
    hub.gated.clear()
    hub.down()
    hub.up()


@pytest.fixture
def client(running):
    return running[1]


def offer(hub, client, name, *, on_hub=True, revision=REVISION, **more):
    content = parquet(sentence1=TEXTS, sentence2=TEXTS[::-1], score=SCORES)
    if on_hub:
        hub.add("dataset", f"owner/{name}", {"README.md": b"# texts\n", BIG: content}, **more)
    answer = client.do(
        "from workbench.corpora import hub, pin\nfrom workbench.corpora.pinned import PINNED\n"
        f"PINNED[{name!r}] = pin.sts('owner/{name}', {revision!r}, test={len(TEXTS)}, licence='cc0-1.0')"
    )
    assert "error" not in answer, answer
    return LOAD.format(name)


def torn(root, name):
    """Files of the set `name` in the cache that no whole file of the hub equals."""
    [folder] = (root / "cache" / "hub").glob(f"*--{name}")
    content = {parquet(sentence1=TEXTS, sentence2=TEXTS[::-1], score=SCORES), b"# texts\n"}
    return [p for p in folder.glob("blobs/*") if p.read_bytes() not in content]


def test_a_cached_set_loads_from_a_hub_that_is_down(hub, client):
    code = offer(hub, client, "kept")
    assert client.do(code)["value"] == ROWS
    hub.down()
    hub.asked.clear()
    answer = client.do(code)
    assert answer["value"] == ROWS
    assert answer["seconds"] < 5
    assert hub.asked == []


def test_a_set_that_is_not_cached_says_what_is_missing_when_the_hub_is_down(hub, client, root):
    code = offer(hub, client, "missing")
    hub.down()
    answer = client.do(code)
    assert answer["error"] == "HubUnreachable"
    assert answer["seconds"] < 6
    for part in ("'missing'", "owner/missing", REVISION, "cc0-1.0", "test 200 rows", hub.address, str(root / "cache"),
                 "datasets--owner--missing", "WORKBENCH_DATA"):  # fmt: skip
        assert part in answer["said"]


def test_offline_mode_asks_no_hub(hub, client):
    code = offer(hub, client, "offline")
    hub.asked.clear()
    answer = client.do(f"from huggingface_hub import constants as c\nc.HF_HUB_OFFLINE = True\n{code}")
    assert client.do("c.HF_HUB_OFFLINE = False").get("error") is None
    assert answer["error"] == "HubUnreachable"
    assert "HF_HUB_OFFLINE is set" in answer["said"]
    assert hub.asked == []


def test_a_hub_that_goes_away_in_the_middle_of_a_file_is_an_error_and_the_next_call_finishes(hub, client, root):
    code = offer(hub, client, "cut")
    hub.cut = BIG
    answer = client.do(code)
    assert answer["error"] == "HubUnreachable"
    assert f"the hub {hub.address} stopped" in answer["said"]
    assert answer["seconds"] < 8
    assert torn(root, "cut") == []
    assert client.do("value = hub.is_cached('cut')")["value"] is False
    assert client.do(code)["error"] == "HubUnreachable"  # still down
    hub.cut = None
    hub.up()
    assert client.do(code)["value"] == ROWS
    usual = "from huggingface_hub.utils import _http as h\nvalue = h._GLOBAL_CLIENT_FACTORY is h.default_client_factory"
    assert client.do(usual)["value"] is True  # other users of the client are left alone


def test_a_hub_that_goes_away_before_it_lists_the_files_is_an_error_soon(hub, client):
    code = offer(hub, client, "unlisted")
    hub.cut = "/api/datasets/owner/unlisted/tree"
    answer = client.do(code)
    assert answer["error"] == "HubUnreachable"
    assert answer["seconds"] < 8
    hub.cut = None
    hub.up()
    assert client.do(code)["value"] == ROWS


@pytest.mark.parametrize("part", [BIG, "/tree/"])
def test_a_hub_that_falls_silent_is_an_error_after_two_time_outs(hub, client, root, part):
    name = f"silent{len(part)}"
    code = offer(hub, client, name)
    hub.stall = part
    answer = client.do(code)
    assert answer["error"] == "HubUnreachable"
    assert answer["seconds"] < 10
    hub.stall = None
    assert client.do(code)["value"] == ROWS
    assert torn(root, name) == []


def test_a_hub_that_fails_is_an_error_and_not_a_missing_set(hub, client):
    code = offer(hub, client, "failing")
    hub.status = (BIG, 500)
    answer = client.do(code)
    assert answer["error"] == "HubUnreachable"
    assert "answered with status 500" in answer["said"]
    assert answer["seconds"] < 8


def test_a_set_that_the_hub_does_not_have_is_said_to_be_missing_there(hub, client):
    answer = client.do(offer(hub, client, "nowhere", on_hub=False))
    assert answer["error"] == "NotOnHub"
    assert f"the hub {hub.address} has no dataset 'owner/nowhere'" in answer["said"]


def test_a_gated_set_is_said_to_be_gated(hub, client):
    answer = client.do(offer(hub, client, "gated", gated=True))
    assert answer["error"] == "HubRefused"
    assert "is gated: accept its terms at" in answer["said"]
    assert "HF_TOKEN" in answer["said"]


def test_a_wrong_revision_is_said_to_be_one(hub, client):
    answer = client.do(offer(hub, client, "moved", revision=REVISION[::-1]))
    assert answer["error"] == "NotOnHub"
    assert f"has no revision {REVISION[::-1]} of the dataset 'owner/moved'" in answer["said"]


def test_half_a_file_under_the_headers_of_the_whole_one_never_becomes_rows(hub, client, root):
    code = offer(hub, client, "lied")
    whole = hub.repos["dataset", "owner/lied"][BIG]
    hub.lies[BIG] = whole[: len(whole) // 2]
    answer = client.do(code)
    assert answer["error"] == "HubRefused"
    assert hashlib.sha256(whole[: len(whole) // 2]).hexdigest() in answer["said"]
    assert hashlib.sha256(whole).hexdigest() in answer["said"]
    assert torn(root, "lied") == []
    hub.lies.clear()
    assert client.do(code)["value"] == ROWS


def test_a_kill_in_the_middle_of_a_file_leaves_nothing_torn(hub, root):
    with Client(root / "home", root / "killed", hub.address) as first:
        code = offer(hub, first, "killed")
        hub.stall = BIG
        threading.Thread(target=_until_asked, args=(hub, first)).start()
        with pytest.raises(AssertionError, match="the client died"):
            first.do(code)
    hub.stall = None
    with Client(root / "home", root / "killed", hub.address) as second:
        answer = second.do(offer(hub, second, "killed"))
    assert answer["value"] == ROWS


def _until_asked(hub, client):
    end = time.monotonic() + 30
    while not any(line.startswith("GET") and BIG in line for line in hub.asked) and time.monotonic() < end:
        time.sleep(0.02)
    time.sleep(0.2)
    client.send(signal.SIGKILL)


MODEL = """
from workbench.encoders import load_encoder
value = load_encoder("owner/tiny", device="cpu").encode(["the hub is back"], store=False).tolist()
"""


def test_a_model_that_was_cut_off_is_an_error_and_the_next_call_finishes(hub, client, tmp_path):
    from workbench.encoders import load_encoder

    hub.add("model", "owner/tiny", tiny_model(tmp_path / "tiny", ["the", "hub", "is", "back"]))
    client.do("from workbench.encoders import load_encoder")  # the import is not what is timed
    hub.cut = "model.safetensors"
    answer = client.do(MODEL)
    assert answer["error"] == "UnknownModel"
    assert f"the hub {hub.address} stopped" in answer["said"]
    assert answer["seconds"] < 8
    hub.cut = None
    hub.up()
    made = load_encoder(tmp_path / "tiny", device="cpu").encode(["the hub is back"], store=False)
    assert client.do(MODEL)["value"][0] == pytest.approx(made[0].tolist(), abs=1e-6)
    hub.down()
    hub.asked.clear()
    answer = client.do(MODEL)
    assert answer["seconds"] < 5
    assert answer["value"][0] == pytest.approx(made[0].tolist(), abs=1e-6)
    assert hub.asked == []


def test_a_gated_model_is_said_to_be_gated(hub, client, tmp_path):
    hub.add("model", "owner/closed", {"config.json": b"{}", "model.safetensors": b"0" * 3000}, gated=True)
    answer = client.do("from workbench.encoders import load_encoder\nload_encoder('owner/closed')")
    assert answer["error"] == "UnknownModel"
    assert "is gated: accept its terms at" in answer["said"]
