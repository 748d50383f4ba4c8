"""Objects in JSON text, and `name=value` pairs in any text, as members of a record.

The grammar is that of RFC 8259, no more: what is not exactly that, and what is rare, is left to the engine. That bytes are UTF-8
is checked where they become columns.
"""

import numpy as np

from sightline.store.compiled import compiled, inlined, inner
from sightline.store.compiled.members import DEEP, FLOAT64, INT64, TEXT, TEXTS, add, put
from sightline.store.compiled.wire import ARRAY, BOOL, DOUBLE, INT, RAW, STRING, find_name
from sightline.store.compiled.words import is_plain, is_same, read_word

ESCAPED, NUMBER, NULL, OBJECT, LIST = range(20, 25)
"""Kinds of values that are not those of `wire`: a text with escapes, a number that is read more exactly later, and containers."""

_DEEPEST = 60
"""Levels of a value that are read here; one bit of a number tells for each whether it is an object."""
_MOST_MEMBERS = 64
"""Members of an object whose members have columns."""

CELL_LINES = 5
CELL_COLUMN, CELL_ROW, CELL_AT, CELL_LENGTH, CELL_KIND = range(CELL_LINES)

_POWERS = np.array([10.0**k for k in range(23)])
_VERSION = np.frombuffer(b"version", np.uint8)


@inlined
def after_space(buf, at, end):
    while at < end and (buf[at] == 32 or buf[at] == 10 or buf[at] == 13 or buf[at] == 9):
        at += 1
    return at


@inlined
def _hex_value(buf, at):
    """The number of four hexadecimal digits, or -1."""
    value = np.int64(0)
    for k in range(4):
        byte = np.int64(buf[at + k])
        if 48 <= byte <= 57:
            digit = byte - 48
        elif 97 <= byte <= 102:
            digit = byte - 87
        elif 65 <= byte <= 70:
            digit = byte - 55
        else:
            return np.int64(-1)
        value = value * 16 + digit
    return value


@inner
def after_escapes(buf, at, end):
    """The place of the quote that ends a text, from its first escape on; -1 where there is none, or an escape is none."""
    while at < end:
        byte = buf[at]
        if byte == 34:
            return np.int64(at)
        if byte < 32:
            return np.int64(-1)
        if byte != 92:
            at += 1
            continue
        if at + 1 >= end:
            return np.int64(-1)
        letter = buf[at + 1]
        if letter == 117:
            if at + 6 > end:
                return np.int64(-1)
            value = _hex_value(buf, at + 2)
            if value < 0 or 0xDC00 <= value <= 0xDFFF:
                return np.int64(-1)
            at += 6
            if 0xD800 <= value <= 0xDBFF:
                # The first half of a pair wants the second.
                if at + 6 > end or buf[at] != 92 or buf[at + 1] != 117:
                    return np.int64(-1)
                value = _hex_value(buf, at + 2)
                if value < 0xDC00 or value > 0xDFFF:
                    return np.int64(-1)
                at += 6
        elif (
            letter == 34
            or letter == 92
            or letter == 47
            or letter == 98
            or letter == 102
            or letter == 110
            or letter == 114
            or letter == 116
        ):
            at += 2
        else:
            return np.int64(-1)
    return np.int64(-1)


@inlined
def text_end(buf, at, end):
    """(place of the quote that ends the text at `at`, whether it has escapes); -1 where it does not end."""
    while at + 8 <= end and is_plain(read_word(buf, at)):
        at += 8
    while at < end:
        byte = buf[at]
        if byte == 34:
            return np.int64(at), False
        if byte == 92:
            return after_escapes(buf, at, end), True
        if byte < 32:
            return np.int64(-1), False
        at += 1
    return np.int64(-1), False


