"""Machine code that numba made once, where it is kept, and how a process calls it that has no compiler.

The functions of `store/compiled` are compiled by a process of their own into a folder that has their sources and the kind of
processor in its name, each as an object file. To load one takes milliseconds, where numba takes two seconds and 70 MB.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

_FUNCTIONS = Path(__file__).parent.parent / "store" / "compiled"


@functools.cache
def cache_folder() -> Path:
    """Where the machine code is: beside the sources where they can be written, else in the user's cache."""
    sources = b"".join(
        path.read_bytes() for folder in (Path(__file__).parent, _FUNCTIONS) for path in sorted(folder.glob("*.py"))
    )
    name = f"{hashlib.sha256(sources).hexdigest()[:16]}-numba-{version('numba')}-{sys.implementation.cache_tag}"
    beside = _FUNCTIONS / "__pycache__"
    root = beside if os.access(beside if beside.exists() else _FUNCTIONS, os.W_OK) else _user_cache()
    return root / name


def _user_cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sightline"


@functools.cache
def processor() -> str:
    """The kind of processor that code is made for."""
    import llvmlite.binding

    features = llvmlite.binding.get_host_cpu_features().flatten().encode()
    return f"{llvmlite.binding.get_host_cpu_name()}-{hashlib.sha256(features).hexdigest()[:8]}"


def _path(name: str) -> Path:
    return cache_folder() / f"{name}-{processor()}.o"


def write(name: str, function: Callable[..., Any], arguments: Sequence[Any]) -> None:
    """Compile a function in numba's part of Python for arguments of these kinds, for `load`: arrays, whole numbers, truths and
    tuples of them. It returns whole numbers or nothing."""
    import numba

    # Without the wrappers for Python, the object file wants nothing of the process that loads it.
    compiled = numba.njit(
        tuple(_type(argument) for argument in arguments),
        nogil=True, boundscheck=True, error_model="numpy", _nrt=False, no_cpython_wrapper=True, no_cfunc_wrapper=True,
    )(function)  # fmt: skip
    (made,) = compiled.overloads.values()
    results = _results(made.signature.return_type)
    head = f"{made.fndesc.llvm_func_name}\n{' '.join(_kinds(arguments))}\n{results}\n"
    staged = _path(name).with_suffix(f".{os.getpid()}")
    staged.parent.mkdir(parents=True, exist_ok=True)
    staged.write_bytes(head.encode() + made.library._get_compiled_object())
    staged.replace(_path(name))


def _type(argument: Any) -> Any:
    """What numba takes an argument for. An array is one that may be written to, and of several dimensions one whose lines lie
    anywhere, so that a function has one form."""
    from numba import typeof, types

    found = typeof(argument)
    if isinstance(argument, np.ndarray):
        return types.Array(found.dtype, argument.ndim, "C" if argument.ndim == 1 else "A")
    if isinstance(argument, tuple):
        return types.NamedTuple([_type(one) for one in argument], type(argument))
    return found


def _results(returned: Any) -> int:
    """How many whole numbers a function returns."""
    from numba import types

    each = () if returned == types.none else returned if isinstance(returned, types.UniTuple) else (returned,)
    if any(one != types.int64 for one in each):
        raise TypeError(f"a compiled function returns whole numbers, and not {returned}")
    return len(each)


def load(name: str) -> Callable[..., Any] | None:
    """The function that was written under a name; None where there is none for this processor. It returns a number, 0 where the
    function returns nothing, or a tuple of them.

    What it gives raises IndexError where the code reads past an array, and TypeError for arguments of other kinds than it was
    compiled for. Threads may share it; it holds no lock of Python's.
    """
    import llvmlite.binding as llvm

    try:
        symbol, kinds, results, code = _path(name).read_bytes().split(b"\n", 3)
    except FileNotFoundError:
        return None
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_default_triple().create_target_machine(jit=True)
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    address = engine.get_function_address(symbol.decode())
    if not address:
        return None
    wanted = kinds.decode().split()
    passed = [part for kind in wanted for part in _passed(kind)]
    several = int(results) > 1
    space = ctypes.c_int64 * max(int(results), 1)
    native = ctypes.CFUNCTYPE(ctypes.c_int32, *(ctypes.c_void_p,) * 2, *passed)(address)

    def call(*arguments: Any) -> Any:
        given = _kinds(arguments)
        if given != wanted:
            raise TypeError(f"{name} was compiled for {' '.join(wanted)}, and was given {' '.join(given)}")
        found, fault = space(), ctypes.c_void_p()
        if native(ctypes.addressof(found), ctypes.addressof(fault), *_parts(arguments)):
            raise IndexError(name)
        return tuple(found) if several else found[0]

    call.engine = engine  # type: ignore[attr-defined]  # The code is there as long as this is.
    return call


def _passed(kind: str) -> tuple[Any, ...]:
    """The types of what an argument of a kind is passed as."""
    if kind in ("int", "bool"):
        return (ctypes.c_int64 if kind == "int" else ctypes.c_int8,)
    sizes = 2 * int(kind.rpartition(":")[2])
    return ctypes.c_void_p, ctypes.c_void_p, *(ctypes.c_int64,) * 2, ctypes.c_void_p, *(ctypes.c_int64,) * sizes


def _kinds(arguments: Iterable[Any]) -> list[str]:
    """The kinds of arguments: of an array the kind of its items and its dimensions, such as `<i8:2`."""
    found = []
    for argument in arguments:
        if isinstance(argument, np.ndarray):
            if argument.ndim == 1 and not argument.flags.c_contiguous:
                raise TypeError("the items of an array of one dimension lie one after the other")
            found.append(f"{argument.dtype.str}:{argument.ndim}")
        elif isinstance(argument, tuple):
            found += _kinds(argument)
        else:
            found.append("bool" if isinstance(argument, bool | np.bool_) else "int")
    return found


def _parts(arguments: Iterable[Any]) -> Iterator[int | None]:
    """Arguments as numba passes them: an array as two owners, of which there is none, its size and that of an item, where it is,
    and its shape and steps; a tuple as what is in it."""
    for argument in arguments:
        if isinstance(argument, np.ndarray):
            yield from (None, None, argument.size, argument.itemsize, argument.__array_interface__["data"][0])
            yield from argument.shape
            yield from argument.strides
        elif isinstance(argument, tuple):
            yield from _parts(argument)
        else:
            yield int(argument)
