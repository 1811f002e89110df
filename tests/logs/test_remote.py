"""Logs in a store are read as those on the disk are, and every failure of a store is a sentence."""

from __future__ import annotations

import gzip
import io
import json
import socket
import sys
import zipfile
from importlib import import_module
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

import slmlens as sl
from slmlens.cli import app
from slmlens.errors import InputError, MissingExtraError, SettingError
from slmlens.logs.inflate import zstd
from slmlens.logs.read import read_calls
from slmlens.logs.sources import find_sources
from tests.logs.conftest import PlainRedactor, pair

fsspec = pytest.importorskip("fsspec")

PAIRS = [pair(f"Where is parcel {n}?", response={"id": f"chatcmpl-{n}"}) for n in range(40)]


def lines(records: list[dict[str, object]]) -> bytes:
    return b"".join(json.dumps(one).encode() + b"\n" for one in records)


def table(records: list[dict[str, object]]) -> bytes:
    buffer = io.BytesIO()
    pl.DataFrame([{key: json.dumps(value) for key, value in one.items()} for one in records]).write_parquet(buffer)
    return buffer.getvalue()


def archive(records: list[dict[str, object]]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("inside/zipped.jsonl", lines(records))
    return buffer.getvalue()


OBJECTS = {
    "plain.jsonl": lines(PAIRS[:8]),
    "day 1/packed.jsonl.gz": gzip.compress(lines(PAIRS[8:16])),
    "day 1/packed.json.zst": zstd.compress(json.dumps(PAIRS[16:24]).encode()),
    "day 2/table.parquet": table(PAIRS[24:32]),
    "day 2/several.zip": archive(PAIRS[32:]),
    ".hidden/x.jsonl": b"{",
}


def told(*paths: str | Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    calls = read_calls(paths, redactor=PlainRedactor())
    return calls.calls, calls.files


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("stored") / "logs"
    for name, content in OBJECTS.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


@pytest.fixture
def memory() -> str:
    store = fsspec.filesystem("memory")
    store.store.clear()
    for name, content in OBJECTS.items():
        store.pipe(f"/bucket/logs/{name}", content)
    yield "memory://bucket/logs"
    store.store.clear()


def test_a_prefix_is_read_as_a_folder_is(folder, memory):
    calls, files = told(folder)
    assert calls.height == len(PAIRS)
    for address in (memory, f"{memory}/", f"file://{folder}"):
        same_calls, same_files = told(address)
        assert same_calls.equals(calls)
        assert same_files.equals(files)


@pytest.mark.parametrize("name", [name for name in OBJECTS if not name.startswith(".")])
def test_each_kind_of_object_is_read_alone_under_its_own_name(folder, memory, name):
    calls, files = told(f"{memory}/{name}")
    assert calls.equals(told(folder / name)[0])
    assert files["file"].item().startswith(Path(name).name)


def test_a_star_stands_for_any_part_of_a_name(memory):
    assert told(f"{memory}/day*/*.gz")[1]["file"].to_list() == ["day 1/packed.jsonl.gz"]
    assert [one.name for one in find_sources([f"{memory}/**/*.parquet"])] == ["day 2/table.parquet"]


def test_paths_and_addresses_may_be_mixed_and_the_same_object_counts_once(folder, memory):
    sources = find_sources([f"{memory}/plain.jsonl", memory, str(folder / "plain.jsonl")])
    assert len(sources) == 6
    assert [one.name for one in sources if one.named] == ["plain.jsonl", "plain.jsonl#2"]


def test_a_run_of_an_address_resumes_until_the_object_changes(memory, tmp_path):
    address = f"{memory}/plain.jsonl"
    run = sl.open_run(tmp_path / "run")
    first = sl.read_logs(address, run=run)
    (given,) = run.manifest["inputs"]
    assert (given["file"], given["bytes"]) == ("plain.jsonl", len(OBJECTS["plain.jsonl"]))
    again = sl.open_run(tmp_path / "run")
    assert sl.read_logs(address, run=again).calls.equals(first.calls)
    assert again.manifest["stages"]["read"] == run.manifest["stages"]["read"]
    fsspec.filesystem("memory").pipe("/bucket/logs/plain.jsonl", lines(PAIRS[:9]))
    assert sl.read_logs(address, run=sl.open_run(tmp_path / "run")).calls.height == 9


def test_the_command_line_takes_an_address(folder):
    said = CliRunner().invoke(app, ["check", f"file://{folder}/plain.jsonl"])
    assert said.exit_code == 0, said.output
    assert "plain.jsonl" in said.output


@pytest.mark.parametrize("name", ["nothing.jsonl", "nothing/", "*.nothing"])
def test_an_object_that_is_missing_is_a_sentence(memory, name):
    with pytest.raises(InputError, match=r"There (is no such bucket or object|are no objects at this address)\. Check"):
        find_sources([f"{memory}/{name}"])


def test_an_unknown_kind_of_address_is_a_sentence():
    with pytest.raises(SettingError, match=r"begin with https:// are not read\. Name s3://"):
        find_sources(["https://example.org/log.jsonl"])


@pytest.mark.parametrize(("scheme", "package"), [("s3", "s3fs"), ("gs", "gcsfs"), ("az", "adlfs")])
def test_without_its_package_a_store_says_what_to_install(monkeypatch, scheme, package):
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(import_module("fsspec.registry")._registry, scheme, raising=False)
    with pytest.raises(MissingExtraError, match=rf"need the package {package}, .*Pip install {package}"):
        find_sources([f"{scheme}://bucket/log.jsonl"])


def test_a_store_that_breaks_off_stops_the_reading_and_is_not_taken_for_a_short_log(memory, monkeypatch):
    class Broken(io.BytesIO):
        def read(self, size: int = -1, /) -> bytes:
            if self.tell():
                raise ConnectionResetError("https://key:secret@host")
            return super().read(min(size, 3000))

    monkeypatch.setattr(fsspec.implementations.memory.MemoryFileSystem, "open", lambda *_, **__: Broken(lines(PAIRS)))
    with pytest.raises(InputError, match=r"plain.jsonl: The store can't be reached \(ConnectionResetError\)") as caught:
        told(f"{memory}/plain.jsonl")
    assert "secret" not in str(caught.value)


@pytest.fixture(scope="module")
def s3():
    """A bucket on loopback, and what it takes to reach it."""
    server_module = pytest.importorskip("moto.server")
    pytest.importorskip("s3fs")
    import boto3

    patched = pytest.MonkeyPatch()
    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    endpoint = "http://{}:{}".format(*server.get_host_and_port())
    for name, value in (
        ("AWS_ACCESS_KEY_ID", "AKIAKEYOFATEST"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
        ("AWS_ENDPOINT_URL", endpoint),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("AWS_MAX_ATTEMPTS", "1"),
    ):
        patched.setenv(name, value)
    client = boto3.client("s3", endpoint_url=endpoint)
    client.create_bucket(Bucket="exports")
    for name, content in OBJECTS.items():
        client.put_object(Bucket="exports", Key=f"logs/{name}", Body=content)
    yield client
    server.stop()
    patched.undo()


@pytest.fixture
def fresh(monkeypatch):
    """Let nothing that fsspec keeps of one connection reach the next test."""
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()
    yield monkeypatch
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.mark.slow
@pytest.mark.usefixtures("s3", "fresh")
def test_a_bucket_is_read_as_a_folder_is(folder):
    calls, files = told(folder)
    same_calls, same_files = told("s3://exports/logs")
    assert same_calls.equals(calls)
    assert same_files.equals(files)
    assert told("s3://exports/logs/day*/*.gz")[0].height == 8


@pytest.mark.slow
@pytest.mark.usefixtures("fresh")
def test_a_run_of_a_bucket_keeps_its_marks_and_resumes(s3, tmp_path):
    run = sl.open_run(tmp_path / "run")
    calls = sl.read_logs("s3://exports/logs", run=run)
    marks = {one["file"]: one["hash"] for one in run.manifest["inputs"]}
    tag = s3.head_object(Bucket="exports", Key="logs/plain.jsonl")["ETag"].strip('"')
    assert marks["plain.jsonl"] == tag
    again = sl.open_run(tmp_path / "run")
    assert sl.read_logs("s3://exports/logs", run=again).calls.equals(calls.calls)
    assert again.manifest["stages"]["read"] == run.manifest["stages"]["read"]
    assert "AKIA" not in (tmp_path / "run" / "manifest.json").read_text()


@pytest.mark.slow
@pytest.mark.usefixtures("s3", "fresh")
@pytest.mark.parametrize("address", ["s3://exports/none.jsonl", "s3://no-such-bucket/logs", "s3://no-such-bucket"])
def test_a_missing_bucket_or_object_is_a_sentence(address):
    with pytest.raises(InputError, match=r"There (is no such bucket or object|are no objects at this address)\. Check"):
        find_sources([address])


@pytest.mark.slow
@pytest.mark.usefixtures("s3")
def test_without_credentials_access_is_refused_in_a_sentence(fresh, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        fresh.delenv(name)
    fresh.setenv("HOME", str(tmp_path))
    with pytest.raises(InputError, match=r"The store refuses access \(.*\)\. Check your credentials"):
        find_sources(["s3://exports/logs"])


@pytest.mark.slow
@pytest.mark.usefixtures("s3")
def test_a_store_out_of_reach_is_a_sentence(fresh):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        fresh.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(InputError, match=r"The store can't be reached \(.*\)\. Check the network") as caught:
            find_sources(["s3://exports/logs"])
    assert "127.0.0.1" not in str(caught.value)
