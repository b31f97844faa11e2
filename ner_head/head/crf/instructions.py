"""The steps of `crf_vector` as LLVM vector code, emitted through llvmlite: one lane a tag.

Every function here takes numba types and literal T and V, and emits the instructions that its namesake in
`crf_vector` defines with numpy. LLVM maps the vectors to what the machine has (AVX-512, AVX2, NEON).
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic

FAST = ("contract", "nsz", "reassoc")  # free order of sums; NaN and infinity keep their meaning
NUMBERS = ("nnan", "nsz")  # where NaN cannot come


class Lanes:
    """Emits vector code: thin names over llvmlite."""

    def __init__(self, context: Any, builder: Any, signature: Any) -> None:
        self.context, self.builder, self.signature = context, builder, signature

    def real(self, argument: int) -> Any:
        """The element type of an array argument."""
        return self.context.get_data_type(self.signature.args[argument].dtype)

    def pointer(self, argument: int, array: Any, at: Any) -> Any:
        """The address of array[at]."""
        data = self.context.make_array(self.signature.args[argument])(self.context, self.builder, array).data
        return self.builder.gep(data, [at])

    def load(self, argument: int, array: Any, at: Any, lanes: int) -> Any:
        """array[at : at + lanes] as a vector."""
        kind = ir.VectorType(self.real(argument), lanes)
        found = self.builder.load(self.builder.bitcast(self.pointer(argument, array, at), kind.as_pointer()))
        found.align = 4
        return found

    def store(self, argument: int, array: Any, at: Any, vector: Any) -> None:
        """array[at : at + lanes] = vector."""
        address = self.builder.bitcast(self.pointer(argument, array, at), vector.type.as_pointer())
        self.builder.store(vector, address).align = 4

    def splat(self, scalar: Any, lanes: int) -> Any:
        """A vector of one value."""
        undefined = ir.Constant(ir.VectorType(scalar.type, lanes), ir.Undefined)
        one = self.builder.insert_element(undefined, scalar, ir.Constant(ir.IntType(32), 0))
        return self.resize(one, [0] * lanes)

    def resize(self, vector: Any, lanes: list[int]) -> Any:
        """The lanes named; that behind the last is 0."""
        zero = ir.Constant(vector.type, None)
        return self.builder.shuffle_vector(vector, zero, ir.Constant(ir.VectorType(ir.IntType(32), len(lanes)), lanes))

    def each(self, argument: int, array: Any, at: Any, lanes: int, n: int) -> Any:
        """array[at + i] in all lanes, for i in 0..n."""
        for i in range(n):
            offset = self.builder.add(at, ir.Constant(at.type, i))
            yield (
                ir.Constant(at.type, i * lanes),
                self.splat(self.builder.load(self.pointer(argument, array, offset)), lanes),
            )

    def reduce(self, name: str, vector: Any, flags: tuple[str, ...] = ()) -> Any:
        """LLVM's horizontal operation: fadd or fmax."""
        element, bits = vector.type.element, 64 if isinstance(vector.type.element, ir.DoubleType) else 32
        head = [element] if name == "fadd" else []
        symbol = f"llvm.vector.reduce.{name}.v{vector.type.count}f{bits}"
        function = self.builder.module.globals.get(symbol) or ir.Function(
            self.builder.module, ir.FunctionType(element, [*head, vector.type]), symbol
        )
        zero = [ir.Constant(element, 0.0)] if head else []
        return self.builder.call(function, [*zero, vector], fastmath=FAST if head else flags)

    def greater(self, left: Any, right: Any) -> Any:
        """The greater of two, lane by lane."""
        return self.builder.select(self.builder.fcmp_ordered(">", left, right), left, right)

    def first_greatest(self, vector: Any, top: Any = None) -> Any:
        """The index of the first greatest lane of numbers; `top` is what is in it, if known."""
        lanes = vector.type.count
        top = self.reduce("fmax", vector, NUMBERS) if top is None else top
        equal = self.builder.fcmp_ordered("==", vector, self.splat(top, lanes))
        lane = self.builder.cttz(self.builder.bitcast(equal, ir.IntType(lanes)), ir.IntType(1)(0))
        return self.builder.zext(lane, ir.IntType(64)) if lanes < 64 else self.builder.trunc(lane, ir.IntType(64))

    def but(self, vector: Any, lane: Any, value: Any) -> Any:
        """The vector with another value in one lane."""
        lanes = ir.Constant(ir.VectorType(lane.type, vector.type.count), list(range(vector.type.count)))
        chosen = self.builder.icmp_unsigned("==", lanes, self.splat(lane, vector.type.count))
        return self.builder.select(chosen, self.splat(value, vector.type.count), vector)

    def with_place(self, vector: Any) -> Any:
        """The first greatest lane of numbers, and what is in it: not read back through the lane, as callers wait."""
        top = self.reduce("fmax", vector, NUMBERS)
        return self.context.make_tuple(
            self.builder, self.signature.return_type, (self.first_greatest(vector, top), top)
        )

    def fold(self, operation: Any, vectors: list[Any]) -> Any:
        """Combine in four strands, which do not wait for each other."""
        strands = vectors[:4]
        for i, vector in enumerate(vectors[4:]):
            strands[i % 4] = operation(strands[i % 4], vector)
        while len(strands) > 1:
            pairs = zip(strands[::2], strands[1::2], strict=False)
            strands = [operation(a, b) for a, b in pairs] + strands[len(strands) // 2 * 2 :]
        return strands[0]


@intrinsic(prefer_literal=True)
def multiply(
    typing: Any, x: Any, at: Any, matrix: Any, weight: Any, to: Any, scale: Any, before: Any, after: Any, T: Any, V: Any
) -> Any:
    """Emit `crf_vector.multiply`."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        x_, at_, matrix_, weight_, to_, scale_, before_, after_, *_ = args
        n, v, do = T.literal_value, V.literal_value, Lanes(context, builder, signature)
        terms = [
            builder.fmul(value, do.load(2, matrix_, row, v), flags=FAST) for row, value in do.each(0, x_, at_, v, n)
        ]
        total = do.fold(lambda a, b: builder.fadd(a, b, flags=FAST), terms)
        scaled = builder.fmul(total, do.splat(scale_, v))
        result = builder.fmul(scaled, do.load(3, weight_, to_, v))
        do.store(6, before_, to_, scaled)
        do.store(7, after_, to_, result)
        return do.reduce("fadd", result)

    index = types.int64
    return x.dtype(x, index, matrix, weight, index, x.dtype, before, after, T, V), emit


@intrinsic(prefer_literal=True)
def below(
    typing: Any, x: Any, weight: Any, at: Any, size: Any, rows: Any, row: Any, columns: Any, column: Any, V: Any
) -> Any:
    """Emit `crf_vector.below`."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        x_, weight_, at_, size_, rows_, row_, columns_, column_, _ = args
        v, do = V.literal_value, Lanes(context, builder, signature)
        floor = builder.fmul(do.load(4, rows_, row_, v), do.load(6, columns_, column_, v))
        floor = builder.fmul(floor, do.splat(size_, v))
        weight = do.load(1, weight_, at_, v)
        some = builder.fcmp_unordered("!=", weight, ir.Constant(weight.type, None))
        bad = builder.and_(builder.fcmp_unordered("<", do.load(0, x_, at_, v), floor), some)
        return builder.zext(builder.icmp_unsigned("!=", builder.bitcast(bad, ir.IntType(v)), ir.IntType(v)(0)), index_)

    index, index_ = types.int64, ir.IntType(64)
    return index(x, weight, index, x.dtype, rows, index, columns, index, V), emit


@intrinsic(prefer_literal=True)
def shift(typing: Any, x: Any, at: Any, out: Any, to: Any, T: Any, V: Any) -> Any:
    """Emit `crf_vector.shift`."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        n, v, do = T.literal_value, V.literal_value, Lanes(context, builder, signature)
        row = do.load(0, args[0], args[1], n)
        top = do.reduce("fmax", row)
        shifted = builder.fsub(row, do.splat(top, n))
        do.store(2, args[2], args[3], do.resize(shifted, [min(lane, n) for lane in range(v)]))
        return top

    return x.dtype(x, types.int64, out, types.int64, T, V), emit


@intrinsic(prefer_literal=True)
def posterior(typing: Any, a: Any, b: Any, at: Any, out: Any, to: Any, sign: Any, T: Any, V: Any) -> Any:
    """Emit `crf_vector.posterior`."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        n, v, do = T.literal_value, V.literal_value, Lanes(context, builder, signature)
        product = builder.fmul(do.load(0, args[0], args[2], v), do.load(1, args[1], args[2], v))
        total = do.reduce("fadd", product)
        result = builder.fmul(product, do.splat(builder.fdiv(args[5], total), v))
        do.store(3, args[3], args[4], do.resize(result, list(range(n))))
        return total

    return a.dtype(a, b, types.int64, out, types.int64, a.dtype, T, V), emit


@intrinsic(prefer_literal=True)
def add_outer(typing: Any, out: Any, a: Any, at: Any, scale: Any, b: Any, bt: Any, T: Any, V: Any) -> Any:
    """Emit `crf_vector.add_outer`."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        out_, a_, at_, scale_, b_, bt_, *_ = args
        n, v, do = T.literal_value, V.literal_value, Lanes(context, builder, signature)
        right = builder.fmul(do.load(4, b_, bt_, v), do.splat(scale_, v))
        for row, left in do.each(1, a_, at_, v, n):
            term = builder.fmul(left, right, flags=FAST)
            do.store(0, out_, row, builder.fadd(do.load(0, out_, row, v), term, flags=FAST))
        return context.get_dummy_value()

    return types.void(out, a, types.int64, a.dtype, b, types.int64, T, V), emit


@intrinsic(prefer_literal=True)
def best_sum(typing: Any, x: Any, at: Any, matrix: Any, plus: Any, out: Any, to: Any, T: Any, V: Any) -> Any:
    """Emit `crf_vector.best_sum`."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        x_, at_, matrix_, plus_, out_, to_, *_ = args
        n, v, do = T.literal_value, V.literal_value, Lanes(context, builder, signature)
        sums = [builder.fadd(value, do.load(2, matrix_, row, v)) for row, value in do.each(0, x_, at_, v, n)]
        do.store(4, out_, to_, builder.fadd(do.fold(do.greater, sums), do.load(3, plus_, to_, v)))
        return context.get_dummy_value()

    return types.void(x, types.int64, matrix, plus, out, types.int64, T, V), emit


@intrinsic(prefer_literal=True)
def first_best(typing: Any, x: Any, at: Any, y: Any, yt: Any, V: Any) -> Any:
    """Emit `crf_vector.first_best`."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        v, do = V.literal_value, Lanes(context, builder, signature)
        return do.first_greatest(builder.fadd(do.load(0, args[0], args[1], v), do.load(2, args[2], args[3], v)))

    return types.int64(x, types.int64, y, types.int64, V), emit


@intrinsic(prefer_literal=True)
def best_other(typing: Any, x: Any, at: Any, y: Any, yt: Any, lane: Any, V: Any) -> Any:
    """Emit `crf_vector.best_other`."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        v, do = V.literal_value, Lanes(context, builder, signature)
        sums = builder.fadd(do.load(0, args[0], args[1], v), do.load(2, args[2], args[3], v))
        return do.with_place(do.but(sums, args[4], ir.Constant(sums.type.element, float("-inf"))))

    both: Any = types.Tuple
    return both((types.int64, x.dtype))(x, types.int64, y, types.int64, types.int64, V), emit


@intrinsic(prefer_literal=True)
def sum_best(typing: Any, x: Any, at: Any, y: Any, yt: Any, plus: Any, out: Any, to: Any, V: Any) -> Any:
    """Emit `crf_vector.sum_best`."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        v, do = V.literal_value, Lanes(context, builder, signature)
        sums = builder.fadd(do.load(0, args[0], args[1], v), do.load(2, args[2], args[3], v))
        sums = builder.fadd(sums, do.splat(args[4], v))
        do.store(5, args[5], args[6], sums)
        return do.first_greatest(sums)

    return types.int64(x, types.int64, y, types.int64, x.dtype, out, types.int64, V), emit


@intrinsic(prefer_literal=True)
def swap_best(typing: Any, x: Any, at: Any, lane: Any, value: Any, V: Any) -> Any:
    """Emit `crf_vector.swap_best`: in registers, as a vector cannot be loaded while a lane of it is being stored."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        v, do = V.literal_value, Lanes(context, builder, signature)
        swapped = do.but(do.load(0, args[0], args[1], v), args[2], args[3])
        do.store(0, args[0], args[1], swapped)
        return do.with_place(swapped)

    both: Any = types.Tuple
    return both((types.int64, x.dtype))(x, types.int64, types.int64, x.dtype, V), emit
