"""The journal: durable before acknowledged, framed for the engine, recovered after a crash, bounded."""

import asyncio
import errno
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from sightline.config import IngestSettings
from sightline.errors import UserError
from sightline.journal import (
    CALM_SEGMENTS,
    JournalFull,
    JournalWriter,
    Piece,
    closed_segments,
    journal_bytes,
    recover,
)
from sightline.segments import check_frames, encode_frame, read_frames


def bodies(path: Path) -> list[bytes]:
    data = path.read_bytes()
    return [data[frame.body_offset : frame.end] for frame in check_frames(path)[0]]


def all_bodies(root: Path, kind: str) -> list[bytes]:
    return [body for segment in closed_segments(root) if segment.kind == kind for body in bodies(segment.path)]


def test_appends_come_back_in_order_with_their_headers(tmp_path):
    writer = JournalWriter(tmp_path, IngestSettings(), clock=lambda: 1763900000.5)

    async def send():
        await asyncio.gather(
            *(writer.append("traces", b"body %d" % i, token="tök", index="i", records=i) for i in range(300))
        )

    asyncio.run(send())
    writer.close()
    (segment,) = closed_segments(tmp_path)
    frames = check_frames(segment.path)[0]
    assert segment.kind == "traces"
    assert [frame.records for frame in frames] == list(range(300))
    assert {(frame.token, frame.index, frame.received_ms) for frame in frames} == {("tök", "i", 1763900000500)}
    assert bodies(segment.path) == [b"body %d" % i for i in range(300)]


def test_a_client_that_goes_away_does_not_stop_the_writing(tmp_path):
    writer = JournalWriter(tmp_path, IngestSettings(group_commit_ms=50))
    # What comes next is gathered for a while.
    writer.submit("traces", b"before").result(5)

    async def send():
        gone = asyncio.create_task(writer.append("traces", b"gone"))
        await asyncio.sleep(0)
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        await asyncio.wait_for(writer.append("traces", b"stays"), 20)

    asyncio.run(send())
    writer.close()
    assert all_bodies(tmp_path, "traces") == [b"before", b"gone", b"stays"]


def test_many_requests_share_an_fsync(tmp_path, monkeypatch):
    calls = []
    real = os.fdatasync
    monkeypatch.setattr(os, "fdatasync", lambda fd: (calls.append(fd), real(fd)))
    writer = JournalWriter(tmp_path, IngestSettings(group_commit_ms=20))
    futures = [writer.submit("logs", b"x") for _ in range(100)]
    for future in futures:
        future.result(5)
    writer.close()
    assert 1 <= len(calls) < 10


def test_a_request_alone_is_written_at_once_and_those_behind_it_together(tmp_path, monkeypatch):
    calls = []
    real = os.fdatasync
    monkeypatch.setattr(os, "fdatasync", lambda fd: (calls.append(fd), real(fd)))
    writer = JournalWriter(tmp_path, IngestSettings(group_commit_ms=3000))
    started = time.monotonic()
    writer.submit("logs", b"alone").result(10)
    assert time.monotonic() - started < 2
    futures = [writer.submit("logs", b"x") for _ in range(10)]
    for future in futures:
        future.result(10)
    assert time.monotonic() - started >= 3
    assert len(calls) == 2
    writer.close()


def test_the_pieces_of_a_request_lie_in_one_segment_or_nowhere(tmp_path, monkeypatch):
    writer = JournalWriter(tmp_path, IngestSettings(segment_max_age_s=60, segment_max_bytes=1000))
    pieces = [Piece(bytes([n]) * 400, n) for n in range(10)]
    writer.submit_pieces("logs", pieces, token="t", index="main").result(5)
    writer.submit("logs", b"after").result(5)
    real = os.writev

    def full(descriptor, views):
        # The disk is full in the middle of the request.
        real(descriptor, views[:5])
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "writev", full)
        with pytest.raises(JournalFull):
            writer.submit_pieces("logs", pieces).result(5)
    assert writer.written()["logs"].records == sum(range(10))
    writer.close()
    first, second = closed_segments(tmp_path)
    frames = list(read_frames(first.path))
    assert [(frame.records, frame.token, frame.index) for frame in frames] == [(n, "t", "main") for n in range(10)]
    assert [frame.end - frame.body_offset for frame in read_frames(second.path)] == [5]


