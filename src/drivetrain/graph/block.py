"""What a Block is, and the builder that lowers blocks to ONNX nodes.

A fitted thing is a list of blocks. Each block reads named *wires* and writes named wires; a wire
is a tensor. Wires have local names until :mod:`drivetrain.graph.program` joins the parts of a
bundle and gives them prefixes. By convention

- an encoder's blocks read wires named after the columns, and write ``features``, FLOAT [N, k];
- a fitted model's blocks read ``X``, FLOAT [N, k], and write ``margin``, DOUBLE [N, t].

One file in ``graph/blocks/`` holds one block: a frozen dataclass and its ``lower``. Lowering is
the last step and the only place that knows ONNX.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
import onnx
from onnx import helper, numpy_helper

from drivetrain.core.arrays import Array

Wire = str
Names = dict[Wire, Wire]  # wires of the graph, by local name

ML = "ai.onnx.ml"
MICROSOFT = "com.microsoft"  # built into a stock ONNX Runtime
OPSETS = {"": 22, ML: 5, MICROSOFT: 1}
IR_VERSION = 10


@runtime_checkable
class Block(Protocol):
    """One typed piece of a fitted thing; implementations are frozen dataclasses.

    ``inputs`` and ``outputs`` are wires. All other fields are arrays, numbers, texts, booleans or
    tuples of these, so that a block can be written to disk and read back without pickle.
    """

    @property
    def inputs(self) -> tuple[Wire, ...]:
        """Wires read."""

    @property
    def outputs(self) -> tuple[Wire, ...]:
        """Wires written."""

    def lower(self, graph: GraphBuilder) -> None:
        """Add this block's nodes to ``graph``, writing ``self.outputs``."""


@dataclass
class GraphBuilder:
    """Collects nodes and constants while blocks lower themselves.

    Blocks use local names of wires; :meth:`lower` is told what these are called in the graph, so
    that a column may be called ``features``, or ``X``, or like a wire of another block.

    Attributes
    ----------
    reserved
        Names that no wire made here may have: those of the graph's inputs and outputs.
    opsets
        Versions of the operator sets that the graph is made for, by domain.
    tables
        Columns that stand side by side already (``drivetrain.graph.tables``).
    widths
        Columns of matrices, of those of which it is known.
    """

    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: dict[str, onnx.TensorProto] = field(default_factory=dict)
    reserved: frozenset[Wire] = frozenset()
    opsets: Mapping[str, int] = field(default_factory=lambda: OPSETS)
    tables: list[Any] = field(default_factory=list)
    widths: dict[Wire, int] = field(default_factory=dict)
    _reads: dict[Wire, Wire] = field(default_factory=dict)
    _writes: dict[Wire, Wire] = field(default_factory=dict)
    _part: str = ""
    _by_content: dict[tuple[str, tuple[int, ...], bytes], str] = field(default_factory=dict)
    _by_node: dict[bytes, str] = field(default_factory=dict)
    _taken: set[Wire] = field(default_factory=set)
    _count: int = 0

    def fresh(self, hint: str) -> Wire:
        """Return a wire name that is not used yet."""
        while True:
            self._count += 1
            name = f"{hint}#{self._count}"
            if name not in self.reserved:
                return name

    def named(self, name: Wire) -> Wire:
        """Return ``name``, or one like it if it is taken: other nodes do not change it."""
        if name in self.reserved or name in self._taken:
            return self.fresh(name)
        self._taken.add(name)
        return name

    def lower(self, blocks: Iterable[Block], wires: Mapping[Wire, Wire], part: str) -> Names:
        """Lower blocks in order.

        Parameters
        ----------
        blocks
            In an order in which each wire is written before it is read.
        wires
            What the wires that blocks read from outside are called in the graph, by local name.
        part
            Put in front of the names of nodes and wires, and found there in error messages.

        Returns
        -------
        dict
            ``wires`` and what the blocks wrote, by local name.
        """
        names = dict(wires)
        self._part = f"{part}/"
        for block in blocks:
            written = {wire: self.named(self._part + wire) for wire in block.outputs}
            self._reads, self._writes = dict(names), written
            block.lower(self)
            names |= written
        self._reads, self._writes, self._part = {}, {}, ""
        return names

    def width(self, wire: Wire) -> int | None:
        """Return the columns of a matrix, [N, k], by a block's local name; None if not known."""
        return self.widths.get(self._reads.get(wire, wire))

    def constant(self, value: Array | Sequence[Any] | float, dtype: Any = None) -> Wire:
        """Return the wire of a constant tensor; equal constants share one.

        Texts are given as an object array or a list of str; numbers need a dtype unless they are
        an array already.
        """
        array = np.asarray(value) if dtype is None else np.asarray(value, dtype=dtype)
        if array.dtype.kind in "OUS":
            texts = [str(item).encode() for item in array.ravel()]
            lengths = ",".join(str(len(text)) for text in texts).encode()
            key = ("str", array.shape, lengths + b":" + b"".join(texts))
        else:
            key = (array.dtype.str, array.shape, array.tobytes())
        if key in self._by_content:
            return self._by_content[key]
        name = self.fresh("const")
        if array.dtype.kind in "OUS":
            tensor = onnx.TensorProto(
                name=name,
                data_type=onnx.TensorProto.STRING,
                dims=array.shape,
                string_data=texts,
            )
        else:
            tensor = numpy_helper.from_array(np.ascontiguousarray(array), name)
        self.constants[name] = tensor
        self._by_content[key] = name
        return name

    def node(
        self,
        op: str,
        inputs: Sequence[Wire],
        *,
        to: Wire | None = None,
        domain: str = "",
        **attributes: Any,
    ) -> Wire:
        """Add a node with one output and return its wire; ``to`` names the output.

        Without ``to``, a node equal to an earlier one is not added again: its wire is returned.
        """
        return self._add(op, inputs, to, domain, attributes)

    def cast(self, wire: Wire, dtype: int, *, to: Wire | None = None) -> Wire:
        """Add a Cast to an ``onnx.TensorProto`` data type and return its wire."""
        return self._add("Cast", [wire], to, "", {"to": dtype})

    def split(self, wire: Wire, outputs: Sequence[Wire]) -> None:
        """Cut a matrix, [N, k], into its columns, [N, 1] each."""
        name = self.fresh("Split")
        node = helper.make_node(
            "Split", [wire], list(outputs), name=name, axis=1, num_outputs=len(outputs)
        )
        self.nodes.append(node)

    def _add(
        self,
        op: str,
        inputs: Sequence[Wire],
        to: Wire | None,
        domain: str,
        attributes: dict[str, Any],
    ) -> Wire:
        read = [self._reads.get(wire, wire) for wire in inputs]
        node = helper.make_node(op, read, [], domain=domain)
        node.attribute.extend(
            helper.make_attribute(name, value) for name, value in sorted(attributes.items())
        )
        content = node.SerializeToString(deterministic=True)
        if to is None and content in self._by_node:
            return self._by_node[content]
        output = self._writes.get(to, to) if to else self.fresh(self._part + op)
        node.output.append(output)
        node.name = self.fresh(self._part + op)
        self.nodes.append(node)
        self._by_node.setdefault(content, output)
        return output

    def adopt(self, nodes: Iterable[onnx.NodeProto], tensors: Iterable[onnx.TensorProto]) -> None:
        """Add nodes and constants whose names are known to be unique."""
        self.nodes.extend(nodes)
        for tensor in tensors:
            self.constants[tensor.name] = tensor
