"""What the compiled function that takes batches of the HTTP Event Collector apart shares with who calls it."""

NUMBERS = 9
"""Numbers that it has to be given to work with for each event."""
BYTES, INDEX_AT, INDEX_LENGTH = range(3)
"""What it finds: the bytes it has written, and where the index is that all events name, with its length."""
FIRST_S, LAST_S = -2_208_988_800, 10_413_791_999
"""The times that the store can hold: from 1900 to 2299."""
SHORTEST_BYTES = 11
"""No event is shorter than `{"event":1}`."""
