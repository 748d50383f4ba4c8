"""Eight bytes at once: reading, comparing, checking, hashing and copying runs of bytes, within the bounds of their arrays."""

import numpy as np

from sightline.store.compiled import inlined, intrinsic

_FIRST = 0x9E3779B97F4A7C15 - (1 << 64)
_SECOND = 0xC2B2AE3D27D4EB4F - (1 << 64)


@intrinsic
def _load(typing_context, array, at):
    """The eight bytes at a place as a number, lowest first. Nothing is checked."""

    import llvmlite.ir
    from numba.core import types
    from numba.core.cgutils import create_struct_proxy

    def write(context, builder, signature, arguments):
        data = create_struct_proxy(signature.args[0])(context, builder, arguments[0]).data
        word = llvmlite.ir.IntType(64)
        place = builder.bitcast(builder.gep(data, [arguments[1]]), word.as_pointer())
        return builder.load(place, align=1)

    return types.int64(array, types.int64), write


@intrinsic
def _store(typing_context, array, at, value):
    """Write a number as eight bytes, lowest first. Nothing is checked."""

    import llvmlite.ir
    from numba.core import types
    from numba.core.cgutils import create_struct_proxy

    def write(context, builder, signature, arguments):
        data = create_struct_proxy(signature.args[0])(context, builder, arguments[0]).data
        word = llvmlite.ir.IntType(64)
        place = builder.bitcast(builder.gep(data, [arguments[1]]), word.as_pointer())
        builder.store(arguments[2], place, align=1)
        return context.get_dummy_value()

    return types.void(array, types.int64, types.int64), write


@inlined
def read_word(buf, at):
    """Eight bytes as a number. Raises IndexError where they are not all in the array."""
    if at < 0 or at > len(buf) - 8:
        raise IndexError
    return _load(buf, at)


@inlined
def write_word(out, to, value):
    """Write a number as eight bytes. Raises IndexError where they are not all in the array."""
    if to < 0 or to > len(out) - 8:
        raise IndexError
    _store(out, to, value)


@inlined
def is_same(buf, at, length, other, other_at):
    """Whether two runs of bytes of one length are the same."""
    if length >= 8:
        k = np.int64(0)
        while k < length - 8:
            if read_word(buf, at + k) != read_word(other, other_at + k):
                return False
            k += 8
        return read_word(buf, at + length - 8) == read_word(other, other_at + length - 8)
    for k in range(length):
        if buf[at + k] != other[other_at + k]:
            return False
    return True


@inlined
def name_hash(buf, at, length):
    """A number for a name, of some of its bytes: names differ in their length, their beginning or their end."""
    value = np.int64(length) * _FIRST
    if length >= 8:
        value ^= read_word(buf, at) * _SECOND
        value ^= (read_word(buf, at + length - 8) + length) * _FIRST
        value ^= read_word(buf, at + ((length - 8) >> 1)) << 5
    else:
        for k in range(length):
            value = (value ^ np.int64(buf[at + k])) * _SECOND
    value ^= value >> 29
    return value & 0x7FFFFFFF


_QUOTES = 0x2222222222222222
_BACKSLASHES = 0x5C5C5C5C5C5C5C5C
_SPACES = 0x2020202020202020
_LOWS = 0x0101010101010101
_HIGHS = 0x8080808080808080 - (1 << 64)


@inlined
def is_plain(word):
    """Whether none of eight bytes is a quote, a backslash or a control character."""
    quotes, backslashes = word ^ _QUOTES, word ^ _BACKSLASHES
    found = ((quotes - _LOWS) & ~quotes) | ((backslashes - _LOWS) & ~backslashes) | ((word - _SPACES) & ~word)
    return found & _HIGHS == 0


@inlined
def is_text(buf, at, end):
    """Whether bytes are UTF-8."""
    while at < end:
        if at + 8 <= len(buf):
            word = read_word(buf, at) & _HIGHS
            if end - at < 8:
                word &= (np.int64(1) << 8 * (end - at)) - 1
            if word == 0:
                at += 8
                continue
        byte = buf[at]
        if byte < 128:
            at += 1
            continue
        if byte < 0xC2:
            return False
        least, most = 0x80, 0xBF
        if byte < 0xE0:
            more = 1
        elif byte < 0xF0:
            more = 2
            if byte == 0xE0:
                least = 0xA0
            elif byte == 0xED:
                most = 0x9F
        elif byte < 0xF5:
            more = 3
            if byte == 0xF0:
                least = 0x90
            elif byte == 0xF4:
                most = 0x8F
        else:
            return False
        if end - at <= more or buf[at + 1] < least or buf[at + 1] > most:
            return False
        for k in range(2, more + 1):
            if buf[at + k] < 0x80 or buf[at + k] > 0xBF:
                return False
        at += more + 1
    return True


@inlined
def copy(buf, at, length, out, to):
    """Copy a run of bytes. Up to seven bytes behind it may change, where the array has room for them."""
    k = np.int64(0)
    if at >= 0 and to >= 0:
        whole = min(len(buf) - at, len(out) - to) - 8
        while k < length and k <= whole:
            _store(out, to + k, _load(buf, at + k))
            k += 8
    while k < length:
        out[to + k] = buf[at + k]
        k += 1
