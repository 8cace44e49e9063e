import numpy as np

from drivetrain.core.contract import Column, Contract
from drivetrain.features.encoder import EncoderSpec
from drivetrain.search.variants import MOST_BENT, by_splines, by_values, by_words, explain

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


def test_names_that_share_words_are_read_as_texts_too() -> None:
    grades = [f"{job} {grade}" for job in (f"job{n}" for n in range(40)) for grade in ("I", "II")]
    codes = [f"code{n}" for n in range(80)]
    contract = Contract(
        columns=tuple(Column(name=name, kind="category", distinct=80) for name in ("job", "code"))
    )
    columns = {"job": np.array(grades, object), "code": np.array(codes, object)}
    planned = (EncoderSpec("target", ("job",), {}), EncoderSpec("target", ("code",), {}))
    varied, told = by_words(planned, contract, columns, classes=0)
    assert [(spec.encoder, spec.columns) for spec in varied[2:]] == [
        ("text_score", ("job",)),
        ("text_topics", ("job",)),
    ]
    assert "'job'" in told.reason
    assert "'code'" not in told.reason


def test_numbers_of_many_values_are_bent_for_linear_models() -> None:
    varied, told = by_splines(PLANNED, CONTRACT, rows=1_000)
    assert [(spec.encoder, spec.parameters) for spec in varied[:3]] == [
        ("splines", {"knots": 11})
    ] * 3
    assert varied[3:] == PLANNED[3:]
    assert "3 numbers as curves of 10 straight pieces" in told.reason
    flags = Contract(columns=(Column(name="gain", kind="number", distinct=2),))
    assert by_splines(PLANNED[:1], flags, rows=1_000)[0] == PLANNED[:1]


def test_curves_have_more_pieces_on_more_rows_and_fewer_where_there_is_no_room() -> None:
    def knots(rows: int) -> list[object]:
        return [spec.parameters.get("knots") for spec in by_splines(PLANNED, CONTRACT, rows)[0][:3]]

    assert knots(100_000) == [19] * 3
    assert knots(400_000) == [8] * 3
    assert knots(1_000_000) == [None] * 3


def test_a_wide_table_has_no_curves() -> None:
    names = [f"x{number}" for number in range(MOST_BENT + 1)]
    wide = Contract(columns=tuple(Column(name=one, kind="number", distinct=99) for one in names))
    planned = tuple(EncoderSpec("number", (one,), {"scale": True}) for one in names)
    assert by_splines(planned, wide, rows=300)[0] == planned
