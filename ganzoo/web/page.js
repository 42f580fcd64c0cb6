// The page: what a person chooses becomes a request, and what the backend makes of it a picture.
//
// A backend has: models(), a list; picture(model, request, signal), a PNG; commands(model, request), lines that make
// the same images elsewhere; walks(model), whether it can interpolate. A request has kind, seed, label, controls, and n,
// or to and steps.

import * as backend from "./backend.js";

const form = document.forms[0];
const [section, picture, status, download] = ["section", "#picture", "#status", "#download"].map((each) =>
  document.querySelector(each),
);
const PAUSE_MS = 120; // no request while a slider moves
const RANDOM = 2 ** 32; // a person can retype a seed of 32 bits
const MAX_SEED = 2n ** 64n - 1n;

let models = [];
let underWay = new AbortController();

const option = (text, value = text) => new Option(text, value);
const chosen = () => models[form.model.selectedIndex];

const titleOf = (model) => [model.name.replace(/:\d+$/, ""), model.version].filter(Boolean).join(":");

const facts = (model) => {
  const [channels, height, width] = model.shape;
  const classes = model.class_names.length ? [`${model.class_names.length} classes`] : [];
  return [`${width} × ${height} × ${channels}`, ...classes, `latent ${model.latent_dim}`, model.device].join(" · ");
};

const elements = (...names) => names.map((name) => document.createElement(name));

// A slider to try, and a number to be exact.
const control = (name, { low, high, default: value }) => {
  const [field, label, row, slider, number] = elements("div", "label", "span", "input", "input");
  field.className = "field";
  row.className = "row";
  label.textContent = name;
  label.htmlFor = number.id = `control-${name}`;
  const range = { min: low, max: high, step: "any", value };
  Object.assign(slider, { type: "range", ariaLabel: `${name}, slider`, ...range });
  Object.assign(number, { type: "number", name, required: true, ...range });
  slider.addEventListener("input", () => {
    number.value = Math.min(Math.max(Number(slider.valueAsNumber.toPrecision(3)), low), high); // which rounds beyond them
  });
  number.addEventListener("input", () => (slider.value = number.value));
  row.append(slider, number);
  field.append(label, row);
  return field;
};

// Show the fields that the model has.
const choose = () => {
  const model = chosen();
  document.querySelector("#title").textContent = titleOf(model);
  document.querySelector("#facts").textContent = facts(model);
  form.label.replaceChildren(option("drawn from the seed", ""), ...model.class_names.map((name) => option(name)));
  const controls = Object.entries(model.controls).map((each) => control(...each));
  document.querySelector("#controls").replaceChildren(...controls);
  form.querySelector("fieldset").hidden = !backend.walks(model);
  if (!backend.walks(model)) form.kind.value = "sample";
};

const request = () => {
  const controls = Object.fromEntries(
    [...document.querySelectorAll("#controls [name]")].map((input) => [input.name, input.valueAsNumber]),
  );
  const shared = { kind: form.kind.value, seed: form.seed.value, label: form.label.value, controls };
  if (shared.kind === "sample") return { ...shared, n: Number(form.n.value) };
  return { ...shared, to: form.to.value, steps: Number(form.steps.value) };
};

const inWords = (model, { kind, seed, to, label, n, steps }) => {
  const what = kind === "sample" ? `${n} samples of` : `${steps} images on a walk through`;
  const where = kind === "sample" ? `seed ${seed}` : `seeds ${seed} to ${to}`;
  return `${what} ${titleOf(model)}, ${where}` + (label && `, class ${label}`);
};

const copy = async (code, button) => {
  getSelection().selectAllChildren(code); // for where a page may not write to the clipboard
  try {
    await navigator.clipboard.writeText(code.textContent);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Selected";
  }
  button.ariaLabel = button.ariaLabel.replace(/^\w+/, button.textContent);
  document.querySelector("#said").textContent = button.ariaLabel; // a name that changes is not read out
};

const command = (line) => {
  const [item, code, button] = elements("li", "code", "button");
  code.textContent = line;
  Object.assign(button, { type: "button", textContent: "Copy", ariaLabel: `Copy the ${line.split(" ")[0]} command` });
  button.addEventListener("click", () => copy(code, button));
  item.append(code, button);
  return item;
};

const show = async () => {
  const kind = form.kind.value;
  const has = { sample: kind === "sample", interpolate: kind === "interpolate", labels: chosen().class_names.length };
  for (const field of form.querySelectorAll("[data-only]")) {
    field.hidden = !has[field.dataset.only];
    for (const input of field.querySelectorAll("input")) input.disabled = field.hidden;
  }
  for (const input of [form.seed, form.to]) {
    const large = /^\d+$/.test(input.value) && BigInt(input.value) > MAX_SEED;
    input.setCustomValidity(large ? input.title : "");
  }
  if (!form.reportValidity()) return;
  const [model, asked] = [chosen(), request()];
  underWay.abort();
  underWay = new AbortController();
  const { signal } = underWay;
  section.ariaBusy = "true";
  document.querySelector("#commands").replaceChildren(...backend.commands(model, asked).map(command));
  try {
    const image = await backend.picture(model, asked, signal);
    if (signal.aborted) return;
    URL.revokeObjectURL(picture.src);
    picture.src = download.href = URL.createObjectURL(image);
    picture.alt = status.textContent = inWords(model, asked);
    download.download = `${titleOf(model)}-${asked.seed}.png`.replace(/[^\w.-]+/g, "-");
    picture.hidden = download.hidden = false;
    status.className = "";
  } catch (error) {
    if (signal.aborted) return;
    status.textContent = error.message;
    status.className = "wrong";
  }
  section.ariaBusy = "false";
};

let timer = 0;
const showSoon = () => {
  clearTimeout(timer);
  timer = setTimeout(show, PAUSE_MS);
};

form.addEventListener("submit", (event) => event.preventDefault());
form.model.addEventListener("input", choose);
form.addEventListener("input", showSoon);
for (const button of form.querySelectorAll("[data-random]")) {
  button.addEventListener("click", () => {
    form[button.dataset.random].value = Math.floor(Math.random() * RANDOM);
    show();
  });
}

try {
  models = await backend.models();
  form.model.append(...models.map((model) => option(model.title ?? titleOf(model), model.name)));
  form.model.closest(".field").hidden = models.length < 2;
  choose();
  await show();
} catch (error) {
  form.inert = true; // there is nothing to choose
  status.textContent = error.message;
  status.className = "wrong";
}
