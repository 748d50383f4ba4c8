"""Log messages of programs: `logging`, `structlog`, spans around them, what goes wrong, forks, exits, and a real server."""

from __future__ import annotations

import json
import logging
import logging.config
import os
import sys
import threading
import time

import pytest
import structlog

import sightline
from sightline.telemetry import recorder as recording
from sightline.telemetry.export import any_value
from sightline.telemetry.logs import MESSAGE_CHARACTERS, severity_number

from .sink import program


@pytest.fixture
def logger(sink):
    """A logger that sends to the sink and nowhere else."""
    sightline.init("shop", sink.url, interval_s=3600)
    made = logging.getLogger(f"shop.cart.{os.urandom(4).hex()}")
    made.propagate = False
    made.setLevel(1)
    handler = sightline.LogHandler()
    made.addHandler(handler)
    yield made
    made.removeHandler(handler)


def wait_for(claim):
    end = time.monotonic() + 30
    while not claim():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_record_keeps_what_it_knows(sink, logger):
    before_ns = time.time_ns()
    logger.warning(
        "cart %s has %d items", "c-7", 3, extra={"user": "ann", "total": 12.5, "items": ["a", {"b": 1}], "none": None}
    )
    assert sightline.flush()
    (record,) = sink.logs()
    assert record["body"] == {"stringValue": "cart c-7 has 3 items"}
    assert (record["severityNumber"], record["severityText"], record["logger"]) == (13, "WARNING", logger.name)
    assert before_ns - 1_000_000 <= int(record["timeUnixNano"]) <= time.time_ns()
    found = record["attributes"]
    assert (found["user"], found["total"], found["process.pid"]) == ("ann", 12.5, str(os.getpid()))
    assert found["items"]["values"][1]["kvlistValue"]["values"] == [{"key": "b", "value": {"intValue": "1"}}]
    assert found["code.file.path"] == __file__ and found["code.function.name"] == "test_a_record_keeps_what_it_knows"
    assert "none" not in found and "traceId" not in record and "thread.name" not in found


def test_an_exception_is_told_in_the_words_of_opentelemetry(sink, logger):
    try:
        {}["missing"]
    except KeyError:
        logger.exception("no price")
    logger.error("later", exc_info=ValueError("given"), stack_info=True)
    logger.error("none", exc_info=True)
    assert sightline.flush()
    first, second, third = (record["attributes"] for record in sink.logs())
    assert (first["exception.type"], first["exception.message"]) == ("KeyError", "'missing'")
    assert first["exception.stacktrace"].startswith("Traceback") and '{}["missing"]' in first["exception.stacktrace"]
    assert second["exception.message"] == "given" and "test_logs.py" in second["code.stacktrace"]
    assert "exception.type" not in third


def test_a_formatter_makes_the_message_and_a_mapping_stays_one(sink, logger):
    logger.info({"event": "sold", "sum": 3})
    logger.handlers[0].setFormatter(logging.Formatter("%(levelname)s|%(message)s"))
    logger.info("sold %s", 4)
    assert sightline.flush()
    first, second = sink.logs()
    assert first["body"]["kvlistValue"]["values"][1] == {"key": "sum", "value": {"intValue": "3"}}
    assert second["body"] == {"stringValue": "INFO|sold 4"} and "message" not in second["attributes"]


def test_what_changes_after_it_was_logged_does_not_change_the_message(sink, logger):
    basket = {"apples": 1}
    logger.info("basket", extra={"basket": basket})
    logger.info(basket)
    basket["apples"] = 2
    assert sightline.flush()
    first, second = sink.logs()
    one = [{"key": "apples", "value": {"intValue": "1"}}]
    assert first["attributes"]["basket"]["values"] == one and second["body"]["kvlistValue"]["values"] == one


def test_messages_belong_to_the_span_they_are_logged_in(sink, logger):
    from opentelemetry.sdk.trace import TracerProvider

    @sightline.traced
    def work():
        logger.info("ours")

    work()
    with TracerProvider().get_tracer("t").start_as_current_span("theirs") as theirs:
        logger.info("theirs")
    assert sightline.flush()
    ours, of_sdk = sink.logs()
    (span,) = sink.spans()
    assert (ours["traceId"], ours["spanId"]) == (span["traceId"], span["spanId"])
    assert of_sdk["spanId"] == f"{theirs.get_span_context().span_id:016x}"