@inlined
def read_number(buf, at, end):
    """(kind, value, place after it) of a number: INT, DOUBLE with its bits, or NUMBER; kind is -1 where it is none."""
    negative = at < end and buf[at] == 45
    if negative:
        at += 1
    first = at
    mantissa = np.int64(0)
    digits = 0
    while at < end and 48 <= buf[at] <= 57:
        if digits < 18:
            mantissa = mantissa * 10 + (np.int64(buf[at]) - 48)
        if mantissa > 0:
            digits += 1
        at += 1
    if at == first or (buf[first] == 48 and at > first + 1):
        return np.int64(-1), np.int64(0), at
    exponent = np.int64(0)
    is_whole = True
    if at < end and buf[at] == 46:
        is_whole = False
        at += 1
        fraction = at
        while at < end and 48 <= buf[at] <= 57:
            if digits < 18:
                mantissa = mantissa * 10 + (np.int64(buf[at]) - 48)
                exponent -= 1
            if mantissa > 0:
                digits += 1
            at += 1
        if at == fraction:
            return np.int64(-1), np.int64(0), at
    if at < end and (buf[at] == 101 or buf[at] == 69):
        is_whole = False
        at += 1
        minus = at < end and buf[at] == 45
        if at < end and (buf[at] == 45 or buf[at] == 43):
            at += 1
        power = at
        given = np.int64(0)
        while at < end and 48 <= buf[at] <= 57:
            given = min(given * 10 + (np.int64(buf[at]) - 48), np.int64(9999))
            at += 1
        if at == power:
            return np.int64(-1), np.int64(0), at
        exponent += -given if minus else given
    if is_whole:
        # Zero with a sign, and numbers of 19 digits and more, are for those who look closer.
        if digits > 18 or (negative and mantissa == 0):
            return np.int64(NUMBER), np.int64(1), at
        return np.int64(INT), -mantissa if negative else mantissa, at
    # Both are exact in a double, so that what one operation makes of them is the nearest one.
    if digits > 18 or mantissa > 9007199254740992 or exponent < -22 or exponent > 22 or mantissa == 0:
        return np.int64(NUMBER), np.int64(0), at
    value = np.float64(mantissa)
    value = value / _POWERS[-exponent] if exponent < 0 else value * _POWERS[exponent]
    return np.int64(DOUBLE), bits_of(-value if negative else value), at


@inlined
def bits_of(value):
    return np.float64(value).view(np.int64)


@inner
def _container_end(buf, at, end):
    """The place after the object or list that begins at `at`, or -1."""
    kinds = np.int64(0)
    depth = 0
    # What may come: 0 a value, 1 a value or the end of a list, 2 a name or the end of an object, 3 a name, 4 a comma or an end.
    wanted = 0
    while True:
        at = after_space(buf, at, end)
        if at >= end:
            return np.int64(-1)
        byte = buf[at]
        if wanted == 4:
            if byte == 44:
                wanted = 3 if kinds & 1 else 0
                at += 1
                continue
            if byte != (125 if kinds & 1 else 93):
                return np.int64(-1)
            at += 1
            kinds >>= 1
            depth -= 1
            if depth == 0:
                return np.int64(at)
            continue
        if (wanted == 1 and byte == 93) or (wanted == 2 and byte == 125):
            at += 1
            kinds >>= 1
            depth -= 1
            if depth == 0:
                return np.int64(at)
            wanted = 4
            continue
        if wanted >= 2:
            if byte != 34:
                return np.int64(-1)
            at, _ = text_end(buf, at + 1, end)
            if at < 0:
                return np.int64(-1)
            at = after_space(buf, at + 1, end)
            if at >= end or buf[at] != 58:
                return np.int64(-1)
            at += 1
            wanted = 0
            continue
        if byte == 123 or byte == 91:
            if depth >= _DEEPEST:
                return np.int64(-1)
            kinds = kinds * 2 + np.int64(byte == 123)
            depth += 1
            wanted = 2 if byte == 123 else 1
            at += 1
            continue
        if byte == 34:
            at, _ = text_end(buf, at + 1, end)
            if at < 0:
                return np.int64(-1)
            at += 1
        else:
            kind, _, at = _scalar(buf, at, end)
            if kind < 0:
                return np.int64(-1)
        wanted = 4


