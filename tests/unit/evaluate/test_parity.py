"""The proof passes for the fitted thing itself, and each seeded fault is caught and placed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from drivetrain.core.errors import ParityError
from drivetrain.core.manifest import Proof
from drivetrain.evaluate.parity import prove
from drivetrain.graph.blocks.linear import Linear
from drivetrain.graph.blocks.lookup import Lookup
from drivetrain.graph.blocks.number import Number
from drivetrain.graph.blocks.trees import Trees
from drivetrain.graph.extras.interval import PredictionInterval
from drivetrain.graph.extras.prediction_set import PredictionSet
from drivetrain.graph.head import Extra
from drivetrain.graph.program import Member, Program, lower

TASKS = ("binary", "multiclass", "regression")
GetExample = Callable[[Any], Any]


def prove_example(given: Any, *, shipped: Program | None = None, **changes: Any) -> Proof:
    """Prove the example; ``shipped`` is lowered in place of its program."""
    program = changes.pop("program", given.program)
    return prove(
        program,
        lower(shipped or program),
        changes.pop("answers", given.answers),
        given.held_out,
        given.adversarial,
        scale=given.scale,
    )


def with_member(program: Program, number: int, **changes: Any) -> Program:
    members = list(program.members)
    members[number] = dataclasses.replace(members[number], **changes)
    return dataclasses.replace(program, members=tuple(members))


def with_block(program: Program, change: Callable[[Any], Any], member: int = 0) -> Program:
    """Change the model of one fold."""
    folds = list(program.members[member].folds)
    folds[0] = (change(folds[0][0]), *folds[0][1:])
    return with_member(program, member, folds=tuple(folds))


def with_encoder(
    program: Program, member: int, number: int, change: Callable[[Any], Any]
) -> Program:
    encoders = list(program.members[member].encoders)
    encoders[number] = (*encoders[number][:-1], change(encoders[number][-1]))
    return with_member(program, member, encoders=tuple(encoders))


def changed(array: np.ndarray, place: Any, value: Any) -> np.ndarray:
    array = array.copy()
    array[place] = value
    return array


def root_feature(trees: Trees) -> int:
    return int(trees.feature[trees.roots[0]])


@pytest.mark.parametrize("task", TASKS)
def test_the_fitted_thing_itself_is_proved(example: GetExample, task: str) -> None:
    proof = prove_example(example(task))
    assert proof.rows == 80
    assert proof.adversarial_rows == 250
    assert proof.max_abs_diff < 1e-6
    assert proof.label_flips == 0
    assert set(proof.node_diffs) == {"trees", "linear"}
    assert max(proof.node_diffs.values()) < 1e-9


def stray_threshold(trees: Trees) -> Trees:
    return dataclasses.replace(trees, threshold=changed(trees.threshold, trees.roots[0], 0.77))


def swapped_thresholds(trees: Trees) -> Trees:
    order = np.arange(len(trees.threshold))
    first, second = np.argsort(trees.threshold)[[0, -1]]
    order[[first, second]] = [second, first]
    return dataclasses.replace(trees, threshold=trees.threshold[order])


def other_missing_direction(trees: Trees) -> Trees:
    of_age = np.flatnonzero(trees.feature == 0)[0]
    flags = changed(trees.missing_left, of_age, ~trees.missing_left[of_age])
    return dataclasses.replace(trees, missing_left=flags)


def dropped_tree(trees: Trees) -> Trees:
    return dataclasses.replace(trees, roots=trees.roots[:-1], target=trees.target[:-1])


def less_for_less_or_equal(trees: Trees) -> Trees:
    below = np.nextafter(trees.threshold.astype(np.float32), np.float32(-np.inf))
    return dataclasses.replace(trees, threshold=below.astype(np.float64))


def less_for_less_or_equal_once(trees: Trees) -> Trees:
    below = np.nextafter(np.float32(trees.threshold[0]), np.float32(-np.inf))
    return dataclasses.replace(trees, threshold=changed(trees.threshold, 0, below))


def swapped_children(trees: Trees) -> Trees:
    root = trees.roots[0]
    return dataclasses.replace(
        trees,
        left=changed(trees.left, root, trees.right[root]),
        right=changed(trees.right, root, trees.left[root]),
    )


def leaf_of_other_sign(trees: Trees) -> Trees:
    largest = np.argmax(np.abs(trees.leaf))
    return dataclasses.replace(trees, leaf=changed(trees.leaf, largest, -trees.leaf[largest]))


def neighbouring_feature(trees: Trees) -> Trees:
    root = trees.roots[0]
    feature = changed(trees.feature, root, (trees.feature[root] + 1) % 5)
    return dataclasses.replace(trees, feature=feature)


def without_base(trees: Trees) -> Trees:
    return dataclasses.replace(trees, base=trees.base * 0.999)


FAULTS_IN_TREES = (
    stray_threshold,
    swapped_thresholds,
    other_missing_direction,
    dropped_tree,
    less_for_less_or_equal,
    less_for_less_or_equal_once,
    swapped_children,
    leaf_of_other_sign,
    neighbouring_feature,
)


@pytest.mark.parametrize("fault", FAULTS_IN_TREES)
@pytest.mark.parametrize("task", TASKS)
def test_a_fault_in_trees_is_caught_at_its_fold(
    example: GetExample, task: str, fault: Callable[[Trees], Trees]
) -> None:
    given = example(task)
    with pytest.raises(ParityError) as caught:
        prove_example(given, program=with_block(given.program, fault))
    assert "node 'trees/fold0'" in str(caught.value)
    assert "column '" in str(caught.value)
    assert " row " in str(caught.value)


def test_a_wrong_missing_direction_names_the_column_that_is_missing(example: GetExample) -> None:
    given = example("binary")
    with pytest.raises(ParityError, match="column 'age', feature 0"):
        prove_example(given, program=with_block(given.program, other_missing_direction))


def test_less_for_less_or_equal_names_the_column_of_the_node(example: GetExample) -> None:
    given = example("binary")
    trees = given.program.members[0].folds[0][0]
    with pytest.raises(ParityError, match=f"feature {trees.feature[0]}, "):
        prove_example(given, program=with_block(given.program, less_for_less_or_equal_once))


def test_a_base_that_is_off_by_a_thousandth_is_caught(example: GetExample) -> None:
    given = example("regression")
    with pytest.raises(ParityError, match="node 'trees/fold0'"):
        prove_example(given, program=with_block(given.program, without_base))


def test_float_sums_of_large_leaves_are_caught(example: GetExample) -> None:
    given = example("regression")

    def large(trees: Trees) -> Trees:
        count = trees.tree_count
        shift = np.where(np.arange(count) % 2 == 0, 1e9, -1e9)
        leaf = trees.leaf.copy()
        for root, moved in zip(trees.roots, shift, strict=True):
            level = [int(root)]
            while level:
                node = level.pop()
                if node < 0:
                    leaf[~node] += moved
                else:
                    level += [int(trees.left[node]), int(trees.right[node])]
        return dataclasses.replace(trees, leaf=leaf)

    wide = with_block(given.program, large)
    prove_example(given, program=wide)  # in double the shifts cancel
    narrow = with_block(wide, lambda trees: dataclasses.replace(trees, precision="float"))
    with pytest.raises(ParityError, match="node 'trees/fold0'"):
        prove_example(given, program=narrow)


def test_a_linear_weight_that_is_off_is_caught(example: GetExample) -> None:
    given = example("binary")

    def off(block: Linear) -> Linear:
        return dataclasses.replace(
            block, weights=changed(block.weights, 2, block.weights[2] * 1.01)
        )

    with pytest.raises(ParityError, match=r"node 'linear/fold0', column 'X', feature 2"):
        prove_example(given, program=with_block(given.program, off, member=1))


def shifted_table(block: Lookup) -> Lookup:
    return dataclasses.replace(block, values=np.roll(block.values, 1, axis=0))


def other_default(block: Lookup) -> Lookup:
    return dataclasses.replace(block, default=block.default + 1)


def lost_key(block: Lookup) -> Lookup:
    return dataclasses.replace(block, keys=("Basel", *block.keys[1:]))


@pytest.mark.parametrize("fault", [shifted_table, other_default, lost_key])
def test_a_fault_in_a_lookup_names_its_column(
    example: GetExample, fault: Callable[[Lookup], Lookup]
) -> None:
    given = example("binary")
    with pytest.raises(ParityError, match="column 'city', feature 2"):
        prove_example(given, program=with_encoder(given.program, 0, 2, fault))


def test_a_fault_in_a_cross_names_both_columns(example: GetExample) -> None:
    given = example("binary")
    with pytest.raises(ParityError, match="column 'city, note', feature 8"):
        prove_example(given, program=with_encoder(given.program, 0, 5, other_default))


def test_another_center_of_a_number_names_its_column(example: GetExample) -> None:
    given = example("binary")

    def moved(block: Number) -> Number:
        return dataclasses.replace(block, center=1e-6)

    with pytest.raises(ParityError, match="column 'X', feature 1"):
        prove_example(given, program=with_encoder(given.program, 0, 1, moved))


# Faults below sit in the graph alone: the blocks that the proof runs apart are right.


def wrong_link(program: Program) -> Program:
    return with_member(program, 0, link="identity")


def wrong_weight(program: Program) -> Program:
    return with_member(program, 0, weight=0.61)


def fold_left_out(program: Program) -> Program:
    return with_member(program, 0, folds=program.members[0].folds[:1])


def member_left_out(program: Program) -> Program:
    return dataclasses.replace(program, members=program.members[:1])


def swapped_columns(program: Program) -> Program:
    first, second, *rest = program.members[0].encoders
    return with_member(program, 0, encoders=(second, first, *rest))


def unscaled_encoder(program: Program) -> Program:
    encoders = program.members[1].encoders
    return with_member(program, 1, encoders=(encoders[0], (Number("X", "features"),), encoders[2]))


@pytest.mark.parametrize(
    ("fault", "place"),
    [
        (wrong_link, "node 'trees/probability"),
        (wrong_weight, "node 'blend/blend"),
        (fold_left_out, "node 'trees/margin"),
        (swapped_columns, "column 'age', feature 0"),
        (unscaled_encoder, "column 'X', feature 2"),
    ],
)
def test_a_fault_in_the_graph_alone_is_caught_and_placed(
    example: GetExample, fault: Callable[[Program], Program], place: str
) -> None:
    given = example("binary")
    with pytest.raises(ParityError, match="row ") as caught:
        prove_example(given, shipped=fault(given.program))
    assert place in str(caught.value)


@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_classes_off_by_one_are_caught(example: GetExample, task: str) -> None:
    given = example(task)
    target = given.program.contract.target
    import msgspec

    rolled = msgspec.structs.replace(target, classes=(*target.classes[1:], target.classes[0]))
    contract = msgspec.structs.replace(given.program.contract, target=rolled)
    with pytest.raises(ParityError, match="node 'prediction'"):
        prove_example(given, shipped=dataclasses.replace(given.program, contract=contract))


def test_another_threshold_is_caught(example: GetExample) -> None:
    given = example("binary")
    with pytest.raises(ParityError, match="node 'prediction'"):
        prove_example(given, shipped=dataclasses.replace(given.program, threshold=0.6))


@pytest.mark.parametrize(
    ("task", "right", "wrong"),
    [
        (
            "regression",
            PredictionInterval(np.array([-1.0, 1.0]), np.array([1e9, 2e9]), np.ones(2)),
            PredictionInterval(np.array([-1.0, 1.0]), np.array([1.1e9, 2.2e9]), np.ones(2)),
        ),
        (
            "multiclass",
            PredictionSet(np.full(3, 0.3, np.float32)),
            PredictionSet(np.full(3, 0.4, np.float32)),
        ),
    ],
)
def test_another_interval_or_set_is_caught(
    example: GetExample, task: str, right: Extra, wrong: Extra
) -> None:
    given = example(task)
    program = dataclasses.replace(given.program, extras=(right,))
    same = dataclasses.replace(given, program=program)
    prove_example(same, shipped=program)
    with pytest.raises(ParityError, match="node '(lower|set)'"):
        prove_example(same, shipped=dataclasses.replace(program, extras=(wrong,)))


def test_a_graph_of_another_make_is_refused(example: GetExample) -> None:
    given = example("binary")
    other = with_member(given.program, 1, name="someone else")
    with pytest.raises(ParityError, match="node 'linear/X', got no such node"):
        prove_example(given, shipped=other)


def test_a_member_left_out_is_caught(example: GetExample) -> None:
    given = example("binary")
    with pytest.raises(ParityError, match="member 'linear': expected node 'linear/X'"):
        prove_example(given, shipped=member_left_out(given.program))


def test_answers_of_too_few_folds_are_refused(example: GetExample) -> None:
    given = example("binary")
    short = dataclasses.replace(
        given.answers["trees"], margins=given.answers["trees"].margins[:1], edges=()
    )
    with pytest.raises(ParityError, match="by 2 folds"):
        prove_example(given, answers=given.answers | {"trees": short})


def test_a_graph_that_couples_rows_is_caught(example: GetExample) -> None:
    given = example("regression")
    tiny = 1e-9  # within the tolerance, so that only the row alone gives it away
    graph = lower(given.program)
    import onnx
    from onnx import helper, numpy_helper

    model = onnx.load_model_from_string(graph)
    node = next(node for node in model.graph.node if "prediction" in node.output)
    node.output[0] = "alone"
    model.graph.initializer.append(numpy_helper.from_array(np.array(tiny), "tiny"))
    model.graph.node.extend(
        [
            helper.make_node("Shape", ["alone"], ["rows"]),
            helper.make_node("Cast", ["rows"], ["count"], to=onnx.TensorProto.DOUBLE),
            helper.make_node("Mul", ["count", "tiny"], ["small"]),
            helper.make_node("Add", ["alone", "small"], ["prediction"]),
        ]
    )
    with pytest.raises(ParityError, match="alone, oddest cell"):
        prove(
            given.program,
            model.SerializeToString(),
            given.answers,
            given.held_out,
            given.adversarial,
            scale=given.scale,
        )


def test_members_of_one_name_are_refused(example: GetExample) -> None:
    from drivetrain.core.errors import InternalError

    program = example("binary").program
    twice = (*program.members, program.members[0])
    with pytest.raises(InternalError, match="different names"):
        lower(dataclasses.replace(program, members=twice))


def test_member_is_the_type_that_programs_hold(example: GetExample) -> None:
    assert all(isinstance(member, Member) for member in example("binary").program.members)
