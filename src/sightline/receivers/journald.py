"""The journal of systemd, of this machine or in a folder, read with `journalctl` from where the last process stopped.

Enters: entries of `inputs.yml`. Leaves: journal entries in JSON as `journalctl` writes them, and the cursor behind them in the
same write (`positions`); the engine takes them apart. While our journal is full nothing is read, and systemd's keeps its entries
for as long as its own limits let it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
from pathlib import Path
from typing import Any

import orjson

from sightline.config import JournaldSettings
from sightline.receivers.acceptance import Acceptance, Refused
from sightline.receivers.access import TokenSource
from sightline.receivers.inputs import JournalInput
from sightline.receivers.lines import LineSplitter
from sightline.receivers.positions import Position, Positions

log = logging.getLogger(__name__)

KIND = "journald"
SOURCE = "journald"
POSITIONS = "positions/journals.json"
_NOTE_S = 2.0
"""How often positions are noted; until then they are in the journal."""
_READ_BYTES = 1024 * 1024


class JournaldReader:
    """Follows journals until it is closed. Belongs to one event loop."""

    def __init__(
        self,
        acceptance: Acceptance,
        tokens: TokenSource,
        inputs: tuple[JournalInput, ...],
        settings: JournaldSettings,
        journal: Path,
        data: Path,
    ) -> None:
        self._acceptance = acceptance
        self._tokens = tokens
        self._inputs = inputs
        self._settings = settings
        self._positions = Positions(journal, data / POSITIONS, KIND)
        self._known: dict[str, Position] = {}
        self._is_dirty = False
        self._writing = asyncio.Lock()
        """Held while a frame is on its way to the journal, and while it is found out what is loaded."""
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin. Raises EnvironmentTrouble when the positions of before cannot be read."""
        if not self._inputs and not self._positions.is_known:
            return
        self._known = self._positions.read()[0]
        self._is_dirty = True
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._follow_for_ever(one)) for one in self._inputs]
        self._tasks.append(loop.create_task(self._note_for_ever()))

    async def close(self) -> None:
        """Stop, and note the positions."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._tasks:
            await self._note()

    # -- reading

    async def _follow_for_ever(self, one: JournalInput) -> None:
        told = ""
        while True:
            try:
                await self._follow(one)
            except asyncio.CancelledError:
                raise
            except Exception as error:
                if str(error) != told:
                    told = str(error)
                    log.warning("a journal of systemd is not read, and tried again: %s", error)
            await asyncio.sleep(self._settings.retry_s)

    async def _follow(self, one: JournalInput) -> None:
        """Read until `journalctl` ends. Raises OSError or Refused."""
        if one.index != "main" and self._tokens.index_datatype(one.index) != "event":
            raise Refused(400, f'index "{one.index}" is not defined, or not for events')
        if one.name not in self._known and one.start == "end":
            await self._begin_at_end(one)
        known = self._known.get(one.name)
        options = ["--follow", "--no-tail", *([f"--after-cursor={known['cursor']}"] if known else [])]
        process = await self._journalctl(one, *options)
        assert process.stdout is not None and process.stderr is not None
        # Read beside the entries, or a full pipe would stop it.
        said = asyncio.get_running_loop().create_task(process.stderr.read(_READ_BYTES))
        splitter, cut = LineSplitter(self._settings.max_entry_bytes), 0
        try:
            while data := await process.stdout.read(_READ_BYTES):
                entries = splitter.feed(data)
                if splitter.cut > cut:
                    # What was cut is no JSON any more.
                    entries = [entry for entry in entries if len(entry) < self._settings.max_entry_bytes]
                    message = f"an entry is larger than {self._settings.max_entry_bytes} bytes"
                    self._acceptance.refused(Refused(413, message), SOURCE, index=one.index, records=splitter.cut - cut)
                    cut = splitter.cut
                await self._store(one, entries)
            # What has no end was cut by the end of journalctl: its cursor was not noted, so it comes again.
            code = await process.wait()
            text = (await said).decode("utf-8", "replace").strip()
            raise OSError(f"journalctl ended with status {code}: {text}")
        finally:
            said.cancel()
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _begin_at_end(self, one: JournalInput) -> None:
        process = await self._journalctl(one, "--lines=1")
        out, _ = await process.communicate()
        for line in out.splitlines():
            self._known[one.name] = {"id": one.name, "n": 0, "cursor": orjson.loads(line)["__CURSOR"]}
            # No frame in the journal says so.
            self._is_dirty = True
            await self._note()

    async def _journalctl(self, one: JournalInput, *options: str) -> asyncio.subprocess.Process:
        program = shutil.which("journalctl")
        if program is None:
            raise OSError("journalctl is not installed (package systemd)")
        command = [program, "--output=json", "--all", "--no-pager", "--quiet", *options]
        command += [f"--directory={one.directory}"] if one.directory else []
        command += [f"--unit={unit}" for unit in one.units]
        pipe = asyncio.subprocess.PIPE
        return await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=pipe)

    async def _store(self, one: JournalInput, entries: list[bytes]) -> None:
        """Journal entries with the cursor behind them, however long that has to wait."""
        if not entries:
            return
        before = self._known.get(one.name, {"n": 0})
        position = {"id": one.name, "n": before["n"] + 1, "cursor": orjson.loads(entries[-1])["__CURSOR"]}
        described: dict[str, Any] = {"position": position}
        if one.fields:
            described["fields"] = one.fields
        body = b"\n".join((orjson.dumps(described), *entries))
        while True:
            try:
                async with self._writing:
                    await self._acceptance.store(KIND, body, SOURCE, index=one.index, records=len(entries))
                    self._known[one.name] = position
                    self._is_dirty = True
                return
            except Refused as refusal:
                await asyncio.sleep(refusal.retry_after_s or 1)

    # -- positions

    async def _note_for_ever(self) -> None:
        while True:
            await asyncio.sleep(_NOTE_S)
            await self._note()

    async def _note(self) -> None:
        if not self._is_dirty:
            return
        async with self._writing:
            loaded, known = self._positions.loaded(), list(self._known.values())
        try:
            await asyncio.to_thread(self._positions.write, known, {}, loaded)
        except OSError as error:
            log.warning("positions in the journal of systemd are not noted: %s", error)
        else:
            self._is_dirty = self._positions.has_loaded()
