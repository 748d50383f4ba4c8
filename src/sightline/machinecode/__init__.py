"""Machine code that numba made once, where it is kept, and how a process calls it that has no compiler.

The functions of `store/compiled` are compiled into a folder that has their sources and the kind of processor in its name. Most are
called by the process that has numba. A function that other processes call as well is written there as an object file, which takes
30 ms and 10 MB of memory of their own to load, where numba takes two seconds and 70 MB.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import sys
from collections.abc import Callable
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


def write(function: Callable[..., int], signature: Any) -> None:
    """Compile a function of numba's that takes arrays of one dimension and returns an int64, for `load`."""
    import numba

    # Without the wrappers for Python, the object file wants nothing of the process that loads it.
    compiled = numba.njit(
        signature, nogil=True, boundscheck=True, error_model="numpy", _nrt=False, no_cpython_wrapper=True, no_cfunc_wrapper=True,
    )(function)  # fmt: skip
    (made,) = compiled.overloads.values()
    staged = _path(function.__name__).with_suffix(f".{os.getpid()}")
    staged.parent.mkdir(parents=True, exist_ok=True)
    staged.write_bytes(made.fndesc.llvm_func_name.encode() + b"\n" + made.library._get_compiled_object())
    staged.replace(_path(function.__name__))


def load(name: str) -> Callable[..., int] | None:
    """The function that was written under a name; None where there is none for this processor. Takes arrays of one dimension.

    What it gives raises IndexError where the code reads past an array. Threads may share it; it holds no lock of Python's.
    """
    import llvmlite.binding as llvm

    try:
        symbol, _, code = _path(name).read_bytes().partition(b"\n")
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
    native: dict[int, Any] = {}

    def call(*arrays: np.ndarray) -> int:
        if len(arrays) not in native:
            native[len(arrays)] = ctypes.CFUNCTYPE(ctypes.c_int32, *(ctypes.c_void_p,) * 2, *_ARRAY * len(arrays))(address)
        result, fault = ctypes.c_int64(), ctypes.c_void_p()
        passed = [part for array in arrays for part in _passed(array)]
        if native[len(arrays)](ctypes.addressof(result), ctypes.addressof(fault), *passed):
            raise IndexError(name)
        return result.value

    call.engine = engine  # type: ignore[attr-defined]  # The code is there as long as this is.
    return call


_ARRAY = (ctypes.c_void_p, ctypes.c_void_p, *(ctypes.c_int64,) * 2, ctypes.c_void_p, *(ctypes.c_int64,) * 2)


def _passed(array: np.ndarray) -> tuple[int | None, ...]:
    """An array of one dimension as numba passes it: two owners, of which there is none, its size and that of an item, where it is,
    and its shape and steps."""
    place = array.__array_interface__["data"][0]
    return None, None, array.size, array.itemsize, place, array.size, array.itemsize
