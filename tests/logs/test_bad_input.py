"""Input that can't be read ends in one sentence: what, where, and what to do next. One bad line ends in a reject."""

from __future__ import annotations

import gzip
import os
import stat
import sys
import zipfile

import orjson
import pytest

from slmlens.errors import InputError, SettingError
from slmlens.logs.read import read_calls
from tests.logs.conftest import PlainRedactor, only, pair

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

GOOD = orjson.dumps(pair())


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b"\n \n", "empty"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "binary"),
        (b"PK\x03\x04....", "zip"),
        (gzip.compress(gzip.compress(GOOD), mtime=0), "compressed twice"),
        (gzip.compress(b"PK\x03\x04....", mtime=0), "zip"),
        (b"PAR1\x15", "parquet file is damaged"),
        (zstd.compress(GOOD)[:12], "damaged"),
        ("{}\n".encode("utf-16-le"), "binary"),
        (b"name,age\nana,3\n", "JSON object"),
        (b"1\n2\n", "JSON object"),
        (b'{"some": 1, "thing": 2}\n', "some, thing"),
        (gzip.compress(GOOD, mtime=0)[:20], "damaged"),
        (gzip.compress(b"", mtime=0), "empty"),
    ],
)
def test_a_named_file_that_is_no_log_is_an_error_without_a_path(tmp_path, content, says):
    (tmp_path / "log.jsonl").write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_calls([tmp_path / "log.jsonl"], redactor=PlainRedactor())
    assert says in str(caught.value)
    assert str(caught.value).startswith("log.jsonl: ")
    assert str(tmp_path) not in str(caught.value)
    assert "openai_pairs" in str(caught.value)


def test_missing_paths_and_empty_folders_are_errors(tmp_path):
    for paths in ([], [tmp_path / "nowhere"], [tmp_path]):
        with pytest.raises(InputError) as caught:
            read_calls(paths, redactor=PlainRedactor())
        assert str(tmp_path) not in str(caught.value)


def test_a_folder_without_logs_is_an_error_and_one_with_other_files_a_note(tmp_path):
    (tmp_path / "README.md").write_text("# Exports\n")
    with pytest.raises(InputError, match="README"):
        read_calls([tmp_path], redactor=PlainRedactor())
    (tmp_path / "log.jsonl").write_bytes(GOOD)
    calls = read_calls([tmp_path], redactor=PlainRedactor())
    assert calls.calls.height == 1
    assert "README.md" in calls.notes[-1]
    assert dict(calls.files.select("file", "format").iter_rows()) == {"README.md": None, "log.jsonl": "openai_pairs"}


def test_every_record_refused_is_an_error_with_the_reason(read):
    with pytest.raises(InputError, match="a shape that is not read"):
        read({"request": {"messages": [{"role": "user", "content": "?"}]}, "response": {"said_by_nobody_known": 1}})


def test_only_embeddings_is_an_error_that_says_so(read):
    with pytest.raises(InputError, match="no LLM call"):
        read(
            {"request": {"model": "e", "input": "x"}, "response": {"object": "list", "data": [{"object": "embedding"}]}}
        )


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"request": {', "not valid JSON"),
        (b"[" * 3000, "nested too deeply"),
        (b'{"a":' * 600 + b"1" + b"}" * 600, None),
        (b"42", "no JSON object"),
        (b'"text"', "no JSON object"),
        (b'{"hello": 1}', "no request and answer"),
        (orjson.dumps({"request": {"messages": [{"role": "user", "content": [[[]]] * 3}]}, "response": "x"}), None),
    ],
)
def test_a_bad_line_costs_only_itself(read, line, reason):
    calls = read(GOOD, line, GOOD)
    assert calls.calls.height >= 2
    if reason:
        assert reason in calls.rejects["reason"][0]
        assert calls.rejects["line"][0] == 2
        assert calls.rejects["offset"][0] == len(GOOD) + 1


def test_a_deeply_nested_message_is_refused(read):
    line = b'{"request":{"messages":[{"role":"user","content":' + b"[" * 300 + b"]" * 300 + b'}]},"response":"x"}'
    calls = read(GOOD, line)
    assert calls.rejects["reason"].to_list() == ["nested too deeply"]


