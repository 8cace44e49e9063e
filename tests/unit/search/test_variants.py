from drivetrain.core.contract import Column, Contract
from drivetrain.features.encoder import EncoderSpec
from drivetrain.search.variants import by_values, explain

CONTRACT = Contract(
    columns=(
        Column(name="gain", kind="number", integral=True, distinct=120),
        Column(name="price", kind="number", integral=False, distinct=120),
        Column(name="id", kind="number", integral=True, distinct=9000),
        Column(name="job", kind="category", distinct=14),
        Column(name="town", kind="category", distinct=4000),
    )
)
PLANNED = (
    *(EncoderSpec("number", (name,)) for name in ("gain", "price", "id")),
    *(EncoderSpec("target", (name,), {"rank": True}) for name in ("job", "town")),
)


def test_whole_numbers_that_repeat_are_also_read_as_categories() -> None:
    varied = by_values(PLANNED, CONTRACT, rows=10_000)
    assert varied[-1] == EncoderSpec("value_means", ("gain",), {})
    assert len(varied) == len(PLANNED) + 1
    assert "'gain'" in explain(CONTRACT, 10_000).reason


def test_few_categories_become_codes_and_many_keep_their_means() -> None:
    varied = {spec.columns: spec.encoder for spec in by_values(PLANNED, CONTRACT, rows=10_000)[:5]}
    assert varied["job",] == "category_codes"
    assert varied["town",] == "target"


def test_a_table_without_such_columns_is_not_varied() -> None:
    contract = Contract(columns=CONTRACT.columns[1:2])
    specs = PLANNED[1:2]
    assert by_values(specs, contract, rows=10_000) == specs
