"""Memory has a bound however hard the receivers are pushed: the flood of `flood.py`, for a moment."""

from .flood import flood

MOST_MIB = 950
"""All processes together: a gigabyte. Measured: up to 700."""


def test_a_flood_of_the_largest_requests_stays_within_a_gigabyte(new_server):
    new_server.start()
    seen = flood(new_server, seconds=12, clients=1)
    assert seen["peak_mib"]["all"] < MOST_MIB, seen
    answers = seen["answers"]
    assert any(each.endswith(("MiB: 200", "MiB: 204", "MiB: OK")) for each in answers), answers
    # Whoever sends little is answered meanwhile.
    assert answers["small logs: 200"] > 10 and answers["small events: 200"] > 10, answers