@inlined
def _scalar(buf, at, end):
    """(kind, value, place after it) of a number or a word."""
    byte = buf[at]
    if byte == 116 and end - at >= 4 and buf[at + 1] == 114 and buf[at + 2] == 117 and buf[at + 3] == 101:
        return np.int64(BOOL), np.int64(1), at + 4
    if (
        byte == 102
        and end - at >= 5
        and buf[at + 1] == 97
        and buf[at + 2] == 108
        and buf[at + 3] == 115
        and buf[at + 4] == 101
    ):
        return np.int64(BOOL), np.int64(0), at + 5
    if byte == 110 and end - at >= 4 and buf[at + 1] == 117 and buf[at + 2] == 108 and buf[at + 3] == 108:
        return np.int64(NULL), np.int64(0), at + 4
    return read_number(buf, at, end)


@inlined
def read_value(buf, at, end):
    """(kind, value, length, place after it). Texts are told without their quotes, numbers and containers by their place."""
    if at >= end:
        return np.int64(-1), np.int64(0), np.int64(0), at
    byte = buf[at]
    if byte == 34:
        close, escaped = text_end(buf, at + 1, end)
        if close < 0:
            return np.int64(-1), np.int64(0), np.int64(0), at
        return np.int64(ESCAPED if escaped else STRING), at + 1, close - at - 1, close + 1
    if byte == 123 or byte == 91:
        after = _container_end(buf, at, end)
        if after < 0:
            return np.int64(-1), np.int64(0), np.int64(0), at
        return np.int64(OBJECT if byte == 123 else LIST), at, after - at, after
    kind, value, after = _scalar(buf, at, end)
    return kind, value, after - at, after


@inlined
def _plain_texts(buf, at, end, into):
    """List the texts of a list for a column of lists: (first, count). A count of 0 is for a list that has none or anything else;
    below 0 for one that the engine has to read."""
    first = into.state[1]
    at = after_space(buf, at + 1, end)
    while buf[at] == 34:
        close, escaped = text_end(buf, at + 1, end)
        if escaped or close < 0 or into.state[1] >= into.elements.shape[1]:
            return np.int64(-1), np.int64(-1)
        into.elements[0, into.state[1]] = at + 1
        into.elements[1, into.state[1]] = close - at - 1
        into.state[1] += 1
        at = after_space(buf, close + 1, end)
        if buf[at] == 93:
            return first, into.state[1] - first
        at = after_space(buf, at + 1, end)
    into.state[1] = first
    return first, np.int64(0)


@inlined
def _put_value(buf, kind, value, at, length, name, row, columns, into):
    """1 where a promoted column has taken a value, 0 where none does, -1 where the engine has to read it."""
    for line in range(5):
        column = columns[name, line]
        if column >= 0 and into.lengths[column, row] >= 0:
            # The same field stands elsewhere in the record.
            return -1
    if kind == NUMBER:
        if value == 1 and (columns[name, INT64] >= 0 or columns[name, FLOAT64] >= 0):
            return -1
        column = columns[name, FLOAT64]
    elif kind == ESCAPED:
        column = columns[name, TEXT]
    elif kind == LIST:
        if columns[name, TEXTS] < 0:
            return 0
        first, count = _plain_texts(buf, at, at + length, into)
        if count < 0:
            return -1
        if count == 0:
            return 0
        return 1 if put(np.int64(ARRAY), first, count, name, columns, row, into) else 0
    elif kind == NULL or kind == OBJECT:
        return 0
    else:
        return 1 if put(kind, value, length, name, columns, row, into) else 0
    if column < 0:
        return 0
    n = into.state[2]
    if n >= into.cells.shape[1]:
        return -1
    into.cells[CELL_COLUMN, n] = column
    into.cells[CELL_ROW, n] = row
    into.cells[CELL_AT, n] = value if kind == ESCAPED else at
    into.cells[CELL_LENGTH, n] = length
    into.cells[CELL_KIND, n] = kind
    into.state[2] = n + 1
    into.numbers[column, row] = 0
    into.lengths[column, row] = 0
    return 1


