// Runs ganzoo/web/ in Node: `node generator.mjs ganzoo/web < REQUEST`, a JSON object; the answer is JSON, too.
//
// {"draws": [[seed, start, count, latent_dim, classes], …]} -> for each, z's bytes in base64, and labels.
// {"site": DIR, "entry": i, "request": {…}, "batch": N} -> what the i-th generator of models.json makes: the bytes of its
// images in base64, and the seconds that they took.

import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const load = (path) => import(pathToFileURL(path).href);
const base64 = (array) => Buffer.from(array.buffer, array.byteOffset, array.byteLength).toString("base64");

const drawn = async (web, draws) => {
  const { draw } = await load(`${web}/latents.js`);
  return draws.map((each) => {
    const { z, labels } = draw(...each);
    return [base64(z), labels && [...labels].map(Number)];
  });
};

const sampled = async (web, { site, entry, request, batch }) => {
  const { images, walk } = await load(`${web}/generator.js`);
  const ort = await load(`${site}/onnxruntime/ort.js`);
  Object.assign(ort.env.wasm, { numThreads: 1, wasmBinary: readFileSync(`${site}/onnxruntime/ort-wasm-simd-threaded.wasm`) });
  const model = JSON.parse(readFileSync(`${site}/models.json`, "utf8")).models[entry];
  const session = await ort.InferenceSession.create(readFileSync(`${site}/${model.file}`));
  const made = request.kind === "sample" ? images : walk;
  const parts = [];
  const begun = performance.now();
  for await (const bytes of made(ort, session, model, request, batch)) parts.push(Buffer.from(bytes));
  return { images: Buffer.concat(parts).toString("base64"), seconds: (performance.now() - begun) / 1000 };
};

const web = process.argv[2];
const asked = JSON.parse(readFileSync(0, "utf8"));
const answer = asked.draws ? await drawn(web, asked.draws) : await sampled(web, asked);
process.stdout.write(JSON.stringify(answer));
