// The backend without a server: ONNX Runtime runs the generator in the browser.

import * as ort from "../onnxruntime/ort.js";
import { sampling } from "./commands.js";
import { images, walk } from "./generator.js";

ort.env.wasm.numThreads = 1; // more need headers that few static hosts send (COOP and COEP)
ort.env.wasm.wasmPaths = { wasm: new URL("../onnxruntime/ort-wasm-simd-threaded.wasm", import.meta.url).href };

const BATCH = 4; // images between two looks at whether they are still wanted

let layout; // of a grid, from models.json: what ganzoo/images.py has
const sessions = new Map();

const fetched = async (url) => {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url} is not there (${response.status})`);
  return response;
};

export const models = async () => {
  const found = await (await fetched("models.json")).json();
  layout = found.grid;
  return found.models.map((model) => ({ ...model, device: "in this browser" }));
};

export const walks = () => true;

const session = (model) => {
  if (!sessions.has(model.file)) {
    const opened = fetched(model.file).then(async (response) => {
      const options = { executionProviders: ["wasm"] };
      return ort.InferenceSession.create(new Uint8Array(await response.arrayBuffer()), options);
    });
    opened.catch(() => sessions.delete(model.file));
    sessions.set(model.file, opened);
  }
  return sessions.get(model.file);
};

// As ganzoo/images.py lays them out: row by row, on white, small ones magnified by a whole factor.
const grid = (tiles, [, height, width]) => {
  const columns = Math.ceil(Math.sqrt(tiles.length));
  const rows = Math.ceil(tiles.length / columns);
  const factor = Math.max(1, Math.ceil(layout.min_tile / height));
  const [tall, wide] = [height * factor + layout.gap, width * factor + layout.gap];
  const canvas = Object.assign(document.createElement("canvas"), {
    width: columns * wide - layout.gap,
    height: rows * tall - layout.gap,
  });
  const context = canvas.getContext("2d");
  context.fillStyle = "white";
  context.fillRect(0, 0, canvas.width, canvas.height);
  const one = Object.assign(document.createElement("canvas"), { width, height });
  context.imageSmoothingEnabled = false;
  tiles.forEach((tile, index) => {
    one.getContext("2d").putImageData(new ImageData(tile, width, height), 0, 0);
    const [left, top] = [(index % columns) * wide, Math.floor(index / columns) * tall];
    context.drawImage(one, left, top, width * factor, height * factor);
  });
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
};

// RGBA, which a canvas takes, of bytes [channels, height, width].
const tile = (bytes, [channels, height, width]) => {
  const size = height * width;
  const rgba = new Uint8ClampedArray(4 * size).fill(255);
  for (let at = 0; at < size; at++) {
    for (let c = 0; c < 3; c++) rgba[4 * at + c] = bytes[(channels === 1 ? 0 : c) * size + at];
  }
  return rgba;
};

export const picture = async (model, request, signal) => {
  const run = await session(model);
  const made = request.kind === "sample" ? images : walk;
  const tiles = [];
  for await (const bytes of made(ort, run, model, request, BATCH)) {
    if (signal.aborted) return null;
    tiles.push(tile(bytes, model.shape));
    if (tiles.length % BATCH === 0) await new Promise((resolve) => setTimeout(resolve)); // the page stays alive
  }
  return grid(tiles, model.shape);
};

export const commands = sampling;