@inlined
def _add_value(into, key, key_length, kind, value, at, length):
    """Append a member that no column takes."""
    if kind == STRING or kind == INT or kind == BOOL:
        return add(into.items, into.state, key, key_length, kind, value, length)
    if kind == ESCAPED:
        return add(into.items, into.state, key, key_length, np.int64(RAW), value - 1, length + 2)
    return add(into.items, into.state, key, key_length, np.int64(RAW), at, length)


@inlined
def _child(buf, at, length, parent, names):
    """The number of a name inside an object, or -1."""
    for number in range(names.children[0, parent], names.children[0, parent] + names.children[1, parent]):
        if names.at[1, number] == length and is_same(buf, at, length, names.text, names.at[0, number]):
            return np.int64(number)
    return np.int64(-1)


@inner
def _take_inside(buf, at, end, parent, row, columns, into, names, stack):
    """Put every member of an object into columns: 1 where all of them are in one, 0 where not, and then none is; -1 where the engine
    has to read it."""
    cells_before, elements_before = into.state[2], into.state[1]
    depth = 0
    stack[0, 0] = parent
    stack[1, 0] = 0
    taken = np.int64(0)
    result = 1
    at += 1
    while True:
        at = after_space(buf, at, end)
        if buf[at] == 125:
            if stack[1, depth] == 0:
                result = 0
                break
            at += 1
            depth -= 1
            if depth < 0:
                break
            continue
        if buf[at] == 44:
            at = after_space(buf, at + 1, end)
        close, escaped = text_end(buf, at + 1, end)
        if escaped:
            result = -1
            break
        name = _child(buf, at + 1, close - at - 1, stack[0, depth], names)
        stack[1, depth] += 1
        if name < 0 or into.seen[name] >= 2 * row or taken >= _MOST_MEMBERS:
            result = 0
            break
        at = after_space(buf, after_space(buf, close + 1, end) + 1, end)
        into.seen[name] = 2 * row
        if buf[at] == 123 and columns[name, DEEP] == 0 and depth + 1 < stack.shape[1]:
            depth += 1
            stack[0, depth] = name
            stack[1, depth] = 0
            at += 1
            continue
        kind, value, length, after = read_value(buf, at, end)
        if kind < 0:
            result = -1
            break
        result = _put_value(buf, kind, value, at, length, name, row, columns, into)
        if result != 1:
            break
        stack[2, taken] = name
        taken += 1
        at = after
    if result == 0:
        for k in range(taken):
            for line in range(5):
                column = columns[stack[2, k], line]
                if column >= 0:
                    into.lengths[column, row] = -1
        into.state[2], into.state[1] = cells_before, elements_before
    return result


@inner
def take_object(buf, at, end, row, columns, into, names, stack, known, own):
    """Put the members of the object that a text is where they belong. Below 0 where the engine has to read it.

    `own[known + 2 * k]` and the line after it get place and length of the text that the first of the names has, for the first
    four; none where `known` is below 0. The last two of them are ids, which are nowhere else where they are there.
    """
    at = after_space(buf, at, end)
    while end > at and (buf[end - 1] == 32 or buf[end - 1] == 10 or buf[end - 1] == 13 or buf[end - 1] == 9):
        end -= 1
    if end - at < 2 or buf[at] != 123:
        return -1
    at = after_space(buf, at + 1, end)
    if buf[at] == 125:
        return 0 if at + 1 == end else -1
    while True:
        if at >= end or buf[at] != 34:
            return -1
        close, escaped = text_end(buf, at + 1, end)
        if close < 0 or escaped:
            return -1
        key, key_length = at + 1, close - at - 1
        at = after_space(buf, close + 1, end)
        if at >= end or buf[at] != 58:
            return -1
        at = after_space(buf, at + 1, end)
        kind, value, length, after = read_value(buf, at, end)
        if kind < 0:
            return -1
        name = find_name(buf, key, key_length, names.text, names.at[0], names.at[1], names.table)
        taken = 0
        if name >= 0 and into.seen[name] != 2 * row + 1:
            if into.seen[name] != 2 * row:
                if known >= 0 and name < 4:
                    if kind == ESCAPED:
                        return -1
                    own[known + 2 * name, row] = value if kind == STRING else 0
                    own[known + 2 * name + 1, row] = length if kind == STRING else 0
                if known >= 0 and 2 <= name < 4 and kind == STRING and length > 0:
                    taken = 1
                elif kind == OBJECT and columns[name, DEEP] == 0:
                    taken = _take_inside(buf, at, at + length, name, row, columns, into, names, stack)
                else:
                    taken = _put_value(buf, kind, value, at, length, name, row, columns, into)
                if taken < 0:
                    return -1
                into.seen[name] = 2 * row + np.int64(taken)
            if taken == 0 and not _add_value(into, key, key_length, kind, value, at, length):
                return -1
        elif name < 0 and not _add_value(into, key, key_length, kind, value, at, length):
            return -1
        at = after_space(buf, after, end)
        if at >= end:
            return -1
        if buf[at] == 125:
            return 0 if at + 1 == end else -1
        if buf[at] != 44:
            return -1
        at = after_space(buf, at + 1, end)


