"""No file fills the memory: what is too large is refused with its reason, and what stands around it is read."""

from __future__ import annotations

import gzip
import subprocess
import sys
import zipfile
from pathlib import Path

import orjson
import polars as pl
import pytest

from slmlens.logs.decode import LARGEST_VALUE, TooLargeError, decode
from slmlens.logs.limits import Limits
from slmlens.logs.sources import Item, SkippedFileError, find_sources, open_source
from tests.logs.conftest import pair

SMALL = Limits(
    line=3 << 20,
    whole=1 << 20,
    document=6 << 20,
    inflated_floor=8 << 20,
    inflated_ratio=10,
    lines_floor=1000,
    bytes_per_line=2,
    refused=10,
    members=5,
    head=1 << 10,
)


def items(tmp_path, content: bytes, *, packed: bool = False, limits: Limits = SMALL) -> list[Item]:
    path = tmp_path / "log.jsonl"
    path.write_bytes(gzip.compress(content, 1) if packed else content)
    opened = open_source(find_sources([path])[0], limits)
    found = list(opened.items)
    opened.close()
    return found


def refusals(found: list[Item]) -> list[tuple[int, str]]:
    return [(item.line, item.refused) for item in found if item.refused]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("size", [(3 << 20) + 1, 5 << 20])
def test_a_line_that_is_too_long_costs_only_itself(tmp_path, size, packed):
    long = b'{"a":"' + b"x" * size + b'"}'
    found = items(tmp_path, b"\n".join([b'{"n":1}', long, b"", b'{"n":2}']), packed=packed)
    assert [item.value for item in found] == [{"n": 1}, None, {"n": 2}]
    assert refusals(found) == [(2, "a line of more than 3 MB")]
    assert [item.line for item in found] == [1, 2, 4]
    assert found[2].offset == 8 + len(long) + 2


def test_a_long_first_line_is_a_document_only_if_it_stands_alone(tmp_path):
    long = b'{"a":"' + b"x" * (4 << 20) + b'"}'
    assert len(items(tmp_path, long)) == 1
    assert refusals(items(tmp_path, long)) == []
    assert refusals(items(tmp_path, long + b'\n{"n":2}')) == [(1, "a line of more than 3 MB")]


@pytest.mark.parametrize("end", [b"\n", b" "])
def test_a_document_that_is_too_large_is_refused_with_a_way_out(tmp_path, end):
    records = (b"," + end).join([orjson.dumps({"text": "x" * 1000})] * 7000)
    with pytest.raises(SkippedFileError, match="a JSON document of more than 6 MB; save it as JSON lines"):
        items(tmp_path, b'{"spans":[' + end + records + b"]}")


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("end", [b"\n", b" "])
@pytest.mark.parametrize("around", [(b"[", b"]"), (b'{"object":"list","n":[1],"data":[', b'],"has_more":false}')])
def test_an_array_larger_than_any_document_is_read_element_by_element(tmp_path, around, end, packed):
    records = [orjson.dumps({"n": n, "text": "x" * 1000}) for n in range(7000)]
    content = around[0] + end + (b"," + end).join(records) + around[1]
    found = items(tmp_path, content, packed=packed)
    assert [(item.line, item.value["n"]) for item in found] == [(n + 1, n) for n in range(7000)]


def test_a_document_within_its_size_is_read_whole(tmp_path):
    records = b",\n".join([orjson.dumps({"text": "x" * 1000})] * 5000)
    assert len(items(tmp_path, b"[\n" + records + b"\n]")) == 5000


@pytest.mark.slow
def test_values_that_would_fill_the_memory_are_refused_before_they_are_built(tmp_path):
    many = b"[" + b"{}," * (3 << 20) + b"{}]"
    with pytest.raises(TooLargeError, match=f"over {LARGEST_VALUE >> 20} MB"):
        decode(many)
    roomy = Limits(head=1)
    assert refusals(items(tmp_path, b'{"n":1}\n' + many, limits=roomy)) == [
        (2, f"it holds so many values that they would take over {LARGEST_VALUE >> 20} MB")
    ]
    with pytest.raises(SkippedFileError, match="save it as JSON lines"):
        items(tmp_path, b'{"a":' + many + b"}", limits=Limits())
    assert sum(1 for item in items(tmp_path, many, limits=Limits()) if item.value == {}) == (3 << 20) + 1


def test_an_archive_that_inflates_without_end_is_cut_and_says_so(tmp_path):
    good = orjson.dumps({"n": 1, "text": "x" * 5000})
    found = items(tmp_path, b"\n".join([good] * 4000), packed=True)
    assert 1000 < len(found) < 4000
    (line, reason) = refusals(found)[-1]
    assert line == len(found)
    assert "inflates far more" in reason
    assert "decompress it first" in reason


def test_lines_that_cost_nothing_are_cut_and_the_same_lines_in_a_plain_file_are_read(tmp_path):
    content = b"\n".join([b'{"n":1}'] * 9000)
    found = items(tmp_path, content, packed=True)
    assert 1000 < len(found) < 1300
    assert "inflates far more" in refusals(found)[0][1]
    assert len(items(tmp_path, content)) == 9000


def test_a_log_of_repeated_prompts_is_no_bomb(tmp_path):
    prompt = "You sort letters by the department that they are meant for. " * 300
    lines = [orjson.dumps({"id": f"c-{n * 7919 % 100_003:06}", "prompt": prompt}) for n in range(2000)]
    raw = b"\n".join(lines)
    assert len(raw) / len(gzip.compress(raw, 9)) > 200
    assert refusals(items(tmp_path, raw, packed=True, limits=Limits(inflated_floor=0, lines_floor=0))) == []


