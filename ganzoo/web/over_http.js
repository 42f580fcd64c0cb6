// The backend of a server: images come from where the page came from.

import { quoted, sampling } from "./commands.js";

const fetched = async (url, signal) => {
  const response = await fetch(url, { signal });
  if (response.ok) return response;
  const { error, hint } = await response.json().catch(() => ({ error: `the server answers ${response.status}` }));
  throw new Error([error, hint].filter(Boolean).join(": "));
};

// Relative to the page, which a proxy may have put below a path.
const address = (model, { kind, label, controls, ...numbers }) => {
  const query = new URLSearchParams({ ...numbers, ...(label && { label }), ...controls });
  return `v1/${model.urls[kind]}?${query}`;
};

export const models = async () => (await (await fetched("v1/models")).json()).models;

export const walks = (model) => "interpolate" in model.urls;

export const picture = async (model, request, signal) => (await fetched(address(model, request), signal)).blob();

export const commands = (model, request) => [
  `curl ${quoted(new URL(address(model, request), document.baseURI).href)} -o samples.png`,
  ...sampling(model, request),
];
