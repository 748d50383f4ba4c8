"""Members of records: which promoted column takes a value, and the list of what none takes.

A member is (place of its name, length of it, kind of its value, value, length). `columns[name, line]` is the promoted column that
takes a value, -1 for none; a name that is not known has none.
"""

from typing import NamedTuple

import numpy as np

from sightline.store.compiled import inlined, inner
from sightline.store.compiled.wire import ARRAY, BOOL, DOUBLE, INT, LENGTH, STRING, find_name, read_field, read_value
from sightline.store.compiled.words import is_same

EXACT_INTEGER = 1 << 53
INT64, FLOAT64, BOOLEAN, TEXT, TEXTS, DEEP = range(6)
"""Lines of `columns`: what kind of column takes a value; the last is 0 where members of an object with this name have columns."""

GUESSES = 256
"""Places of a record's attributes at which a name is tried that stood there before."""


class Names(NamedTuple):
    """The names that are known, by their number; what a lookup of them needs."""

    text: np.ndarray
    """The names one after the other."""
    at: np.ndarray
    """Where each begins, and its length."""
    table: np.ndarray
    """The hash table of those with no object around them."""
    children: np.ndarray
    """Of a name whose members are known: the first of them, and how many there are."""
    guesses: np.ndarray
    """The name that stood last at each place of a record."""
    constants: np.ndarray
    """Place and length of the texts that this program has for its own members."""
    constant_names: np.ndarray
    """The number of each of them, -1 where it is not known."""


class Into(NamedTuple):
    """Where the members of a window's records go."""

    numbers: np.ndarray
    """For each promoted column and record a number, the bits of a double, or the place of a text."""
    floats: np.ndarray
    """The same numbers as doubles."""
    lengths: np.ndarray
    """Below 0 where a record has nothing in a column."""
    seen: np.ndarray
    """For each name twice the record that had it last, and one more where a column has taken the value."""
    items: np.ndarray
    """What no column takes."""
    elements: np.ndarray
    """Place and length of the texts of lists."""
    cells: np.ndarray
    """Values of columns that are read more exactly later."""
    state: np.ndarray
    """How many items, elements and cells there are."""


@inlined
def _set(column, row, value, length, into):
    """Write a value where there is a column for it; whether there is."""
    if column < 0:
        return False
    into.numbers[column, row] = value
    into.lengths[column, row] = length
    return True


@inlined
def put(kind, value, length, name, columns, row, into):
    """Whether a promoted column has taken the value of a member. That of a list is the first of what `list_texts` has listed."""
    if kind == STRING:
        return _set(columns[name, TEXT], row, value, length, into)
    if kind == INT:
        taken = _set(columns[name, INT64], row, value, 0, into)
        if -EXACT_INTEGER <= value <= EXACT_INTEGER and _set(columns[name, FLOAT64], row, value, 0, into):
            into.floats[columns[name, FLOAT64], row] = np.float64(value)
            taken = True
        return taken
    if kind == DOUBLE:
        return _set(columns[name, FLOAT64], row, value, 0, into)
    if kind == BOOL:
        return _set(columns[name, BOOLEAN], row, value, 0, into)
    if kind == ARRAY:
        return _set(columns[name, TEXTS], row, value, length, into)
    return False


@inner
def list_texts(buf, at, end, elements, state):
    """List the texts of an array for a column of lists: (first, count). Below 0 for an array that is not of texts only."""
    first = state[1]
    while at < end:
        number, wire, a, b, at = read_field(buf, at, end)
        if at < 0 or number != 1 or wire != LENGTH:
            return np.int64(-1), np.int64(0)
        kind, value, length = read_value(buf, a, b)
        if kind != STRING or state[1] >= elements.shape[1]:
            return np.int64(-1), np.int64(0)
        elements[0, state[1]] = value
        elements[1, state[1]] = length
        state[1] += 1
    return first, state[1] - first


@inlined
def add(items, state, key, key_length, kind, value, length):
    """Append a member that no column takes; False where there is no room."""
    n = state[0]
    if n >= items.shape[1]:
        return False
    items[0, n] = key
    items[1, n] = key_length
    items[2, n] = kind
    items[3, n] = value
    items[4, n] = length
    state[0] = n + 1
    return True


@inlined
def keep(kind, value, length, name, key, key_length, columns, row, into):
    """Put a member where it belongs: into the column of its name, or to what none takes. Where a column has taken one of two equal
    names, the first counts. False where there is no room."""
    if name >= 0:
        if into.seen[name] == 2 * row + 1:
            return True
        if into.seen[name] != 2 * row:
            taken = put(kind, value, length, name, columns, row, into)
            into.seen[name] = 2 * row + np.int64(taken)
            if taken:
                return True
    return add(into.items, into.state, key, key_length, kind, value, length)


@inlined
def name_of(buf, key, length, place, names):
    """The number of a name. Records of one kind have the same names in the same order, so the one that stood there last is tried."""
    if place < GUESSES:
        guess = names.guesses[place]
        if guess >= 0 and names.at[1, guess] == length and is_same(buf, key, length, names.text, names.at[0, guess]):
            return guess
        found = find_name(buf, key, length, names.text, names.at[0], names.at[1], names.table)
        names.guesses[place] = found
        return found
    return find_name(buf, key, length, names.text, names.at[0], names.at[1], names.table)
