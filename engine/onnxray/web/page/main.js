// The page as a whole: the session, the tabs, the head, light and dark.
import { ask, enter, get, hushed, post, say } from "./api.js";
import { $, el, fill, number } from "./dom.js";
import { change, now, on } from "./state.js";
import { startCompare } from "./compare.js";
import { startGraph } from "./graph.js";
import { startMethods } from "./methods.js";
import { startPicture } from "./picture.js";
import { addRun, startRuns } from "./runs.js";
import { startValue } from "./value.js";

const TABS = [["picture", "Picture"], ["value", "Value"], ["methods", "Methods"], ["runs", "Runs"], ["compare", "Compare"]];

function show(tab) {
  for (const [name] of TABS) {
    const chosen = name === tab;
    $(name).hidden = !chosen;
    $(`tab-${name}`).setAttribute("aria-selected", String(chosen));
    $(`tab-${name}`).tabIndex = chosen ? 0 : -1;
  }
  document.body.dataset.tab = tab;
}

function startTabs() {
  fill($("tabs"), TABS.map(([name, text]) => el("button", {
    role: "tab", id: `tab-${name}`, "aria-controls": name, text, onclick: () => change({ tab: name }),
  })));
  $("tabs").addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const at = TABS.findIndex(([name]) => name === document.body.dataset.tab);
    const [name] = TABS[(at + step + TABS.length) % TABS.length];
    change({ tab: name });
    $(`tab-${name}`).focus();
  });
  for (const [name, text] of TABS) $(name).setAttribute("aria-label", text);
  show("picture");
}

function startTheme() {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const set = (theme) => { document.documentElement.dataset.theme = theme; change({ theme }); };
  set(dark.matches ? "dark" : "light");
  dark.addEventListener("change", () => set(dark.matches ? "dark" : "light"));
  $("theme").addEventListener("click", () => set(now.theme === "dark" ? "light" : "dark"));
}

function showFacts(facts) {
  const opsets = Object.entries(facts.opsets).map(([name, version]) => `${name} ${version}`).join(", ");
  fill($("facts"), `${number(facts.nodes)} nodes · ${number(facts.parameters)} parameters · ${opsets} · sha256 ${facts.sha256.slice(0, 12)}`);
  $("facts").title = `${facts.answer}\n${facts.producer}\nsha256 ${facts.sha256}`;
  document.title = `${facts.name} – onnxray`;
}

function showModels(models) {
  if (models.length < 2) return fill($("models"), el("strong", { text: models[0] ?? "results" }));
  const select = el("select", { "aria-label": "Model", onchange: hushed(() => open(Number(select.value))) },
    models.map((name, k) => el("option", { value: String(k), text: name })));
  return fill($("models"), select);
}

async function open(model) {
  const facts = await ask("model", { model });
  change({ model, facts, node: null, value: null, verified: new Map() });
}

async function start() {
  startTheme();
  startTabs();
  await enter();
  const state = await get("/state");
  for (const startPart of [startGraph, startPicture, startValue, startMethods, startRuns, startCompare]) startPart();
  on("facts", showFacts);
  on("files", (files) => change({ pictures: files.filter((one) => ["picture", "array"].includes(one.kind) && !one.made) }));
  on("tab", show);
  change({ models: state.models, files: state.files, runs: state.runs });
  showModels(state.models);
  $("verify").addEventListener("click", hushed(async () => {
    addRun(await post("/runs", { path: ["verify"], model: now.model, pictures: now.picture ? [now.picture] : [] }, "starting"));
    change({ tab: "runs" });
  }));
  $("end").addEventListener("click", hushed(() => post("/ended", {})));
  document.body.dataset.ready = "page";
  if (state.models.length === 0) {
    $("verify").hidden = true;
    document.body.dataset.results = "only";
    change({ tab: "runs" });
    return;
  }
  await open(0);
  change({ picture: now.pictures[0]?.key ?? null });
  document.body.dataset.ready = "model";
}

start().catch((error) => say(error.message));
