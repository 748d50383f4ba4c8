"""The bytes of a journal segment: how a frame is written, found again, and told from damage.

Enters: a request's bytes, or a segment's path. Leaves: a frame's header bytes, or where frames and damage lie. A segment holds
frames one after the other; each is a varint length and a protobuf message `Frame` (store/decode/*.proto):

    Frame { string token = 1; string index = 2; uint64 received_ms = 3; uint64 records = 4; fixed32 crc = 5; body = 15 }

The checksum is the body's. A header that is damaged is mostly noticed by its lengths, which must agree with each other.
"""

from __future__ import annotations

import mmap
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_BODY_TAG = (15 << 3) | 2
_HEADER_BYTES = 4096
"""Names of tokens and indexes are far shorter together; what follows a header is body."""
_VARINT = rb"[\x80-\xff]{0,9}[\x00-\x7f]"
_HEADER_END = re.compile(rb"\x18" + _VARINT + rb"\x20" + _VARINT + rb"\x2d.{4}\x7a", re.DOTALL)
"""The part of a header that every frame has: time, records, checksum, and the tag of the body."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame's header and where it lies in its segment: `offset` of the length prefix, `end` after the body."""

    offset: int
    end: int
    token: str
    index: str
    received_ms: int
    records: int
    crc: int
    body_offset: int


@dataclass(frozen=True, slots=True)
class Damage:
    """Bytes of a segment that are no frame as it was written. `frame` is the header, where that could be read."""

    offset: int
    end: int
    reason: str
    frame: Frame | None = None


def encode_frame(body: bytes, *, token: str = "", index: str = "", received_ms: int = 0, records: int = 0) -> bytes:
    """Length prefix and header of a frame, without the body, which follows."""
    token_bytes, index_bytes = token.encode(), index.encode()
    header = b"".join(
        (
            b"\x0a" + _varint(len(token_bytes)) + token_bytes if token_bytes else b"",
            b"\x12" + _varint(len(index_bytes)) + index_bytes if index_bytes else b"",
            b"\x18" + _varint(received_ms),
            b"\x20" + _varint(records),
            b"\x2d" + zlib.crc32(body).to_bytes(4, "little"),
            b"\x7a" + _varint(len(body)),
        )
    )
    return _varint(len(header) + len(body)) + header


def read_frames(path: Path) -> Iterator[Frame]:
    """The headers of a segment's complete frames, bodies unread; stops at the first whose end or header is not there."""
    size = path.stat().st_size
    with path.open("rb") as file:
        offset = 0
        while offset < size:
            file.seek(offset)
            frame = _parse_frame(file.read(_HEADER_BYTES), offset)
            if frame is None or frame.end > size:
                return
            yield frame
            offset = frame.end


def runs_of(frames: Sequence[Frame], limit: int) -> list[tuple[int, int]]:
    """The frames as ranges of at most so many bytes, or one frame that is larger."""
    starts, size = [0], 0
    for number, frame in enumerate(frames):
        length = frame.end - frame.offset
        if size and size + length > limit:
            starts.append(number)
            size = 0
        size += length
    return list(zip(starts, [*starts[1:], len(frames)], strict=True))


def check_frames(path: Path) -> tuple[list[Frame], list[Damage]]:
    """The frames of a segment whose body is what its checksum says, and everything else that is in it.

    A damaged length would take all frames after it along; they are found again by the look of a header, and their checksum
    proves them.
    """
    frames: list[Frame] = []
    damages: list[Damage] = []
    size = path.stat().st_size
    if size == 0:
        return frames, damages
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        offset = 0
        while offset < size:
            frame = _parse_frame(data[offset : offset + _HEADER_BYTES], offset)
            if frame is not None and frame.end > size:
                # A tail that a crash cut. What looks like a frame in there is part of a body, whatever its sender meant by it.
                damages.append(Damage(offset, size, "the end of a request is missing", frame))
                break
            if frame is not None and _is_whole(data, frame):
                frames.append(frame)
                offset = frame.end
                continue
            if frame is not None and (frame.end == size or _next_is_whole(data, frame.end, size)):
                damages.append(Damage(offset, frame.end, "the checksum of a request does not match its bytes", frame))
                offset = frame.end
                continue
            found = _find_frame(data, offset + 1, size)
            end = found.offset if found else size
            damages.append(Damage(offset, end, "bytes that are no request, or one that is not whole"))
            offset = end
    return frames, damages


def _is_whole(data: mmap.mmap, frame: Frame) -> bool:
    with memoryview(data) as view, view[frame.body_offset : frame.end] as body:
        return zlib.crc32(body) == frame.crc


def _next_is_whole(data: mmap.mmap, offset: int, size: int) -> bool:
    following = _parse_frame(data[offset : offset + _HEADER_BYTES], offset)
    return following is not None and following.end <= size and _is_whole(data, following)


def _find_frame(data: mmap.mmap, start: int, size: int) -> Frame | None:
    """The first whole frame that begins at `start` or later."""
    for match in _HEADER_END.finditer(data, start):
        # Before this part lie the length and the names, whose own lengths are not known from here.
        for offset in range(max(start, match.start() - _HEADER_BYTES), match.start()):
            frame = _parse_frame(data[offset : offset + _HEADER_BYTES], offset)
            fits = frame is not None and match.end() < frame.body_offset <= match.end() + 10 and frame.end <= size
            if frame is not None and fits and _is_whole(data, frame):
                return frame
    return None


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append((value & 0x7F) | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _read_varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
        if shift > 63:
            raise ValueError("varint too long")


def _parse_frame(data: bytes, offset: int) -> Frame | None:
    token = index = ""
    received_ms = records = crc = 0
    try:
        length, position = _read_varint(data, 0)
        end = offset + position + length
        if length == 0:
            return None
        while True:
            tag, position = _read_varint(data, position)
            if tag in (0x0A, 0x12):
                n, position = _read_varint(data, position)
                text = data[position : position + n].decode()
                position += n
                token, index = (text, index) if tag == 0x0A else (token, text)
            elif tag == 0x18:
                received_ms, position = _read_varint(data, position)
            elif tag == 0x20:
                records, position = _read_varint(data, position)
            elif tag == 0x2D:
                crc = int.from_bytes(data[position : position + 4], "little")
                position += 4
            elif tag == _BODY_TAG:
                n, position = _read_varint(data, position)
                if offset + position + n != end:
                    return None
                return Frame(offset, end, token, index, received_ms, records, crc, offset + position)
            else:
                return None
    except (IndexError, ValueError):
        return None
