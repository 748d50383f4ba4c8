"""Every setting with its default, its unit and the reason for the number.

A setting is read from `<data>/sightline.toml` (a table per section below) and then from the environment
(`SIGHTLINE_<SECTION>_<NAME>`), which wins. An unknown name or a value of the wrong type is refused by name.
"""

from __future__ import annotations

import dataclasses
import os
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sightline.errors import UserError

DATA_VERSION = 1
"""Version of the data directory's layout. A directory of a newer version is refused."""


@dataclass(frozen=True, slots=True)
class ListenSettings:
    """Where each listener binds: `host:port`, or `off`. Loopback by default, so that nobody gets in by accident."""

    http: str = "127.0.0.1:8000"
    otlp_http: str = "127.0.0.1:4318"
    otlp_grpc: str = "127.0.0.1:4317"
    hec: str = "127.0.0.1:8088"
    syslog_udp: str = "off"
    syslog_tcp: str = "off"
    syslog_tls: str = "off"
    statsd_udp: str = "off"
    statsd_tcp: str = "off"


@dataclass(frozen=True, slots=True)
class IngestSettings:
    """Bounds and pace of the way in."""

    otlp_needs_token: bool = False
    """Ask for a token also on loopback. On any other address a token is always needed."""
    otlp_remembered_requests: int = 20_000
    """Latest OTLP requests with spans or points that are recognised when they come again after a lost answer: 5 MB, and
    with 100 requests a second more than the minute after which clients give up. 0 recognises none."""
    max_body_bytes: int = 64 * 1024 * 1024
    """Largest request after decompression: the limit that OTLP 1.11 recommends."""
    record_max_bytes: int = 16 * 1024 * 1024
    """Largest part of a request that cannot be cut: one record, with what holds for all of them. Decoded it takes fifteen times as
    much; of a record's text `max_event_bytes` are kept."""
    json_max_body_bytes: int = 16 * 1024 * 1024
    """The same for JSON that has to be read as a whole: as objects it takes ten to twenty times its size. Batches of HEC and of
    Elasticsearch, which are read in pieces, may be as large as any."""
    max_inflight_bytes: int = 256 * 1024 * 1024
    """Memory for requests that are being taken in, all together: four bytes for each of theirs, of JSON twelve. With more, a
    request waits; one that alone needs more goes alone."""
    room_wait_s: float = 10.0
    """How long a request waits for room before it is answered "retry later": shorter than the patience of common clients."""
    grpc_max_body_bytes: int = 16 * 1024 * 1024
    """Largest request over gRPC, which does not say its size before it is read; clients' batches have 4 MiB at most."""
    grpc_reading_bytes: int = 64 * 1024 * 1024
    """Memory for requests that are coming in over gRPC: so many of the largest at once; the rest wait with the sender."""
    header_timeout_s: float = 30.0
    """Time for the header of a request, from its first byte or from the connection."""
    body_timeout_s: float = 30.0
    """Time between two pieces of a body, and for the first `body_rate_bytes_s` of each second after it."""
    body_rate_bytes_s: int = 1024
    """The slowest a body may come on average after `body_timeout_s`: slower is an attack or a broken line."""
    max_connections: int = 4_000
    """Connections at once for each listener over HTTP, each with 64 KB at most that wait; more are answered "retry later"."""
    group_commit_ms: float = 4.0
    """Least time between two fsyncs of the journal: one append alone is written at once, many share what comes next."""
    segment_max_age_s: float = 0.5
    """A segment is closed and loaded at this age: what a person feels as "at once"."""
    segment_max_age_behind_s: float = 5.0
    """The same while the loader is behind: a statement for much costs little more than one for little."""
    segment_max_bytes: int = 8 * 1024 * 1024
    """A segment is closed at this size: large enough for an efficient insert, small enough to load within a second."""
    promoted_fields: int = 150
    """Fields of a table that get a column of their own. Each costs every record about a nanosecond, and every insert a
    stream; the fields beyond are read more slowly from the JSON column."""
    load_threads: int = 2
    """Segments loaded at the same time; one keeps one processor busy."""
    journal_max_bytes: int = 8 * 1024 * 1024 * 1024
    """Waiting bytes above which receivers answer "retry later": a bound on the disk an outage of the engine can take."""
    max_event_bytes: int = 1024 * 1024
    """Longest text of an event; what is longer is cut, marked and counted. A page of a thousand events must fit into a
    browser, and a block of rows into a search's memory; a stack trace or a prompt of a model is far shorter."""
    max_fields_bytes: int = 1024 * 1024
    """Most text that all fields of a record may be together; beyond it long values are cut, then fields left as one text."""
    max_value_bytes: int = 256 * 1024
    """Longest value that a field keeps where a record is over `max_fields_bytes`."""
    max_new_series: int = 200_000
    """New metric series of an index and token in an hour; above it the labels that make them are folded. A large cluster
    has fewer in a day, a label that holds a user's or a request's id has them in minutes, and nobody can look at them."""
    max_new_fields: int = 5_000
    """New names of fields of an index in an hour; above it those that a token adds are kept as one text. The widest known
    sources have some hundreds of names; more are values in the place of names."""
    scrub_statements: bool = True
    """Take literals out of statements of databases (`db.query.text`, `db.statement`) before they are stored: they hold what
    people typed, and instrumentation sends them as they are."""
    disk_reserve_bytes: int = 256 * 1024 * 1024
    """Free disk below which receivers answer "retry later", so that the engine can still merge and delete."""


