"""From a fitted thing to one ONNX graph: typed columns in, predictions out.

::

    columns ─encoders→ features ─Concat→ X ─folds→ margin ─link→ probability ─weights→ blend
            ─calibration→ calibrated ─head→ prediction, probabilities

Equal encoders, and equal matrices of features, are emitted once however many members read them;
features that can be made together are (``drivetrain.graph.shared``), and those that no model reads
are not made (``drivetrain.graph.used``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from onnx import TensorProto

from drivetrain.core.arrays import FloatMatrix
from drivetrain.core.contract import Contract, Target
from drivetrain.core.errors import InternalError
from drivetrain.graph.alike import Asked, places_of
from drivetrain.graph.archive import content
from drivetrain.graph.block import Block, GraphBuilder, Wire
from drivetrain.graph.blocks.dense import Dense
from drivetrain.graph.blocks.foreign import Foreign
from drivetrain.graph.blocks.linear import Linear
from drivetrain.graph.blocks.link import LinkBlock, WeightedSum
from drivetrain.graph.blocks.members import Members
from drivetrain.graph.blocks.ramps import Ramps
from drivetrain.graph.blocks.trees import Trees
from drivetrain.graph.feature import features_of
from drivetrain.graph.head import Extra, Head, graph_input
from drivetrain.graph.model import make_model
from drivetrain.graph.shared import SharedFeatures, lower_shared
from drivetrain.graph.tables import pick
from drivetrain.graph.used import Kept, used_part

FEATURES, MATRIX, MARGIN = "features", "X", "margin"
BLEND, CALIBRATED = "blend", "calibrated"


@dataclass(frozen=True)
class Member:
    """One Recipe, fitted on k folds.

    Attributes
    ----------
    name
        Names its nodes in the graph and in the proof.
    encoders
        Blocks of each encoder: read columns, the last writes ``features``, FLOAT [N, k_i]. Side
        by side, in this order, they are ``X``.
    folds
        Blocks of each fold's model: read ``X``, write ``margin``, [N, t]. The member's margin is
        the mean over folds.
    link
        From the margin to the prediction or probability: identity, sigmoid, softmax.
    weight
        Of its probability, or prediction, in the blend.
    curve
        Undoes a transform of the target: from the margin to the prediction, in the link's place.
    """

    name: str
    encoders: tuple[tuple[Block, ...], ...]
    folds: tuple[tuple[Block, ...], ...]
    link: str
    weight: float = 1.0
    curve: Ramps | None = None


@dataclass(frozen=True)
class Program:
    """Everything fitted: members, their blend, its calibration, the decision threshold.

    ``calibration`` reads ``blend``, DOUBLE [N, t], and writes ``calibrated``; t is 1 for binary
    and regression, else the number of classes. ``threshold`` is for binary: the second class is
    predicted where its probability, as float32, is greater. ``costs`` are for several classes, and
    ``extras`` are the outputs that were asked for: see :class:`Head`.
    """

    contract: Contract
    members: tuple[Member, ...]
    threshold: float = 0.5
    calibration: tuple[Block, ...] = ()
    costs: FloatMatrix | None = None
    extras: tuple[Extra, ...] = ()

    @property
    def head(self) -> Head:
        """What the graph answers; InternalError if the contract has no target."""
        return Head(target_of(self), self.threshold, self.costs, self.extras)

    @property
    def is_bit_exact(self) -> bool:
        """Whether a row's answer has the same bits alone and in a batch."""
        parts = [part for member in self.members for part in (*member.encoders, *member.folds)]
        return not any(
            isinstance(block, (Dense, Members, Foreign)) for part in parts for block in part
        )


@dataclass(frozen=True)
class Places:
    """What the parts of one member are called in the graph."""

    matrix: Wire
    margin: Wire
    probability: Wire


@dataclass(frozen=True)
class Lowered:
    """A graph and the names of its parts, for messages that point at one."""

    model: bytes
    members: dict[str, Places]
    blend: Wire


@dataclass
class _Assembly:
    graph: GraphBuilder
    contract: Contract
    shared: SharedFeatures
    encoders: dict[bytes, Wire] = field(default_factory=dict)
    matrices: dict[tuple[Wire, ...], Wire] = field(default_factory=dict)
    asked: Asked = field(default_factory=Asked)


def lower(program: Program) -> bytes:
    """Lower a program to the bytes of ``model.onnx``, the same bytes for the same program.

    Raises
    ------
    DataError
        If a column's name cannot be a graph input's.
    InternalError
        If the contract has no target, there is no member, or two have one name.
    """
    return lower_with_places(program).model


def lower_with_places(program: Program) -> Lowered:
    """Lower a program as :func:`lower` does, and say what its parts are called.

    Raises
    ------
    DataError
        If a column's name cannot be a graph input's.
    InternalError
        If the contract has no target, there is no member, or two have one name.
    """
    head = program.head
    inputs = [graph_input(column, head.names) for column in program.contract.columns]
    graph = GraphBuilder(reserved=frozenset({*program.contract.names, *head.names}))
    columns, (program, _) = program.contract.columns, without_unused(program)
    encoders = [blocks for member in program.members for blocks in member.encoders]
    read = [features_of(blocks, columns) or () for blocks in encoders]
    shared = lower_shared(graph, (feature for features in read for feature in features))
    assembly = _Assembly(graph, program.contract, shared)
    members = {member.name: _member(assembly, member) for member in program.members}
    weights = tuple(member.weight for member in program.members)
    wires = {f"p{number}": places.probability for number, places in enumerate(members.values())}
    blend = blended = graph.lower([WeightedSum(tuple(wires), BLEND, weights)], wires, "blend")[
        BLEND
    ]
    if program.calibration:
        blend = graph.lower(program.calibration, {BLEND: blend}, "calibration")[CALIBRATED]
    outputs, read_by_head = head.lower(graph, blend)
    # A nested graph reads wires of the outer one without saying so: nothing can be left out there.
    nested = any(
        part.HasField("g") or part.graphs for node in graph.nodes for part in node.attribute
    )
    every_table = dict.fromkeys((*shared.tables, *read_by_head))
    tables = [] if nested else [table.described() for table in every_table]
    model = make_model(
        graph, inputs, outputs, metadata=assembly.asked.described(), described=tables
    )
    return Lowered(model, members, blended)


