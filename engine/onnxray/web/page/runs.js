// Runs: how far each is, what it gave, the command line that repeats it, and the slider along a change.
import { follow, get, hushed, post, stop } from "./api.js";
import { $, copyButton, el, fill, image, number } from "./dom.js";
import { changeShown } from "./picture.js";
import { change, now, on, onlyLatest } from "./state.js";

const ROLES = ["overlay", "map", "image", "origin", "original", "perturbation", "target"];
const cards = new Map();

export function startRuns() {
  fill($("runs"), el("p", { class: "soft", id: "no-runs", text: "Nothing was run yet. What is run here lies in a folder, as the command line would have left it." }), el("div", { id: "cards" }));
  on("runs", (runs) => runs.forEach((run) => { if (!cards.has(run.key)) addCard(run); }));
}

export function addRun(run) {
  change({ runs: [...now.runs, run] });
  $("runs").scrollTop = 0;
}

function addCard(run) {
  $("no-runs").hidden = true;
  const card = el("details", { class: "run", id: `run-${run.key}` });
  const body = el("div", { class: "body" });
  fill(card, el("summary", {}), body);
  cards.set(run.key, { card, body, loaded: false });
  $("cards").prepend(card);
  if (run.state === "done") card.addEventListener("toggle", () => card.open && load(run.key));
  else card.open = true;
  update(run);
  if (["waiting", "running"].includes(run.state)) follow(run.key, update);  // also after the page was loaded anew
}

function update(run) {
  const own = cards.get(run.key);
  if (!own) return;
  Object.assign(now.runs.find((one) => one.key === run.key) ?? {}, run);
  own.card.dataset.state = run.state;
  const of = now.models.length > 1 ? ` · ${now.models[run.model]}` : "";
  fill(own.card.querySelector("summary"), el("strong", { text: run.title }), el("span", { class: "soft", text: of }), el("span", { class: `state ${run.state}`, text: run.state }));
  if (["waiting", "running"].includes(run.state)) {
    own.way ??= onItsWay(run.key);
    if (!own.body.contains(own.way.parts[0])) fill(own.body, own.way.parts);
    return own.way.show(run);
  }
  if (run.state === "failed") return fill(own.body, el("p", { class: "warning", text: run.error }));
  return own.card.open ? load(run.key) : undefined;
}

function onItsWay(key) {  // made once, so that what is under the mouse or has the focus stays
  const [bar, what, picture] = [el("progress", { "aria-label": "Progress" }), el("p", { class: "soft" }), image("", "The picture as it is now")];
  const growing = el("figure", { class: "growing", hidden: true }, el("div", { class: "frame" }, picture), el("figcaption", { text: "as it is now" }));
  const line = el("div", { class: "line" }, bar, el("button", { type: "button", class: "stop", text: "Stop", title: "End it as Ctrl-C does: the best so far is kept", onclick: hushed(() => stop(key)) }));
  return { parts: [line, what, growing], show(run) {
    if (run.total) Object.assign(bar, { max: run.total, value: run.done });
    what.textContent = run.what;
    growing.hidden = !run.picture;
    if (run.picture && !picture.src.endsWith(run.picture)) picture.src = `/runs/${run.key}/picture?${run.picture}`;
  } };
}

