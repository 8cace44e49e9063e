// node score.mjs BUNDLE: scores a bundle's vectors from Node.js and prints one JSON object.
// Exit status 1 if an answer differs.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import ort from "onnxruntime-node";
import { replay } from "./vectors.mjs";

const bundle = process.argv[2];
if (!bundle) {
  console.error("usage: node score.mjs BUNDLE");
  process.exit(2);
}
const vectors = JSON.parse(await readFile(join(bundle, "vectors.json"), "utf8"));
const session = await ort.InferenceSession.create(join(bundle, "model.onnx"));
const result = await replay(ort, session, vectors);
console.log(JSON.stringify(result));
process.exitCode = result.passed ? 0 : 1;
