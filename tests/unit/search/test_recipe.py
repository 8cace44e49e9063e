import msgspec
from hypothesis import given
from hypothesis import strategies as st

from drivetrain.features.encoder import EncoderSpec
from drivetrain.search.recipe import Recipe


def recipe(**changes: object) -> Recipe:
    base = Recipe(
        encoding="trees",
        encoders=(EncoderSpec("number", ("age",), {"b": 1, "a": [2]}),),
        family="lightgbm",
        parameters={"num_leaves": 31, "learning_rate": 0.1},
        seed=0,
    )
    return msgspec.structs.replace(base, **changes)


def test_the_key_does_not_depend_on_the_order_of_parameters() -> None:
    turned = recipe(parameters={"learning_rate": 0.1, "num_leaves": 31})
    assert turned.key == recipe().key


def test_every_part_changes_the_key() -> None:
    changed = [
        recipe(seed=1),
        recipe(family="linear"),
        recipe(sample=10),
        recipe(parameters={}),
        recipe(encoders=()),
    ]
    assert len({one.key for one in [recipe(), *changed]}) == 6


def test_recipes_with_equal_encoders_share_a_matrix() -> None:
    assert recipe(seed=1).matrix == recipe().matrix != recipe(encoders=()).matrix


@given(st.dictionaries(st.text(), st.floats(allow_nan=False) | st.integers(-9, 9) | st.text()))
def test_a_recipe_survives_json(parameters: dict[str, object]) -> None:
    one = recipe(parameters=parameters)
    again = msgspec.json.decode(msgspec.json.encode(one), type=Recipe)
    assert again.key == one.key
