// Replays a bundle's vectors.json: the same tensors into model.onnx must give the same outputs.
//
// `ort` is onnxruntime-node or onnxruntime-web: both have the same Tensor and InferenceSession.

const TYPES = { float: "float32", double: "float64", int64: "int64", string: "string", bool: "bool" };
const ARRAYS = { float32: Float32Array, float64: Float64Array, int64: BigInt64Array };
export const TOLERANCE = 1e-5;

// A list of numbers as JSON holds them: "nan", "inf" and "-inf" are texts, and so is each int64.
function readNumber(value) {
  if (typeof value === "number") return value;
  return { nan: NaN, inf: Infinity, "-inf": -Infinity }[value];
}

// Turns {name, type, shape, values} of vectors.json into an ort.Tensor.
export function toTensor(ort, { type, shape, values }) {
  const kind = TYPES[type];
  if (kind === "string") return new ort.Tensor("string", values, shape);
  if (kind === "bool") return new ort.Tensor("bool", Uint8Array.from(values), shape);
  const read = kind === "int64" ? BigInt : readNumber;
  return new ort.Tensor(kind, ARRAYS[kind].from(values, read), shape);
}

// Runs the model on the vectors' tensors. Returns the largest difference of a number (relative to
// the largest expected one, where that is above 1), the labels that differ, and whether every
// number has the same bits.
export async function replay(ort, session, vectors) {
  const feeds = {};
  for (const tensor of vectors.tensors) {
    // The graph may not read every column of the Contract.
    if (session.inputNames.includes(tensor.name)) feeds[tensor.name] = toTensor(ort, tensor);
  }
  const outputs = await session.run(feeds);
  const result = { rows: vectors.rows.length, largest: 0, labels: 0, sameBits: true };
  for (const expected of vectors.outputs) {
    const got = outputs[expected.name];
    if (got.dims.join() !== expected.shape.join()) {
      throw new Error(`output ${expected.name}: shape ${got.dims}, expected ${expected.shape}`);
    }
    compare(got, toTensor(ort, expected), result);
  }
  return { ...result, passed: result.labels === 0 && result.largest <= TOLERANCE };
}

function compare(got, expected, result) {
  if (got.type !== expected.type) throw new Error(`type ${got.type}, not ${expected.type}`);
  if (["string", "int64", "bool"].includes(got.type)) {
    result.labels += got.data.reduce((n, value, i) => n + (value !== expected.data[i]), 0);
    return;
  }
  const size = expected.data.reduce((most, value) => Math.max(most, Math.abs(value) || 0), 1);
  got.data.forEach((value, i) => {
    if (Object.is(value, expected.data[i])) return;
    result.sameBits = false;
    const difference = Math.abs(value - expected.data[i]) / size;
    result.largest = Math.max(result.largest, Number.isNaN(difference) ? Infinity : difference);
  });
}
