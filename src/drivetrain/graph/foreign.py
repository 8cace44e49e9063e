"""Inlining foreign ONNX models (written next)."""

from drivetrain.graph.block import GraphBuilder, Wire


def inline(
    graph: GraphBuilder,
    model: bytes,
    inputs: tuple[tuple[Wire, str], ...],
    outputs: tuple[tuple[str, Wire], ...],
) -> None:
    raise NotImplementedError
