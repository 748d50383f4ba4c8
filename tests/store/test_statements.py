"""Statements of databases: what is a value goes, what is a name stays, in each dialect; and no literal survives."""

from __future__ import annotations

import random

import pytest

from sightline.store.sql_text import quote

POSTGRES, MYSQL, SQLITE, MSSQL, ORACLE = "postgresql", "mysql", "sqlite", "mssql", "oracle"

KEPT = [
    (POSTGRES, "select a from table1 t where a = 42", "select a from table1 t where a = ?"),
    (POSTGRES, "SELECT 'it''s', 'a\\', 'b'", "SELECT ?, ?, ?"),
    (POSTGRES, "SELECT E'it\\'s', N'x', B'01', X'1F', U&'d\\0061'", "SELECT ?, ?, ?, ?, ?"),
    (POSTGRES, 'SELECT $$ it\'s $$, "Col 1", $1, a$b, $fn$ a $$ b $fn$, c', 'SELECT ?, "Col 1", ?, a$b, ?'),
    (POSTGRES, "SELECT 1, -2.5, .5, 1e-7, 0x1F, 1_000 FROM s1.t2", "SELECT ?, -?, .?, ?, ?, ? FROM s1.t2"),
    (POSTGRES, "SELECT a /* id 7 * / 8 **/ FROM t -- for 'ann'\nWHERE b", "SELECT a FROM t WHERE b"),
    (POSTGRES, "SELECT a /* id 7 /* nested 8 */ x */ FROM t", "SELECT a"),
    (POSTGRES, "SELECT a FROM t WHERE b IN (1, 2, 3) AND c in ('x')", "SELECT a FROM t WHERE b IN (?) AND c in (?)"),
    (POSTGRES, "INSERT INTO t (a, b) VALUES (1, 'x'), (2, 'y')", "INSERT INTO t (a, b) VALUES (?, ?)"),
    (POSTGRES, "SELECT a = ANY(ARRAY[1, 2]), b[3]", "SELECT a = ANY(ARRAY[?]), b[?]"),
    (
        POSTGRES,
        "SELECT * FROM t WHERE a = ? AND b = %s AND c = :name",
        "SELECT * FROM t WHERE a = ? AND b = %s AND c = :name",
    ),
    (MYSQL, "SELECT `a 1` FROM t WHERE b = 'it\\'s' AND c = \"x\" # ann", "SELECT `a 1` FROM t WHERE b = ? AND c = ?"),
    (MYSQL, "SELECT _utf8'x', b'1', 0xFF", "SELECT ?, ?, ?"),
    (SQLITE, 'SELECT [a 1], "x" FROM t', "SELECT [a 1], ? FROM t"),
    (MSSQL, "SELECT [id 1] FROM [dbo].[T1] WHERE n = N'x'", "SELECT [id 1] FROM [dbo].[T1] WHERE n = ?"),
    (ORACLE, "SELECT q'[it's]', nq'!a'b!' FROM dual", "SELECT ?, ? FROM dual"),
    # Where no dialect is known, a quote that may be escaped hides all that follows.
    ("", "SELECT 'it\\'s' , name", "SELECT ?"),
    ("", "SELECT 'a', name FROM t WHERE b = \"x\"", "SELECT ?, name FROM t WHERE b = ?"),
    # A statement that was cut.
    (POSTGRES, "SELECT a FROM t WHERE b = 'ann", "SELECT a FROM t WHERE b = ?"),
    (POSTGRES, 'SELECT a FROM t WHERE "b', "SELECT a FROM t WHERE ?"),
    ("mongodb", '{"find": "users", "filter": {"n": {"$in": [1, -2]}}}', '{"find": ?, "filter": {"n": {"$in": [?]}}}'),
    ("redis", "SET user:1 secret EX 10\nPING", "SET ?\nPING"),
    (POSTGRES, "", ""),
]
SUMMARIES = [
    ("SELECT * FROM orders o JOIN items i ON o.id = i.id", "SELECT orders items"),
    ("insert into shipping.details select * from orders", "INSERT shipping.details SELECT orders"),
    ("UPDATE t SET a = ?", "UPDATE t"),
    ("INSERT INTO t (a) VALUES (?) ON CONFLICT DO UPDATE SET a = ?", "INSERT t"),
    ("SELECT EXTRACT(YEAR FROM d) FROM t FOR UPDATE", "SELECT t"),
    ("CREATE TABLE IF NOT EXISTS t (a int)", "CREATE TABLE t"),
    ("SELECT ?", "SELECT"),
    ("BEGIN", ""),
]


