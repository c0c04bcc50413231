// Two pictures of any two runs side by side, and one minus the other.
import { get, hushed, post } from "./api.js";
import { $, el, fill, image, number } from "./dom.js";
import { change, now, on, onlyLatest } from "./state.js";

const chosen = [null, null];
let next = 0;
const place = { selects: el("div", { class: "pair" }), views: el("div", { class: "three" }), told: el("p", { class: "soft", "aria-live": "polite" }) };

export function startCompare() {
  fill($("compare"), el("p", { class: "soft", text: "Two methods, layers, models or pictures: choose a picture of each run, here or by “compare” under it." }), place.selects, place.views, place.told);
  on("compared", hushed(async (one) => {
    chosen[next] = one;
    next = 1 - next;
    await showSelects();
    if (chosen[0] && chosen[1]) change({ tab: "compare" });
    await showViews();
  }));
  on("tab", hushed(async (tab) => { if (tab === "compare") await showSelects(); }));
}

async function options() {
  const found = [];
  for (const run of now.runs.filter((one) => ["done", "stopped"].includes(one.state))) {
    const document = await get(`/runs/${run.key}`).catch(() => null);
    for (const [k, item] of (document?.items ?? []).entries()) {
      for (const one of item.pictures) found.push({ run: run.key, file: one.file, name: `${run.key} ${run.title}${document.items.length > 1 ? ` ${k + 1}` : ""}: ${one.role}` });
    }
  }
  return found;
}

const showSelects = onlyLatest(async (isLatest) => {
  const all = await options();
  if (!isLatest()) return;
  fill(place.selects, [0, 1].map((side) => {
    const select = el("select", { "aria-label": side ? "Right picture" : "Left picture", onchange: hushed(async () => {
      chosen[side] = all[Number(select.value)] ?? null;
      await showViews();
    }) }, el("option", { value: "", text: "choose a picture" }),
    all.map((one, k) => el("option", { value: String(k), text: one.name, selected: one.run === chosen[side]?.run && one.file === chosen[side]?.file })));
    return select;
  }));
  $("compare").dataset.ready = String(all.length);
});

const showViews = onlyLatest(async (isLatest) => {
  const figure = (source, text) => el("figure", {}, el("div", { class: "frame" }, image(source, text)), el("figcaption", { text }));
  const shown = chosen.filter(Boolean).map((one) => figure(`/runs/${one.run}/files/${one.file}`, one.name));
  fill(place.views, shown);
  place.told.textContent = "";
  if (shown.length < 2) return;
  try {
    const found = await post("/difference", { first: [chosen[0].run, chosen[0].file], second: [chosen[1].run, chosen[1].file] }, "comparing");
    if (!isLatest()) return;
    fill(place.views, shown, figure(`/blobs/${found.png}`, "right − left"));
    place.told.textContent = `L∞ ${number(found.linf)}, L2 ${number(found.l2)} grey levels; drawn ${number(found.gain)} times as strong, grey where nothing differs`;
    place.views.dataset.ready = "difference";
  } catch (error) {
    if (isLatest()) place.told.textContent = error.message;
  }
});
