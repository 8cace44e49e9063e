"""What a cloud's container platform says in the environment: where the model is, and the port.

SageMaker starts a container with the one word ``serve``, its model under ``/opt/ml/model``, and
asks on port 8080. Vertex AI names port and model in ``AIP_*``. Azure ML names the model's folder in
``AZUREML_MODEL_DIR``. ``drivetrain serve`` without a bundle asks here.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from drivetrain.core.errors import SettingError
from drivetrain.core.manifest import MANIFEST_FILE

SAGEMAKER_FOLDER = "/opt/ml/model"
_PORTS = ("AIP_HTTP_PORT", "SAGEMAKER_BIND_TO_PORT")


class Place(msgspec.Struct, frozen=True):
    """What to serve, and where clients ask."""

    bundle: Path
    host: str
    port: int


def place_of(environment: Mapping[str, str]) -> Place:
    """Find the bundle and the address that the platform names.

    ``MODEL_PATH`` comes before the platforms' own ``AZUREML_MODEL_DIR``, ``AIP_STORAGE_URI`` (a
    local path) and SageMaker's folder. The bundle is that folder, or the only one within it.

    Raises
    ------
    SettingError
        If no bundle or more than one is there, or the port is no number.
    """
    named = (environment.get(name) for name in ("MODEL_PATH", "AZUREML_MODEL_DIR"))
    folder = Path(next(filter(None, named), environment.get("SM_MODEL_DIR") or SAGEMAKER_FOLDER))
    storage = environment.get("AIP_STORAGE_URI", "")
    if "MODEL_PATH" not in environment and storage.startswith("/"):
        folder = Path(storage)
    name = next((name for name in _PORTS if environment.get(name)), _PORTS[0])
    port = environment.get(name) or "8080"
    if not (port.isascii() and port.isdigit() and int(port) < 65536):
        raise SettingError(
            where=f"the environment's {name}",
            expected="a port",
            got=f"'{port[:20]}'",
            remedy="Set it to a number from 0 to 65535.",
            code="DT2B0",
        )
    return Place(_bundle_in(folder), "0.0.0.0", int(port))


def _bundle_in(folder: Path) -> Path:
    if (folder / MANIFEST_FILE).is_file():
        return folder
    found = sorted(path.parent for path in folder.glob(f"*/{MANIFEST_FILE}"))
    if len(found) == 1:
        return found[0]
    raise SettingError(
        where=f"the model's folder {folder}",
        expected="one bundle",
        got=f"{len(found)} of them",
        remedy="Name the bundle, as in: drivetrain serve BUNDLE",
        code="DT217",
    )