def scrubbed(store, statements: list[tuple[str, str]]) -> list[str]:
    """Statements without their literals, from (system, statement)."""
    pairs = ", ".join(f"({quote(system)}, {quote(text)})" for system, text in statements)
    rows = store.query(
        "SELECT sightline_scrubbed_statement(p.2, sightline_dialect(p.1)) AS scrubbed"
        f" FROM (SELECT arrayJoin(arrayEnumerate([{pairs}] AS all)) AS n, all[n] AS p ORDER BY n)"
    )
    return rows["scrubbed"].to_pylist()


def test_values_go_and_names_stay(store):
    found = scrubbed(store, [(system, text) for system, text, _ in KEPT])
    assert found == [wanted for _, _, wanted in KEPT]


def test_what_is_scrubbed_stays_as_it_is(store):
    once = scrubbed(store, [(system, text) for system, text, _ in KEPT if system != "redis"])
    assert (
        scrubbed(store, [(k[0], text) for k, text in zip([k for k in KEPT if k[0] != "redis"], once, strict=True)]) == once
    )


@pytest.mark.parametrize(("statement", "summary"), SUMMARIES)
def test_a_statement_has_a_summary(store, statement, summary):
    assert store.query(f"SELECT sightline_summary({quote(statement)}, 'standard') AS s")["s"].to_pylist() == [summary]


SECRET = "zqx"
NAMES = [
    "a",
    "table1",
    "s.t2",
    "_x",
    "SELECT",
    "FROM",
    "WHERE",
    "=",
    "(",
    ")",
    ",",
    " ",
    "\n",
    "->>",
    "::",
    "--\n",
    "/**/",
    "*",
]


def literals(system: str, rng: random.Random) -> str:
    """A literal of a dialect that holds the secret."""
    inside = "".join(
        rng.choice(["a", " ", "--", "/*", "*/", ";", "#", "$", "é", "1", "\n", "[", "`"]) for _ in range(rng.randrange(4))
    )
    body = inside + SECRET + inside
    number = f"{rng.randrange(10)}{SECRET}"
    choices = [f"'{body}'", f"'it''s {body}'", number]
    if system in ("postgresql", "cassandra"):
        choices += [f"$${body.replace('$', '')}$$", f"$f1${body}$f1$", f"'{body}\\'"]
    if system == "postgresql":
        choices += [f"E'\\'{body}\\\\'", f"x'{body}'", f"U&'{body}'"]
    if system in ("mysql", "spark"):
        choices += [f"'\\'{body}\\\\'", f'"{body}\\""', f'"{body}""x"']
    if system in ("sqlite", "mssql", ""):
        choices += [f'"{body}"']
    if system == "oracle":
        choices += [f"q'[{body}]'", f"Q'{{{body}}}'", f"nq'({body})'", f"q'#{body}#'", f"'{body}\\'"]
    if system == "":
        choices += [f"'\\'{body}\\\\'", f'"\\"{body}"', f"'''{body}'''"]
    choices += [f"-- {SECRET}\n", f"/* {SECRET} */", f"/* a /* {SECRET} */ {SECRET} */"]
    return rng.choice(choices)


@pytest.mark.parametrize("system", ["postgresql", "cassandra", "mysql", "spark", "sqlite", "mssql", "oracle", ""])
def test_no_literal_survives(store, system):
    rng = random.Random(f"statements of {system}")
    statements = []
    for _ in range(1500):
        pieces = [
            rng.choice(NAMES) if rng.random() < 0.7 else literals(system, rng) + " " for _ in range(rng.randrange(1, 14))
        ]
        # One of four ends in the middle of a string, as a statement that was cut does.
        statements.append(" ".join(pieces) + rng.choice(["", "", "", f" '{SECRET} ; {SECRET}"]))
    found = scrubbed(store, [(system, text) for text in statements])
    leaked = [(text, left) for text, left in zip(statements, found, strict=True) if SECRET in left]
    assert leaked[:3] == []


def test_documents_lose_their_values(store):
    rng = random.Random(5)
    shape = '{"find": "SECRET", "n": [1, 7SECRET, "\\"SECRET"], \'x\': \'SECRET\', "y": "SECRET'
    texts = [shape.replace("SECRET", SECRET)[: rng.randrange(20, 90)] for _ in range(40)]
    assert all(SECRET not in text for text in scrubbed(store, [("mongodb", text) for text in texts]))
