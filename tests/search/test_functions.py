"""Eval functions, a row per case: the expression over three rows, and what it gives for each.

The rows: n is an integer, f a float, s text, d text that mostly looks numeric, m a multivalue; the third row has none of
them. `t` is a time in seconds with decimals.
"""

from __future__ import annotations

import math
from datetime import UTC
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from sightline.errors import SearchError, UserError
from sightline.search import registry
from sightline.search.planner import values as v
from sightline.search.planner.values import Type

registry.load()

ROWS = pa.table(
    {
        "n": pa.array([5, -3, None]),
        "f": pa.array([2.5, -2.5, None]),
        "s": pa.array(["Hello World", "", None]),
        "d": pa.array(["10", "x", None]),
        "m": pa.array([["b", "a", "b", "10"], ["9"], []], pa.list_(pa.string())),
        "t": pa.array([1_700_000_000.123456, -1.5, None]),
        "j": pa.array(
            ['{"a": {"b": [5, 6.5]}, "s": "x/é", "t": true, "z": null, "l": [{"k": 1}, {"k": "y"}]}', "no json", None]
        ),
    }
)

# ruff: noqa: E501
CASES = [
    # conditional
    ("if(n>0, s, f)", ["Hello World", "-2.5", None]),
    ("if(isnull(n), m, s)", [["Hello World"], [""], None]),
    ('case(n>0, "a", n<0, "b")', ["a", "b", None]),
    ('case(n>0, 1, true(), "z")', ["1", "z", "z"]),
    ('validate(isnum(d), "word", n<0, "not below 0")', ["not below 0", "word", "word"]),
    ("coalesce(nosuch, d, n)", ["10", "x", None]),
    ('coalesce(m, "none")', [["b", "a", "b", "10"], ["9"], ["none"]]),
    ('ifnull(n, 0)', [5, -3, 0]),
    ("nullif(n, 5)", [None, -3, None]),
    ('nullif(d, "10")', [None, "x", None]),
    ("null()", [None, None, None]),
    ("if(false(), n, f)", [2.5, -2.5, None]),
    ('if(match(s, "^H.*d$"), 1, 0)', [1, 0, 0]),
    ('if(match(m, "^1"), 1, 0)', [1, 0, 0]),
    (r'if(match(s, "(l)\1"), 1, 0)', [1, 0, 0]),
    ('if(match(s, d), 1, 0)', [0, 0, 0]),
    ('if(like(s, "%World"), 1, 0)', [1, 0, 0]),
    ('if(in(n, 5, 6), 1, 0)', [1, 0, 0]),
    ('if(in(m, "a", "z"), 1, 0)', [1, 0, 0]),
    ('if(searchmatch("s=hello* n>0"), 1, 0)', [1, 0, 0]),
    ('if(searchmatch("NOT n=5"), 1, 0)', [0, 1, 1]),
    # informational
    ("if(isnull(s), 1, 0)", [0, 0, 1]), ("if(isnotnull(m), 1, 0)", [1, 1, 0]),
    ("if(isnum(d), 1, 0)", [1, 0, 0]), ("if(isnum(nosuch), 1, 0)", [0, 0, 0]), ("if(isnum(m), 1, 0)", [0, 1, 0]),
    ("if(isint(f), 1, 0)", [0, 0, 0]), ("if(isint(d), 1, 0)", [1, 0, 0]), ("if(isint(n), 1, 0)", [1, 1, 0]),
    ("if(isdouble(f), 1, 0)", [1, 1, 0]), ("if(isdouble(n), 1, 0)", [0, 0, 0]),
    ("if(isstr(d), 1, 0)", [0, 1, 0]), ("if(isstr(n), 1, 0)", [0, 0, 0]), ('if(isstr("5"), 1, 0)', [1, 1, 1]),
    ("if(isbool(n=5), 1, 0)", [1, 1, 0]), ("if(isbool(n), 1, 0)", [0, 0, 0]),
    ("if(ismv(m), 1, 0)", [1, 0, 0]), ("if(ismv(n), 1, 0)", [0, 0, 0]),
    ('if(isarray("[1]"), 1, 0)', [1, 1, 1]), ("if(isarray(j), 1, 0)", [0, 0, 0]), ("if(isobject(j), 1, 0)", [1, 0, 0]),
    ("typeof(n)", ["Number", "Number", "Invalid"]), ("typeof(d)", ["Number", "String", "Invalid"]),
    ("typeof(nosuch)", ["Invalid"] * 3), ("typeof(n=5)", ["Boolean", "Boolean", "Invalid"]), ('typeof("12")', ["String"] * 3),
    ("if(tobool(n), 1, 0)", [1, 1, 0]), ('if(tobool("FALSE"), 1, 0)', [0, 0, 0]), ("if(isnull(tobool(s)), 1, 0)", [1, 1, 1]),
    ("toint(f)", [2, -3, None]), ("toint(d)", [10, None, None]), ("toint(s)", [None, None, None]), ('toint("ff", 16)', [255] * 3), ('toint("-7.5")', [-8] * 3), ('todouble("101", 2)', [5.0] * 3),
    ("todouble(d)", [10.0, None, None]), ("todouble(nosuch)", [None, None, None]),
    ("tomv(d)", [["10"], ["x"], None]), ('tomv("[1,\\"q\\"]")', [["1", "q"]] * 3), ("tomv(m)", [["b", "a", "b", "10"], ["9"], None]),
    ("toarray(d)", [None] * 3), ("toarray(n)", [None] * 3), ("toarray(m)", ["[null,null,null,10]", None, None]), ('toarray("[1, \\"x\\"]")', ['[1,"x"]'] * 3),
    ('toobject("{\\"a\\": 1}")', ['{"a":1}'] * 3), ("toobject(d)", [None, None, None]),
    ('ipmask("255.255.255.0", "10.1.2.3")', ["10.1.2.0"] * 3), ('ipmask("255.0.0.0", s)', [None] * 3),
    ('commands("index=a | stats count | sort -count")', [["search", "stats", "sort"]] * 3), ("commands(nosuch)", [None] * 3),
    # numeric
    ("round(f)", [3, -3, None]), ("round(n)", [5, -3, None]), ("round(d)", [10, None, None]), ("round(s)", [None] * 3),
    ("round(2.675, 2)", [2.68] * 3), ("round(1.005, 2)", [1.01] * 3), ("round(-0.125, 2)", [-0.13] * 3), ("round(f, 0)", [3, -3, None]),
    ("round(1234, -2)", [1200.0] * 3), ("round(f, null())", [None] * 3), ("round(2.4999999999)", [2] * 3),
    ("floor(f)", [2, -3, None]), ("ceiling(f)", [3, -2, None]), ("ceil(d)", [10, None, None]), ("floor(1e300)", [None] * 3),
    ("abs(n)", [5, 3, None]), ("abs(f)", [2.5, 2.5, None]), ("exact(f)", [2.5, -2.5, None]),
    ("sqrt(n)", [math.sqrt(5), None, None]), ("exp(n)", [math.exp(5), math.exp(-3), None]), ("exp(1000)", [None] * 3),
    ("ln(n)", [math.log(5), None, None]), ("log(n)", [math.log10(5), None, None]), ("log(8, 2)", [3.0] * 3), ("log(9, 3)", [2.0] * 3),
    ("log(8, 1)", [None] * 3), ("pow(n, 2)", [25.0, 9.0, None]), ("pow(-8, 0.5)", [None] * 3), ("pow(n, nosuch)", [None] * 3),
    ("sin(n)", [math.sin(5), math.sin(-3), None]), ("cos(n)", [math.cos(5), math.cos(-3), None]), ("tan(1)", [math.tan(1)] * 3),
    ("asin(2)", [None] * 3), ("acos(0.5)", [math.acos(0.5)] * 3), ("atan(n)", [math.atan(5), math.atan(-3), None]),
    ("atan2(n, f)", [math.atan2(5, 2.5), math.atan2(-3, -2.5), None]), ("hypot(3, 4)", [5.0] * 3), ("hypot(n, s)", [None] * 3),
    ("sinh(1)", [math.sinh(1)] * 3), ("cosh(1)", [math.cosh(1)] * 3), ("tanh(1)", [math.tanh(1)] * 3),
    ("asinh(1)", [math.asinh(1)] * 3), ("acosh(2)", [math.acosh(2)] * 3), ("atanh(0.5)", [math.atanh(0.5)] * 3), ("atanh(1)", [None] * 3),
    ("pi()", [math.pi] * 3), ("if(random()<2147483648, 1, 0)", [1] * 3),
    ("sum(n, f, d)", [17.5, -5.5, None]), ("sum(m)", [10.0, 9.0, None]), ("avg(n, f)", [3.75, -2.75, None]), ("avg(s)", [None] * 3),
    ("max(n, f)", [5.0, -2.5, None]), ("min(n, 2, f)", [2.0, -3.0, 2.0]), ("max(n, d)", ["10", "x", None]), ("min(n, d)", ["5", "-3", None]),
    ("max(m)", ["b", "9", None]), ("min(m)", ["10", "9", None]), ("max(nosuch)", [None] * 3), ("max(n, nosuch)", [5, -3, None]),
    ('max(9, "foo", 10)', ["foo"] * 3), ('min("9", "10")', ["9"] * 3),
    ("sigfig(1.00*1111)", [1110.0] * 3), ("sigfig(3.0/7)", [0.4] * 3), ("sigfig(1.25+0.1)", [1.4] * 3), ("sigfig(n*1.2345)", [6.0, -4.0, None]),
    ("bit_and(n, 3)", [1, None, None]), ("bit_or(5, 3, 8)", [15] * 3), ("bit_xor(5, 3)", [6] * 3), ("bit_not(5, 15)", [10] * 3),
    ("bit_not(0)", [2**53 - 1] * 3), ("bit_shift_left(1, 40)", [2**40] * 3), ("bit_shift_right(n, 1)", [2, None, None]),
    ("bit_shift_left(1, -1)", [None] * 3), ("bit_and(s, 1)", [None] * 3),
    # text
    ("lower(s)", ["hello world", "", None]), ('upper("é")', ["É"] * 3), ("upper(m)", [["B", "A", "B", "10"], ["9"], None]), ("lower(n)", ["5", "-3", None]),
    ("len(s)", [11, 0, None]), ('len("naïve")', [5] * 3), ("length(n)", [1, 2, None]), ("len(m)", [None, 1, None]),
    ("substr(s, 1, 5)", ["Hello", "", None]), ("substr(s, -5)", ["World", "", None]), ("substr(s, 0, 2)", ["He", "", None]),
    ("substr(s, -50, 3)", ["Hel", "", None]), ("substr(s, n)", ["o World", "", None]), ("substr(s, nosuch)", [None] * 3), ("substr(s, 1, -1)", ["", "", None]),
    ('trim("\t a ")', ["a"] * 3), ('trim(s, "Hd")', ["ello Worl", "", None]), ('ltrim("007", "0")', ["7"] * 3), ('rtrim("a//", "/")', ["a"] * 3),
    ('trim("éaé", "é")', ["a"] * 3), ("trim(nosuch)", [None] * 3), ('trim(m, "b")', [["", "a", "", "10"], ["9"], None]),
    (r'replace(s, "(\w+) (\w+)", "\2 \1")', ["World Hello", "", None]), ('replace(m, "b", "c")', [["c", "a", "c", "10"], ["9"], None]),
    (r'replace("aab", "(a)\1", "x")', ["xb"] * 3), ('replace(s, d, "q")', ["Hello World", "", None]), ('replace("x.y", "[.]", n)', ["x5y", "x-3y", None]),
    ('replace(s, nosuch, "a")', [None] * 3), ('split(s, " ")', [["Hello", "World"], [""], None]), ('split("日本", "")', [["日", "本"]] * 3),
    ('split(s, "")', [list("Hello World"), None, None]), ('split("1x2", d)', [["1x2"], ["1", "2"], None]), ('split(nosuch, ",")', [None] * 3),
    ('urldecode("a%20b+c%C3%A9%")', ["a b+cé%"] * 3), ("urldecode(n)", ["5", "-3", None]),
    ("tonumber(d)", [10.0, None, None]), ('tonumber("ff", 16)', [255] * 3), ('tonumber("0xFF", 16)', [255] * 3), ('tonumber("-101", 2)', [-5] * 3),
    ('tonumber("z", 36)', [35] * 3), ('tonumber("12", 2)', [None] * 3), ("tonumber(d, 8)", [8, None, None]), ('tonumber("inf")', [None] * 3), ('tonumber("1.5")', [1.5] * 3),
    ("tostring(n)", ["5", "-3", None]), ("tostring(n=5)", ["True", "False", None]), ("tostring(m)", [["b", "a", "b", "10"], ["9"], None]),
    ('tostring(1234567.891, "commas")', ["1,234,567.89"] * 3), ('tostring(n*1000000, "commas")', ["5,000,000", "-3,000,000", None]),
    ('tostring(999.999, "commas")', ["1,000.00"] * 3), ('tostring(s, "commas")', [None] * 3), ('tostring(123456, "commas")', ["123,456"] * 3),
    ('tostring(255, "hex")', ["0xFF"] * 3), ('tostring(n, "binary")', ["101", "-11", None]), ('tostring(n, "hex")', ["0x5", "-0x3", None]), ('tostring(0, "hex")', ["0x0"] * 3),
    ('tostring(615, "duration")', ["00:10:15"] * 3), ('tostring(90061.5, "duration")', ["1+01:01:01.500000"] * 3), ('tostring(n, "duration")', ["00:00:05", "-00:00:03", None]),
    ('printf("%5d|%-5s|%05.1f", n, s, f)', ["    5|Hello World|002.5", "   -3|     |-02.5", None]), ('printf("%x %X %o %c %%", 255, 255, 8, "abc")', ["ff FF 10 a %"] * 3),
    ('printf("%+d % d %e %g", 5, 5, 1500, 0.5)', ["+5  5 1.500000e+03 0.5"] * 3), ("printf(\"%'d\", 1234567)", ["1,234,567"] * 3), ('printf("%*d|%.*f", 4, 5, 2, 1)', ["   5|1.00"] * 3),
    ('printf("plain")', ["plain"] * 3), ('printf("%s", m)', [None, "9", None]), ('printf("%d", d)', ["10", None, None]), ('printf("%.3s", s)', ["Hel", "", None]),
    ('printf("%c%c%z%p", 8364, "xy", "z", 10)', ["€xzA"] * 3), ('printf("%c", n)', ["\x05", None, None]), ("printf(\"%'.1f\", n*1000)", ["5,000.0", "-3,000.0", None]), ('printf("%.0d|", 0)', ["|"] * 3),
    # cryptographic
    ('md5("a")', ["0cc175b9c0f1b6a831c399e269772661"] * 3), ("md5(nosuch)", [None] * 3), ('sha1("a")', ["86f7e437faa5a7fce15d1ddcb9eaeaea377667b8"] * 3),
    ('sha256("a")', ["ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"] * 3), ('len(sha512(s))', [128, 128, None]),
    # multivalue
    ("mvcount(m)", [4, 1, None]), ("mvcount(s)", [1, 1, None]), ("mvindex(m, 1)", ["a", None, None]), ("mvindex(m, -1)", ["10", "9", None]),
    ("mvindex(m, 1, 2)", [["a", "b"], None, None]), ("mvindex(m, -2, -1)", [["b", "10"], ["9"], None]), ("mvindex(m, n)", [None, None, None]), ("mvindex(m, n-5)", ["b", None, None]),
    ("mvindex(s, 0)", ["Hello World", "", None]), ("mvindex(m, 0, 99)", [["b", "a", "b", "10"], ["9"], None]), ("mvindex(m, -9)", [None] * 3), ("mvindex(m, nosuch)", [None] * 3),
    ('mvjoin(m, "-")', ["b-a-b-10", "9", None]), ('mvjoin(n, ",")', ["5", "-3", None]), ("mvappend(m, n)", [["b", "a", "b", "10", "5"], ["9", "-3"], None]),
    ("mvappend(nosuch, null())", [None] * 3), ('mvappend(s, "z")', [["Hello World", "z"], ["", "z"], ["z"]]),
    ("mvdedup(m)", [["b", "a", "10"], ["9"], None]), ("mvsort(m)", [["10", "a", "b", "b"], ["9"], None]), ("mvreverse(m)", [["10", "b", "a", "b"], ["9"], None]),
    ('mvfind(m, "^a$")', [1, None, None]), ('mvfind(m, "(?=9)")', [None, 0, None]), ("mvzip(m, split(\"1,2\", \",\"))", [["b,1", "a,2"], ["9,1"], None]), ('mvzip(s, n, ":")', [["Hello World:5"], [":-3"], None]),
    ("mvrange(1, 5)", [["1", "2", "3", "4"]] * 3), ("mvrange(1, 10, 4)", [["1", "5", "9"]] * 3), ("mvrange(0, n)", [["0", "1", "2", "3", "4"], None, None]), ("mvrange(5, 0, -2)", [["5", "3", "1"]] * 3),
    ("mvrange(0, 1, 0.25)", [["0", "0.25", "0.5", "0.75"]] * 3), ('mvrange(0, 172800, "1d")', [["0", "86400"]] * 3), ("mvrange(0, 5, 0)", [None] * 3), ("mvrange(nosuch, 3)", [None] * 3), ("mvrange(0, 0.3, 0.1)", [["0", "0.1", "0.2"]] * 3),
    ('mvfilter(match(m, "[ab]"))', [["b", "a", "b"], None, None]), ("mvfilter(m>n)", [["b", "a", "b", "10"], ["9"], None]), ('mvfilter(nosuch="x")', [None] * 3), ('mvfilter(s="")', [None, [""], None]),
    ('mvfilter(in(m, "a", "9"))', [["a"], ["9"], None]), ('mvfilter(NOT m="b")', [["a", "10"], ["9"], None]), ("mvfilter(mvcount(m)=1)", [["b", "a", "b", "10"], ["9"], None]),
    ('mvmap(m, m."-".n)', [["b-5", "a-5", "b-5", "10-5"], ["9--3"], None]), ("mvmap(m, m*2)", [["20"], ["18"], None]), ('mvmap(m, split(m, "0"))', [["b", "a", "b", "1", ""], ["9"], None]),
    ("mvmap(mvdedup(m), upper(m))", [["B", "A", "10"], ["9"], None]), ("mvmap(m, mvjoin(mvmap(m, m), \"\"))", [["b", "a", "b", "10"], ["9"], None]), ("mvmap(nosuch, nosuch+1)", [None] * 3), ("mvmap(s, len(s))", [["11"], ["0"], None]),
    ("mv_to_json_array(m)", ['["b","a","b","10"]', '["9"]', None]), ("mv_to_json_array(m, true())", ["[null,null,null,10]", "[9]", None]), ('json_array_to_mv("[\\"x\\",2]", true())', [['"x"', "2"]] * 3), ('json_array_to_mv("[\\"x\\",2,{\\"k\\":1}]")', [["x", "2", '{"k":1}']] * 3), ("json_array_to_mv(s)", [None] * 3),
    # json
    ('json_extract(j, "a.b{0}")', ["5", None, None]), ('json_extract(j, "a.b{-1}")', ["6.5", None, None]), ('json_extract(j, "s")', ["x/é", None, None]), ('json_extract(j, "t")', ["true", None, None]),
    ('json_extract(j, "z")', [None] * 3), ('json_extract(j, "a")', ['{"b":[5,6.5]}', None, None]), ('json_extract(j, "l{}.k")', ['[1,"y"]', None, None]), ('json_extract(j, "a.b{}")', ["[5,6.5]", None, None]),
    ('json_extract(j, "s", "t", "no")', ['["x/é","true",null]', "[null,null,null]", "[null,null,null]"]), ('json_extract(j, "nosuch{}")', [None] * 3), ("json_extract(j, lower(\"S\"))", ["x/é", None, None]), ("json_extract(d)", ["10", None, None]),
    ('json_extract("{\\"x\\":[1,{\\"y\\":2}]}", if(n>0, "x{1}.y", "x{}"))', ["2", '[1,{"y":2}]', '[1,{"y":2}]']),
    ('json_extract_exact("{\\"a.b\\":7}", "a.b")', ["7"] * 3), ('json_extract("[[1,2],[3]]", "{}{}")', ["[1,2,3]"] * 3), ('json_extract("[1,[2]]", "{1}{0}")', ["2"] * 3), ('json_extract(nosuch, "a")', [None] * 3),
    ('spath(j, "l{}.k")', [["1", "y"], None, None]), ('spath(j, "a.b{1}")', ["6.5", None, None]), ('spath("<r><a k=\\"1\\">x</a><a>y</a></r>", "r.a")', ["x"] * 3), ('spath("<r><a k=\\"1\\">x</a></r>", "r.a{@k}")', ["1"] * 3), ('spath("<r><a>x</a><a>y</a></r>", "r.a{2}")', ["y"] * 3), ('spath("<r>", "r")', [None] * 3),
    ("json_keys(j)", ['["a","s","t","z","l"]', None, None]), ('json_keys("[1]")', [None] * 3), ("if(json_valid(j), 1, 0)", [1, 0, 0]), ("json(d)", ["10", None, None]), ('json_extract("\\"q\\"")', ["q"] * 3),
    ('json_entries("{\\"a\\": 1, \\"b\\": [2]}")', ['[{"key":"a","value":1},{"key":"b","value":[2]}]'] * 3), ("json_entries(s)", [None] * 3),
    ('if(json_has_key_exact(j, "a"), 1, 0)', [1, 0, 0]), ('if(json_has_key_exact("{\\"a.b\\":1}", "a.b"), 1, 0)', [1] * 3),
    ('json_object("n", n, "f", f, "s", s, "d", d, "m", m)', ['{"n":5,"f":2.5,"s":"Hello World","d":10,"m":["b","a","b","10"]}', '{"n":-3,"f":-2.5,"s":"","d":"x","m":9}', '{"n":null,"f":null,"s":null,"d":null,"m":null}']),
    ('json_object("o", json_object("k", "5"), "q", "a\\"b", "b", n=5, "z", null())', ['{"o":{"k":"5"},"q":"a\\"b","b":true,"z":null}', '{"o":{"k":"5"},"q":"a\\"b","b":false,"z":null}', '{"o":{"k":"5"},"q":"a\\"b","b":null,"z":null}']),
    ("json_object()", ["{}"] * 3), ('json_array(1, "x", n, true())', ['[1,"x",5,true]', '[1,"x",-3,true]', '[1,"x",null,true]']), ("json_array()", ["[]"] * 3),
    ('json_set("{\\"a\\":1}", "a", n, "b.c", "x")', ['{"a":5,"b":{"c":"x"}}', '{"a":-3,"b":{"c":"x"}}', '{"a":null,"b":{"c":"x"}}']), ('json_set("[1,2]", "{1}", 9)', ["[1,9]"] * 3), ('json_set("{\\"l\\":[{\\"k\\":1},{}]}", "l{}.k", 0)', ['{"l":[{"k":0},{"k":0}]}'] * 3),
    ('json_set(s, "a", 1)', [None] * 3), ('json_set_exact("{}", "a.b", 7)', ['{"a.b":7}'] * 3), ('json_append("{\\"l\\":[1]}", "l", 2, "l", json_array(3))', ['{"l":[1,2,[3]]}'] * 3), ('json_append("{\\"l\\":1}", "l", 2)', ['{"l":[1,2]}'] * 3), ('json_append("{\\"l\\":1}", "m", 2)', ['{"l":1}'] * 3),
    ('json_extend("{\\"l\\":[1]}", "l", json_array(2, 3))', ['{"l":[1,2,3]}'] * 3), ('json_delete("{\\"a\\":1,\\"b\\":{\\"c\\":2}}", "a", "b.c")', ['{"b":{}}'] * 3), ('json_delete("[1,2,3]", "{0}")', ["[2,3]"] * 3),
    # lookup
    ('lookup("people", json_object("user", if(n>0, "ann", s)), json_array("team"))', ['{"team":"red"}', None, None]), ('lookup("people", json_object("user", "bob"))', ['{"team":"blue","floor":2}'] * 3),
]  # fmt: skip


