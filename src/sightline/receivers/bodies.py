"""Reads a request's body within a limit that also holds after decompression."""

from __future__ import annotations

import asyncio
import sys
import zlib

from starlette.requests import ClientDisconnect, Request

from sightline.receivers.room import COST, share_of

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_DEFLATE_RATIO = 1_032
"""The most that deflate can do: 258 bytes for two bits."""
_THREAD_BYTES = 256 * 1024
"""Above this size inflating and checking a body happens in a thread, so that other connections do not wait for it."""


ENCODINGS = ("gzip", "x-gzip", "deflate", "zlib", "zstd")
"""Values of Content-Encoding that are understood beside `identity`; collectors call deflate zlib."""


class BodyTooLarge(Exception):
    """The body, as sent or inflated, is over the limit."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"the request is larger than {limit} bytes, wanted at most that after decompression")


class BodyMalformed(Exception):
    """The body cannot be decompressed."""


class BodyTooSlow(BodyMalformed):
    """The body does not come, or comes slower than a living sender sends."""

    def __init__(self, rate_bytes_s: int) -> None:
        super().__init__(f"the body comes too slowly, wanted at least {rate_bytes_s} bytes a second")


class UnsupportedEncoding(Exception):
    """The Content-Encoding is none of ours."""

    def __init__(self, encoding: str) -> None:
        super().__init__(f'unsupported content encoding "{encoding}", wanted gzip, zstd, deflate or identity')


async def read_body(request: Request, limit: int, cost: int = COST) -> bytes:
    """The whole body, decompressed; checking it takes `cost` bytes of memory for each of its own. Raises BodyTooLarge, BodyMalformed, UnsupportedEncoding, ClientDisconnect."""
    encoding = request.headers.get("content-encoding", "identity").strip().lower() or "identity"
    if encoding != "identity" and encoding not in ENCODINGS:
        raise UnsupportedEncoding(encoding)
    body = await read_sent(request, limit, cost)
    if encoding == "identity":
        return body
    share = share_of(request)
    if share:
        # Nobody knows before how large it becomes; deflate cannot make more than this of it.
        bound = limit if encoding == "zstd" else min(limit, len(body) * _DEFLATE_RATIO)
        await share.hold(COST * len(body) + bound)
    if len(body) > _THREAD_BYTES // 8:
        inflated = await asyncio.to_thread(inflate, body, encoding, limit)
    else:
        inflated = inflate(body, encoding, limit)
    if share:
        await share.hold(cost * len(inflated))
    return inflated


async def read_sent(request: Request, limit: int, cost: int = COST) -> bytes:
    """The whole body as it was sent. Raises BodyTooLarge, ClientDisconnect, and JournalFull where there is no room for it.

    Where the listener bounds what it takes in, nothing is read before there is room for it: the sender waits.
    """
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit:
        raise BodyTooLarge(limit)
    share = share_of(request)
    if share and declared.isdigit():
        await share.hold(cost * int(declared))
    pieces, size = [], 0
    settings = getattr(request.app.state, "ingest", None)
    patience_s = settings.body_timeout_s if settings else None
    loop = asyncio.get_running_loop()
    started = loop.time()
    # One deadline that moves: a task for each piece, as `wait_for` makes, costs as much as checking its records.
    try:
        async with asyncio.timeout(patience_s) as deadline:
            async for piece in request.stream():
                size += len(piece)
                if size > limit:
                    raise BodyTooLarge(limit)
                if share and not declared.isdigit():
                    # Waiting for room is not the sender's fault.
                    deadline.reschedule(None)
                    await share.hold(cost * size)
                pieces.append(piece)
                if settings:
                    now = loop.time()
                    if now > started + patience_s + size / settings.body_rate_bytes_s:
                        raise BodyTooSlow(settings.body_rate_bytes_s)
                    deadline.reschedule(now + patience_s)
    except TimeoutError:
        raise BodyTooSlow(settings.body_rate_bytes_s) from None
    return b"".join(pieces)


def inflate(body: bytes, encoding: str, limit: int) -> bytes:
    """Decompress, stopping as soon as the limit is passed: a small body that inflates without end costs no memory."""
    if encoding == "zstd":
        return _inflate_zstd(body, limit)
    window_bits = 15 if encoding in ("deflate", "zlib") else 31
    pieces, size, rest = [], 0, body
    while rest:
        inflater = zlib.decompressobj(window_bits)
        while True:
            try:
                piece = inflater.decompress(rest, min(limit + 1 - size, 1 << 20))
            except zlib.error as error:
                raise BodyMalformed(f"the body is not valid {encoding}: {error}") from error
            size += len(piece)
            if size > limit:
                raise BodyTooLarge(limit)
            pieces.append(piece)
            rest = inflater.unconsumed_tail
            if inflater.eof or (not rest and not piece):
                break
        if not inflater.eof:
            raise BodyMalformed(f"the body is not valid {encoding}: it ends too early")
        # Several gzip members one after another are one body.
        rest = inflater.unused_data
    return b"".join(pieces)


def _inflate_zstd(body: bytes, limit: int) -> bytes:
    # A frame says how much of itself must be kept in memory to read it. A frame of one piece says its whole size, so
    # the bound is that of the body: more than it would be refused in any case.
    options = {zstd.DecompressionParameter.window_log_max: max(10, (limit - 1).bit_length())}
    pieces, size, rest = [], 0, body
    while rest:
        inflater = zstd.ZstdDecompressor(options=options)
        while not inflater.eof:
            try:
                piece = inflater.decompress(rest, min(limit + 1 - size, 1 << 20))
            except zstd.ZstdError as error:
                if "too much memory" in str(error):
                    raise BodyTooLarge(limit) from error
                raise BodyMalformed(f"the body is not valid zstd: {error}") from error
            rest = b""
            size += len(piece)
            if size > limit:
                raise BodyTooLarge(limit)
            pieces.append(piece)
            if inflater.needs_input and not inflater.eof:
                raise BodyMalformed("the body is not valid zstd: it ends too early")
        # Several frames one after another are one body.
        rest = inflater.unused_data
    return b"".join(pieces)


__all__ = ["BodyMalformed", "BodyTooLarge", "ClientDisconnect", "UnsupportedEncoding", "inflate", "read_body", "read_sent"]