const load = hushed(async (key) => {
  const own = cards.get(key);
  if (own.loaded) return;
  own.loaded = true;
  const found = await get(`/runs/${key}`);
  const known = new Set(now.files.map((one) => one.key));
  const more = found.files.filter((one) => !known.has(one.key));
  if (more.length) change({ files: [...now.files, ...more] });
  if (found.verified && found.sha256 === now.facts?.sha256) {  // and not of another model's values
    change({ verified: new Map(Object.entries(found.verified).map(([name, [verdict, relative]]) => [name, { verdict, relative }])) });
  }
  fill(own.body,
    el("p", { class: "soft", text: [found.model_name, found.method, found.seconds === null ? "" : `${number(found.seconds)} s`, found.interrupted ? "stopped: the best so far" : ""].filter(Boolean).join(" · ") }),
    found.items.map((item, k) => showItem(found, item, k)),
    found.count > found.items.length ? el("p", { class: "soft", text: `${number(found.count)} items in all; the zip has them` }) : null,
    found.items.every((one) => !one.pictures.length) ? found.sheets.map((one) => picture(found, one)) : null,
    found.notes.map((text) => el("p", { class: "soft note", text })),
    el("div", { class: "command" }, el("code", { text: found.command }), copyButton(found.command)),
    el("a", { class: "button", href: `/runs/${key}/zip`, download: `onnxray-${key}.zip`, text: "Download as zip" }));
  own.card.dataset.ready = String(found.items.length);
});

function showItem(run, item, k) {
  const order = (one) => (ROLES.indexOf(one.role) + ROLES.length + 1) % (ROLES.length + 1);
  const pictures = [...item.pictures].filter((one) => one.role !== "levels").sort((a, b) => order(a) - order(b));
  const name = item.numbers.find((one) => one.name === "layer" && one.value)?.value;
  const success = item.numbers.find((one) => one.name === "success");
  return el("section", { class: "item", "aria-label": `Item ${k + 1}` },
    success ? el("p", { class: success.value ? "reached" : "warning", text: success.value ? "The goal is reached, by ONNX Runtime on the saved picture" : "The goal is not reached" }) : null,
    name ? el("p", { class: "name" }, el("code", { text: name })) : null,
    el("div", { class: "pictures" }, pictures.map((one) => picture(run, one))),
    item.slides && now.models.length ? slider(run, item, k) : null,
    el("details", {}, el("summary", { text: `${item.numbers.length} numbers` }),
      el("table", { "aria-label": "Numbers" }, el("tbody", {}, item.numbers.map((one) => el("tr", {}, el("th", { scope: "row", text: one.name }), el("td", { text: number(one.value) })))))));
}

function picture(run, one) {
  return el("figure", {}, el("div", { class: "frame" }, image(`/runs/${run.key}/files/${one.file}`, `${run.title}: ${one.role}`)),
    el("figcaption", {}, one.role, " ", el("button", { class: "link", type: "button", title: "Lay it beside another picture",
      onclick: () => change({ compared: { run: run.key, file: one.file, name: `${run.key} ${run.title}: ${one.role}` } }) }, "compare"),
    now.models.length && one.role === "image" ? [" ", el("button", { class: "link", type: "button", title: "Take it as a picture to look into", onclick: hushed(() => takeUp(run, one)) }, "look into")] : null));
}

async function takeUp(run, one) {
  const file = await post(`/runs/${run.key}/files/${one.file}`, {}, "taking");
  change({ files: [...now.files, file] });
  change({ picture: file.key, tab: "picture" });
}

function slider(run, item, k) {
  const own = item.scale || 16;
  const told = el("output", { text: number(own) });
  const views = el("div", { class: "pair" });
  const said = el("div", { "aria-live": "polite" });
  const look = hushed(onlyLatest(async (isLatest, scale) => {
    told.textContent = number(scale);
    const found = await post("/along", { run: run.key, item: k, scale }, "asking");
    if (!isLatest()) return;
    changeShown(found, views, said, `at ${scale}`);
    said.dataset.ready = String(scale);
  }));
  const range = el("input", { type: "range", min: "0", max: String(Math.max(2 * own, 8)), step: own > 40 ? "1" : "0.0625", value: String(own), "aria-label": item.lots ? "Scale of the LOTS perturbation" : "Largest change of a pixel",
    oninput: (event) => look(Number(event.target.value)) });
  return el("details", { class: "along", ontoggle: (event) => { if (event.target.open && !views.children.length) look(own); } },
    el("summary", { text: item.lots ? "Slide over the scale, with the judge's verdict" : "Slide over eps along this change, with the judge's verdict" }),
    el("div", { class: "slider" }, range, told), views, said);
}
