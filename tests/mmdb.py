"""Writes a small database of IP locations in MaxMind's format 2.0, so that tests need none of a real one.

A tree of bits leads from an address to the offset of its record; IPv4 networks lie below ::/96.
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

MARKER = b"\xab\xcd\xefMaxMind.com"


def write_database(path: Path, records: Mapping[str, Mapping[str, Any]]) -> None:
    """A database with a record for each network, such as `{"192.0.2.0/24": {"city": {"names": {"en": "X"}}}}`."""
    nodes: list[list[int | None]] = [[None, None]]
    data, offsets = b"", []
    for network, record in records.items():
        bits = _bits(network)
        node = 0
        for bit in bits[:-1]:
            below = nodes[node][bit]
            if below is None:
                nodes.append([None, None])
                below = nodes[node][bit] = len(nodes) - 1
            assert below >= 0, f"{network} lies within another network"
            node = below
        nodes[node][bits[-1]] = -1 - len(offsets)
        offsets.append(len(data))
        data += encode(record)
    count = len(nodes)

    def pointer(value: int | None) -> int:
        if value is None:
            return count
        return value if value >= 0 else count + 16 + offsets[-1 - value]

    tree = b"".join(struct.pack(">II", *map(pointer, node)) for node in nodes)
    metadata = {
        "binary_format_major_version": Encoded(5, 2, 2),
        "binary_format_minor_version": Encoded(5, 2, 0),
        "build_epoch": Encoded(9, 8, 1_700_000_000),
        "database_type": "Sightline-Test-City",
        "description": {"en": "places for tests"},
        "ip_version": Encoded(5, 2, 6),
        "languages": ["en", "de"],
        "node_count": count,
        "record_size": Encoded(5, 2, 32),
    }
    path.write_bytes(tree + b"\0" * 16 + data + MARKER + encode(metadata))


def _bits(network: str) -> list[int]:
    parsed = ipaddress.ip_network(network)
    length = parsed.prefixlen + (96 if parsed.version == 4 else 0)
    return [int(parsed.network_address) >> (127 - n) & 1 for n in range(length)]


class Encoded(bytes):
    """A number in one of the format's own types, which readers insist on for the metadata."""

    def __new__(cls, kind: int, size: int, value: int) -> Encoded:
        return super().__new__(cls, _control(kind, size) + value.to_bytes(size, "big"))


def encode(value: Any) -> bytes:
    """A value in the format's own encoding."""
    if isinstance(value, Encoded):
        return value
    if isinstance(value, str):
        content = value.encode()
        return _control(2, len(content)) + content
    if isinstance(value, float):
        return _control(3, 8) + struct.pack(">d", value)
    if isinstance(value, int):
        return _control(6, 4) + struct.pack(">I", value)
    if isinstance(value, Mapping):
        return _control(7, len(value)) + b"".join(encode(key) + encode(item) for key, item in value.items())
    assert isinstance(value, list)
    return _control(11, len(value)) + b"".join(encode(item) for item in value)


def _control(kind: int, size: int) -> bytes:
    assert size < 285
    first = min(size, 29)
    head = bytes([kind << 5 | first]) if kind < 8 else bytes([first, kind - 7])
    return head + (bytes([size - 29]) if size >= 29 else b"")
