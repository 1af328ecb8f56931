"""A stand-in for the model hub on the loopback, for the real clients, and a process of its own to run them in.

It answers what `huggingface_hub`, `datasets` and `transformers` ask for, with the headers they insist on (ETag,
X-Repo-Commit, X-Error-Code), and it can fail as a hub fails: go away, go away in the middle of a file, fall silent.
"""

import hashlib
import http.server
import io
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from urllib.parse import urlsplit

REVISION = "0123456789abcdef0123456789abcdef01234567"
LARGE = 2_000  # bytes from which a file is stored under its SHA-256, as large files are on the hub


class StandInHub:
    """`add` a repository, then let a client use `address`; `asked` lists the requests, method and path."""

    def __init__(self):
        self.repos = {}  # (kind, name) -> files
        self.gated = set()
        self.lies = {}  # path of a file -> the bytes that are sent in its place, under the headers of the true ones
        self.cut = None  # a part of a path: half of that answer is sent, then the hub is gone
        self.stall = None  # a part of a path: half of that answer is sent, then nothing, for as long as it is set
        self.status = None  # a part of a path, and the status that it is answered with
        self.asked = []
        self._server = None
        self.port = 0
        self.up()

    @property
    def address(self):
        return f"http://127.0.0.1:{self.port}"

    def add(self, kind, name, files, *, gated=False):
        """Serves the `files` (path -> bytes) of the 'model' or 'dataset' `name`, all at `REVISION`."""
        self.repos[kind, name] = files
        if gated:
            self.gated.add((kind, name))

    def files_asked(self):
        """The requests for files, HEAD and GET."""
        return [line for line in self.asked if "/resolve/" in line]

    def up(self):
        """At the same port as before."""
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), _Handler)
        self._server.hub = self
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def down(self):
        """Connections are refused from now on."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.stall = None
        self.down()


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        hub = self.server.hub
        path = urlsplit(self.path).path
        hub.asked.append(f"{self.command} {path}")
        if hub.status and hub.status[0] in path:
            return self.refuse(hub.status[1], "Broken")
        api = re.fullmatch(r"/api/(model|dataset)s/([^/]+/[^/]+)(?:/(revision|tree)/([^/]+)(/.*)?)?", path)
        file = re.fullmatch(r"/(datasets/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path)
        if api:
            return self.about(api[1], api[2], api[3], api[4] or "main", (api[5] or "").strip("/"))
        if file:
            return self.file("dataset" if file[1] else "model", file[2], file[3], file[4])
        return self.refuse(404, "EntryNotFound")

    do_HEAD = do_GET

    def about(self, kind, name, what, revision, folder):
        files = self.server.hub.repos.get((kind, name))
        if files is None:
            return self.refuse(404, "RepoNotFound")
        if revision not in ("main", REVISION):
            return self.refuse(404, "RevisionNotFound")
        if what == "tree":
            if folder and not any(path.startswith(folder + "/") for path in files):
                return self.refuse(404, "EntryNotFound")
            deep = "recursive=true" in urlsplit(self.path).query.lower()
            return self.answer(json.dumps(_listing(files, folder, deep=deep)).encode())
        about = {"id": name, "sha": REVISION, "siblings": [{"rfilename": path} for path in files]}
        return self.answer(json.dumps(about | {"private": False, "gated": False, "tags": []}).encode())

    def file(self, kind, name, revision, path):
        hub = self.server.hub
        content = hub.repos.get((kind, name), {}).get(path)
        if (kind, name) in hub.gated:
            return self.refuse(401, "GatedRepo")
        if revision not in ("main", REVISION) or content is None:
            return self.refuse(404, "EntryNotFound")
        return self.answer(hub.lies.get(path, content), etag=_etag(content))

    def answer(self, body, *, etag='"0"'):
        hub = self.server.hub
        start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").removesuffix("-"))
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body) - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        self.send_header("ETag", etag)
        self.send_header("X-Repo-Commit", REVISION)
        self.end_headers()
        if self.command == "HEAD":
            return
        whole = not any(part and part in self.path for part in (hub.cut, hub.stall))
        self.wfile.write(body[start:] if whole else body[start : len(body) // 2])
        if whole:
            return
        self.wfile.flush()
        while hub.stall and hub.stall in self.path:
            time.sleep(0.02)
        if hub.cut:
            hub.down()
        self.connection.shutdown(socket.SHUT_RDWR)

    def refuse(self, status, code):
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("X-Repo-Commit", REVISION)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


def _listing(files, folder, *, deep):
    """The entries of a folder ('' for the root), with those of its folders if `deep`."""
    start = f"{folder}/" if folder else ""
    below = {path: path.removeprefix(start) for path in files if path.startswith(start)}
    folders = {start + rest.split("/")[0] for rest in below.values() if "/" in rest}
    entries = [_entry(path, files[path]) for path, rest in below.items() if deep or "/" not in rest]
    return [{"type": "directory", "path": path, "oid": "0" * 40, "size": 0} for path in sorted(folders)] + entries


def _entry(path, content):
    entry = {"type": "file", "path": path, "oid": hashlib.sha1(content).hexdigest(), "size": len(content)}
    if len(content) >= LARGE:
        entry["lfs"] = {"oid": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 130}
    return entry


def _etag(content):
    return f'"{(hashlib.sha256 if len(content) >= LARGE else hashlib.sha1)(content).hexdigest()}"'


_LOOP = """
import json, sys, time, traceback
space = {}
for line in sys.stdin:
    space["value"] = None
    start = time.perf_counter()
    try:
        exec(json.loads(line), space)
        answer = {"value": space["value"]}
    except Exception as error:
        traceback.print_exc()
        answer = {"error": type(error).__name__, "said": str(error)}
    print("ANSWER", json.dumps(answer | {"seconds": time.perf_counter() - start}), flush=True)