def test_nothing_raises_and_what_is_lost_is_told(sink, logger, capfd):
    class Awkward:
        def __str__(self):
            raise RuntimeError("no text")

        __repr__ = __str__

    endless = {}
    endless["self"] = endless
    # Straight to the handler: pytest's own, on every logger, does raise.
    handler = logger.handlers[0]
    for message, args, extra in (("%s", (Awkward(),), {}), ("%d", ("no number",), {}), ("x", (), {"x": Awkward()})):
        handler.handle(logger.makeRecord(logger.name, 20, __file__, 1, message, args, None, extra=extra))
    assert sightline.flush()
    logger.info("endless", extra={"x": endless, "big": 1 << 70, "half": "\ud800", "bytes": b"\xff"})
    logger.info("x" * (MESSAGE_CHARACTERS + 5))
    assert sightline.flush()
    found, cut = sink.logs()
    assert found["attributes"]["big"] == str(1 << 70) and found["attributes"]["half"] == "?"
    assert len(cut["body"]["stringValue"]) == MESSAGE_CHARACTERS and cut["attributes"]["log.cut_characters"] == "5"
    assert sum(int(p["asInt"]) for _, p in sink.metrics()["ml.telemetry.dropped"]) == 3
    assert capfd.readouterr().err == ""


def test_messages_are_sent_soon_without_being_asked_to(sink, logger):
    logger.info("here")
    wait_for(sink.logs)
    # Aggregates keep their own pace.
    assert sink.metrics() == {}


def test_what_sending_logs_is_not_sent(sink, logger, monkeypatch):
    handler, send = logger.handlers[0], recording.Exporter.send

    def talkative(self, *args):
        logger.info("about to send")
        return send(self, *args)

    monkeypatch.setattr(recording.Exporter, "send", talkative)
    logger.info("one")
    assert sightline.flush() and sightline.flush()
    assert [record["body"]["stringValue"] for record in sink.logs()] == ["one"]
    assert handler is logger.handlers[0]


def test_messages_wait_while_nobody_answers(sink, logger, monkeypatch):
    # The thread would take an answer that is meant for `flush`.
    monkeypatch.setattr(recording.Recorder, "_start", lambda self: None)
    sink.statuses = [503] * 3
    logger.info("first")
    assert not sightline.flush(20) and sink.logs() == []
    logger.info("second")
    wait_for(lambda: sightline.flush(20) and len(sink.logs()) == 2)
    assert [record["body"]["stringValue"] for record in sink.logs()] == ["first", "second"]
    # What is refused is refused for good.
    sink.statuses = [400]
    logger.info("bad")
    assert not sightline.flush(20)
    assert sightline.flush(20) and len(sink.logs()) == 2
    assert sink.metrics()["ml.telemetry.dropped"][0][1]["asInt"] == "1"


def test_text_that_waits_is_bounded(sink, monkeypatch):
    monkeypatch.setattr(recording, "LOG_CHARACTERS", 1000)
    monkeypatch.setattr(recording.Recorder, "_start", lambda self: None)
    sightline.init("s", sink.url, interval_s=3600)
    for n in range(10):
        sightline.structlog_processor(None, "info", {"event": f"{n}" * 300})
    assert sightline.flush() and sightline.flush()
    assert [record["body"]["stringValue"][0] for record in sink.logs()] == ["0", "1", "2"]
    assert sink.metrics()["ml.telemetry.dropped"][0][1]["asInt"] == "7"


def test_threads_lose_nothing(sink, logger):
    def talk(name):
        for n in range(500):
            logger.info("%s %s", name, n)

    threads = [threading.Thread(target=talk, args=(n,), name=f"t{n}") for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sightline.flush(20)
    wait_for(lambda: len(sink.logs()) == 4000)
    assert len({record["body"]["stringValue"] for record in sink.logs()}) == 4000
    assert {record["attributes"]["thread.name"] for record in sink.logs()} == {f"t{n}" for n in range(8)}


def test_levels_are_bands_of_four():
    assert [severity_number(level) for level in (0, 5, 10, 15, 20, 21, 30, 40, 50, 99)] == [
        0,
        4,
        5,
        8,
        9,
        10,
        13,
        17,
        21,
        24,
    ]


def test_values_that_a_reader_would_refuse_are_sent_as_text():
    deep: list = []
    for _ in range(200):
        deep = [deep]
    assert json.dumps(any_value(deep)).count("arrayValue") == 32
    assert any_value(-(1 << 63)) == {"intValue": str(-(1 << 63))} and "stringValue" in any_value(1 << 63)


# ---- structlog


@pytest.fixture
def structured(sink):
    sightline.init("shop", sink.url, interval_s=3600)
    rendered = []
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            sightline.structlog_processor,
            structlog.processors.format_exc_info,
            lambda _logger, _method, event: rendered.append(dict(event)) or json.dumps(event),
        ],
        logger_factory=structlog.PrintLoggerFactory(open(os.devnull, "w")),  # noqa: SIM115
    )
    yield rendered
    structlog.reset_defaults()


