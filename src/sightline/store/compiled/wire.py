"""The wire format of protobuf: numbers, fields, and the attributes of OTLP.

Positions are places in `buf`; one below 0 means that the bytes are no such thing.
"""

import numpy as np

from sightline.store.compiled import compiled, inlined
from sightline.store.compiled.words import is_same, name_hash, read_word

NONE, STRING, BOOL, INT, DOUBLE, ARRAY, MAP, BYTES = range(8)
"""What an attribute's value is: the field number of `AnyValue` that is set."""
RAW = 8
"""A value whose JSON text is kept as it is."""

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
"""The wire types that are left in use."""


@inlined
def read_varint(buf, at, end):
    """(value, position after it)."""
    value = np.int64(0)
    shift = 0
    while at < end and shift < 70:
        byte = np.int64(buf[at])
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
    return np.int64(0), np.int64(-1)


@inlined
def read_field(buf, at, end):
    """(field number, wire type, first, second, position after it).

    Of a field with a length, the content is from first to second; of any other, first is its value.
    """
    tag, at = read_varint(buf, at, end)
    if at < 0 or tag <= 0 or tag > 0xFFFFFFFF:
        return np.int64(0), np.int64(0), np.int64(0), np.int64(0), np.int64(-1)
    number, wire = tag >> 3, tag & 7
    if wire == LENGTH:
        length, at = read_varint(buf, at, end)
        if at >= 0 and 0 <= length <= end - at:
            return number, wire, at, at + length, at + length
    elif wire == VARINT:
        value, at = read_varint(buf, at, end)
        return number, wire, value, np.int64(0), at
    elif wire == FIXED64:
        if end - at >= 8:
            return number, wire, read_word(buf, at), np.int64(0), at + 8
    elif wire == FIXED32:
        if end - at >= 4:
            value = np.int64(0)
            for k in range(4):
                value |= np.int64(buf[at + k]) << (8 * k)
            return number, wire, value, np.int64(0), at + 4
    return np.int64(0), np.int64(0), np.int64(0), np.int64(0), np.int64(-1)


@inlined
def read_value(buf, at, end):
    """(kind, value, length) of an `AnyValue`; kind is below 0 where it is not read here.

    The value is a place in `buf` for texts, bytes, arrays and maps, the bits of a double, or the number itself.
    """
    kind, value, length = np.int64(NONE), np.int64(0), np.int64(0)
    while at < end:
        number, wire, first, second, at = read_field(buf, at, end)
        if at < 0 or kind != NONE or number < 1 or number > 7:
            return np.int64(-1), value, length
        if number == BOOL or number == INT:
            expected = VARINT
        elif number == DOUBLE:
            expected = FIXED64
        else:
            expected = LENGTH
        if wire != expected:
            return np.int64(-1), value, length
        kind, value = number, first
        if wire == LENGTH:
            length = second - first
        elif number == BOOL:
            value = np.int64(first != 0)
    return kind, value, length


@inlined
def read_attribute(buf, at, end):
    """(place of the key, its length, kind, value, length) of a `KeyValue`; kind is below 0 where it is not read here."""
    key, key_length = np.int64(0), np.int64(0)
    kind, value, length = np.int64(NONE), np.int64(0), np.int64(0)
    has_key = has_value = False
    while at < end:
        number, wire, first, second, at = read_field(buf, at, end)
        if at < 0 or wire != LENGTH or (number == 1 and has_key) or (number == 2 and has_value) or number > 2:
            return key, key_length, np.int64(-1), value, length
        if number == 1:
            has_key = True
            key, key_length = first, second - first
        else:
            has_value = True
            kind, value, length = read_value(buf, first, second)
            if kind < 0:
                return key, key_length, kind, value, length
    return key, key_length, kind, value, length


@inlined
def find_name(buf, at, length, names, name_at, name_length, table):
    """The number of a known name, or -1. `table` is a hash table with a power of two of places, of which most are -1."""
    mask = len(table) - 1
    place = name_hash(buf, at, length) & mask
    while True:
        found = table[place]
        if found < 0:
            return np.int64(-1)
        if name_length[found] == length and is_same(buf, at, length, names, name_at[found]):
            return np.int64(found)
        place = (place + 1) & mask


@compiled
def fill_table(names, name_at, name_length, table):
    """Put every name into the hash table, which has room for twice as many."""
    mask = len(table) - 1
    for number in range(len(name_at)):
        place = name_hash(names, name_at[number], name_length[number]) & mask
        while table[place] >= 0:
            place = (place + 1) & mask
        table[place] = number