@compiled
def unescape(buf, cells, count, kind, out, numbers, lengths, base):
    """Write the texts of cells without their escapes into `out`, and where they are into their columns: texts that are not in the
    segment begin at `base`. Returns their length."""
    to = np.int64(0)
    for n in range(count):
        if cells[CELL_KIND, n] != kind:
            continue
        start = to
        to = plain_text(buf, cells[CELL_AT, n], cells[CELL_LENGTH, n], out, to)
        numbers[cells[CELL_COLUMN, n], cells[CELL_ROW, n]] = base - start
        lengths[cells[CELL_COLUMN, n], cells[CELL_ROW, n]] = to - start
    return to


@inlined
def plain_text(buf, at, length, out, to):
    """Write a text without its escapes; returns the place after it."""
    end = at + length
    while at < end:
        byte = buf[at]
        if byte != 92:
            out[to] = byte
            to += 1
            at += 1
            continue
        letter = buf[at + 1]
        at += 2
        if letter != 117:
            if letter == 98:
                letter = np.uint8(8)
            elif letter == 102:
                letter = np.uint8(12)
            elif letter == 110:
                letter = np.uint8(10)
            elif letter == 114:
                letter = np.uint8(13)
            elif letter == 116:
                letter = np.uint8(9)
            out[to] = letter
            to += 1
            continue
        value = _hex_value(buf, at)
        at += 4
        if 0xD800 <= value <= 0xDBFF:
            value = 0x10000 + ((value - 0xD800) << 10) + (_hex_value(buf, at + 2) - 0xDC00)
            at += 6
        if value < 0x80:
            out[to] = value
            to += 1
        elif value < 0x800:
            out[to] = 0xC0 | (value >> 6)
            out[to + 1] = 0x80 | (value & 63)
            to += 2
        elif value < 0x10000:
            out[to] = 0xE0 | (value >> 12)
            out[to + 1] = 0x80 | ((value >> 6) & 63)
            out[to + 2] = 0x80 | (value & 63)
            to += 3
        else:
            out[to] = 0xF0 | (value >> 18)
            out[to + 1] = 0x80 | ((value >> 12) & 63)
            out[to + 2] = 0x80 | ((value >> 6) & 63)
            out[to + 3] = 0x80 | (value & 63)
            to += 4
    return to


@inlined
def _is_separator(byte):
    """Whether a pair may follow: white space and ,;|&({[ ."""
    return (
        byte == 32
        or byte == 44
        or byte == 59
        or byte == 124
        or byte == 38
        or byte == 40
        or byte == 123
        or byte == 91
        or byte == 9
        or byte == 10
        or byte == 12
        or byte == 13
    )


@inlined
def _ends_value(byte):
    """Whether a value without quotes ends: white space and ,;|&"(){} ."""
    return (
        byte == 32
        or byte == 44
        or byte == 59
        or byte == 124
        or byte == 38
        or byte == 34
        or byte == 40
        or byte == 41
        or byte == 123
        or byte == 125
        or byte == 9
        or byte == 10
        or byte == 12
        or byte == 13
    )


