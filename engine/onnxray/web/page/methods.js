// Methods: a form for each, made of its own options and help; what is run is the command that the form states.
import { ask, hushed, post } from "./api.js";
import { $, el, fill } from "./dom.js";
import { makeField, showFiles, stated } from "./fields.js";
import { livePanel } from "./live.js";
import { addRun } from "./runs.js";
import { change, now, on } from "./state.js";

const FIRST = new Set(["layer", "eps", "norm", "steps", "preset", "until", "samples", "wrt", "map_method"]);
const TARGETS = {
  text: "a class (number or label), NAME:CHANNEL, NAME:CHANNEL,Y,X; empty: what the model says",
  texts: "a class (number or label), or NAME:CHANNEL where that can be climbed; attacks: empty leaves the class",
};
const OTHER = { inhibit: "fade its own representation", magnify: "strengthen its own representation", "": "none: values, or hot/cold, of the options below" };
let methods = null;
let chosen = null;
let live = null;
const place = { form: el("form", { class: "method" }), select: el("select", { id: "method" }) };

export function startMethods() {
  fill($("methods"), el("div", { class: "field wide" }, el("label", { for: "method", text: "Method" }), place.select), place.form);
  place.select.addEventListener("change", () => showForm(place.select.value));
  place.form.addEventListener("submit", hushed(async (event) => { event.preventDefault(); await run(); }));
  place.form.addEventListener("input", () => live?.soon());
  on("tab", hushed(async (tab) => { if (tab === "methods") { await list(); live?.soon(); } }));
  on("value", () => { const button = $("take-value"); if (button) nameValue(button); });
  on("files", () => { if (chosen) { showFiles(chosen.fields); showTargets(); } });
  on("picture", () => { if (chosen) { showTargets(); live?.soon(); } });
  on("facts", () => { if (chosen) showForm(chosen.path.join(" ")); });
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
  const isFirst = (one) => FIRST.has(one.name) || one.needed;
  const more = fields.filter((one) => !isFirst(one));
  live = chosen.live ? livePanel(chosen, base) : null;
  fill(place.form,
    el("p", { class: "soft", text: chosen.summary }),
    target(),
    fields.filter(isFirst).map(field),
    live?.panel,
    more.length ? el("details", {}, el("summary", { text: `${more.length} more options` }), more.map(field), seed()) : seed(),
    el("div", { class: "line" },
      el("button", { class: "main", id: "run", text: "Run" }),
      now.pictures.length > 1 ? check("all-pictures", "on every picture", chosen.many) : null,
      now.models.length > 1 && chosen.path[0] !== "compare" ? check("all-models", "on every model") : null));
  showFiles(chosen.fields);
  showTargets();
}

const check = (id, text, checked = false) => el("label", { class: "check", for: id }, el("input", { type: "checkbox", id, checked }), ` ${text}`);
const others = () => now.pictures.filter((one) => one.key !== now.picture);

function target() {
  if (chosen.target === "picture") {
    return el("div", { class: "field wide" }, el("label", { for: "target-picture", text: "target" }), el("select", { id: "target-picture" }),
      el("p", { class: "help", text: "the picture whose representation at the layer is the goal; drop another picture to choose it" }));
  }
  if (!chosen.target) return null;
  const words = el("datalist", { id: "labels" }, (now.facts?.labels ?? []).slice(0, 1000).map((word) => el("option", { value: word })));
  const like = now.facts?.embeds ? el("select", { id: "target-picture", "aria-label": "Like a picture" }) : null;
  return el("div", { class: "field wide" }, el("label", { for: "target", text: "target" }),
    el("div", { class: "line" }, el("input", { id: "target", list: "labels", spellcheck: "false", "aria-describedby": "help-target" }), like), words,
    el("p", { class: "help", id: "help-target", text: like ? `${TARGETS[chosen.target]}; like a picture: alone, or with a comparison such as > 0.3` : TARGETS[chosen.target] }));
}

function showTargets() {  // the pictures that may be the goal; the chosen one stays
  const select = $("target-picture");
  if (!select) return;
  const before = select.options.length ? select.value : null;
  const pictures = others().map((one) => [`p:${one.key}`, `${chosen.target === "picture" ? "become like" : "like"} ${one.label}`]);
  const rest = chosen.path[0] === "lots" ? Object.entries(OTHER) : pictures.length && chosen.target === "picture" ? [] : [["", chosen.target === "picture" ? "drop another picture" : "like no picture"]];
  const all = chosen.target === "picture" ? [...pictures, ...rest] : [...rest, ...pictures];
  fill(select, all.map(([value, text]) => el("option", { value, text, selected: value === before })));
}

function seed() {
  return el("div", { class: "field" }, el("label", { for: "seed", text: "seed" }), el("input", { id: "seed", type: "number", min: 0, value: "0" }));
}

function field(one) {
  if (one.name !== "layer") return makeField(one);
  const take = el("button", { type: "button", id: "take-value", onclick() {
    if (now.value) $("option-layer").value = now.value;
    live?.soon();
  } });
  nameValue(take);
  return makeField(one, take);
}

function nameValue(button) {
  button.disabled = !now.value;
  button.textContent = now.value ? `take ${now.value.length > 24 ? `…${now.value.slice(-23)}` : now.value}` : "choose a value in the graph";
}

function base() {  // what the form states, of the picture and the model that are looked at
  const [words, picture] = [$("target")?.value.trim() ?? "", $("target-picture")?.value ?? ""];
  return { path: chosen.path, ...stated(chosen.fields), seed: Number($("seed").value) || 0, model: now.model,
    pictures: chosen.family === "Visualisation" && chosen.images === "optional" || !now.picture ? [] : [now.picture],
    ...(picture.startsWith("p:") ? { targets: [picture.slice(2)] } : {}),
    ...(words || picture && !picture.startsWith("p:") ? { target: words || picture } : {}) };
}

async function run() {
  const own = base();
  const pictures = $("all-pictures")?.checked && own.pictures.length ? now.pictures.map((one) => one.key) : own.pictures;
  const models = $("all-models")?.checked ? now.models.map((_, k) => k) : [now.model];
  for (const model of models) addRun(await post("/runs", { ...own, pictures, model }, "starting"));
  change({ tab: "runs" });
}
