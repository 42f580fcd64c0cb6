// Lines for a terminal.

export const quoted = (word) => (/^[\w.,:=/@%+-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`);

// The command that makes the same samples, where a registry has the version.
export const sampling = (model, { kind, n, seed, label, controls }) => {
  if (kind !== "sample" || !model.reference) return [];
  const chosen = Object.entries(controls).flatMap(([name, value]) => ["--control", `${name}=${value}`]);
  const given = [...(label ? ["--label", label] : []), ...chosen, ...(model.int8 ? ["--int8"] : [])];
  const words = ["-n", n, "--seed", seed, ...given, "-o", "samples.png"];
  return [["ganzoo sample", ...[model.reference, ...words].map((word) => quoted(String(word)))].join(" ")];
};
