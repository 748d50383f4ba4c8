"""Slow senders, large ones and very many: others are answered meanwhile, and memory has a bound."""

import asyncio
import gzip
import resource
import socket
import threading
import time

import grpc
import httpx
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from sightline.config import IngestSettings, SyslogSettings
from sightline.journal import JournalFull
from sightline.receivers.room import COST, Crowded, Reading, Room

from .conftest import Front

EXPORT = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
SLOW = 1_000


@pytest.fixture(autouse=True)
def many_files():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def start(tmp_path, tokens):
    """Starts a front with settings of its own."""
    started = []

    def start(syslog=None, **ingest):
        started.append(Front(tmp_path, tokens, syslog, **ingest))
        return started[-1]

    yield start
    for front in started:
        front.close()


def logs(text="a line", count=1):
    message = ExportLogsServiceRequest()
    records = message.resource_logs.add().scope_logs.add().log_records
    for _ in range(count):
        records.add().body.string_value = text
    return message.SerializeToString()


def answers(front):
    """Every receiver of requests takes one."""
    protobuf = {"Content-Type": "application/x-protobuf"}
    hec = {"Authorization": "Splunk hec-good"}
    assert httpx.post(front.otlp + "/v1/logs", content=logs(), headers=protobuf).status_code == 200
    assert httpx.post(front.main + "/v1/logs", content=logs(), headers=protobuf).status_code == 200
    assert httpx.post(front.hec + "/services/collector/event", json={"event": "x"}, headers=hec).status_code == 200
    with grpc.insecure_channel(front.grpc) as channel:
        channel.unary_unary(EXPORT)(logs(), timeout=20)
    return True


def connect(address, first=b""):
    host, _, port = address.removeprefix("http://").partition(":")
    made = socket.create_connection((host, int(port)))
    made.sendall(first)
    return made


def is_closed(connection):
    connection.setblocking(False)
    try:
        return connection.recv(4096) == b""
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


def eventually(claim, timeout_s=30):
    end = time.monotonic() + timeout_s
    while not claim():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_thousand_slow_headers_hold_up_nobody_and_are_closed(start):
    front = start(header_timeout_s=3.0)
    slow = [connect(front.otlp, b"POST /v1/logs HTTP/1.1\r\nHost: x\r\n" if n % 2 else b"") for n in range(SLOW)]
    assert answers(front)
    eventually(lambda: all(is_closed(one) for one in slow))
    assert answers(front)


def test_a_thousand_slow_bodies_hold_up_nobody_and_are_refused(start):
    front = start(body_timeout_s=3.0, room_wait_s=1.0)
    head = b"POST /v1/logs HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\nContent-Length: %d\r\n\r\n"
    # Most say that they are small, some that they are as large as may be: those have a part of the room of their own.
    slow = [connect(front.otlp, head % (60_000_000 if n % 100 == 0 else 3000) + b"\n") for n in range(SLOW)]
    assert answers(front)
    ended = []
    for one in slow:
        one.settimeout(30)
        ended.append(one.recv(12))
    assert set(ended) <= {b"HTTP/1.1 408", b"HTTP/1.1 503"} and b"HTTP/1.1 408" in ended
    for one in slow:
        one.close()
    assert answers(front)


def test_a_body_that_trickles_is_refused(start):
    front = start(body_timeout_s=0.3, body_rate_bytes_s=1_000_000)

    def trickle():
        for _ in range(20):
            yield b"{}"
            time.sleep(0.1)

    reply = httpx.post(front.otlp + "/v1/logs", content=trickle(), headers={"Content-Type": "application/json"})
    assert reply.status_code == 408 and "too slowly" in reply.json()["message"]