@pytest.mark.parametrize(("expression", "wanted"), CASES, ids=[c[0][:60] for c in CASES])
def test_function(calculate, expression, wanted):
    found = calculate.values(expression, ROWS)
    assert found == [pytest.approx(x, rel=1e-12) if isinstance(x, float) else x for x in wanted]
    assert [type(x) for x in found] == [type(x) for x in wanted]


@pytest.mark.parametrize(
    ("network", "address", "wanted"),
    [
        ("10.0.0.0/8", "10.1.2.3", 1), ("10.0.0.0/8", "11.1.2.3", 0), ("10.1.2.3", "10.1.2.3", 1), ("2001:db8::/32", "2001:db8::5", 1),
        ("2001:db8::/32", "10.0.0.1", 0), ("10.0.0.0/8", "2001:db8::5", 0), ("10.0.0.0/8", "text", 0), ("10.0.0.7/8", "10.9.9.9", 1),
    ],
)  # fmt: skip
def test_cidrmatch(calculate, network, address, wanted):
    table = pa.table({"net": [network if "/" in network else f"{network}/32"], "ip": [address]})
    assert calculate.values(f'if(cidrmatch("{network}", ip), 1, 0)', table) == [wanted]
    assert calculate.values("if(cidrmatch(net, ip), 1, 0)", table) == [wanted]


