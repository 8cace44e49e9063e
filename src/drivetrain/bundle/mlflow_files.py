"""What makes a bundle an MLflow model: ``MLmodel`` and its kin, unsealed, beside the sealed files.

They are written with or without MLflow installed and never read by drivetrain. ``MLmodel`` is
JSON, which YAML contains. https://mlflow.org/docs/latest/ml/model

The signature names the columns and must not refuse what the Contract admits, so only what is text
anyway is typed. MLflow would refuse a whole number where ``double`` is written, and a missing one
where ``long`` is; both are the same cell to the Contract, which checks it after MLflow has.
"""

from __future__ import annotations

from typing import Any

import msgspec

from drivetrain.core.contract import Column
from drivetrain.core.manifest import Manifest
from drivetrain.runtime.methods import PREDICT, methods_of

LOADER = "drivetrain.runtime.pyfunc"
EXAMPLE_ROWS = 5
_OUTPUT_TYPES = {"double": "double", "float": "float", "int64": "long", "string": "string"}


class _Rows(msgspec.Struct):
    rows: list[dict[str, Any]]


def mlflow_files(manifest: Manifest, vectors: bytes) -> dict[str, bytes]:
    """Return the files by name.

    Parameters
    ----------
    manifest
        Sealed.
    vectors
        The bundle's ``vectors.json``, whose first rows become the input example.
    """
    split = _split(manifest, msgspec.json.decode(vectors, type=_Rows).rows[:EXAMPLE_ROWS])
    requirement = f"drivetrain[mlflow]=={manifest.drivetrain}"
    python = manifest.lineage.python or "3.11"
    return {
        "MLmodel": _written(_model(manifest)),
        "input_example.json": _written(split),
        "serving_input_example.json": _written({"dataframe_split": split}),
        "requirements.txt": f"{requirement}\n".encode(),
        "python_env.yaml": _written(
            {
                "python": python,
                "build_dependencies": ["pip", "setuptools", "wheel"],
                "dependencies": ["-r requirements.txt"],
            }
        ),
        "conda.yaml": _written(
            {
                "name": "mlflow-env",
                "channels": ["conda-forge"],
                "dependencies": [f"python={python}", "pip", {"pip": [requirement]}],
            }
        ),
    }


def _model(manifest: Manifest) -> dict[str, Any]:
    return {
        "flavors": {
            "python_function": {
                "loader_module": LOADER,
                "python_version": manifest.lineage.python or "3.11",
                "env": {"conda": "conda.yaml", "virtualenv": "python_env.yaml"},
            }
        },
        "model_uuid": manifest.content_hash[:32],
        "metadata": {
            "drivetrain": manifest.drivetrain,
            "content_hash": manifest.content_hash,
            "task": manifest.task,
            "classes": list(manifest.classes),
            "outputs": {output.name: output.type for output in manifest.outputs},
            "methods": list(methods_of([output.name for output in manifest.outputs])),
            "kinds": {column.name: column.kind for column in manifest.contract.columns},
        },
        "signature": _signature(manifest),
        "saved_input_example_info": {
            "artifact_path": "input_example.json",
            "serving_input_path": "serving_input_example.json",
            "type": "dataframe",
            "pandas_orient": "split",
        },
    }


def _signature(manifest: Manifest) -> dict[str, str]:
    """Return inputs, outputs and params, each a text of JSON as MLflow has it."""
    optional = manifest.contract.missing_column != "reject"
    inputs = [
        {**_typed(column), "name": column.name, "required": not optional}
        for column in manifest.contract.columns
    ]
    said = next(output.type for output in manifest.outputs if output.name == "prediction")
    outputs = [{"type": _OUTPUT_TYPES[said], "required": True}]
    method = {"name": "method", "type": "string", "default": PREDICT, "shape": None}
    parts = {"inputs": inputs, "outputs": outputs, "params": [method]}
    return {name: msgspec.json.encode(part).decode() for name, part in parts.items()}


def _typed(column: Column) -> dict[str, Any]:
    if column.kind == "vector":
        return {"type": "array", "items": {"type": "any"}}
    is_text = column.kind == "text" or (
        column.kind == "category"
        and not any(_is_number(level) for level in column.categories or ())
    )
    return {"type": "string" if is_text else "any"}


def _is_number(level: str) -> bool:
    try:
        float(level)
    except ValueError:
        return False
    return True


def _split(manifest: Manifest, rows: list[dict[str, Any]]) -> dict[str, Any]:
    names = manifest.contract.names
    return {"columns": list(names), "data": [[row.get(name) for name in names] for row in rows]}


def _written(value: Any) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=1)
