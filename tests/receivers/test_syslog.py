"""Syslog: both formats, both framings, all three transports, limits, and Debian's rsyslog and logger as clients."""

from __future__ import annotations

import socket
import ssl
import subprocess
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.config import SyslogSettings
from sightline.receivers.syslog import Splitter

from .clients import needs, path_of
from .conftest import Front


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", folder / "key.pem", "-out", folder / "cert.pem"],
        check=True, capture_output=True,
    )  # fmt: skip
    return folder


@pytest.fixture
def front(tmp_path, tokens, certificate):
    settings = SyslogSettings(
        max_message_bytes=2000, tls_certificate=str(certificate / "cert.pem"), tls_key=str(certificate / "key.pem")
    )
    running = Front(tmp_path, tokens, syslog=settings)
    yield running
    running.close()


@pytest.fixture
def stored(store, load):
    """Waits until so many messages are stored, and gives them in the order of their text."""

    def wait(count: int) -> list[dict]:
        end = time.monotonic() + 30
        while True:
            load()
            rows = store.query(
                "SELECT toUnixTimestamp64Micro(_time) / 1e6 AS time, host, source, sourcetype, severity, _raw,"
                " toJSONString(fields) AS fields FROM sightline.events WHERE index = 'main' ORDER BY _raw"
            ).to_pylist()
            if len(rows) >= count:
                return rows
            assert time.monotonic() < end, rows
            time.sleep(0.05)

    return wait


def send_stream(port: int, data: bytes, context: ssl.SSLContext | None = None) -> None:
    with socket.create_connection(("127.0.0.1", port)) as plain:
        wrapped = context.wrap_socket(plain, server_hostname="127.0.0.1") if context else plain
        wrapped.sendall(data)
        wrapped.close()


def test_both_formats_are_taken_apart(front, stored):
    year = datetime.now(UTC).year
    messages = (
        b'<165>1 2026-10-11T22:14:15.003Z web-1 shop 42 ORDER [meta@1 user="ann \\"a\\"" n="1"] level=warn took=12\n'
        b"<34>Jan  2 22:14:15 web-2 sshd[77]: Failed password for root\n"
        b"a line that is none\n"
        b'<13>1 - - - - - - {"model":"m1","score":0.5}\n'
    )
    send_stream(front.syslog_tcp, messages)
    new, old, bare, json = sorted(
        stored(4), key=lambda r: (r["_raw"][:1] != "1" or "- -" in r["_raw"], r["_raw"][:1] != "J", r["_raw"])
    )[:4]
    assert (new["host"], new["severity"], new["time"]) == ("web-1", "info", 1_791_756_855.003)
    assert new["fields"] == (
        '{"app":"shop","facility":20,"level":"warn","message_id":"ORDER","n":"1","process_id":42,'
        '"syslog_severity":5,"took":12,"user":"ann \\"a\\""}'
    )
    assert (old["host"], old["severity"]) == ("web-2", "fatal") and '"process_id":77' in old["fields"]
    assert datetime.fromtimestamp(old["time"], UTC).year in (year, year - 1) and old["_raw"].startswith("Jan  2")
    texts = {row["_raw"]: row for row in (bare, json)}
    none = texts["a line that is none"]
    assert (none["host"], none["severity"], none["fields"]) == ("127.0.0.1", "", "{}")
    assert abs(none["time"] - time.time()) < 120
    structured = next(row for text, row in texts.items() if "model" in text)
    assert '"model":"m1"' in structured["fields"] and '"score":0.5' in structured["fields"]


def test_datagrams_and_octets_that_are_no_text(front, stored):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for message in (b"<14>one\nof two lines\n", b"<14>\xff\xfe caf\xe9"):
            sender.sendto(message, ("127.0.0.1", front.syslog_udp))
    first, second = stored(2)
    assert first["_raw"] == "one of two lines" and first["severity"] == "info"
    assert second["_raw"] == "\ufffd\ufffd caf\ufffd"


