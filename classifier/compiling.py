"""Compiles kernels to machine code with numba. Runs in processes of its own, started by `machine`.

In: names of `kernels.ENTRIES`. Out, on standard output: `machine.pack`, one object file for each. Next: `machine.link`.

Each kernel's code is bound to a twin of its module's globals in which every kernel is replaced by its compiled form.
Compared with numba's own way this takes a third of the time: the functions that an entry calls are optimised once, in
the entry, not on every level of calls again; no machine code is made of them apart; arrays are not counted (nothing
here allocates); and numba's passes for what kernels never do are left out.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import sys
from collections.abc import Callable
from types import FunctionType
from typing import Any

import numpy as np

from classifier import jit, machine
from classifier.kernels import ENTRIES, Argument, Rows

OPTIMISE = 2


def _untyped(module: str) -> Any:
    """A module whose stubs know less than it has."""
    return importlib.import_module(module)


llvm = _untyped("llvmlite.binding")
numba = _untyped("numba")
arrayobj = _untyped("numba.np.arrayobj")
compiler = _untyped("numba.core.compiler")
compiler_lock = _untyped("numba.core.compiler_lock")
functions = _untyped("numba.core.types.functions")
registry = _untyped("numba.core.registry")
types = numba.types

NEEDLESS = frozenset(
    {
        "AnnotateTypes",
        "DeadBranchPrune",
        "DumpParforDiagnostics",
        "FindLiterallyCalls",
        "InlineClosureLikes",
        "InlineInlinables",
        "InlineOverloads",
        "LiteralPropagationSubPipelinePass",
        "LiteralUnroll",
        "MakeFunctionToJitFunction",
        "NoPythonSupportedFeatureValidation",
        "NopythonRewrites",
        "RewriteDynamicRaises",
        "RewriteSemanticConstants",
        "WithLifting",
    }
)
"""numba's passes for closures, literals, array expressions, `with`, `raise`: a third of its time."""


class FewPasses(compiler.CompilerBase):  # type: ignore[misc, name-defined]
    """numba's pipeline without the passes that do nothing for kernels."""

    def define_pipelines(self) -> list[Any]:
        """The one pipeline."""
        passes = compiler.DefaultPassBuilder.define_nopython_pipeline(self.state)
        passes.passes[:] = [each for each in passes.passes if each[0].__name__ not in NEEDLESS]
        passes.finalize()
        return [passes]


INNER = {
    "nogil": True,
    "error_model": "numpy",
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
    "_nrt": False,
    "pipeline_class": FewPasses,
}


class Twins:
    """Kernels compiled with the same options, each once."""

    def __init__(self, options: dict[str, Any]) -> None:
        self._options = options
        self._spaces: dict[str, dict[str, Any]] = {}
        self._done: dict[str, Any] = {}

    def compiled(self, name: str) -> Any:
        """A kernel for other kernels."""
        known = self._done.get(name)
        if known is None:
            options = dict(self._options)
            if name in jit.registered()[1]:
                options["forceinline"] = True
            known = self._done[name] = numba.njit(**options)(self.bound(name))
        return known

    def bound(self, name: str) -> FunctionType:
        """The kernel's code over a twin of its module's globals, in which the kernels it calls are compiled."""
        kernels, _ = jit.registered()
        function = kernels[name]
        module = function.__module__
        space = self._spaces.get(module)
        if space is None:
            space = self._spaces[module] = dict(vars(sys.modules[module]))
            space["i64"] = np.int64
        twin = FunctionType(function.__code__, space, name, function.__defaults__, function.__closure__)
        twin.__module__ = module
        twin.__qualname__ = name
        for callee in function.__code__.co_names:
            if callee in kernels and space.get(callee) is kernels[callee] and callee != name:
                space[callee] = self.compiled(callee)
        return twin


_plain = Twins({"nogil": True, "error_model": "numpy"})


def for_python(name: str) -> Any:
    """A kernel that only kernels call, to be called from Python (by tests), in numba's own way."""
    return _plain.compiled(name)


def _type_of(kind: Argument) -> Any:
    if kind is None:
        return types.int64
    if isinstance(kind, Rows):
        return types.Array(numba.from_dtype(kind.dtype), kind.ndim, "C")
    return types.Tuple([_type_of(each) for each in kind])


def _arguments_of(kinds: tuple[Argument, ...]) -> Any:
    """For compiled code: the tuple of a kernel's arguments out of a block of words (`machine._Call`)."""
    wanted = types.Tuple([_type_of(kind) for kind in kinds])

    @numba.extending.intrinsic  # type: ignore[untyped-decorator]
    def arguments(context: Any, block: Any) -> Any:
        return wanted(block), _take_arguments

    return arguments