def without_unused(program: Program) -> tuple[Program, dict[str, Kept]]:
    """Return a program without the features that its models do not read, and those kept of each.

    It answers the same; it is what is lowered. See :mod:`drivetrain.graph.used`.
    """
    members, kept = [], {}
    for member in program.members:
        part = used_part(member.encoders, member.folds, program.contract.columns)
        members.append(replace(member, encoders=part.encoders, folds=part.folds))
        kept[member.name] = part.kept
    return replace(program, members=tuple(members)), kept


def target_of(program: Program) -> Target:
    """Return the contract's target; InternalError if it or the members' names are wrong."""
    names = [member.name for member in program.members]
    if program.contract.target is None or not names or len(set(names)) < len(names):
        raise InternalError(
            where="program",
            expected="a contract with a target, and members of different names",
            got=f"target {program.contract.target}, members {names}",
            remedy="Report this as a fault of drivetrain.",
            code="DT713",
        )
    return program.contract.target


def merged(folds: Sequence[Sequence[Block]]) -> Trees | Linear | None:
    """Return one block whose margin is the mean of the folds', where there is one."""
    singles = [fold[0] for fold in folds if len(fold) == 1]
    if len(singles) != len(folds):
        return None
    trees = [block for block in singles if isinstance(block, Trees)]
    if len(trees) == len(folds) and len({(t.precision, t.targets) for t in trees}) == 1:
        return Trees.average(trees)
    linears = [block for block in singles if isinstance(block, Linear)]
    return Linear.average(linears) if len(linears) == len(folds) else None


def _member(assembly: _Assembly, member: Member) -> Places:
    graph = assembly.graph
    matrix = _matrix(assembly, member)
    one = merged(member.folds)
    folds = member.folds if one is None else ((one,),)
    margins = {}
    places = places_of(member.encoders, assembly.contract.columns)
    for number, fold in enumerate(folds):
        for block in fold:
            if isinstance(block, Trees):
                assembly.asked.add(places, block)
        part = member.name if len(folds) == 1 else f"{member.name}/fold{number}"
        margin = graph.lower(fold, {MATRIX: matrix}, part)[MARGIN]
        if any(isinstance(block, Foreign) for block in fold):
            margin = graph.cast(margin, TensorProto.DOUBLE)
        margins[f"m{number}"] = margin
    share = (1.0 / len(margins),) * len(margins)
    link: Block = LinkBlock(MARGIN, "probability", _link(member))
    if member.curve is not None:
        link = replace(member.curve, input=MARGIN, output="probability")
    names = graph.lower((WeightedSum(tuple(margins), MARGIN, share), link), margins, member.name)
    return Places(matrix, names[MARGIN], names["probability"])


def _link(member: Member) -> Literal["identity", "sigmoid", "softmax"]:
    for link in ("identity", "sigmoid", "softmax"):
        if member.link == link:
            return link
    raise InternalError(
        where=f"member '{member.name}'",
        expected="the link identity, sigmoid or softmax",
        got=member.link,
        remedy="Report this as a fault of its family.",
        code="DT714",
    )


def _matrix(assembly: _Assembly, member: Member) -> Wire:
    """Put the features of a member's encoders side by side: shared ones that follow each other
    are taken at once."""
    graph, shared = assembly.graph, assembly.shared
    wires: list[Wire] = []
    taken: list[int] = []
    width: int | None = 0
    for blocks in member.encoders:
        features = features_of(blocks, assembly.contract.columns)
        if features is not None:
            places = shared.places(features)
            taken += places
            width = None if width is None else width + len(places)
            continue
        width = None
        if taken:
            wires.append(pick(graph, shared.wire, shared.width, taken))
            taken = []
        wires.append(_encoder(assembly, blocks))
    if taken:
        wires.append(pick(graph, shared.wire, shared.width, taken))
    matrix = _named_matrix(assembly, member.name, tuple(wires))
    if width is not None:
        graph.widths[matrix] = width
    return matrix


def _named_matrix(assembly: _Assembly, part: str, wires: tuple[Wire, ...]) -> Wire:
    if wires not in assembly.matrices:
        name = assembly.graph.named(f"{part}/{MATRIX}")
        if len(wires) == 1:
            assembly.graph.node("Identity", wires, to=name)
        else:
            assembly.graph.node("Concat", wires, to=name, axis=1)
        assembly.matrices[wires] = name
    return assembly.matrices[wires]


def _encoder(assembly: _Assembly, blocks: Sequence[Block]) -> Wire:
    key = content(blocks)
    if key not in assembly.encoders:
        part = "encoder:" + ",".join(encoder_columns(blocks))
        columns = {name: name for name in assembly.contract.names}
        assembly.encoders[key] = assembly.graph.lower(blocks, columns, part)[FEATURES]
    return assembly.encoders[key]


def encoder_columns(blocks: Sequence[Block]) -> tuple[str, ...]:
    """Return the columns that an encoder's blocks read, each once."""
    written: set[Wire] = set()
    read: dict[str, None] = {}
    for block in blocks:
        read |= dict.fromkeys(wire for wire in block.inputs if wire not in written)
        written.update(block.outputs)
    return tuple(read)
