"""The slot, readiness, and the weight of what serving imports."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from drivetrain.core.errors import ResourceError, UnknownNameError
from drivetrain.serve.service import Served, Service
from drivetrain.testing.tabular_model import TabularModel


def test_a_handler_that_took_a_model_keeps_it_when_the_slot_changes() -> None:
    service = Service()
    old, new = TabularModel("regression", answer=1.0), TabularModel("regression", answer=2.0)
    service.swap(Served(old))
    taken = service.served()
    service.swap(Served(new))
    rows = old.rows(2)
    assert service.predict(taken, rows).outputs["prediction"].tolist() == [1.0, 1.0]
    assert service.predict(service.served(), rows).outputs["prediction"].tolist() == [2.0, 2.0]


def test_a_new_model_does_not_make_a_draining_server_ready() -> None:
    service = Service()
    assert not service.is_ready
    service.swap(Served(TabularModel()))
    assert service.is_ready
    service.drain()
    service.swap(Served(TabularModel()))
    assert not service.is_ready
    with pytest.raises(ResourceError):
        service.require_ready()


def test_a_model_is_served_under_the_name_it_is_given() -> None:
    service = Service()
    service.swap(Served(TabularModel(), name="income"))
    assert service.served("income").name == "income"
    for name, version in (("tabular", None), ("income", "0"), ("", None)):
        with pytest.raises(UnknownNameError):
            service.served(name, version)


def test_counts_are_exact_when_threads_count_at_once() -> None:
    service = Service()
    model = TabularModel()
    service.swap(Served(model))
    rows = [{**row, "job": "unheard of"} for row in model.rows(2)]

    def ask() -> None:
        for _ in range(100):
            service.predict(service.served(), rows)
            service.count_error("DT200")

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (service.rows, service.errors["DT200"]) == (800, 400)
    assert service.breaches["job", "unseen"] == 800


def test_serving_imports_nothing_of_training() -> None:
    code = (
        "import sys, drivetrain.serve.server; from drivetrain.serve.protocol import PROTOCOLS;"
        "PROTOCOLS.load_all(); print(*{name.partition('.')[0] for name in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    # ONNX Runtime neither: its thread would not live on in a worker that is forked (decision 65).
    heavy = {
        "onnxruntime",
        "onnx",
        "polars",
        "pandas",
        "pyarrow",
        "sklearn",
        "scipy",
        "lightgbm",
        "pydantic",
    }
    assert not loaded & heavy
    assert "drivetrain" in loaded
