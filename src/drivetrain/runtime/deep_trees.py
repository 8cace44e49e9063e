"""Find trees that are deeper than a loader's stack, before anything loads them.

onnxruntime walks a tree by recursion while it loads: some 10,000 levels overflow the stack of a
thread, and the process ends. So the children's arrays are read from the model's own protobuf, and
followed level by level.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from drivetrain.runtime.protobuf import LENGTH, IntVector, fields, split_integers

MOST_LEVELS = 1000  # deeper than any that was learned; less than a megabyte of stack

# onnx.proto: the fields through which a node can be reached
_MODEL, _GRAPH, _FUNCTION, _NODE, _TRAINING, _ATTRIBUTE = range(6)
_CHILDREN: Final = {
    _MODEL: {7: _GRAPH, 20: _TRAINING, 25: _FUNCTION},
    _GRAPH: {1: _NODE},
    _FUNCTION: {7: _NODE},
    _TRAINING: {1: _GRAPH, 2: _GRAPH},
    _NODE: {5: _ATTRIBUTE},
    _ATTRIBUTE: {6: _GRAPH, 11: _GRAPH},
}
_NAME, _INTEGERS, _TEXTS = 1, 8, 9  # of an attribute
_MOST_NESTED = 100  # protobuf's own limit
_MARK = b"nodes_truenodeids"
_READ = (
    _MARK, b"nodes_trueleafs", b"nodes_falsenodeids", b"nodes_falseleafs", b"nodes_treeids",
    b"nodes_nodeids", b"nodes_modes",
)  # fmt: skip
_NONE: tuple[IntVector, list[bytes]] = (np.empty(0, np.int64), [])
_Attributes: TypeAlias = "dict[bytes, tuple[IntVector, list[bytes]]]"
_Edges: TypeAlias = "tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]"


def has_deep_tree(model: bytes) -> bool:
    """Tell whether a tree of the model has more than 1,000 levels, or a cycle.

    Raises
    ------
    ValueError
        If the bytes are no protobuf message.
    """
    nodes = _nodes(memoryview(model), _MODEL, 0) if _MARK in model else iter(())
    return any(_MARK in node and _is_deep(*_edges(node)) for node in nodes)


def _nodes(data: memoryview, message: int, depth: int) -> Iterator[_Attributes]:
    """Yield what is read of every node's attributes, of the nodes of inner graphs too."""
    if depth > _MOST_NESTED:
        raise ValueError("nested too deeply")
    found: _Attributes = {}
    for field in fields(data):
        inner = _CHILDREN[message].get(field.number)
        if field.kind != LENGTH or inner is None:
            continue
        raw = bytes(field.content)
        if inner == _ATTRIBUTE and any(name in raw for name in _READ):
            others, integers = split_integers(field.content, _INTEGERS)
            texts = [bytes(other.content) for other in others if other.number == _TEXTS]
            for other in others:
                if other.number == _NAME:
                    found[bytes(other.content)] = integers, texts
                elif other.number in _CHILDREN[_ATTRIBUTE]:
                    yield from _nodes(other.content, _GRAPH, depth + 2)
        elif inner != _ATTRIBUTE and _MARK in raw:
            yield from _nodes(field.content, inner, depth + 1)
    yield found


def _is_deep(origins: npt.NDArray[np.intp], ends: npt.NDArray[np.intp]) -> bool:
    """Tell whether a way along the edges is longer than a tree may be deep."""
    count = int(max(origins.max(initial=-1), ends.max(initial=-1))) + 1
    above = np.full(count, -1)
    above[ends] = origins
    for _ in range(MOST_LEVELS.bit_length()):  # the parent's parent, then the fourth above, ...
        above = np.where(above < 0, -1, above[above])
    if (above >= 0).any():
        return True
    for _ in range(MOST_LEVELS):  # exact also where nodes have several parents
        is_reached = np.zeros(count, np.bool_)
        is_reached[ends] = True
        follows = is_reached[origins]
        origins, ends = origins[follows], ends[follows]
        if not len(ends):
            return False
    return True


def _edges(attributes: _Attributes) -> _Edges:
    """Return the numbers of the nodes from which and to which an edge leads.

    Of ai.onnx.ml 5 a child is a node's number, but a leaf's where so marked; before, it is an id
    within its tree, and a node is a leaf by its mode.
    """
    true, true_leaf, false, false_leaf, trees, ids = (
        attributes.get(name, _NONE)[0] for name in _READ[:6]
    )
    if len(trees):
        return _edges_by_id(true, false, trees, ids, attributes.get(_READ[6], _NONE)[1])
    sides = [_edges_by_number(true, true_leaf), _edges_by_number(false, false_leaf)]
    origins, ends = (np.concatenate(parts) for parts in zip(*sides, strict=True))
    return origins, ends


def _edges_by_number(children: IntVector, leaves: IntVector) -> _Edges:
    is_edge = (children >= 0) & (children < len(children))
    if len(leaves) == len(children):
        is_edge &= leaves == 0
    return np.flatnonzero(is_edge), children[is_edge].astype(np.intp)


def _edges_by_id(
    true: IntVector, false: IntVector, trees: IntVector, ids: IntVector, modes: list[bytes]
) -> _Edges:
    count = min(len(true), len(false), len(trees), len(ids), len(modes))
    inner = np.flatnonzero(np.array([mode != b"LEAF" for mode in modes[:count]], np.bool_))
    origins = np.concatenate([inner, inner])
    ends = np.concatenate([true[inner], false[inner]])
    known = {pair: at for at, pair in enumerate(zip(trees.tolist(), ids.tolist(), strict=False))}
    pairs = zip(trees[origins].tolist(), ends.tolist(), strict=True)
    numbers = np.array([known.get(pair, -1) for pair in pairs], np.intp)
    return origins[numbers >= 0], numbers[numbers >= 0]