"""


class Client:
    """A Python process with its own hub cache: `HF_HOME` and `HF_ENDPOINT` are read once, when a client is imported."""

    def __init__(self, home, cache, endpoint, **environment):
        where = {"WORKBENCH_HOME": str(home), "HF_HOME": str(cache), "HF_ENDPOINT": endpoint}
        self.errors = (cache.parent / f"{cache.name}.log").open("w+")
        self._process = subprocess.Popen(
            [sys.executable, "-c", _LOOP],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            env={**os.environ, "NO_PROXY": "*", "HF_HUB_DISABLE_PROGRESS_BARS": "1", **where, **environment},
        )

    def send(self, number):
        self._process.send_signal(number)

    def do(self, code, limit=60):
        """Runs `code` and returns what it left in `value`, or its `error` and what it `said`, and the `seconds`."""
        watch = threading.Timer(limit, self._process.kill)
        watch.start()
        try:
            self._process.stdin.write(json.dumps(code) + "\n")
            self._process.stdin.flush()
            for line in self._process.stdout:
                if line.startswith("ANSWER "):
                    return json.loads(line.removeprefix("ANSWER "))
        finally:
            watch.cancel()
        self.errors.seek(0)
        raise AssertionError(f"the client died, or took more than {limit} s:\n{self.errors.read()[-3000:]}")

    def __enter__(self):
        return self

    def __exit__(self, *error):
        try:
            self._process.stdin.close()
            self._process.wait(timeout=20)
        except (subprocess.TimeoutExpired, BrokenPipeError):
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self.errors.close()


def silent():
    """A socket that accepts connections and never says a word; close it after use."""
    return socket.create_server(("127.0.0.1", 0))


def parquet(**columns):
    import pyarrow as pa
    import pyarrow.parquet as pq

    held = io.BytesIO()
    pq.write_table(pa.table(columns), held)
    return held.getvalue()


def lines(rows):
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def readme(**configurations):
    """A README that says which file is which split: `corpus={"corpus": "corpus.jsonl"}`."""
    told = ["---", "configs:"]
    for name, splits in configurations.items():
        told += [f"- config_name: {name}", "  data_files:"]
        told += [line for s, path in splits.items() for line in (f"  - split: {s}", f"    path: {path}")]
    return "\n".join([*told, "---", ""]).encode()


def tiny_model(folder, words):
    """The files of a random BERT of two layers that knows `words`."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    torch.manual_seed(0)
    vocabulary = {word: i for i, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *words])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    special = {"unk_token": "[UNK]", "pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special).save_pretrained(folder)
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    BertModel(BertConfig(vocab_size=len(vocabulary), max_position_embeddings=64, **sizes)).save_pretrained(folder)
    return {path.name: path.read_bytes() for path in folder.iterdir()}