@dataclass(frozen=True, slots=True)
class HecSettings:
    """Bounds of the HTTP Event Collector's acknowledgements, which only tokens with `use_ack` have."""

    ack_idle_s: float = 600.0
    """A channel nobody uses for so long is forgotten, with the ids it has not asked for: what Splunk does."""
    max_channels: int = 10_000
    """Channels at once; a sender has one for each of its processes."""
    max_pending_acks: int = 1_000_000
    """Ids of all channels that nobody has asked for, about 60 bytes each; with more, a sender is told to come back."""


@dataclass(frozen=True, slots=True)
class RetentionSettings:
    """How long and how much indexes keep that say nothing of their own, and how their limits are applied."""

    interval_s: float = 60.0
    """How often every index is looked at; a look reads no rows."""
    max_age_s: float = 0.0
    """Age at which data goes; 0 keeps it. What is younger by a tenth of it, or a day, may go along at the edge of a month."""
    max_bytes: int = 0
    """Bytes on disk of one index above which its oldest data goes; 0 is no bound."""
    internal_max_age_s: float = 30 * 86400.0
    """The same age for `_internal`, which the program fills by itself."""
    clock_jump_s: float = 3600.0
    """A clock that jumps by more holds retention by age back: a wrong clock must not delete everything."""
    clock_wait_s: float = 6 * 3600.0
    """For so long, in which a wrong clock is mostly set right."""
    optimize_max_bytes: int = 10 * 1024 * 1024 * 1024
    """Largest partition that `index optimize` merges into one part: some minutes of one processor."""


@dataclass(frozen=True, slots=True)
class SyslogSettings:
    """What the syslog listeners do; each is off unless it has an address in `listen`."""

    index: str = "main"
    """Where messages go: syslog has no token that could say so."""
    max_message_bytes: int = 64 * 1024
    """A longer message is cut, and counted: RFC 5424 asks for 2 KB, and the largest datagram has 64 KB."""
    max_connections: int = 1_000
    """Connections at once; each holds one message at most. One more closes the one that was silent for longest."""
    gather_ms: float = 20.0
    """How long datagrams are gathered before they are written: one write for many."""
    tls_certificate: str = ""
    """The certificate chain of the TLS listener, a PEM file."""
    tls_key: str = ""
    """Its private key, a PEM file."""
    tls_client_authority: str = ""
    """Who must have signed a sender's certificate, a PEM file; empty asks for none."""


@dataclass(frozen=True, slots=True)
class StatsdSettings:
    """What the statsd listeners do; each is off unless it has an address in `listen`."""

    index: str = "metrics"
    """Where samples go: statsd has no token that could say so."""
    events_index: str = "main"
    """Where the events and service checks of DogStatsD go."""
    gauge_signs: str = "relative"
    """What a signed value of a gauge is: `relative` to the value before, as statsd has it, or `absolute`, as Datadog's clients
    send it. A line with tags, a container or a time in Datadog's way is absolute in any case."""
    max_gauges: int = 100_000
    """Gauges whose last value is kept for relative ones; a relative value of one more is refused."""
    max_message_bytes: int = 64 * 1024
    """A longer line is cut, and counted; the largest datagram has as many."""
    max_connections: int = 1_000
    """Connections at once; each holds one line at most."""
    gather_ms: float = 20.0
    """How long datagrams are gathered before they are written: one write for many."""