def test_cidrmatch_of_odd_values(calculate):
    table = pa.table({"net": ["10.0.0.0/99", "x/8", None], "ip": ["10.0.0.1"] * 3})
    assert calculate.values("if(cidrmatch(net, ip), 1, 0)", table) == [0, 0, 0]
    table = pa.table({"ips": [["1.1.1.1", "10.0.0.1"], ["1.1.1.1"]]})
    assert calculate.values('if(cidrmatch("10.0.0.0/8", ips), 1, 0)', table) == [1, 0]


# ---- errors ----------------------------------------------------------------------------------------------------------

ERRORS = [
    ("if(5, 1, 2)", "if wants a condition such as x>5, got a number"),
    ('case("x", 1)', "case wants a condition such as x>5, got a text"),
    ("case(n=1, 2, n=2)", "case takes pairs of a condition and a value, got 3 arguments"),
    ('match(s, "(")', "match: "),
    ('cidrmatch("10.0.0.0/40", s)', 'wants a network such as 10.0.0.0/8, got "10.0.0.0/40"'),
    ("searchmatch(s)", "searchmatch wants a constant text"),
    ('searchmatch("(a")', "searchmatch: "),
    ('tostring(n, "nosuch")', 'tostring has no format "nosuch", wanted one of: commas, hex, binary, duration'),
    ('tonumber("1", 40)', "the base must be a whole number from 2 to 36, got 40"),
    ('printf("%d")', 'printf has no value for "%d"'),
    ('printf("%d", 1, 2)', 'printf takes 1 values for "%d", got 2'),
    ('printf("%y", 1)', 'printf has no conversion "%y"'),
    ('mvfilter("a")', "mvfilter wants an expression on a field"),
    ("mvfilter(n=s)", 'goes through the values of one field, got "n", "s"'),
    ("mvfilter(m)", "mvfilter wants a condition"),
    ('mvfind(m, "(")', "mvfind: "),
    ('mvindex("a")', "mvindex takes 2 to 3 arguments, got 1"),
    ('mvrange(0, 5, "1mon")', "spans of fixed length"),
    ('strftime(t, "%!")', 'strftime has no conversion "%!"'),
    ('strptime(s, "%Y-%!")', 'strptime has no conversion "%!"'),
    ('relative_time(t, "nonsense")', '"nonsense" is not a time modifier'),
    ('json_object("a")', "json_object takes pairs of a key and a value, got 1"),
    ('json_extract(j, "a{x}")', '"a{x}" is not a path'),
    ('json_set(j, "a", 1, "b")', "json_set takes a JSON text and pairs of a path and a value, got 4 arguments"),
    ('lookup("nosuch", json_object("a", 1))', 'there is no lookup "nosuch"'),
    ('lookup("people", n)', "wants json_object"),
    ('lookup("people", json_object("nosuch", n))', 'has no field "nosuch"; fields: user, team, floor'),
    ("uper(s)", 'there is no function "uper"'),
    ("pi(1)", "pi takes 0 arguments, got 1"),
]