def test_structlog(sink, structured):
    log = structlog.get_logger().bind(user="ann")
    with structlog.contextvars.bound_contextvars(request="r-1"), sightline.stage("serve"):
        log.warning("sold out", left=0)
    try:
        raise OSError("disk")
    except OSError:
        log.exception("failed")
    assert sightline.flush()
    first, second = sink.logs()
    assert first["body"] == {"stringValue": "sold out"} and first["severityNumber"] == 13
    assert first["attributes"] == {"user": "ann", "request": "r-1", "left": "0"}
    assert first["spanId"] == sink.spans()[0]["spanId"]
    assert second["severityNumber"] == 17 and second["attributes"]["exception.type"] == "OSError"
    # The processor gives on what it got.
    assert structured[0] == {"user": "ann", "request": "r-1", "left": 0, "level": "warning", "event": "sold out"}
    assert "OSError: disk" in structured[1]["exception"]


def test_structlog_after_its_exception_became_text(sink, structured):
    processors = structlog.get_config()["processors"]
    structlog.configure(processors=[processors[3], structlog.processors.dict_tracebacks, *processors[1:3], processors[4]])
    try:
        raise OSError("disk")
    except OSError:
        structlog.get_logger().error("failed", exc_info=True)
    assert sightline.flush()
    (record,) = sink.logs()
    assert record["attributes"]["exception.stacktrace"].endswith("OSError: disk")


# ---- whole programs


def test_a_configuration_names_the_handler_and_the_end_sends_what_is_left(sink):
    ran = program(
        """
        import atexit, logging.config
        logging.config.dictConfig({
            "version": 1,
            "handlers": {"away": {"class": "sightline.LogHandler", "level": "INFO"}},
            "root": {"handlers": ["away"], "level": "DEBUG"},
        })
        atexit.register(logging.info, "the last word")
        logging.debug("not this")
        logging.info("first")
        import sightline
        sightline.init("named-later")
        logging.info("second")
        """,
        sink,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert [record["body"]["stringValue"] for record in sink.logs()] == ["first", "second", "the last word"]


def test_a_forked_child_tells_its_own_and_nothing_twice(sink):
    ran = program(
        """
        import logging, multiprocessing, os, sightline
        logging.basicConfig(level=20, handlers=[sightline.LogHandler()])
        logging.info("before")
        def work(n):
            logging.info("child %s", n)
        with multiprocessing.get_context("fork").Pool(2) as pool:
            pool.map(work, range(4), chunksize=1)
            pool.close()
            pool.join()
        logging.info("parent")
        """,
        sink,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert sorted(record["body"]["stringValue"] for record in sink.logs()) == [
        "before", *(f"child {n}" for n in range(4)), "parent"
    ]  # fmt: skip


def test_a_program_without_a_server_logs_on_and_ends():
    from .sink import Sink

    nobody = Sink()
    ran = program(
        "import logging, sightline\nlogging.basicConfig(handlers=[sightline.LogHandler()])\nfor n in range(1000): logging.error(n)",
        nobody,
        OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9",
    )
    nobody.close()
    assert (ran.returncode, ran.stderr) == (0, "")


def test_it_arrives_in_a_real_server(server):
    sightline.init("log-test", f"http://127.0.0.1:{server.otlp_http_port}", interval_s=3600)
    logger = logging.getLogger("log-test.cart")
    logger.propagate = False
    handler = sightline.LogHandler()
    logger.addHandler(handler)
    try:
        with sightline.stage("serve"):
            logger.error("cart=7 is empty", extra={"user": "ann", "shelf": {"row": 3}, "half": "\udcff"})
        logger.error({"sum": 12, "what": "sale"})
        assert sightline.flush(20)
    finally:
        logger.removeHandler(handler)
        sightline.shutdown()
    (row,) = server.wait_for(
        "index=main source=log-test cart=7 user=ann shelf.row=3"
        " | rename scope.name AS logger, code.function.name AS function | table _raw severity logger function trace_id",
        lambda rows: len(rows) == 1,
    )
    assert (row["_raw"], row["severity"], row["logger"]) == ("cart=7 is empty", "error", "log-test.cart")
    assert row["function"] == sys._getframe().f_code.co_name
    (span,) = server.wait_for("index=traces service=log-test | table trace_id", lambda rows: len(rows) == 1)
    assert span["trace_id"] == row["trace_id"]
    server.wait_for("index=main source=log-test sum=12 what=sale | stats count", lambda rows: rows[0]["count"] == 1)