@inlined
def _is_letter(byte):
    return 97 <= byte <= 122 or 65 <= byte <= 90 or byte == 95


@inner
def take_pairs(buf, at, end, row, columns, into, names, known, own):
    """Put the pairs `name=value` and `name="value"` of a text where they belong, as `take_object` does."""
    start = at
    while at < end:
        if at == start and _is_letter(buf[at]):
            key = at
        elif _is_separator(buf[at]) and at + 1 < end and _is_letter(buf[at + 1]):
            key = at + 1
        else:
            at += 1
            continue
        stop = key + 1
        while stop < end and (_is_letter(buf[stop]) or 48 <= buf[stop] <= 57 or buf[stop] == 45 or buf[stop] == 46):
            stop += 1
        if stop + 1 >= end or buf[stop] != 61:
            # No name has a separator in it, so that the next pair begins behind this one.
            at = max(stop, at + 1)
            continue
        value = stop + 1
        if buf[value] == 34:
            after = value + 1
            while after < end and buf[after] != 34:
                after += 1
            if after >= end:
                at = stop
                continue
            value += 1
            length = after - value
            after += 1
        else:
            after = value
            while after < end and not _ends_value(buf[after]):
                after += 1
            length = after - value
        if after == value and length == 0:
            at = stop
            continue
        at = after
        if length == 0:
            continue
        kind, number = np.int64(STRING), np.int64(value)
        text = value
        if (buf[value] == 45 or 48 <= buf[value] <= 57) and not _is_of_a_version(buf, key, stop):
            shape = _number_shape(buf, value, value + length)
            if shape:
                kind, number, _ = read_number(buf, value, value + length)
                if kind == NUMBER and number == 1:
                    return -1
        name = find_name(buf, key, stop - key, names.text, names.at[0], names.at[1], names.table)
        taken = 0
        if name >= 0 and into.seen[name] == 2 * row + 1:
            continue
        if name >= 0 and into.seen[name] != 2 * row:
            if known >= 0 and name < 4:
                own[known + 2 * name, row] = value if kind == STRING else 0
                own[known + 2 * name + 1, row] = length if kind == STRING else 0
            if known >= 0 and 2 <= name < 4 and kind == STRING:
                taken = 1
            else:
                taken = _put_value(buf, kind, number, text, length, name, row, columns, into)
            if taken < 0:
                return -1
            into.seen[name] = 2 * row + taken
        if taken == 0 and not _add_value(into, key, stop - key, kind, number, text, length):
            return -1
    return 0


@inner
def take_text(buf, at, end, row, columns, into, names, stack, known, own):
    """Put what the text of an event says of itself where it belongs: its members, where it is an object, or else its pairs."""
    first = after_space(buf, at, end)
    if first < end and buf[first] == 123:
        return take_object(buf, at, end, row, columns, into, names, stack, known, own)
    for k in range(at, end):
        if buf[k] == 61:
            return take_pairs(buf, at, end, row, columns, into, names, known, own)
    return 0


@inlined
def _is_of_a_version(buf, at, end):
    """Whether a name ends like that of a version, which is no number: 1.10 is not 1.1."""
    if end - at < 7:
        return False
    same = True
    for k in range(7):
        same = same and buf[end - 7 + k] | 32 == _VERSION[k]
    return same


@inlined
def _number_shape(buf, at, end):
    """Whether a text is a number as people write it: no zeros in front, 18 digits before the point and 15 behind it at most."""
    if buf[at] == 45:
        at += 1
    first = at
    while at < end and 48 <= buf[at] <= 57:
        at += 1
    whole = at - first
    if whole == 0 or whole > 18 or (buf[first] == 48 and whole > 1):
        return False
    if at == end:
        return True
    if buf[at] != 46:
        return False
    at += 1
    fraction = at
    while at < end and 48 <= buf[at] <= 57:
        at += 1
    return at == end and 1 <= at - fraction <= 15
