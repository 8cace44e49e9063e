"""Open Inference Protocol v2 over gRPC, on a port of its own. It needs the extra ``[serve]``.

Python's gRPC is slower than REST for single rows; it is here for clients that speak nothing else.
Tensors may come as bytes or as typed contents, and are answered in the same form.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from time import perf_counter, time_ns
from typing import Any

import msgspec

from drivetrain.core.arrays import Array
from drivetrain.core.errors import (
    DrivetrainError,
    InternalError,
    MissingLibraryError,
    ResourceError,
)
from drivetrain.serve.payload import refused, write_json
from drivetrain.serve.raw_tensors import raw_of, tensor_of
from drivetrain.serve.service import Served, Service
from drivetrain.serve.settings import ServeSettings
from drivetrain.serve.tensors import Tensor, datatype_of, input_face, output_face, rows_of

_log = logging.getLogger("drivetrain.serve")
_CODES = {
    400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND",
    413: "RESOURCE_EXHAUSTED", 503: "UNAVAILABLE", 504: "DEADLINE_EXCEEDED",
}  # fmt: skip
_CONTENTS = {
    "BOOL": "bool_contents", "INT8": "int_contents", "INT16": "int_contents",
    "INT32": "int_contents", "INT64": "int64_contents", "UINT8": "uint_contents",
    "UINT16": "uint_contents", "UINT32": "uint_contents", "UINT64": "uint64_contents",
    "FP32": "fp32_contents", "FP64": "fp64_contents", "BYTES": "bytes_contents",
}  # fmt: skip
_STOP_S = 30.0


class Called(msgspec.Struct, frozen=True, gc=False):
    """A call that was answered; ``headers`` as HTTP has them, ``ended_ns`` since 1970."""

    method: str  # inference.GRPCInferenceService/ModelInfer
    headers: list[tuple[bytes, bytes]]
    code: str  # OK, INVALID_ARGUMENT, …
    http_status: int  # of the same answer over HTTP
    seconds: float
    ended_ns: int
    prediction_id: str = ""
    model_version: str = ""


def _unseen(call: Called) -> None:
    """Tell nobody."""


class GrpcServer:
    """Answers gRPC until :meth:`stop`.

    Parameters
    ----------
    allows
        Told the call's ``authorization`` and the scope it needs; raises where it may not.
    seen
        Told of each call when it is answered, on the call's own thread.

    Raises
    ------
    MissingLibraryError
        If grpcio is not installed.
    ResourceError
        If the port cannot be had.
    """

    def __init__(
        self,
        service: Service,
        settings: ServeSettings,
        *,
        allows: Callable[[str | None, str], None] | None = None,
        seen: Callable[[Called], None] = _unseen,
    ) -> None:
        self._grpc, self._messages = _libraries()
        self._service, self._settings, self._allows = service, settings, allows
        self._seen = seen
        grpc = self._grpc
        self._server = grpc.server(
            ThreadPoolExecutor(settings.threads, thread_name_prefix="grpc"),
            options=[
                ("grpc.max_receive_message_length", settings.max_body_bytes),
                ("grpc.max_metadata_size", settings.max_header_bytes),
            ],
            maximum_concurrent_rpcs=settings.max_in_flight,  # RESOURCE_EXHAUSTED beyond them
        )
        self._server.add_generic_rpc_handlers([self._handlers()])
        self.port = self._bind(grpc)
        self._server.start()

    def stop(self) -> None:
        """Take no more calls, and finish those that run."""
        self._server.stop(_STOP_S).wait()

    def _bind(self, grpc: Any) -> int:
        settings = self._settings
        address = f"{settings.host}:{settings.grpc_port}"
        try:
            if settings.tls_certificate is None or settings.tls_key is None:
                return int(self._server.add_insecure_port(address))
            with open(settings.tls_key, "rb") as key, open(settings.tls_certificate, "rb") as chain:
                pair = (key.read(), chain.read())
            return int(self._server.add_secure_port(address, grpc.ssl_server_credentials([pair])))
        except (RuntimeError, OSError) as error:
            raise ResourceError(
                where=f"{address} for gRPC",
                expected="an address to listen on",
                got="it cannot be had",
                remedy="Choose another with --grpc-port.",
                code="DT3B1",
            ) from error

    def _handlers(self) -> Any:
        grpc, kinds = self._grpc, self._messages
        methods: dict[str, tuple[Callable[[Any], Any], str]] = {
            "ServerLive": (self._server_live, ""),
            "ServerReady": (self._server_ready, ""),
            "ModelReady": (self._model_ready, ""),
            "ServerMetadata": (self._server_metadata, "read"),
            "ModelMetadata": (self._model_metadata, "read"),
            "ModelInfer": (self._infer, "predict"),
        }
        from drivetrain.serve.grpc_messages import SERVICE

        return grpc.method_handlers_generic_handler(
            SERVICE,
            {
                name: grpc.unary_unary_rpc_method_handler(
                    self._guarded(f"{SERVICE}/{name}", handler, scope),
                    request_deserializer=kinds[f"{name}Request"].FromString,
                    response_serializer=kinds[f"{name}Response"].SerializeToString,
                )
                for name, (handler, scope) in methods.items()
            },
        )

    def _guarded(
        self, method: str, handler: Callable[[Any], Any], scope: str
    ) -> Callable[[Any, Any], Any]:
        def answer(request: Any, context: Any) -> Any:
            began_s = perf_counter()
            response = None
            code, status, line = "OK", 200, ""
            metadata = dict(context.invocation_metadata())
            try:
                if self._allows is not None and scope:
                    self._allows(metadata.get("authorization"), scope)
                response = handler(request)
            except Exception as error:
                told = self._told(error)
                line = told.line() if self._settings.echo_values else told.private_line()
                code, status = _CODES.get(told.http_status, "INTERNAL"), told.http_status
            self._seen(
                Called(
                    method=method,
                    headers=_text_headers(metadata),
                    code=code,
                    http_status=status,
                    seconds=perf_counter() - began_s,
                    ended_ns=time_ns(),
                    **_named_in(response),
                )
            )
            if response is None:
                context.abort(getattr(self._grpc.StatusCode, code), line)
            return response

        return answer

    def _told(self, error: Exception) -> DrivetrainError:
        """Count an error; of a fault of ours the client gets one line, the log the rest."""
        if not isinstance(error, DrivetrainError):
            _log.error("a call failed", exc_info=error)
            error = InternalError(
                where="the server", expected="an answer", got="a fault of its own",
                remedy="Its log has the details.",
            )  # fmt: skip
        self._service.count_error(error.code)
        return error

    def _server_live(self, _: Any) -> Any:
        return self._messages["ServerLiveResponse"](live=True)

    def _server_ready(self, _: Any) -> Any:
        return self._messages["ServerReadyResponse"](ready=self._service.is_ready)

    def _model_ready(self, request: Any) -> Any:
        self._find(request.name, request.version)
        return self._messages["ModelReadyResponse"](ready=self._service.is_ready)

    def _server_metadata(self, _: Any) -> Any:
        kind = self._messages["ServerMetadataResponse"]
        return kind(name="drivetrain", version=version("drivetrain"))

    def _model_metadata(self, request: Any) -> Any:
        served = self._find(request.name, request.version)
        manifest = served.model.manifest
        face = self._messages["TensorMetadata"]
        inputs = [input_face(column) for column in served.contract.columns]
        outputs = [output_face(output) for output in manifest.outputs]
        return self._messages["ModelMetadataResponse"](
            name=served.name,
            versions=[served.version],
            platform="onnxruntime_onnx",
            inputs=[face(name=f.name, datatype=f.datatype, shape=f.shape) for f in inputs],
            outputs=[face(name=f.name, datatype=f.datatype, shape=f.shape) for f in outputs],
            properties={
                "task": manifest.task,
                "classes": write_json(served.classes).decode(),
                "content_hash": manifest.content_hash,
            },
        )

    def _infer(self, request: Any) -> Any:
        served = self._find(request.model_name, request.model_version)
        names = _output_names([output.name for output in request.outputs], served)
        answer = self._service.predict(served, rows_of(_tensors(request), served.contract))
        parameter = self._messages["InferParameter"](string_param=answer.prediction_id)
        response = self._messages["ModelInferResponse"](
            model_name=served.name,
            model_version=answer.version,
            id=request.id,
            parameters={"prediction_id": parameter},
        )
        is_raw = bool(request.raw_input_contents)
        for name in names:
            _add_output(response, name, answer.outputs[name], is_raw)
        return response

    def _find(self, name: str, wanted: str) -> Served:
        return self._service.served(name, wanted or None)


def _text_headers(metadata: dict[str, Any]) -> list[tuple[bytes, bytes]]:
    texts = [(name, value) for name, value in metadata.items() if isinstance(value, str)]
    return [(name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in texts]


def _named_in(response: Any) -> dict[str, str]:
    """Return which model made which prediction, where a response is one."""
    if response is None or not hasattr(response, "raw_output_contents"):
        return {}
    prediction_id = response.parameters["prediction_id"].string_param
    return {"prediction_id": prediction_id, "model_version": response.model_version}


def _output_names(names: list[str], served: Served) -> list[str] | tuple[str, ...]:
    for index, name in enumerate(names):
        if name not in served.output_names or name in names[:index]:
            expected = f"each of {', '.join(served.output_names)} at most once"
            raise refused(expected, "another", where=f"outputs[{index}]", code="DT2BA")
    return names or served.output_names


def _tensors(request: Any) -> list[Tensor]:
    raw = request.raw_input_contents
    if raw and len(raw) != len(request.inputs):
        expected = f"{len(request.inputs)} raw_input_contents, one for each input"
        raise refused(expected, f"{len(raw)}", where="the request")
    tensors = []
    for number, item in enumerate(request.inputs):
        if raw:
            if item.HasField("contents"):
                got = "both"
                raise refused("raw_input_contents or contents", got, where=f"column '{item.name}'")
            tensors.append(tensor_of(item.name, list(item.shape), item.datatype, raw[number]))
        else:
            tensors.append(_typed_tensor(item))
    return tensors


def _typed_tensor(item: Any) -> Tensor:
    where = f"column '{item.name}'"
    field = _CONTENTS.get(item.datatype)
    if field is None:
        raise refused(f"datatype {', '.join(_CONTENTS)}", "another", where=where, code="DT264")
    if any(descriptor.name != field for descriptor, _ in item.contents.ListFields()):
        raise refused(f"{item.datatype} in {field}", "another", where=where, code="DT264")
    cells = list(getattr(item.contents, field))
    datatype = item.datatype
    if datatype == "BYTES":
        try:
            cells = [cell.decode("utf-8") for cell in cells]
        except UnicodeDecodeError as error:
            raise refused("texts in UTF-8", "bytes that are none", where=where) from error
    elif datatype == "FP32":
        datatype = "FP64"  # exact already; infinity is a value here
    return Tensor(item.name, list(item.shape), datatype, cells)


def _add_output(response: Any, name: str, values: Array, is_raw: bool) -> None:
    datatype = datatype_of(values)
    output = response.outputs.add(name=name, datatype=datatype, shape=values.shape)
    if is_raw:
        response.raw_output_contents.append(raw_of(values))
        return
    cells = values.ravel().tolist()
    if datatype == "BYTES":
        cells = [str(cell).encode("utf-8") for cell in cells]
    getattr(output.contents, _CONTENTS[datatype]).extend(cells)


def _libraries() -> tuple[Any, dict[str, Any]]:
    try:
        import grpc

        from drivetrain.serve.grpc_messages import messages
    except ImportError as error:
        raise MissingLibraryError(
            where="--grpc-port",
            expected=f"library '{error.name}' to be installed",
            got="no such library",
            remedy="Install it: pip install 'drivetrain[serve]'",
            code="DT312",
        ) from error
    return grpc, messages()
