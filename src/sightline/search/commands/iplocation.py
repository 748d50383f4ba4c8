"""`iplocation`: where IP addresses are."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import pyarrow as pa

from sightline.errors import SearchError
from sightline.search.context import Context, plain_column
from sightline.search.locations import field_types, find_database, locate
from sightline.search.planner import values as v
from sightline.search.planner.lower import undictionaried
from sightline.search.planner.relation import Relation
from sightline.search.planner.values import Literal, Type, Value
from sightline.search.registry import Command, command
from sightline.search.syntax.arguments import Arguments, option, print_name, print_options


@command("iplocation")
@dataclass
class IpLocation(Command):
    """Adds where an IP address is: City, Country, Region, lat and lon.

    Syntax: iplocation [prefix=<text>] [allfields=<bool>] [lang=<language>] <field>
    Example: index=web | iplocation clientip

    It reads a database in MaxMind's format, `iplocation.mmdb` or `GeoLite2-City.mmdb` in the data directory, the only file
    there that ends in `.mmdb`, or the file that the setting `search.ip_database` names. Each address is looked up once.
    `allfields=true` adds Continent, MetroCode and Timezone. `lang` is a language of the database such as `de`; without a
    name in it the English one is taken; `lang=code` gives short codes. IPv4 and IPv6 are read. An address that is private,
    unknown or none gets no fields, and keeps those it had. Of a multivalue, the first address counts.
    """

    prefix: str = option("", help="what stands before the names of the new fields")
    allfields: bool = option(False, help="add Continent, MetroCode and Timezone too")
    lang: str = option("en", help="language of the names, or code for short codes")
    name: str = ""

    @classmethod
    def read(cls, arguments: Arguments) -> IpLocation:
        names, found = arguments.names_with_options(cls)
        if len(names) != 1:
            raise SearchError(f"one field with addresses is expected, got {len(names)}", arguments.stage.arguments)
        return cls(name=names[0], **found)

    def print_arguments(self) -> list[str]:
        return [*print_options(self), print_name(self.name)]

    def lower(self, relation: Relation, context: Context) -> Relation:
        types = field_types(all_fields=self.allfields)
        if context.dry:
            return self._with_nothing(relation, types)
        database = find_database(context.settings)
        address = _address(relation.field(self.name))
        if address.type is Type.NULL:
            return self._with_nothing(relation, types)
        distinct = relation.filtered(v.is_present(address)).aggregated([("ip", address)], [])
        addresses = context.table_of(distinct, ["ip"], ordered=False)["ip"].to_pylist()
        text = f"iplocation of {len(addresses):,} addresses"
        places = context.python_step(text, lambda: locate(addresses, database, self.lang, all_fields=self.allfields))
        if not places.num_rows:
            return self._with_nothing(relation, types)
        table = context.relation_of(places)
        joined, found = relation.joined(table, [(address, table.field("ip"))])
        # An address stands in the table once, so that the order of the rows stays the same too.
        node = dataclasses.replace(joined.node, single=True)
        fields = dict(relation.fields)
        for name in types:
            value, before = found.field(name), joined.field(self.prefix + name)
            fields[self.prefix + name] = value if before.type is Type.NULL else v.choose(v.is_present(value), value, before)
        return dataclasses.replace(joined, node=node, fields=fields, order=relation.order)

    def _with_nothing(self, relation: Relation, types: dict[str, pa.DataType]) -> Relation:
        fields = dict(relation.fields)
        for name, type in types.items():
            kind = plain_column(pa.chunked_array([], type))
            assert kind is not None
            fields.setdefault(self.prefix + name, Literal(kind[1], None))
        return relation.with_fields(fields)


def _address(value: Value) -> Value:
    """The address as text: of several the first."""
    if value.type is not Type.MULTI:
        return value if value.type is Type.NULL else v.as_text(undictionaried(value))
    first = v.call("arrayElement", value, v.integer(1), type=Type.TEXT)
    return v.choose(v.is_present(value), first, Literal(Type.TEXT, None))