def test_nan_lone_surrogates_and_broken_utf8_do_not_cost_a_call(read):
    calls = read(
        GOOD.replace(b'"created":1780000000', b'"created":NaN'),
        GOOD.replace(b"parcel", b"par\\ud83dcel"),
        GOOD.replace(b"parcel", b"par\xffcel"),
        b"\xef\xbb\xbf" + GOOD,
    )
    assert calls.calls.height == 4
    assert calls.rejects.is_empty()


def test_bad_lines_before_the_first_record_do_not_hide_the_log(read):
    calls = read(*[b"starting up ..."] * 50, GOOD)
    assert calls.calls.height == 1
    assert calls.rejects.height == 50


def test_strict_mode_stops_at_the_first_bad_line(read):
    with pytest.raises(InputError, match=r"log.jsonl, line 2: .*not valid JSON"):
        read(GOOD, b"{", strict=True)


def test_a_gz_file_that_breaks_off_keeps_what_was_read(tmp_path):
    raw = b"\n".join(orjson.dumps(pair(f"Parcel {n * 7919}", response={"id": f"c-{n}"})) for n in range(3000))
    (tmp_path / "log.jsonl.gz").write_bytes(gzip.compress(raw, mtime=0)[:-2000])
    calls = read_calls([tmp_path], redactor=PlainRedactor())
    assert 0 < calls.calls.height < 3000
    assert "breaks off" in calls.rejects["reason"].to_list()[-1]


@pytest.mark.parametrize("compress", [gzip.compress, zstd.compress])
def test_a_compressed_file_is_read_like_the_file_in_it(tmp_path, compress):
    (tmp_path / "log.packed").write_bytes(compress(GOOD))
    assert only(read_calls([tmp_path / "log.packed"], redactor=PlainRedactor()))["source_file"] == "log.packed"


def test_a_zst_file_that_breaks_off_keeps_what_was_read(tmp_path):
    raw = b"\n".join(orjson.dumps(pair(f"Parcel {n * 7919}", response={"id": f"c-{n}"})) for n in range(3000))
    (tmp_path / "log.jsonl.zst").write_bytes(zstd.compress(raw)[:-2000])
    calls = read_calls([tmp_path], redactor=PlainRedactor())
    assert 0 < calls.calls.height < 3000
    assert "breaks off" in calls.rejects["reason"].to_list()[-1]


def zipped(path, **members: bytes):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def line(n: int) -> bytes:
    return orjson.dumps(pair(f"Parcel {n}", response={"id": f"c-{n}"}))


def test_the_files_of_a_zip_archive_are_files_of_their_own(tmp_path):
    members = {
        "a/log.jsonl": line(1),
        "-home-ana-shop/s.jsonl.gz": gzip.compress(line(2), mtime=0),
        "b.json.zst": zstd.compress(b"[" + line(3) + b"]"),
        "README.md": b"# Exports",
        "__MACOSX/._log.jsonl": b"\0\0",
        ".hidden": line(4),
    }
    calls = read_calls([zipped(tmp_path / "x.zip", **members)], redactor=PlainRedactor())
    assert calls.calls["call_id"].to_list() == ["c-1", "c-2", "c-3"]
    assert calls.files["file"].to_list() == [
        "x.zip/README.md",
        "x.zip/a/log.jsonl",
        "x.zip/b.json.zst",
        "x.zip/shop/s.jsonl.gz",
    ]
    assert "README.md" in calls.notes[-1]


def test_no_name_in_an_archive_leads_out_of_it_or_tells_a_path(tmp_path):
    names = [
        "../../etc/one.jsonl",
        "/home/ana/two.jsonl",
        "C:\\Users\\ana\\three.jsonl",
        "..\\four.jsonl",
        "a\nb.jsonl",
    ]
    calls = read_calls(
        [zipped(tmp_path / "x.zip", **{name: line(n) for n, name in enumerate(names)})], redactor=PlainRedactor()
    )
    assert sorted(calls.calls["source_file"]) == [
        "x.zip/a_b.jsonl",
        "x.zip/etc/one.jsonl",
        "x.zip/four.jsonl",
        "x.zip/three.jsonl",
        "x.zip/two.jsonl",
    ]