def test_segments_close_by_age_and_by_size(tmp_path):
    writer = JournalWriter(tmp_path, IngestSettings(segment_max_age_s=0.05, segment_max_bytes=1000))
    writer.submit("logs", b"small").result(5)
    deadline = time.monotonic() + 5
    while not closed_segments(tmp_path):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    for future in [writer.submit("metrics", b"m" * 400) for _ in range(10)]:
        future.result(5)
    writer.close()
    metric_segments = [segment for segment in closed_segments(tmp_path) if segment.kind == "metrics"]
    assert len(metric_segments) >= 3
    assert len(all_bodies(tmp_path, "metrics")) == 10


@pytest.mark.parametrize("cut", range(1, 40))
def test_a_torn_tail_is_cut_and_what_precedes_it_stays(tmp_path, cut):
    folder = tmp_path / "dead-1"
    folder.mkdir()
    (folder / "lock").touch()
    whole = encode_frame(b"first", records=1) + b"first"
    torn = encode_frame(b"second" * 10, token="t", records=1) + b"second" * 10
    (folder / "0000000000001-000001-logs.open").write_bytes(whole + torn[:-cut])
    assert recover(tmp_path) == 1
    assert all_bodies(tmp_path, "logs") == [b"first"]


def test_damage_inside_the_last_frame_is_cut_too(tmp_path):
    folder = tmp_path / "dead-1"
    folder.mkdir()
    (folder / "lock").touch()
    frames = b"".join(encode_frame(body) + body for body in (b"first", b"\0\0\0\0"))
    (folder / "0000000000001-000001-logs.open").write_bytes(frames[:-4] + b"\0\0\1\0")
    assert recover(tmp_path) == 1
    assert all_bodies(tmp_path, "logs") == [b"first"]


