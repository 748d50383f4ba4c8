"""Hashes of text, as lower-case hexadecimal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sightline.search.functions.arguments import each_text
from sightline.search.planner import values as v
from sightline.search.planner.values import Type, Value
from sightline.search.registry import function

if TYPE_CHECKING:
    from sightline.search.context import Context


def _hash_function(name: str, engine_name: str, bits: int) -> None:
    def lower(arguments: list[Value], context: Context) -> Value:
        def hashed(text: Value) -> Value:
            digest = v.call("hex", v.call(engine_name, text, type=Type.TEXT), type=Type.TEXT)
            return v.call("lower", digest, type=Type.TEXT)

        return each_text(arguments[0], hashed)

    lower.__doc__ = (
        f"The {bits}-bit {name.upper()} hash of the text.\n\nSyntax: {name}(<text>)\n"
        f'Example: | makeresults | eval a={name}("a")\n\nOf a multivalue, the hash of each value.'
    )
    function(name)(lower)


for _name, _engine_name, _bits in (("md5", "MD5", 128), ("sha1", "SHA1", 160), ("sha256", "SHA256", 256), ("sha512", "SHA512", 512)):  # fmt: skip
    _hash_function(_name, _engine_name, _bits)