@pytest.mark.parametrize(("expression", "message"), ERRORS, ids=[e[0] for e in ERRORS])
def test_errors(calculate, expression, message):
    with pytest.raises(SearchError) as caught:
        calculate.values(expression, ROWS)
    assert message in caught.value.message
    assert caught.value.span is not None


def test_a_pattern_of_a_row_that_is_no_regular_expression(calculate):
    with pytest.raises(UserError, match='"\\(" is not a regular expression'):
        calculate.values("if(match(x, p), 1, 0)", pa.table({"x": ["a"], "p": ["("]}))


def test_two_random_numbers_differ(calculate):
    assert len(set(calculate.values("random()", pa.table({"x": range(50)})))) > 40
    assert sum(calculate.values("if(random()=random(), 1, 0)", pa.table({"x": range(50)}))) <= 1


def test_every_function_has_a_reference_entry_and_a_case():
    used = " ".join([c[0] for c in CASES] + [e[0] for e in ERRORS] + TIME_FUNCTIONS)
    for name, entry in registry.FUNCTIONS.items():
        described = entry.describe()
        assert described["summary"].endswith("."), name
        assert described["syntax"], name
        assert described["example"], name
        assert f"{name}(" in used, f"no case for {name}"


TIME_FUNCTIONS = ["now() time() strftime( strptime( relative_time("]
"""Tested in test_functions_time.py."""