def test_a_thousand_slow_calls_over_grpc_hold_up_nobody(start):
    front = start(body_timeout_s=60.0)
    silent = threading.Event()

    def nothing():
        silent.wait(60)
        return
        yield

    with grpc.insecure_channel(front.grpc) as channel:
        # One for each that grpc starts a thread for; far more than there are places.
        calls = [channel.stream_unary(EXPORT).future(nothing()) for _ in range(100)]
        assert answers(front)
        silent.set()
        for call in calls:
            call.cancel()
    idle = [connect(front.grpc, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") for _ in range(SLOW)]
    assert answers(front)
    for one in idle:
        one.close()


def test_a_thousand_slow_syslog_senders_make_place_for_a_new_one(start, load):
    front = start(SyslogSettings(max_connections=SLOW))
    address = f"127.0.0.1:{front.syslog_tcp}"
    slow = [connect(address, b"<13>begun") for _ in range(SLOW)]
    new = connect(address, b"<13>the new one\n")
    totals = {}

    def arrived():
        totals.update({row.source: row.stored for row in load().ledger.totals()})
        return totals.get("syslog", 0) >= 1

    eventually(arrived)
    eventually(lambda: any(is_closed(one) for one in slow))
    assert not is_closed(new)
    for one in [*slow, new]:
        one.close()


def test_large_requests_take_turns_and_are_told_to_come_back(start):
    # Room for one large request; those that come meanwhile wait for a moment, and then hear "retry later" in their protocol.
    front = start(max_inflight_bytes=16 * 1024 * 1024, room_wait_s=0.2)
    size = 2_800_000
    held = connect(front.otlp, b"POST /v1/logs HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n")
    held.sendall(b"Content-Length: %d\r\n\r\n" % size + b"\n")
    time.sleep(0.3)
    protobuf, hec = {"Content-Type": "application/x-protobuf"}, {"Authorization": "Splunk hec-good"}
    large = b" " * size
    reply = httpx.post(front.otlp + "/v1/logs", content=large, headers=protobuf)
    assert reply.status_code == 503 and reply.headers["retry-after"] == "1" and b"fill the room" in reply.content
    reply = httpx.post(front.hec + "/services/collector/raw", content=large, headers=hec)
    assert reply.status_code == 503 and reply.json() == {"text": "Server is busy", "code": 9}
    reply = httpx.post(front.main + "/loki/api/v1/push", content=large, headers={"Content-Type": "application/json"})
    assert reply.status_code == 503 and reply.headers["retry-after"] == "1"
    with grpc.insecure_channel(front.grpc) as channel, pytest.raises(grpc.RpcError) as refused:
        channel.unary_unary(EXPORT)(large, timeout=20)
    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
    assert answers(front), "small ones have a part of the room of their own"
    held.close()
    eventually(lambda: httpx.post(front.otlp + "/v1/logs", content=logs("x" * size), headers=protobuf).status_code == 200)


def test_many_bombs_at_once_cost_one_bomb(start):
    front = start(max_inflight_bytes=64 * 1024 * 1024, max_body_bytes=32 * 1024 * 1024, room_wait_s=20.0)
    bomb = gzip.compress(b"\0" * (200 * 1024 * 1024))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    headers = {"Content-Type": "application/x-protobuf", "Content-Encoding": "gzip"}

    async def send():
        async with httpx.AsyncClient(timeout=60) as client:
            return await asyncio.gather(
                *(client.post(front.otlp + "/v1/logs", content=bomb, headers=headers) for _ in range(12))
            )

    assert {reply.status_code for reply in asyncio.run(send())} == {413}
    grown_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown_mb < 150


def run(settings, program):
    async def main():
        return await program(Room(settings))

    return asyncio.run(main())


def test_a_request_waits_for_room_and_goes_on_when_there_is_some():
    async def program(room):
        first, second = room.share(), room.share()
        await first.hold(700)
        waiting = asyncio.ensure_future(second.hold(700))
        await asyncio.sleep(0.05)
        assert not waiting.done()
        first.leave()
        await waiting
        second.leave()
        return room.taken_bytes

    assert run(IngestSettings(max_inflight_bytes=4000, room_wait_s=5), program) == 0


def test_a_request_larger_than_the_room_goes_alone():
    async def program(room):
        share, other = room.share(), room.share()
        await share.hold(COST * 50_000_000)
        await share.hold(COST * 60_000_000)
        with pytest.raises(Crowded):
            await other.hold(COST * 2_000_000)
        await room.share().hold(100)
        share.leave()
        await other.hold(COST * 2_000_000)

    run(IngestSettings(max_inflight_bytes=10_000, room_wait_s=0.1), program)


def test_who_waits_longest_makes_place():
    async def program(_):
        async def never():
            await asyncio.sleep(60)
            return b""

        async def at_once():
            return b"body"

        reading = Reading(2, 60)
        slow = [asyncio.ensure_future(reading.turn(never)) for _ in range(2)]
        await asyncio.sleep(0.05)
        assert await reading.turn(at_once) == b"body"
        with pytest.raises(JournalFull, match="too slow"):
            await slow[0]
        assert not slow[1].done()
        slow[1].cancel()

    run(IngestSettings(), program)


def test_many_that_give_up_at_once_leave_the_row_in_order():
    async def program(room):
        first = room.share()
        await first.hold(3000)
        waiting = [asyncio.ensure_future(room.share().hold(2000)) for _ in range(20)]
        await asyncio.sleep(0.01)
        waiting[3].cancel()
        results = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(result) for result in results].count(Crowded) == 19
        first.leave()
        await room.share().hold(2000)
        return room.taken_bytes

    assert run(IngestSettings(max_inflight_bytes=16000, room_wait_s=0.1), program) == 2000


def test_a_sender_that_goes_away_as_its_turn_comes_leaves_no_trace():
    async def program(room):
        first, second = room.share(), room.share()
        await first.hold(3000)
        waiting = asyncio.ensure_future(second.hold(2000))
        await asyncio.sleep(0.01)
        first.leave()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        second.leave()
        return room.taken_bytes

    assert run(IngestSettings(max_inflight_bytes=16000, room_wait_s=5), program) == 0