def test_recovery_leaves_a_living_writer_alone_and_removes_dead_folders(tmp_path):
    writer = JournalWriter(tmp_path, IngestSettings(segment_max_age_s=60))
    writer.submit("logs", b"alive").result(5)
    assert recover(tmp_path) == 0
    assert closed_segments(tmp_path) == []
    writer.close()
    (segment,) = closed_segments(tmp_path)
    segment.path.unlink()
    recover(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["VERSION"]


def test_every_acknowledged_append_survives_kill_9(tmp_path):
    program = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        from sightline.config import IngestSettings
        from sightline.journal import JournalWriter
        writer = JournalWriter(Path(sys.argv[1]), IngestSettings(segment_max_age_s=0.05))
        for i in range(1_000_000):
            writer.submit("hec", str(i).encode()).result()
            print(i, flush=True)
        """
    )
    process = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    acknowledged = []
    threading.Timer(1.5, lambda: process.send_signal(signal.SIGKILL)).start()
    for line in process.stdout:
        if line.endswith("\n"):
            acknowledged.append(int(line))
    process.wait()
    recover(tmp_path)
    found = [int(body) for body in all_bodies(tmp_path, "hec")]
    assert len(acknowledged) > 10
    assert found[: len(acknowledged)] == acknowledged
    assert len(found) <= len(acknowledged) + 1


def test_segments_get_older_while_the_loader_is_behind(tmp_path):
    settings = IngestSettings(segment_max_age_s=0.1, segment_max_age_behind_s=30)
    calm = JournalWriter(tmp_path, settings)
    calm.submit("logs", b"x").result(5)
    deadline = time.monotonic() + 5
    while not closed_segments(tmp_path):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    for number in range(20 * CALM_SEGMENTS):
        (tmp_path / calm.writer / f"{number:013d}-000000-logs.seg").touch()
    behind = JournalWriter(tmp_path, settings)
    behind.submit("logs", b"y").result(5)
    time.sleep(0.5)
    assert not [s for s in closed_segments(tmp_path) if s.writer == behind.writer]
    behind.close()
    calm.close()
    assert all_bodies(tmp_path / ".", "logs") == [b"x", b"y"]


def test_a_full_journal_and_a_full_disk_refuse_with_a_reason(tmp_path):
    writer = JournalWriter(tmp_path / "a", IngestSettings(journal_max_bytes=100))
    writer.submit("logs", b"x" * 200).result(5)
    time.sleep(0.6)
    with pytest.raises(JournalFull, match="wanted less than 100"):
        writer.submit("logs", b"y")
    writer.close()
    assert journal_bytes(tmp_path / "a") > 200
    writer = JournalWriter(tmp_path / "b", IngestSettings(disk_reserve_bytes=1 << 60))
    with pytest.raises(JournalFull, match="bytes free"):
        writer.submit("logs", b"y")
    writer.close()


def test_a_write_that_fails_half_way_leaves_no_half_frame(tmp_path, monkeypatch):
    writer = JournalWriter(tmp_path, IngestSettings(segment_max_age_s=60))
    writer.submit("logs", b"kept").result(5)
    real = os.writev

    def full(descriptor, views):
        real(descriptor, [bytes(views[0])])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "writev", full)
    with pytest.raises(JournalFull, match="No space left"):
        writer.submit("logs", b"lost").result(5)
    monkeypatch.setattr(os, "writev", real)
    writer.submit("logs", b"later").result(5)
    writer.close()
    assert all_bodies(tmp_path, "logs") == [b"kept", b"later"]


def dead_segment(root: Path, data: bytes, name: str = "0000000000001-000001-logs.open") -> Path:
    folder = root / "dead-1"
    folder.mkdir()
    (folder / "lock").touch()
    (folder / name).write_bytes(data)
    return folder / name


def frame(body: bytes, **header) -> bytes:
    return encode_frame(body, received_ms=1763900000000, **header) + body


def test_what_recovery_cuts_is_told(tmp_path):
    dead_segment(tmp_path, frame(b"first") + frame(b"second")[:-3])
    cuts = []
    recover(tmp_path, cuts.append)
    (cut,) = cuts
    assert cut.segment == "dead-1/0000000000001-000001-logs"
    assert (cut.offset, cut.size_bytes) == (len(frame(b"first")), len(frame(b"second")) - 3)
    assert cut.reason == "the end of a request is missing"


def test_recovery_keeps_what_follows_damage(tmp_path):
    # A bit that flipped in a segment that was still open: the acknowledged requests behind it are no torn tail.
    second = frame(b"second")
    dead_segment(tmp_path, frame(b"first") + second[:-1] + b"\0" + frame(b"third") + frame(b"fourth")[:-1])
    cuts = []
    assert recover(tmp_path, cuts.append) == 1
    assert all_bodies(tmp_path, "logs") == [b"first", b"third"]
    assert [cut.size_bytes for cut in cuts] == [len(frame(b"fourth")) - 1]


@pytest.mark.parametrize("position", range(30))
def test_a_flipped_bit_costs_one_frame(tmp_path, position):
    frames = [frame(b"body %d" % number * 5, token="t" * number, index="main", records=1) for number in range(5)]
    data = bytearray(b"".join(frames))
    data[len(frames[0]) + len(frames[1]) + position] ^= 0x10
    path = tmp_path / "damaged"
    path.write_bytes(data)
    found, damages = check_frames(path)
    kept = [bytes(data)[each.body_offset : each.end] for each in found]
    assert set(kept) >= {b"body %d" % number * 5 for number in (0, 1, 3, 4)}
    # A flipped bit of a name, a time or a count leaves a frame that can be read; every other makes it one that cannot.
    assert len(kept) + len(damages) == 5


def test_a_request_that_looks_like_frames_is_none_in_a_torn_tail(tmp_path):
    inside = frame(b"forged", token="other", index="secret", records=1)
    path = tmp_path / "torn"
    path.write_bytes(frame(b"first") + frame(inside + b"rest")[:-2])
    found, damages = check_frames(path)
    assert len(found) == 1 and len(damages) == 1


def test_a_journal_of_a_newer_version_is_refused(tmp_path):
    JournalWriter(tmp_path, IngestSettings()).close()
    (tmp_path / "VERSION").write_text("2\n")
    with pytest.raises(UserError, match="up to 1"):
        recover(tmp_path)
    with pytest.raises(UserError, match="up to 1"):
        JournalWriter(tmp_path, IngestSettings())


def test_a_sender_that_goes_away_harms_nobody(tmp_path):
    writer = JournalWriter(tmp_path, IngestSettings(group_commit_ms=50))
    writer.submit("logs", b"before").result(5)

    async def send():
        gone = asyncio.ensure_future(writer.append("logs", b"gone"))
        await asyncio.sleep(0.01)
        gone.cancel()
        await asyncio.wait_for(writer.append("logs", b"stays"), 10)

    asyncio.run(send())
    writer.close()
    assert all_bodies(tmp_path, "logs") == [b"before", b"gone", b"stays"]
