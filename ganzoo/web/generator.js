// Latents through a generator to bytes, as ganzoo/runtime/ has it; in a browser and in Node.

import { draw } from "./latents.js";

// Round to the nearest, halves to even, as NumPy does: beyond 2^52 there are no fractions.
const rounded = (value) => value + 1.5 * 2 ** 52 - 1.5 * 2 ** 52;

// [-1, 1] -> 0 .. 255 in float32, as ganzoo/images.py has it.
const bytesOf = (floats) => {
  const bytes = new Uint8Array(floats.length);
  for (let at = 0; at < floats.length; at++) {
    const value = Math.fround(Math.fround(floats[at] + 1) * 127.5);
    if (!Number.isFinite(value)) throw new Error("the generator makes pixels that are not finite numbers");
    bytes[at] = Math.min(Math.max(rounded(value), 0), 255);
  }
  return bytes;
};

const run = async (ort, session, model, z, labels, controls) => {
  const count = z.length / model.latent_dim;
  const feeds = { z: new ort.Tensor("float32", z, [count, model.latent_dim]) };
  if (labels) feeds.labels = new ort.Tensor("int64", labels, [count]);
  for (const [name, value] of Object.entries(controls)) {
    feeds[name] = new ort.Tensor("float32", new Float32Array(count).fill(value), [count, 1]);
  }
  const { images } = await session.run(feeds);
  return bytesOf(images.data);
};

// Batches of latents -> bytes [channels * height * width], one image after the other.
const batches = async function* (ort, session, model, { label, controls }, count, batch, latents) {
  const size = model.shape.reduce((product, side) => product * side);
  const index = label ? BigInt(model.class_names.indexOf(label)) : null;
  for (let start = 0; start < count; start += batch) {
    const { z, labels } = latents(start, Math.min(batch, count - start));
    if (index !== null) labels.fill(index);
    const bytes = await run(ort, session, model, z, labels, controls);
    for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
  }
};

// Images 0 .. n of a seed, by turns of at most `batch`.
export const images = (ort, session, model, request, batch) =>
  batches(ort, session, model, request, request.n, batch, (start, count) =>
    draw(request.seed, start, count, model.latent_dim, model.class_names.length),
  );

// Images on the great circle from image 0 of one seed to image 0 of another; the class is the first one's.
export const walk = (ort, session, model, request, batch) => {
  const classes = model.class_names.length;
  const [from, to] = [request.seed, request.to].map((seed) => draw(seed, 0, 1, model.latent_dim, classes));
  return batches(ort, session, model, request, request.steps, batch, (start, count) => {
    const z = new Float32Array(count * model.latent_dim);
    for (let row = 0; row < count; row++) {
      z.set(between(from.z, to.z, (start + row) / (request.steps - 1)), row * model.latent_dim);
    }
    return { z, labels: classes ? new BigInt64Array(count).fill(from.labels[0]) : null };
  });
};

// Spherical interpolation (Shoemake, 1985; White, 2016).
const between = (a, b, t) => {
  const dot = (x, y) => x.reduce((sum, value, at) => sum + value * y[at], 0);
  const angle = Math.acos(Math.min(1, Math.max(-1, dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b)))));
  const [x, y] = angle < 1e-6 ? [1 - t, t] : [(1 - t) * angle, t * angle].map((each) => Math.sin(each) / Math.sin(angle));
  return a.map((value, at) => x * value + y * b[at]);
};
