// The backend of a server: images come from where the page came from.

import { quoted, sampling } from "./commands.js";

const STORED = "ganzoo-api-key"; // for as long as the tab is open
const stored = () => sessionStorage.getItem(STORED);

const TAKEN = /^[!-~]([ -~]*[!-~])?$/; // what a header can hold, and a server's key is

let asking = null;

// Ask for the key of `ganzoo serve --api-key`: whether a person gave one.
const givenKey = () => {
  asking ??= new Promise((resolve) => {
    const dialog = document.createElement("dialog");
    dialog.ariaLabel = "API key";
    dialog.innerHTML = `<form method="dialog"><div class="field"><label for="key"></label>
      <input id="key" type="password" autocomplete="off"></div><button value="given">Continue</button></form>`;
    const [label, key] = ["label", "input"].map((name) => dialog.querySelector(name));
    label.textContent = stored() ? "The server takes another API key" : "The API key of this server";
    dialog.addEventListener("close", () => {
      asking = null;
      dialog.remove();
      if (!dialog.returnValue || !key.value) return resolve(false);
      if (!TAKEN.test(key.value)) return resolve(givenKey());
      sessionStorage.setItem(STORED, key.value);
      resolve(true);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
  return asking;
};

const fetched = async (url, signal) => {
  const response = await fetch(url, { signal, headers: stored() ? { "X-API-Key": stored() } : {} });
  if (response.ok) return response;
  if (response.status === 401) {
    if (await givenKey()) return fetched(url, signal);
    throw new Error("this server asks for an API key: load the page again to give it");
  }
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
  [
    `curl ${quoted(new URL(address(model, request), document.baseURI).href)}`,
    ...(stored() ? ['-H "X-API-Key: $GANZOO_API_KEY"'] : []),
    "-o samples.png",
  ].join(" "),
  ...sampling(model, request),
];