def test_of_many_lines_that_are_no_json_each_run_is_one_record(tmp_path):
    junk = [b"starting"] * 50
    found = items(tmp_path, b"\n".join([b'{"n":1}', *junk, b'{"n":2}', *junk, b"7", b'{"n":3}']))
    assert [item.value for item in found if item.value] == [{"n": 1}, {"n": 2}, {"n": 3}]
    assert [item.line for item in found if item.refused] == [*range(2, 12), 53]


def test_blank_lines_before_a_document_that_is_none_keep_the_line_numbers(tmp_path):
    found = items(tmp_path, b'\n\n{"a": [\n\n{"n":1}\n{"n":2}')
    assert [(item.line, item.value) for item in found] == [(3, None), (5, {"n": 1}), (6, {"n": 2})]


def test_few_large_lines_are_enough_to_recognise_a_format(tmp_path):
    (tmp_path / "log.jsonl").write_bytes(b"\n".join([b'{"a":"' + b"x" * 600 + b'"}'] * 30))
    opened = open_source(find_sources([tmp_path / "log.jsonl"])[0], SMALL)
    opened.close()
    assert len(opened.head) == 2


def archive(path, members: dict[str, bytes]):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in members.items():
            made.writestr(name, content)
    return path


def test_an_archive_of_too_many_files_is_refused_as_a_whole(tmp_path):
    path = archive(tmp_path / "x.zip", {f"{n}.jsonl": b"{}" for n in range(6)})
    (source,) = find_sources([path], SMALL)
    with pytest.raises(SkippedFileError, match="more than 5 files; unpack it first"):
        open_source(source, SMALL)


def test_the_files_of_an_archive_may_inflate_so_far_together(tmp_path):
    path = archive(tmp_path / "x.zip", {f"{n}.jsonl": b'{"n":1}\n' + b" " * (3 << 20) for n in range(4)})
    sources = find_sources([path], SMALL)
    assert [source.refused is None for source in sources] == [True, True, False, False]
    assert "inflates far more" in str(sources[2].refused)


def test_a_bomb_inside_an_archive_is_cut_like_one_outside(tmp_path):
    bomb = gzip.compress(b"\n".join([b'{"n":1}'] * 9000))
    (source,) = find_sources([archive(tmp_path / "x.zip", {"log.gz": bomb})], SMALL)
    opened = open_source(source, SMALL)
    assert 1000 < len(list(opened.items)) < 1100
    opened.close()


BOMBS = {
    "one line of brackets": (b"", b"[" * (1 << 20), 1024, b"\n"),
    "one text without end": (b'{"a":"', b"very long " * 100_000, 1070, b""),
    "lines that are no JSON": (b"", b"x\n" * (1 << 19), 1024, b""),
}
READ = """
import re, sys
from pathlib import Path
from slmlens.logs.read import read_calls
from tests.logs.conftest import PlainRedactor
calls = read_calls([sys.argv[1]], redactor=PlainRedactor())
peak_kb = re.search(r"VmHWM:\\s+([0-9]+)", Path("/proc/self/status").read_text()).group(1)
print(calls.calls.height, calls.rejects.height, int(peak_kb) // 1024)
"""
"""The peak is that of the process's own memory: getrusage would count the test's, from which it was forked."""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from Linux's /proc")
@pytest.mark.parametrize("kind", BOMBS)
def test_a_gigabyte_out_of_a_megabyte_is_read_in_300_mb(tmp_path, kind):
    start, middle, times, end = BOMBS[kind]
    path = tmp_path / "log.jsonl.gz"
    head, tail = orjson.dumps(pair()) + b"\n" + start, end + b"\n"
    path.write_bytes(gzip.compress(head) + gzip.compress(middle) * times + gzip.compress(tail))
    assert path.stat().st_size < 6 << 20
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", READ, str(path)], capture_output=True, text=True, check=True, cwd=root)
    calls, rejects, peak = map(int, done.stdout.split())
    assert (calls, rejects > 0) == (1, True)
    assert peak < 300


def large(path: Path, kind: str, count: int) -> None:
    """Write calls of a long prompt, 100 kB each."""
    prompt = "You sort letters by the department that they are meant for. " * 1700
    calls = [pair(prompt, response={"id": f"chatcmpl-{n}"}) for n in range(count)]
    cells = [[orjson.dumps(call[key]).decode() for key in ("request", "response")] for call in calls]
    table = pl.DataFrame(cells, schema=["request", "response"], orient="row")
    if kind == "parquet":
        table.write_parquet(path, compression="uncompressed")
    elif kind == "csv":
        table.write_csv(path)
    elif kind == "json":
        path.write_bytes(orjson.dumps({"object": "list", "data": calls}))
    else:
        path.write_bytes(b"\n".join(map(orjson.dumps, calls)))


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from Linux's /proc")
@pytest.mark.parametrize("kind", ["jsonl", "json", "csv", "parquet"])
def test_a_log_is_read_in_memory_that_does_not_grow_with_its_size(tmp_path, kind):
    root, peaks = Path(__file__).parents[2], []
    for count in (1000, 4000):
        path = tmp_path / f"log.{kind}"
        large(path, kind, count)
        command = [sys.executable, "-c", READ, str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=root)
        calls, rejects, peak = map(int, done.stdout.split())
        assert (calls, rejects) == (count, 0)
        peaks.append(peak)
    assert peaks[1] - peaks[0] < 100  # MB, for 300 more of a log; the tables of 3,000 calls are among them
