// A thread of its own for the generator, so that the page stays alive: a request in, bytes of its images out.

import * as ort from "../onnxruntime/ort.js";
import { images, walk } from "./generator.js";

ort.env.wasm.numThreads = 1; // more need headers that few static hosts send (COOP and COEP)
ort.env.wasm.wasmPaths = { wasm: new URL("../onnxruntime/ort-wasm-simd-threaded.wasm", import.meta.url).href };

const BATCH = 4; // images between two looks at whether they are still wanted

const sessions = new Map();
let newest; // number of the request that is still wanted

const session = (file) => {
  if (!sessions.has(file)) {
    const opened = fetch(file).then(async (response) => {
      if (!response.ok) throw new Error(`${file} is not there (${response.status})`);
      const options = { executionProviders: ["wasm"] };
      return ort.InferenceSession.create(new Uint8Array(await response.arrayBuffer()), options);
    });
    opened.catch(() => sessions.delete(file));
    sessions.set(file, opened);
  }
  return sessions.get(file);
};

const made = async ({ number, file, model, request }) => {
  const run = await session(file);
  const found = [];
  for await (const bytes of (request.kind === "sample" ? images : walk)(ort, run, model, request, BATCH)) {
    if (number !== newest) return null;
    found.push(bytes);
    if (found.length % BATCH === 0) await new Promise((resolve) => setTimeout(resolve)); // messages come in
  }
  return found;
};

addEventListener("message", async ({ data }) => {
  newest = data.number;
  try {
    postMessage({ number: data.number, images: await made(data) });
  } catch (error) {
    postMessage({ number: data.number, error: error.message });
  }
});
