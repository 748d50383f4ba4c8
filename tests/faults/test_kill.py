"""kill -9 while everything is under way: a few rounds of `kill.py`, and in the middle of retention and of a merge."""

import subprocess
import sys
import textwrap
import time

from sightline.config import Settings
from sightline.store import EmbeddedStore
from sightline.store.retention import Limits, enforce

from .kill import run_rounds

NOW = 1_764_115_200.0
PROGRAM = textwrap.dedent(
    """
    import sys
    from pathlib import Path
    from sightline.config import Settings
    from sightline.store import EmbeddedStore
    from sightline.store.retention import Limits, enforce, optimize
    data, task = Path(sys.argv[1]), sys.argv[2]
    store = EmbeddedStore(data / "engine", Settings(data))
    print("begun", flush=True)
    if task == "retention":
        enforce(store, "main", Limits(max_age_s=10 * 86400.0), 1_764_115_200.0)
    else:
        optimize(store, "main", 1 << 40)
    print("done", flush=True)
    """
)


def test_everything_acknowledged_is_stored_once_whatever_is_killed(new_server):
    new_server.start()
    numbers = run_rounds(new_server, 3, seed=1)
    assert set(numbers["killed"]) == {"front", "engine", "supervisor"}
    assert numbers["acknowledged"] <= numbers["stored"] <= numbers["acknowledged"] + numbers["unknown"]


def test_retention_and_merges_that_are_killed_end_right(tmp_path):
    settings = Settings(tmp_path)
    with EmbeddedStore(tmp_path / "engine", settings) as store:
        for part in range(4):
            # Within one month: half of it too old, so that the parts must be rewritten.
            store.execute(
                "INSERT INTO sightline.events (index, _time, _raw) SELECT 'main',"
                f" toDateTime64({NOW} - 86400 * (number % 20) - {part}, 6), concat('line ', toString(number))"
                " FROM numbers(20000)"
            )
    for task, delay_s in (("merge", 0.05), ("retention", 0.0), ("retention", 0.15)):
        process = subprocess.Popen([sys.executable, "-c", PROGRAM, tmp_path, task], stdout=subprocess.PIPE, text=True)
        assert process.stdout.readline() == "begun\n"
        time.sleep(delay_s)
        process.kill()
        process.wait()
    with EmbeddedStore(tmp_path / "engine", settings) as store:
        enforce(store, "main", Limits(max_age_s=10 * 86400.0), NOW)
        found = store.query(
            f"SELECT count() AS n, uniqExact(_raw, _time) AS different, countIf(_time < toDateTime64({NOW} - 864000, 6)) AS old"
            " FROM sightline.events WHERE index = 'main'"
        ).to_pylist()[0]
    kept = 4 * 20000 * 10 // 20
    # The days on the edge differ by the parts' seconds.
    assert found["n"] == found["different"] and found["old"] == 0
    assert kept <= found["n"] <= kept + 4 * 1000
