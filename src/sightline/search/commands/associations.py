"""`associate`, `arules`, `correlate`, `cofilter` and `analyzefields`: which fields and values go together."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from sightline import ml
from sightline.errors import SearchError
from sightline.search.context import Context
from sightline.search.planner import values as v
from sightline.search.planner.aggregates import grouping_keys
from sightline.search.planner.field_values import chosen_fields, named, numeric_fields, tuple_part, whole_text
from sightline.search.planner.pivot import one_array
from sightline.search.planner.relation import Relation
from sightline.search.planner.values import Over, Type, Value
from sightline.search.registry import Command, command
from sightline.search.syntax.arguments import Arguments, option, print_name, print_options


def _read_fields(command: type, arguments: Arguments) -> Command:
    names, found = arguments.names_with_options(command)
    return command(names=names, **found)


def _print_fields(command: Associate | Arules) -> list[str]:
    return [*print_options(command), *(print_name(name) for name in command.names)]


# ---- one field's value tells another's -------------------------------------------------------------------------------


@command("associate", kind="transforming")
@dataclass
class Associate(Command):
    """Finds values of a field that tell much about the value of another.

    Syntax: associate [supcnt=<number>] [supfreq=<share>] [improv=<bits>] [<field>...]
    Example: index=web | associate supcnt=50 improv=0.3 host status user

    The entropy of a field, in bits, says how uncertain its value is. For each field, the reference, and each of its values
    that at least `supcnt` (100) rows and a share of `supfreq` (0.1) of all rows have, the entropy of every other field, the
    target, is compared with its entropy among these rows. Where it is smaller by `improv` (0.5) or more there is a row, the
    greatest improvement first, with `Support`, the share of the rows that have the value, and `Top_Conditional_Value`, the
    value that most of them have, with its share of all rows and of these. Fields that begin with an underscore are left out
    unless named; a multivalue is one value; a field that a row lacks has no value there.
    """

    supcnt: int = option(100, minimum=0, help="rows that must have the reference value")
    supfreq: float = option(0.1, minimum=0, help="share of rows that must have the reference value")
    improv: float = option(0.5, minimum=0, help="bits by which the entropy must be smaller")
    names: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, arguments: Arguments) -> Associate:
        return _read_fields(cls, arguments)  # type: ignore[return-value]

    def print_arguments(self) -> list[str]:
        return _print_fields(self)

    def lower(self, relation: Relation, context: Context) -> Relation:
        names = chosen_fields(relation, self.names)
        # A row for each pair of fields: (reference, its value, target, its value), and one with an empty target for itself.
        pairs = _pairs(relation, names)
        relation, pair = relation.unnested(pairs, "pair")
        parts = (("reference", Type.INT), ("value", Type.TEXT), ("target", Type.INT), ("other", Type.TEXT))
        keys = [(name, tuple_part(pair, n, type)) for n, (name, type) in enumerate(parts, 1)]
        count = v.call("toInt64", v.agg("count", type=Type.INT), type=Type.INT)
        counted = relation.aggregated(keys, [("n", count)])
        return self._improvements(counted, names)

    def _improvements(self, counted: Relation, names: Sequence[str]) -> Relation:
        reference, value, target = (counted.field(name) for name in ("reference", "value", "target"))
        n = counted.field("n")
        of_all = v.call("less", reference, v.integer(0), type=Type.BOOL)

        def over(argument: Value, *partition: Value) -> Over:
            return Over(Type.FLOAT, v.call("sum", argument, type=Type.FLOAT), partition)

        counted, (within,) = counted.windowed([("within", over(n, reference, value, target))])
        # How many of all rows have the target's value at hand, and how many have the target.
        nothing = v.real(0)
        usual = [
            Over(
                Type.FLOAT,
                v.call(
                    "max",
                    v.call("if", of_all, v.call("toFloat64", one, type=Type.FLOAT), nothing, type=Type.FLOAT),
                    type=Type.FLOAT,
                ),
                partition,
            )
            for one, partition in ((n, (target, counted.field("other"))), (within, (target,)))
        ]
        counted, (usual_n, usual_rows) = counted.windowed([("usual", one) for one in usual])
        information = v.call(
            "multiply", n, v.call("log2", v.call("divide", within, n, type=Type.FLOAT), type=Type.FLOAT), type=Type.FLOAT
        )
        bits = v.call(
            "divide", v.agg("sum", information, type=Type.FLOAT), v.agg("any", within, type=Type.FLOAT), type=Type.FLOAT
        )
        other = counted.field("other")
        rank = v.call("tuple", v.call("negate", n, type=Type.INT), other, type=Type.MULTI)
        usual_share = v.call("divide", usual_n, usual_rows, type=Type.FLOAT)
        here = v.call("divide", n, within, type=Type.FLOAT)
        grouped = counted.aggregated(
            [("reference", reference), ("value", value), ("target", target)],
            [
                ("bits", bits),
                ("rows", v.call("toFloat64", v.agg("any", within, type=Type.FLOAT), type=Type.FLOAT)),
                ("top", v.agg("argMin", other, rank, type=Type.TEXT)),
                ("usual_share", v.agg("argMin", usual_share, rank, type=Type.FLOAT)),
                ("share", v.agg("max", here, type=Type.FLOAT)),
            ],
        )
        reference, value, target = (grouped.field(name) for name in ("reference", "value", "target"))
        of_all = v.call("less", reference, v.integer(0), type=Type.BOOL)
        of_rows = v.call("less", target, v.integer(0), type=Type.BOOL)
        plain = v.call("if", of_all, grouped.field("bits"), v.real(0), type=Type.FLOAT)
        own = v.call("if", of_rows, grouped.field("rows"), v.real(0), type=Type.FLOAT)
        total = v.call("if", v.both([of_all, of_rows]), grouped.field("rows"), v.real(0), type=Type.FLOAT)
        most = [Over(Type.FLOAT, v.call("max", one, type=Type.FLOAT), partition)
                for one, partition in ((plain, (target,)), (own, (reference, value)), (total, ()))]  # fmt: skip
        grouped, (unconditional, support, rows) = grouped.windowed([("most", one) for one in most])
        improvement = v.call("minus", unconditional, grouped.field("bits"), type=Type.FLOAT)
        share = v.call("divide", support, rows, type=Type.FLOAT)
        wanted = [
            v.negation(of_all),
            v.negation(of_rows),
            v.call("greaterOrEquals", support, v.integer(self.supcnt), type=Type.BOOL),
            v.call("greaterOrEquals", share, v.real(self.supfreq), type=Type.BOOL),
            v.call("greaterOrEquals", improvement, v.real(self.improv), type=Type.BOOL),
        ]
        found = grouped.filtered(v.both(wanted))
        key, other = named(reference, names), named(target, names)
        said = v.call(
            "concat", v.text("When '"), key, v.text("' has the value '"), value, v.text("', the entropy of '"), other,
            v.text("' decreases from "), _printed("%.3f", unconditional), v.text(" to "),
            _printed("%.3f", grouped.field("bits")), v.text("."),
            type=Type.TEXT,
        )  # fmt: skip
        percents = [
            _printed("%.2f%%", v.call("multiply", grouped.field(name), v.real(100), type=Type.FLOAT))
            for name in ("usual_share", "share")
        ]
        top = v.call(
            "concat",
            grouped.field("top"),
            v.text(" ("),
            percents[0],
            v.text(" -> "),
            percents[1],
            v.text(")"),
            type=Type.TEXT,
        )
        fields = {
            "Reference_Key": key,
            "Reference_Value": value,
            "Target_Key": other,
            "Unconditional_Entropy": unconditional,
            "Conditional_Entropy": grouped.field("bits"),
            "Entropy_Improvement": improvement,
            "Top_Conditional_Value": top,
            "Description": said,
            "Support": share,
        }
        order = ((improvement, True), (key, False), (value, False), (other, False))
        return dataclasses.replace(found.with_fields(fields), order=order, kind="table")


def _printed(form: str, value: Value) -> Value:
    return v.call("printf", v.text(form), value, type=Type.TEXT)


def _pairs(relation: Relation, names: Sequence[str]) -> Value:
    """For a row the pairs of its values; field -1 stands for all rows, so that pairs with it are the fields alone."""
    tuples: list[Value] = []
    texts = {n: whole_text(relation.field(name)) for n, name in enumerate(names)}
    sure = {
        n: v.call("CAST", v.call("ifNull", text, v.text(""), type=Type.TEXT), v.text("String"), type=Type.TEXT)
        for n, text in texts.items()
    }
    whole = {-1: v.text("")} | sure
    for left, right in itertools.product(whole, repeat=2):
        if left == right and left >= 0:
            continue
        present = v.both([v.is_present(texts[n]) for n in (left, right) if n >= 0])
        one = v.call("tuple", _small(left), whole[left], _small(right), whole[right], type=Type.TEXT)
        listed = v.call("array", one, type=Type.MULTI)
        nothing = v.call("arraySlice", listed, v.integer(1), v.integer(0), type=Type.MULTI)
        tuples.append(listed if present == v.TRUE else v.call("if", present, listed, nothing, type=Type.MULTI))
    return v.call("arrayConcat", *tuples, type=Type.MULTI)


def _small(number: int) -> Value:
    return v.call("toInt64", v.integer(number), type=Type.INT)


@command("arules", kind="transforming")
@dataclass
class Arules(Command):
    """Finds rules: rows with these values of some fields also have that value of another.

    Syntax: arules [sup=<number>] [conf=<share>] <field> <field>...
    Example: index=shop | arules sup=5 conf=0.6 category payment region

    There is a row for each rule, the strongest first. `Strength` is the share of the rows with the given values that have
    the implied one too; it must be `conf` (0.5) or more, and at least `sup` (3) rows must have both. `Given fields support` and
    `Implied fields support` are the shares of all rows with the given and with the implied values. A multivalue is one
    value; a field that a row lacks takes no part.
    """

    sup: int = option(3, minimum=1, help="rows that a rule must hold in")
    conf: float = option(0.5, minimum=0, help="share of the given rows that a rule must hold in")
    names: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, arguments: Arguments) -> Arules:
        given = _read_fields(cls, arguments)
        assert isinstance(given, Arules)
        if len(given.names) < 2:
            raise SearchError(f"two fields or more are expected, got {len(given.names)}", arguments.peek().span)
        if given.conf > 1:
            raise SearchError(f"conf must be 0 to 1, got {given.conf:g}")
        return given

    def print_arguments(self) -> list[str]:
        return _print_fields(self)

    def lower(self, relation: Relation, context: Context) -> Relation:
        names = list(dict.fromkeys(self.names))
        # A missing value is a value of its own here, told from the empty text by what stands in front.
        keys = []
        for n, name in enumerate(names):
            text = whole_text(relation.field(name))
            marked = v.call("concat", v.text("="), text, type=Type.TEXT)
            keys.append((f"f{n}", v.call("ifNull", v.cast(marked, Type.TEXT), v.text(""), type=Type.TEXT)))
        count = v.call("toInt64", v.agg("count", type=Type.INT), type=Type.INT)
        table = context.table_of(relation.aggregated(keys, [("n", count)]))
        empty = pa.table({name: pa.array([], type) for name, type in _RULE_COLUMNS.items()})
        if context.dry:
            return context.relation_of(empty)
        return context.relation_of(context.python_step("arules", lambda: self._rules(table, names) or empty))

    def _rules(self, table: pa.Table, names: Sequence[str]) -> pa.Table | None:
        """The rules of a table of combinations of values and how often they occur."""
        codes, texts = [], []
        for n in range(len(names)):
            encoded = one_array(table[f"f{n}"]).dictionary_encode()
            codes.append(np.asarray(encoded.indices, dtype=np.int64))
            texts.append(encoded.dictionary.to_pylist())
        counts = np.asarray(table["n"], dtype=np.int64)
        total = int(counts.sum())
        supports = {fields: _itemsets(codes, texts, counts, fields, self.sup) for fields in _subsets(len(names))}
        rules = []
        for fields, found in supports.items():
            if len(fields) < 2:
                continue
            for items, both in found.items():
                for implied in range(len(fields)):
                    given_fields = fields[:implied] + fields[implied + 1 :]
                    given_items = items[:implied] + items[implied + 1 :]
                    given = supports[given_fields][given_items]
                    if both / given >= self.conf - 1e-12:
                        target = supports[(fields[implied],)][(items[implied],)]
                        rules.append(
                            (both / given, given_fields, given_items, fields[implied], items[implied], given, target)
                        )
        if not rules:
            return None
        rules.sort(key=lambda rule: (-rule[0], -rule[5], rule[1], rule[2], rule[3], rule[4]))

        def shown(field_number: int, code: int) -> str:
            return f"{names[field_number]}={texts[field_number][code][1:]}"

        return pa.table(
            {
                "Given fields": [", ".join(shown(f, i) for f, i in zip(r[1], r[2], strict=True)) for r in rules],
                "Implied fields": [shown(r[3], r[4]) for r in rules],
                "Strength": [r[0] for r in rules],
                "Given fields support": [r[5] / total for r in rules],
                "Implied fields support": [r[6] / total for r in rules],
            }
        )


_RULE_COLUMNS = {
    "Given fields": pa.string(),
    "Implied fields": pa.string(),
    "Strength": pa.float64(),
    "Given fields support": pa.float64(),
    "Implied fields support": pa.float64(),
}


def _subsets(count: int) -> list[tuple[int, ...]]:
    return [fields for size in range(1, count + 1) for fields in itertools.combinations(range(count), size)]


def _itemsets(
    codes: Sequence[np.ndarray], texts: Sequence[list[str]], counts: np.ndarray, fields: tuple[int, ...], least: int
) -> dict[tuple[int, ...], int]:
    """How often each combination of values of some fields occurs, those of `least` rows or more."""
    present = np.ones(len(counts), dtype=bool)
    for number in fields:
        present &= np.array([bool(text) for text in texts[number]], dtype=bool)[codes[number]]
    if not present.any():
        return {}
    columns = [codes[number][present] for number in fields]
    # One number for each combination, with as few numbers as there are: sorting rows of several columns takes ten times as long.
    keys = columns[0]
    for number, column in zip(fields[1:], columns[1:], strict=True):
        keys = np.unique(keys * len(texts[number]) + column, return_inverse=True)[1]
    _, first, at = np.unique(keys, return_index=True, return_inverse=True)
    occurrences = np.bincount(at, counts[present]).astype(np.int64)
    often = occurrences >= least
    items = zip(*(column[first[often]].tolist() for column in columns), strict=True)
    return dict(zip(items, occurrences[often].tolist(), strict=True))


# ---- fields that occur together --------------------------------------------------------------------------------------


@command("correlate", kind="transforming")
@dataclass
class Correlate(Command):
    """Shows how often fields occur in the same rows.

    Syntax: correlate [type=cocur]
    Example: index=web | fields host status user | correlate

    There is a row and a column for each field that does not begin with an underscore. A cell is the number of rows that have
    both fields divided by the number that have either: 1 where they always occur together, 0 where they never do.
    """

    type: str = option("cocur", choices=("cocur",), help="what is compared: in which rows fields occur")

    def lower(self, relation: Relation, context: Context) -> Relation:
        names = sorted(chosen_fields(relation, []))
        present = [v.call("toUInt64", v.is_true(v.is_present(relation.field(name))), type=Type.INT) for name in names]
        pairs = list(itertools.combinations_with_replacement(range(len(names)), 2))

        def counted(condition: Value) -> Value:
            return v.call("toInt64", v.agg("sum", condition, type=Type.INT), type=Type.INT)

        sums = [(f"{i} {j}", counted(v.call("bitAnd", present[i], present[j], type=Type.INT))) for i, j in pairs]
        table = context.table_of(relation.aggregated([], sums))
        if context.dry:
            return context.relation_of(pa.table({"RowField": pa.array([], pa.string())}))
        return context.relation_of(context.python_step("correlate", lambda: self._table(table, names)))

    @staticmethod
    def _table(table: pa.Table, names: Sequence[str]) -> pa.Table:
        both = np.zeros((len(names), len(names)))
        for i, j in itertools.combinations_with_replacement(range(len(names)), 2):
            both[i, j] = both[j, i] = table[f"{i} {j}"][0].as_py() or 0
        alone = np.diag(both)
        seen = np.flatnonzero(alone > 0)
        both, alone = both[np.ix_(seen, seen)], alone[seen]
        share = both / np.maximum(alone[:, None] + alone[None, :] - both, 1)
        kept = [names[n] for n in seen]
        return pa.table({"RowField": pa.array(kept, pa.string())} | {name: share[:, n] for n, name in enumerate(kept)})


@command("cofilter", kind="transforming")
@dataclass
class Cofilter(Command):
    """Counts for each two values of a field how many values of another they share.

    Syntax: cofilter <field> <item field>
    Example: index=shop | cofilter user item

    For users and items: a row for each two items that a user has both of, with how many users have the first, how many the
    second, and how many have both. Items are in natural order. A multivalue counts with each of its values.
    """

    field_: str = ""
    item: str = ""

    @classmethod
    def read(cls, arguments: Arguments) -> Cofilter:
        names = arguments.names()
        arguments.finish()
        if len(names) != 2:
            raise SearchError(f"a field and a field of items are expected, got {len(names)}", arguments.stage.name_span)
        return cls(*names)

    def print_arguments(self) -> list[str]:
        return [print_name(self.field_), print_name(self.item)]

    def lower(self, relation: Relation, context: Context) -> Relation:
        both = {"\0owner": relation.field(self.field_), "\0item": relation.field(self.item)}
        relation, keys = grouping_keys(relation.with_fields(both), list(both))
        keys = [(name, v.as_text(value)) for name, value in keys]
        # Each owner has each item once, whatever the number of rows.
        once = relation.aggregated(keys, [])
        owner, item = once.field("\0owner"), once.field("\0item")
        users = Over(Type.INT, v.call("count", type=Type.INT), (item,))
        once, (popular,) = once.windowed([("users", users)])
        listed = v.agg("groupArray", v.call("tuple", item, popular, type=Type.TEXT), type=Type.MULTI)
        baskets = once.aggregated([("owner", owner)], [("items", listed)])
        items, one, other = baskets.field("items"), v.Column(Type.TEXT, "one"), v.Column(Type.TEXT, "other")
        before = self._before(one, other)
        after = v.call("arrayFilter", v.Lambda(Type.BOOL, ("other",), before), items, type=Type.MULTI)
        paired = v.call(
            "arrayMap", v.Lambda(Type.TEXT, ("other",), v.call("tuple", one, other, type=Type.TEXT)), after, type=Type.MULTI
        )
        pairs = v.call(
            "arrayFlatten",
            v.call("arrayMap", v.Lambda(Type.MULTI, ("one",), paired), items, type=Type.MULTI),
            type=Type.MULTI,
        )
        baskets, pair = baskets.unnested(pairs, "pair")
        first, second = tuple_part(pair, 1, Type.TEXT), tuple_part(pair, 2, Type.TEXT)
        found = baskets.aggregated(
            [("Item 1", tuple_part(first, 1, Type.TEXT)), ("Item 2", tuple_part(second, 1, Type.TEXT))],
            [
                (
                    f"Item 1 {self.field_} count",
                    v.call("toInt64", v.agg("any", tuple_part(first, 2, Type.INT), type=Type.INT), type=Type.INT),
                ),
                (
                    f"Item 2 {self.field_} count",
                    v.call("toInt64", v.agg("any", tuple_part(second, 2, Type.INT), type=Type.INT), type=Type.INT),
                ),
                ("Pair count", v.call("toInt64", v.agg("count", type=Type.INT), type=Type.INT)),
            ],
        )
        order = ("Item 1", f"Item 1 {self.field_} count", "Item 2", f"Item 2 {self.field_} count", "Pair count")
        return found.with_fields({name: found.field(name) for name in order})

    @staticmethod
    def _before(one: Value, other: Value) -> Value:
        """Whether an item stands before another in natural order."""

        def key(item: Value) -> Value:
            text = tuple_part(item, 1, Type.TEXT)
            number = v.as_number(text)
            sure = v.call("ifNull", number, v.real(0), type=Type.FLOAT)
            return v.call("tuple", v.call("isNull", number, type=Type.BOOL), sure, text, type=Type.TEXT)

        return v.call("less", key(one), key(other), type=Type.BOOL)


# ---- numbers that tell a class ---------------------------------------------------------------------------------------


@command("analyzefields", kind="transforming", aliases=("af",))
@dataclass
class AnalyzeFields(Command):
    """Shows how well each field of numbers alone tells the value of another field.

    Syntax: analyzefields classfield=<field>
    Example: index=web | eval failed=if(status>=500, "yes", "no") | analyzefields classfield=failed

    A row for each field of numbers: `count`, the rows that have it and the class field; `cocur`, their share of the rows that
    have the class field; `acc`, the share of rows whose class is told right when each number is taken for the class
    under which, by mean and deviation of the class, it is most probable; and `balacc`, the mean of that share over the
    classes. The class field must have 2 to 100 values. The best balanced accuracy stands first.
    """

    classfield: str = option("", help="the field whose value is to be told")

    @classmethod
    def read(cls, arguments: Arguments) -> AnalyzeFields:
        given = super().read(arguments)
        assert isinstance(given, AnalyzeFields)
        if not given.classfield:
            raise SearchError("classfield is expected, such as classfield=status", arguments.peek().span)
        return given

    def lower(self, relation: Relation, context: Context) -> Relation:
        classes = whole_text(relation.field(self.classfield))
        names = [name for name in chosen_fields(relation, []) if name != self.classfield]
        names = numeric_fields(relation, names, context)
        known = relation.filtered(v.is_present(classes)) if classes.type is not Type.NULL else relation.filtered(v.FALSE)
        fields = {name: v.as_float(relation.field(name)) for name in names}
        table = context.table_of(known.with_fields({"\0class": v.cast(classes, Type.TEXT), **fields}), ordered=False)
        if context.dry:
            return context.relation_of(pa.table({"field": pa.array([], pa.string())}))
        return context.relation_of(context.python_step("analyzefields", lambda: self._analyzed(table, names)))

    def _analyzed(self, table: pa.Table, names: Sequence[str]) -> pa.Table:
        if "\0class" not in table.column_names or not table.num_rows:
            raise SearchError(f'no row has the field "{self.classfield}"')
        classes = one_array(table["\0class"]).dictionary_encode()
        if not 2 <= len(classes.dictionary) <= 100:
            raise SearchError(f'"{self.classfield}" must have 2 to 100 values, got {len(classes.dictionary):,}')
        labels = np.asarray(classes.indices, dtype=np.int64)
        rows = []
        for name in names:
            numbers = np.asarray(one_array(table[name]).to_numpy(zero_copy_only=False), dtype=np.float64)
            count = int(np.count_nonzero(~np.isnan(numbers)))
            if count:
                accuracy, balanced = ml.told_by_numbers(numbers, labels)
                rows.append((name, count, count / table.num_rows, accuracy, balanced))
        rows.sort(key=lambda row: (-row[4], row[0]))
        kinds = (pa.string(), pa.int64(), pa.float64(), pa.float64(), pa.float64())
        columns = zip(*rows, strict=True) if rows else [()] * 5
        titles = ("field", "count", "cocur", "acc", "balacc")
        return pa.table({title: pa.array(list(c), kind) for title, c, kind in zip(titles, columns, kinds, strict=True)})