@dataclass(frozen=True, slots=True)
class FilesSettings:
    """How files that `inputs.yml` names are read."""

    poll_ms: float = 250.0
    """How often known files are looked at. Polled, because a file system of the network tells nobody of changes."""
    scan_s: float = 2.0
    """How often new files are looked for; less often where that takes more than a twentieth of the time."""
    quiet_ms: float = 500.0
    """After so long without growth the last event of a file is complete: what writes an event writes all its lines at once."""
    hold_ms: float = 5_000.0
    """The last event of a file that does not stop growing is held back at most so long."""
    partial_line_s: float = 10.0
    """A last line without an end is taken as it is after so long without growth."""
    max_line_bytes: int = 1024 * 1024
    """A line that has no end within so many bytes becomes several events: a bound on what is held of a file."""
    max_files: int = 10_000
    """Files that are followed at once; what is beyond is told in the log and in the ledger, and read when there is room."""
    max_open_files: int = 256
    """Files held open: one that is held can be read to its end when it is renamed or deleted. A quarter of the usual limit."""
    forget_s: float = 7 * 24 * 3600.0
    """How long the position of a file that is gone is kept."""


@dataclass(frozen=True, slots=True)
class RuleSettings:
    """Bounds of `sourcetypes.yml`, so that no rule makes loading slow without anybody noticing."""

    max_file_bytes: int = 1024 * 1024
    """Of the file: some 10,000 rules' text."""
    max_sourcetypes: int = 1_000
    """Sourcetypes with a rule; an installation with every add-on has some hundred that are its own."""
    max_steps: int = 50
    """Masks, drops, routes, names and extractions of one sourcetype: each is a pattern that every event of it meets."""
    max_event_lines: int = 100_000
    """The most that a rule's `max_lines` may ask for."""
    max_event_characters: int = 1_000_000
    """The most that a rule's `max_characters` may ask for: what is over `ingest.max_event_bytes` would be cut."""
    max_try_bytes: int = 16 * 1024 * 1024
    """Of a file with which rules are tried; of a longer one only the beginning counts."""


@dataclass(frozen=True, slots=True)
class JournaldSettings:
    """How journals of systemd that `inputs.yml` names are read."""

    max_entry_bytes: int = 4 * 1024 * 1024
    """A larger entry is refused, and counted: a bound on what is held of one."""
    retry_s: float = 5.0
    """Pause before `journalctl` is started again when it ended."""


@dataclass(frozen=True, slots=True)
class SearchSettings:
    """Bounds of one search and of all together."""

    max_memory_bytes: int = 4 * 1024 * 1024 * 1024
    """Engine memory of one search. Sorting and grouping spill long before, grouping at a sixth of it, so that a cancel is heard
    while they do; what needs more in spite of that ends with a message."""
    max_disk_bytes: int = 0
    """What one search may write to the disk: rows that its memory does not hold, and as much again of results. 0 is half of what is
    free when it begins, so that what comes in still has room."""
    cache_bytes: int = 512 * 1024 * 1024
    """Memory for columns as they were before they were compressed, so that what is searched again is read in half the time; a
    sixteenth of the machine's at most, and none with 0."""
    max_time_s: float = 3600.0
    """Wall time of one search."""
    max_concurrent: int = 8
    """Searches that run at once; more wait in a queue."""
    max_threads: int = 0
    """Threads of one search; 0 is as many as there are processors."""
    niceness: int = 5
    """How far threads of searches stand back behind those that load data, from 0 to 19, where the system allows it."""
    job_ttl_s: float = 600.0
    """How long a finished job's results stay after they were last read."""
    max_python_rows: int = 20_000_000
    """Rows a Python step may hold at once."""
    ip_database: str = ""
    """File in MaxMind's format that `iplocation` reads, seen from the data directory; empty looks for one in there."""


@dataclass(frozen=True, slots=True)
class WebSettings:
    """The HTTP API and the page."""

    public_url: str = ""
    """How people reach the page, for links in alerts; empty means the address of the main listener."""
    session_ttl_s: float = 14 * 24 * 3600.0
    """How long a browser stays signed in."""
    login_attempts: int = 10
    """Failed logins of one address or one name before it has to wait a minute."""
    max_body_bytes: int = 8 * 1024 * 1024
    """Largest API request; `load` streams to disk and has its own bound."""
    max_upload_bytes: int = 16 * 1024 * 1024 * 1024
    """Largest file given to `load`."""