def _take_arguments(context: Any, builder: Any, signature: Any, values: Any) -> Any:
    """The code for it: words after the first four, each an integer or an array's address, followed by its shape."""
    at = 4

    def number(value: int) -> Any:
        return context.get_constant(types.intp, value)

    def word() -> Any:
        nonlocal at
        at += 1
        return builder.load(builder.gep(values[0], [number(at - 1)]))

    def take(kind: Any) -> Any:
        if kind is types.int64:
            return word()
        if isinstance(kind, types.BaseTuple):
            return context.make_tuple(builder, kind, [take(each) for each in kind])
        item = context.get_data_type(kind.dtype)
        size = number(context.get_abi_sizeof(item))
        data = builder.inttoptr(word(), item.as_pointer())
        shape = [word() for _ in range(kind.ndim)]
        strides: list[Any] = []
        stride = size
        for length in reversed(shape):
            strides.insert(0, stride)
            stride = builder.mul(stride, length)
        array = arrayobj.make_array(kind)(context, builder)
        arrayobj.populate_array(array, data=data, shape=shape, strides=strides, itemsize=size, meminfo=None)
        return array._getvalue()

    return take(signature.return_type)


def _entry(name: str, twins: Twins) -> Callable[..., Any]:
    """The function that Python calls: takes a block of words, puts the results into its first two."""
    kinds = ENTRIES[name].arguments
    call = f"kernel({', '.join(f'given[{place}]' for place in range(len(kinds)))})"
    lines = {
        0: [call],
        1: [f"block[0] = {call}"],
        2: [f"result = {call}", "block[0] = result[0]", "block[1] = result[1]"],
    }[ENTRIES[name].results]
    source = "\n    ".join(["def entry(block):", "given = arguments(block)", *lines])
    space = {"kernel": twins.compiled(name), "arguments": _arguments_of(kinds)}
    exec(source, space)
    function: Callable[..., Any] = space["entry"]
    return function


def prepare() -> None:
    """Change numba in this process: libraries are neither optimised nor made into machine code by themselves."""
    context = registry.cpu_target.target_context
    codegen = context.codegen()

    class Unfinished(codegen._library_class):  # type: ignore[misc, name-defined]
        def _optimize_final_module(self) -> None:
            pass

        def _finalize_final_module(self) -> None:
            self._finalized = True

    make_function = _untyped("numba._dynfunc").make_function
    never = ctypes.cast(ctypes.pythonapi.Py_GetVersion, ctypes.c_void_p).value

    def not_executable(library: Any, described: Any, environment: Any) -> Any:
        """What numba knows a function by; it is never called."""
        name = described.qualname
        return make_function(described.lookup_module(), name, "", never, environment, (library,))

    codegen._library_class = Unfinished
    context.get_executable = not_executable
    _remember_operators()


def _remember_operators() -> None:
    """Have numba look up each operator and built-in function once for the same types, not at every place."""
    look_up = functions.BaseFunction.get_call_type
    known: dict[Any, Any] = {}

    def get_call_type(self: Any, context: Any, args: Any, kws: Any) -> Any:
        if kws:
            return look_up(self, context, args, kws)
        key = (self, args)
        found = known.get(key)
        if found is None:
            found = known[key] = look_up(self, context, args, kws)
        return found

    functions.BaseFunction.get_call_type = get_call_type


def compile_entry(name: str, twins: Twins) -> tuple[str, bytes]:
    """The name of an entry's function, and the object file that holds it. After `prepare`."""
    dispatcher = numba.njit(**INNER)(_entry(name, twins))
    dispatcher.compile((types.CPointer(types.int64),))
    (result,) = dispatcher.overloads.values()
    with compiler_lock.global_compiler_lock:
        result.library._ensure_finalized()
    module = result.library._final_module
    symbol = f"classifier_{name}"
    for function in module.functions:
        if function.name == result.fndesc.llvm_func_name:
            function.name = symbol  # numba's is not unique over processes
        elif not function.is_declaration:
            function.linkage = "internal"
    target = _target_machine()
    options = llvm.create_pipeline_tuning_options(speed_level=OPTIMISE)
    builder = llvm.create_pass_builder(target, options)
    builder.getModulePassManager().run(module, builder)
    return symbol, target.emit_object(module)


def _target_machine() -> Any:
    return llvm.Target.from_triple(llvm.get_process_triple()).create_target_machine(
        cpu=llvm.get_host_cpu_name(),
        features=llvm.get_host_cpu_features().flatten(),
        opt=OPTIMISE,
        reloc="static" if sys.platform.startswith("linux") else "default",
        codemodel="jitdefault",
        jit=True,
    )


def main(names: list[str]) -> None:
    """Compile these entries, load them once to be sure, write them to standard output."""
    gc.disable()  # a process of few seconds: a sixth of its time otherwise
    prepare()
    twins = Twins(INNER)
    objects = {name: compile_entry(name, twins) for name in names}
    machine.link(objects)
    sys.stdout.buffer.write(machine.pack(objects))
    sys.stdout.buffer.flush()
