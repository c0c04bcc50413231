// Methods: a form for each, made of its own options and help; what is run is the command that the form states.
import { ask, hushed, post } from "./api.js";
import { $, el, fill } from "./dom.js";
import { addRun } from "./runs.js";
import { change, now, on } from "./state.js";

const FIRST = new Set(["layer", "eps", "norm", "steps", "preset", "until", "samples", "wrt"]);
const TARGETS = {
  text: "a class (number or label), NAME:CHANNEL, NAME:CHANNEL,Y,X; empty: what the model says",
  texts: "a class (number or label), or NAME:CHANNEL where that can be climbed; attacks: empty leaves the class",
};
let methods = null;
let chosen = null;
const place = { form: el("form", { class: "method" }), select: el("select", { id: "method" }) };

export function startMethods() {
  fill($("methods"), el("div", { class: "field wide" }, el("label", { for: "method", text: "Method" }), place.select), place.form);
  place.select.addEventListener("change", () => showForm(place.select.value));
  place.form.addEventListener("submit", hushed(async (event) => { event.preventDefault(); await run(); }));
  on("tab", hushed(async (tab) => { if (tab === "methods") await list(); }));
  on("value", () => { const button = $("take-value"); if (button) nameValue(button); });
  on("pictures", () => chosen && showForm(chosen.path.join(" ")));
}

async function list() {
  if (methods) return;
  methods = (await ask("forms")).methods;
  const families = Map.groupBy ? Map.groupBy(methods, (one) => one.family) : grouped(methods);
  fill(place.select, [...families].map(([family, own]) => el("optgroup", { label: family },
    own.map((one) => el("option", { value: one.path.join(" "), text: one.name })))));
  place.select.value = "saliency grad-cam";
  showForm(place.select.value);
  $("methods").dataset.ready = String(methods.length);
}

function grouped(all) {
  const found = new Map();
  for (const one of all) found.set(one.family, [...(found.get(one.family) ?? []), one]);
  return found;
}

function showForm(path) {
  chosen = methods.find((one) => one.path.join(" ") === path);
  const fields = chosen.fields.filter((one) => !(one.name === "wrt" && now.facts?.inputs.length === 1));
  const more = fields.filter((one) => !FIRST.has(one.name));
  fill(place.form,
    el("p", { class: "soft", text: chosen.summary }),
    target(),
    fields.filter((one) => FIRST.has(one.name)).map(field),
    more.length ? el("details", {}, el("summary", { text: `${more.length} more options` }), more.map(field), seed()) : seed(),
    el("div", { class: "line" },
      el("button", { class: "main", id: "run", text: "Run" }),
      now.pictures.length > 1 ? check("all-pictures", "on every picture") : null,
      now.models.length > 1 ? check("all-models", "on every model") : null));
}

const check = (id, text) => el("label", { class: "check", for: id }, el("input", { type: "checkbox", id }), ` ${text}`);

function target() {
  if (chosen.target === "picture") {
    const options = [el("option", { value: "inhibit", text: "fade its own representation" }), el("option", { value: "magnify", text: "strengthen its own representation" })];
    const pictures = now.pictures.filter((one) => one.key !== now.picture).map((one) => el("option", { value: `p:${one.key}`, text: `become like ${one.label}` }));
    return el("div", { class: "field wide" }, el("label", { for: "target", text: "target" }), el("select", { id: "target" }, pictures, options),
      el("p", { class: "help", text: "the picture whose representation at the layer is the goal; drop another picture to choose it" }));
  }
  if (!chosen.target) return null;
  const words = el("datalist", { id: "labels" }, (now.facts?.labels ?? []).slice(0, 1000).map((word) => el("option", { value: word })));
  return el("div", { class: "field wide" }, el("label", { for: "target", text: "target" }),
    el("input", { id: "target", list: "labels", spellcheck: "false", "aria-describedby": "help-target" }), words,
    el("p", { class: "help", id: "help-target", text: TARGETS[chosen.target] }));
}

function seed() {
  return el("div", { class: "field" }, el("label", { for: "seed", text: "seed" }), el("input", { id: "seed", type: "number", min: 0, value: "0" }));
}

function field(one) {
  const id = `option-${one.name}`;
  const help = { "aria-describedby": `help-${one.name}` };
  const preset = one.default === null ? "" : String(one.default);
  let input;
  if (one.kind === "choice") {
    input = el("select", { id, ...help }, one.optional && one.default === null ? el("option", { value: "", text: "as by default" }) : null,
      one.choices.map((choice) => el("option", { value: choice, text: choice, selected: choice === preset })));
  } else if (one.kind === "switch") {
    input = el("select", { id, ...help }, ["true", "false"].map((choice) => el("option", { value: choice, text: choice === "true" ? "yes" : "no", selected: choice === preset })));
  } else if (one.kind === "slider") {
    const shown = el("output", { for: id, text: preset });
    input = el("span", { class: "slider" }, el("input", { id, ...help, type: "range", min: one.least, max: one.most, step: one.step, value: preset || String(one.least),
      oninput: (event) => { shown.textContent = event.target.value; } }), shown);
  } else {
    input = el("input", { id, ...help, type: one.kind === "number" ? "number" : "text", value: preset, step: one.step === "any" ? "any" : String(one.step),
      min: one.least, max: one.most, placeholder: one.default === null ? "as by default" : "", spellcheck: "false" });
  }
  const take = one.name === "layer" ? el("button", { type: "button", id: "take-value", onclick: () => { if (now.value) $(id).value = now.value; } }) : null;
  if (take) nameValue(take);
  return el("div", { class: one.kind === "text" ? "field wide" : "field" }, el("label", { for: id, text: one.label }), el("div", { class: "line" }, input, take),
    el("p", { class: "help", id: `help-${one.name}`, text: one.help }));
}

function nameValue(button) {
  button.disabled = !now.value;
  button.textContent = now.value ? `take ${now.value.length > 24 ? `…${now.value.slice(-23)}` : now.value}` : "choose a value in the graph";
}

function stated() {
  const options = {};
  for (const one of chosen.fields) {
    const input = $(`option-${one.name}`);
    const preset = one.default === null ? "" : String(one.default);
    if (!input || input.value === preset || input.value === "") continue;
    options[one.name] = one.kind === "switch" ? input.value === "true" : input.value;
  }
  return options;
}

async function run() {
  const goal = $("target")?.value.trim() ?? "";
  const pictures = $("all-pictures")?.checked ? now.pictures.map((one) => one.key) : now.picture ? [now.picture] : [];
  const models = $("all-models")?.checked ? now.models.map((_, k) => k) : [now.model];
  const base = { path: chosen.path, options: stated(), seed: Number($("seed").value) || 0,
    pictures: chosen.images === "optional" && chosen.family === "Visualisation" ? [] : pictures };
  const aim = goal.startsWith("p:") ? { targets: [goal.slice(2)] } : goal ? { target: goal } : {};
  for (const model of models) addRun(await post("/runs", { ...base, ...aim, model }, "starting"));
  change({ tab: "runs" });
}