@dataclass(frozen=True, slots=True)
class WatchSettings:
    """Scheduled searches and alerts."""

    enabled: bool = True
    max_concurrent: int = 2
    """Scheduled runs at once, so that people's own searches still find a place."""
    late_s: float = 60.0
    """A due time older than this is not run late but skipped, unless the schedule asks for every run."""
    delivery_attempts: int = 5
    """Tries of one notification; waits double from `delivery_backoff_s`: the last comes about 15 s after the first."""
    delivery_backoff_s: float = 1.0
    delivery_timeout_s: float = 10.0
    mail_server: str = ""
    """`host:port` of the mail server for alerts and `sendemail`; empty means that no mail is sent."""
    mail_security: str = "none"
    """`none`, `starttls`, or `tls` from the first byte."""
    mail_user: str = ""
    """Name to log in with at the mail server; empty means without."""
    mail_password: str = ""
    mail_from: str = "sightline@localhost"
    """Sender of mails that name none."""


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings, frozen at start."""

    data: Path
    listen: ListenSettings = field(default_factory=ListenSettings)
    ingest: IngestSettings = field(default_factory=IngestSettings)
    hec: HecSettings = field(default_factory=HecSettings)
    retention: RetentionSettings = field(default_factory=RetentionSettings)
    syslog: SyslogSettings = field(default_factory=SyslogSettings)
    statsd: StatsdSettings = field(default_factory=StatsdSettings)
    files: FilesSettings = field(default_factory=FilesSettings)
    journald: JournaldSettings = field(default_factory=JournaldSettings)
    rules: RuleSettings = field(default_factory=RuleSettings)
    search: SearchSettings = field(default_factory=SearchSettings)
    web: WebSettings = field(default_factory=WebSettings)
    watch: WatchSettings = field(default_factory=WatchSettings)


def load_settings(data: Path, overrides: dict[str, dict[str, Any]] | None = None) -> Settings:
    """Settings for a data directory: defaults, then its file, then the environment, then `overrides`.

    Raises UserError naming the setting that is unknown or has the wrong type.
    """
    path = data / "sightline.toml"
    from_file: dict[str, Any] = {}
    if path.exists():
        try:
            from_file = tomllib.loads(path.read_text())
        except tomllib.TOMLDecodeError as error:
            raise UserError(f"{path} is not valid TOML: {error}") from error
    sections: dict[str, Any] = {}
    known = {f.name: f for f in dataclasses.fields(Settings) if f.name != "data"}
    for name in from_file:
        if name not in known:
            raise UserError(f'{path}: unknown section "{name}", wanted one of: {", ".join(known)}')
    for name, section_field in known.items():
        section_type = section_field.default_factory  # type: ignore[union-attr]
        values = dict(from_file.get(name, {}))
        for setting in dataclasses.fields(section_type):  # type: ignore[arg-type]
            variable = f"SIGHTLINE_{name}_{setting.name}".upper()
            if variable in os.environ:
                values[setting.name] = os.environ[variable]
        values.update({k: v for k, v in (overrides or {}).get(name, {}).items() if v is not None})
        sections[name] = _build(section_type, name, values)
    return Settings(data=data, **sections)


def _build(section_type: Any, section: str, values: dict[str, Any]) -> Any:
    defaults = section_type()
    checked: dict[str, Any] = {}
    for name, given in values.items():
        if not hasattr(defaults, name):
            names = ", ".join(f.name for f in dataclasses.fields(section_type))
            raise UserError(f'unknown setting "{section}.{name}", wanted one of: {names}')
        checked[name] = _convert(f"{section}.{name}", given, type(getattr(defaults, name)))
    return dataclasses.replace(defaults, **checked)


def _convert(name: str, given: Any, wanted: type) -> Any:
    if isinstance(given, wanted) and not (wanted is int and isinstance(given, bool)):
        return given
    if wanted is float and isinstance(given, int) and not isinstance(given, bool):
        return float(given)
    if isinstance(given, str):
        text = given.strip()
        if wanted is bool and text.lower() in ("1", "true", "yes", "on", "0", "false", "no", "off"):
            return text.lower() in ("1", "true", "yes", "on")
        if wanted in (int, float):
            try:
                return wanted(text)
            except ValueError:
                pass
    raise UserError(f'setting "{name}" wants {wanted.__name__}, got "{given}"')