# ---- large expressions -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        ("+".join(["x"] * 30), "60"),
        ("round(" * 12 + "x/3" + ", 3)" * 12, 0.667),
        ('tostring(' * 8 + "x*1000" + ', "commas")' * 2 + ")" * 6, None),
        ("max(" * 10 + "x" + ", y)" * 10, "zoe"),
        ("tonumber(replace(" * 6 + "x" + ', "a", "b"))' * 6, 2.0),
        ('strftime(relative_time(strptime(strftime(relative_time(x, "+1mon@mon"), "%F"), "%F"), "-1q@q"), "%F")', "1969-10-01"),
    ],
)  # fmt: skip
def test_nested_expressions_stay_small(calculate, expression, wanted):
    """Each level reads its argument several times: written out, these would be millions of nodes."""
    rows = pa.table({"x": ["2", None, "q"], "y": ["zoe", "zoe", "zoe"]})
    for zone in (UTC, ZoneInfo("Europe/Berlin")):
        assert calculate.values(expression, rows, zone=zone)[0] == wanted


def test_the_same_expression_is_named_once_and_reused():
    x, y = v.Column(Type.TEXT, "x"), v.Column(Type.TEXT, "y")
    large = v.call("concat", *[x] * 60, type=Type.TEXT)
    small = v.call("concat", x, y, x, y, type=Type.TEXT)
    twice = v.shared([large, small], lambda a, b: v.call("concat", a, a, a, b, b, type=Type.TEXT))
    assert v.occurrences(twice, "x") == 60 + 4, "the large one once, the small one written out"
    assert twice.columns == {x, y}
    assert twice == v.shared([large, small], lambda a, b: v.call("concat", a, a, a, b, b, type=Type.TEXT))