def test_tls(front, stored, certificate):
    context = ssl.create_default_context(cafile=certificate / "cert.pem")
    send_stream(front.syslog_tls, b"19 <13>1 - h - - - - x11 <14>also  h", context)
    assert [row["_raw"] for row in stored(2)] == ["1 - h - - - - x", "also  h"]


def test_a_message_over_the_limit_is_cut_and_counted(front, store, load, stored):
    send_stream(front.syslog_tcp, b"<14>" + b"x" * 5000 + b"\n<14>after\n")
    rows = stored(2)
    assert [len(row["_raw"]) for row in rows] == [5, 2000 - 4]
    front.close()
    load()
    (told,) = store.query("SELECT _raw FROM sightline.events WHERE index = '_internal'").to_pylist()
    assert "its end was cut" in told["_raw"] and "refused=1" in told["_raw"]
    front.close = lambda: None


MESSAGES = st.lists(st.text(st.characters(codec="ascii", categories=("L", "P")), min_size=1, max_size=20), max_size=6)


@given(MESSAGES, st.lists(st.integers(1, 30), max_size=8), st.booleans())
def test_framing_does_not_depend_on_how_the_stream_is_cut(messages, cuts, counted):
    messages = ["<13>" + text for text in messages]
    stream = b"".join(f"{len(m)} {m}".encode() if counted else m.encode() + b"\n" for m in messages)
    splitter, found = Splitter(100), []
    for cut in cuts:
        found += splitter.feed(stream[:cut])
        stream = stream[cut:]
    found += splitter.feed(stream) + splitter.end()
    assert [m.decode() for m in found] == messages and splitter.cut == 0


@given(st.binary(max_size=300))
def test_any_stream_is_cut_into_messages_within_the_limit(data):
    splitter = Splitter(20)
    found = splitter.feed(data) + splitter.end()
    assert all(0 < len(message) <= 20 for message in found)


@needs("logger")
def test_logger_sends_over_udp_and_tcp(front, stored):
    for transport, port in (("--udp", front.syslog_udp), ("--tcp", front.syslog_tcp)):
        for form in ("--rfc3164", "--rfc5424"):
            text = f"from logger {transport} {form} n=7"
            subprocess.run(
                [path_of("logger"), transport, form, "--server", "127.0.0.1", "--port", str(port), "-t", "tester", "-p", "user.err", text],
                check=True, timeout=20,
            )  # fmt: skip
    rows = stored(4)
    assert all(row["severity"] == "error" and '"app":"tester"' in row["fields"] for row in rows), rows
    assert all('"n":7' in row["fields"] and abs(row["time"] - time.time()) < 86_400 for row in rows)


@needs("rsyslogd")
def test_rsyslog_forwards_to_us(front, stored, tmp_path):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = tmp_path / "rsyslog.conf"
    config.write_text(
        'module(load="imudp")\n'
        f'input(type="imudp" address="127.0.0.1" port="{port}")\n'
        'template(name="new" type="string" string="<%PRI%>1 %TIMESTAMP:::date-rfc3339% %HOSTNAME% %APP-NAME% %PROCID% - - %msg%")\n'
        f'*.* action(type="omfwd" target="127.0.0.1" port="{front.syslog_tcp}" protocol="tcp"'
        ' tcp_framing="octet-counted" template="new")\n'
    )
    command = [path_of("rsyslogd"), "-n", "-f", str(config), "-i", str(tmp_path / "pid")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            end = time.monotonic() + 30
            found = []
            while not found:
                assert time.monotonic() < end and process.poll() is None, process.stdout.read1(4000)
                sender.sendto(b"<27>Nov 26 10:00:00 db-1 postgres[9]: connection lost tries=3", ("127.0.0.1", port))
                time.sleep(0.5)
                found = [row for row in stored(0) if "connection lost" in row["_raw"]]
        assert found[0]["host"] == "db-1" and found[0]["severity"] == "error"
        assert '"app":"postgres"' in found[0]["fields"] and '"tries":3' in found[0]["fields"]
    finally:
        process.terminate()
        process.wait(20)
