// The backend without a server: a worker of this page runs the generator.

import { sampling } from "./commands.js";

let layout; // of a grid, from models.json: what ganzoo/images.py has

export const models = async () => {
  const response = await fetch("models.json");
  if (!response.ok) throw new Error(`models.json is not there (${response.status})`);
  const found = await response.json();
  layout = found.grid;
  return found.models.map((model) => ({ ...model, device: "in this browser" }));
};

export const walks = () => true;

const worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
const waiting = new Map(); // number of a request -> who waits for its answer

const settle = (number, { images, error }) => {
  const [resolve, reject] = waiting.get(number);
  waiting.delete(number);
  if (error === undefined) resolve(images);
  else reject(new Error(error));
};
worker.addEventListener("message", ({ data }) => settle(data.number, data));

let broken; // what is wrong with the worker's scripts
worker.addEventListener("error", ({ message }) => {
  broken = message || "the scripts of ONNX Runtime are not there";
  for (const number of waiting.keys()) settle(number, { error: broken });
});

let count = 0;

// Bytes [channels, height, width] of each image; null: another request came after this one.
const made = (model, request) =>
  new Promise((resolve, reject) => {
    const number = ++count;
    waiting.set(number, [resolve, reject]);
    if (broken) settle(number, { error: broken });
    worker.postMessage({ number, file: new URL(model.file, document.baseURI).href, model, request });
  });

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
  const images = await made(model, request);
  return signal.aborted ? null : grid(images.map((bytes) => tile(bytes, model.shape)), model.shape);
};

export const commands = sampling;
