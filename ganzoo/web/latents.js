// (seed, index) -> latent and label, as ganzoo/latents.py draws them: NumPy's RandomState over Philox.

const MASK = (1n << 64n) - 1n;
const MULTIPLIERS = [0xd2e7470ee14c6c93n, 0xca5a826395121157n];
const BUMPS = [0x9e3779b97f4a7c15n, 0xbb67ae8584caa73bn];
const ROUNDS = 10;

// Philox4x64-10 (Salmon et al., 2011): four 64-bit words of a counter and a key of two words.
const philox = (counter, key) => {
  let [a, b, c, d] = [counter, 0n, 0n, 0n];
  let [k0, k1] = key;
  for (let round = 0; round < ROUNDS; round++) {
    const [low, high] = [a * MULTIPLIERS[0], c * MULTIPLIERS[1]];
    [a, b, c, d] = [(high >> 64n) ^ b ^ k0, high & MASK, (low >> 64n) ^ d ^ k1, low & MASK];
    [k0, k1] = [(k0 + BUMPS[0]) & MASK, (k1 + BUMPS[1]) & MASK];
  }
  return [a, b, c, d];
};

// The random numbers of one image. The counter of NumPy's Philox stands at 1 when it is first used.
class Stream {
  #key;
  #counter = 0n;
  #words = [];
  #half = null;
  #spare = null;

  constructor(seed, index) {
    this.#key = [BigInt(seed), BigInt(index)];
  }

  #word() {
    if (!this.#words.length) this.#words = philox(++this.#counter, this.#key);
    return this.#words.shift();
  }

  // Uniform on [0, 1): 53 bits.
  #uniform() {
    return Number(this.#word() >> 11n) / 2 ** 53;
  }

  // Uniform on 0 .. 2^32 - 1: the lower half of a word, and next time the upper one.
  #integer() {
    const half = this.#half;
    if (half !== null) {
      this.#half = null;
      return half;
    }
    const word = this.#word();
    this.#half = Number(word >> 32n);
    return Number(word & 0xffffffffn);
  }

  // N(0, 1): the polar method of Marsaglia and Bray, 1964. It makes two, of which the second is given first.
  normal() {
    if (this.#spare !== null) {
      const spare = this.#spare;
      this.#spare = null;
      return spare;
    }
    let x, y, square;
    do {
      x = 2 * this.#uniform() - 1;
      y = 2 * this.#uniform() - 1;
      square = x * x + y * y;
    } while (square >= 1 || square === 0);
    const factor = Math.sqrt((-2 * Math.log(square)) / square);
    this.#spare = factor * x;
    return factor * y;
  }

  // Uniform on 0 .. count - 1: bits that are too large are drawn again.
  below(count) {
    if (count === 1) return 0;
    const mask = 2 ** (32 - Math.clz32(count - 1)) - 1;
    for (;;) {
      const value = (this.#integer() & mask) >>> 0;
      if (value < count) return value;
    }
  }
}

// Latents [count * latentDim] and labels [count], or null without classes, of images start .. start + count of a seed.
export const draw = (seed, start, count, latentDim, classes) => {
  const z = new Float32Array(count * latentDim);
  const labels = classes ? new BigInt64Array(count) : null;
  for (let row = 0; row < count; row++) {
    const stream = new Stream(seed, BigInt(start) + BigInt(row));
    for (let at = 0; at < latentDim; at++) z[row * latentDim + at] = stream.normal();
    if (labels) labels[row] = BigInt(stream.below(classes));
  }
  return { z, labels };
};
