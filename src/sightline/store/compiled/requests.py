"""A look at a request of protobuf by whoever receives it: whether it is well formed, and all of its records can be stored.

It says yes only where protobuf's own library would read the request and a closer look would find no fault; what it does not
know, or does not like, is for those. Enters: the bytes, and the messages as a table. Leaves: what `found` gets.

The messages are a table of `machinecode.messages`. What receives requests calls this function by its name in `machinecode`.
"""

import numpy as np

from sightline.machinecode.messages import (
    BOUNDS,
    BYTES,
    COUNTS,
    DATA,
    FIELDS,
    FIRST_ID,
    FIRST_TIME,
    FIXED32,
    FIXED64,
    FIXED64_LIST,
    HISTOGRAM_POINT,
    MESSAGE,
    METRIC,
    NAME,
    NO_ROLE,
    ROLES,
    SECOND_ID,
    SECOND_TIME,
    SPAN,
    STRING,
    UNKNOWN,
    VARINT,
    VARINT_LIST,
)
from sightline.store.compiled import inlined
from sightline.store.compiled.words import is_same, is_text, read_word

RECORDS = 0
"""The place in `found` of the number of records."""

_DEEPEST = 24


@inlined
def _after_varint(buf, at, end):
    """The place after a number of any length, or -1."""
    for k in range(10):
        if at + k >= end:
            return np.int64(-1)
        if buf[at + k] < 128:
            return np.int64(-1) if k == 9 and buf[at + k] > 1 else np.int64(at + k + 1)
    return np.int64(-1)


@inlined
def _some(buf, at, length):
    """Whether any of some bytes is not zero."""
    for k in range(length):
        if buf[at + k]:
            return True
    return False


@inlined
def _is_right(buf, what, values, lengths):
    """Whether a message that ends here can be stored."""
    if what == SPAN:
        if lengths[FIRST_ID] != 16 or lengths[SECOND_ID] != 8:
            return False
        if not _some(buf, values[FIRST_ID], 16) or not _some(buf, values[SECOND_ID], 8):
            return False
        return 0 <= values[FIRST_TIME] <= values[SECOND_TIME]
    if what == METRIC:
        return lengths[NAME] > 0 and values[DATA] == 1
    if what == HISTOGRAM_POINT and values[COUNTS] != values[BOUNDS] + 1 and (values[COUNTS] or values[BOUNDS]):
        return False
    # A time after the year 2262 is below 0 here.
    return values[FIRST_TIME] >= 0 and values[SECOND_TIME] >= 0


def check(buf, table, texts, text_at, work, found):
    """1 where a request is usual, and then `found` says how many records it has; 0 where it needs another look.

    `texts` and `text_at` have the names that make it unusual, by their role; `work` has WORK_NUMBERS numbers.
    """
    ends = work[:_DEEPEST]
    lines = work[_DEEPEST : 2 * _DEEPEST]
    values = work[2 * _DEEPEST : 2 * _DEEPEST + ROLES]
    lengths = work[2 * _DEEPEST + ROLES : 2 * _DEEPEST + 2 * ROLES]
    records = np.int64(0)
    depth = 0
    at = np.int64(0)
    end = np.int64(len(buf))
    line = np.int64(0)
    while True:
        while at >= end:
            what = table[line]
            if what:
                if not _is_right(buf, what, values, lengths):
                    return 0
                if what != METRIC:
                    records += 1
            if depth == 0:
                found[RECORDS] = records
                return 1
            depth -= 1
            end = ends[depth]
            line = lines[depth]
        tag = np.int64(buf[at])
        at += 1
        if tag >= 128:
            # Numbers of fields from 16 on.
            if at >= end or buf[at] >= 128:
                return 0
            tag = (tag & 127) | np.int64(buf[at]) << 7
            at += 1
        number, wire = tag >> 3, tag & 7
        if number == 0:
            return 0
        code = np.int64(table[line + number]) if number < FIELDS else np.int64(0)
        kind, role = code & 15, (code >> 4) & 15
        if wire == 2:
            if at >= end:
                return 0
            length = np.int64(buf[at])
            at += 1
            if length >= 128:
                if at >= end:
                    return 0
                length = (length & 127) | np.int64(buf[at] & 127) << 7
                at += 1
                if buf[at - 1] >= 128:
                    if at >= end or buf[at] >= 128:
                        # Over two million bytes.
                        return 0
                    length |= np.int64(buf[at]) << 14
                    at += 1
            after = at + length
            if after > end:
                return 0
            if kind == MESSAGE:
                if depth >= _DEEPEST:
                    return 0
                ends[depth] = end
                lines[depth] = line
                depth += 1
                if role == DATA:
                    values[DATA] += 1
                end = after
                line = code >> 8
                what = table[line]
                if what == METRIC:
                    lengths[NAME] = values[DATA] = 0
                elif what:
                    for k in range(FIRST_ID, SECOND_TIME + 1):
                        values[k] = lengths[k] = 0
                    values[COUNTS] = values[BOUNDS] = 0
                continue
            if kind == STRING:
                if not is_text(buf, at, after):
                    return 0
                if role >= ROLES:
                    place = text_at[role - ROLES]
                    if length == text_at[role - ROLES + 1] - place and is_same(buf, at, length, texts, place):
                        return 0
            elif kind == FIXED64_LIST:
                if length & 7:
                    return 0
                values[role] += length >> 3
            elif kind == VARINT_LIST:
                while at < after:
                    at = _after_varint(buf, at, after)
                    if at < 0:
                        return 0
            elif kind != BYTES and kind != UNKNOWN:
                return 0
            if NO_ROLE < role < COUNTS:
                values[role] = at
                lengths[role] = length
            at = after
        elif wire == 0:
            if kind != VARINT and kind != UNKNOWN and kind != VARINT_LIST:
                return 0
            at = _after_varint(buf, at, end)
            if at < 0:
                return 0
        elif wire == 1:
            if end - at < 8:
                return 0
            if kind == FIXED64:
                if role:
                    values[role] = read_word(buf, at)
            elif kind == FIXED64_LIST:
                values[role] += 1
            elif kind != UNKNOWN:
                return 0
            at += 8
        elif wire == 5:
            if end - at < 4 or (kind != FIXED32 and kind != UNKNOWN):
                return 0
            at += 4
        else:
            return 0


ARGUMENTS = tuple(np.zeros(1, kind) for kind in (np.uint8, np.int32, np.uint8, np.int64, np.int64, np.int64))
"""Arguments of the kinds that it takes."""