def test_what_can_not_be_read_in_an_archive_is_a_note_and_the_rest_is_read(tmp_path):
    path = zipped(tmp_path / "x.zip", **{"good.jsonl": line(1), "in.zip": b"PK\x03\x04", "secret.jsonl": line(2)})
    with zipfile.ZipFile(path, "a", zipfile.ZIP_LZMA) as archive:
        archive.writestr("packed.jsonl", line(3))
        link = zipfile.ZipInfo("link.jsonl")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "good.jsonl")
    raw = bytearray(path.read_bytes())
    raw[raw.rindex(b"PK\x01\x02", 0, raw.rindex(b"secret.jsonl")) + 8] |= 1  # says that it is encrypted
    path.write_bytes(raw)
    calls = read_calls([path], redactor=PlainRedactor())
    assert only(calls)["source_file"] == "x.zip/good.jsonl"
    for said in ("encrypted; unpack", "archive inside an archive", "a link", "zip method 14"):
        assert said in calls.notes[-1]


@pytest.mark.parametrize("cut", [30, 200, -30])
def test_a_damaged_archive_is_an_error_that_says_so(tmp_path, cut):
    path = zipped(tmp_path / "x.zip", **{"log.jsonl": GOOD * 3})
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(InputError, match=r"^x\.zip: .*damaged"):
        read_calls([path], redactor=PlainRedactor())


def test_a_file_that_was_changed_inside_its_archive_breaks_off(tmp_path):
    path = zipped(tmp_path / "x.zip", **{"log.jsonl": b"\n".join(line(n) for n in range(50))})
    raw = bytearray(path.read_bytes())
    raw[600] ^= 0xFF
    path.write_bytes(raw)
    try:
        calls = read_calls([path], redactor=PlainRedactor())
        assert calls.rejects.height
    except InputError as error:
        assert "x.zip" in str(error)  # noqa: PT017 - damaged so early that nothing could be read


def test_a_file_and_its_copy_in_an_archive_are_counted_once(tmp_path):
    bare = b"\n".join(orjson.dumps({"prompt": f"Parcel {n % 3}", "response": "Late"}) for n in range(9))
    (tmp_path / "log.jsonl").write_bytes(bare)
    zipped(tmp_path / "log.zip", **{"log.jsonl": bare, "again.jsonl": bare})
    calls = read_calls([tmp_path], redactor=PlainRedactor())
    assert calls.calls.height == 9
    assert calls.duplicates.height == 18


def test_a_pipe_is_left_out_of_a_folder_and_refused_where_it_is_named(tmp_path):
    (tmp_path / "log.jsonl").write_bytes(GOOD)
    os.mkfifo(tmp_path / "pipe.jsonl")
    assert read_calls([tmp_path], redactor=PlainRedactor()).files.height == 1
    with pytest.raises(InputError, match=r"pipe\.jsonl: .*pipe or a device"):
        read_calls([tmp_path / "pipe.jsonl"], redactor=PlainRedactor())


def test_a_file_whose_name_is_no_utf8_is_read(tmp_path):
    (tmp_path / "log\udcff\n.jsonl").write_bytes(GOOD)
    assert only(read_calls([tmp_path], redactor=PlainRedactor()))["source_file"] == "log_.jsonl"


def test_a_file_named_twice_is_read_once(tmp_path):
    (tmp_path / "log.jsonl").write_bytes(GOOD)
    calls = read_calls([tmp_path, tmp_path / "log.jsonl"], redactor=PlainRedactor())
    assert calls.calls.height == 1
    assert calls.files.height == 1


def test_settings_outside_their_range_are_refused(tmp_path):
    (tmp_path / "log.jsonl").write_bytes(GOOD)
    with pytest.raises(SettingError, match="openai_pairs"):
        read_calls([tmp_path], redactor=PlainRedactor(), format="opnai")
    with pytest.raises(SettingError):
        read_calls([tmp_path], redactor=PlainRedactor(), sampling_rate=0)


def test_progress_ends_at_the_whole(tmp_path):
    (tmp_path / "log.jsonl").write_bytes(b"\n".join([GOOD] * 1200))
    seen: list[tuple[int, int]] = []
    read_calls([tmp_path], redactor=PlainRedactor(), progress=lambda done, total: seen.append((done, total)))
    assert seen == sorted(seen)
    assert seen[-1][0] == seen[-1][1] == (tmp_path / "log.jsonl").stat().st_size


def test_a_file_whose_keys_are_prompts_is_refused_without_showing_one(tmp_path):
    (tmp_path / "cache.json").write_bytes(
        b'{"Summarise the merger papers of Falcon": "They agree.", "hello there": "Hi."}'
    )
    with pytest.raises(InputError) as caught:
        read_calls([tmp_path / "cache.json"], redactor=PlainRedactor())
    assert "texts for keys" in str(caught.value)
    assert "Falcon" not in str(caught.value)
