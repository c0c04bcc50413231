// The graph: fetched with its places, opened and closed by groups, searched; what is chosen lights its way.
import { ask, hushed } from "./api.js";
import { Canvas } from "./canvas.js";
import { $, el, fill, number } from "./dom.js";
import { change, now, on, onlyLatest } from "./state.js";

let canvas;
let drawn = { parts: [], edges: [], open: [] };

export function startGraph() {
  canvas = new Canvas($("drawing"), { chosen: choose, opened: toggle });
  on("facts", hushed(load));
  on("theme", () => canvas.restyle());
  on("value", hushed(light));
  on("node", (node) => { if (node !== null) reveal(node).catch(() => {}); });
  $("fit").addEventListener("click", () => canvas.fit());
  $("close-groups").addEventListener("click", hushed(() => load(now.facts, { opened: [] })));
  $("open-groups").addEventListener("click", hushed(() => load(now.facts, { everything: true })));
  startSearch();
}

const load = onlyLatest(async (isLatest, facts, how = {}) => {
  const found = await ask("graph", { model: now.model, ...how });
  if (!isLatest()) return;
  const same = how.opened !== undefined || how.around !== undefined;
  drawn = found;
  canvas.show(found, { keep: same });
  const left = found.left_out ? `; ${number(found.left_out)} more are left out: collapse some groups` : "";
  $("hint").textContent = `${number(facts.nodes)} nodes in ${number(found.parts.length)} boxes${left}`;
  $("graph").dataset.ready = String(found.parts.length);
  await light(now.value);
});

const light = onlyLatest(async (isLatest, value) => {
  if (!value) return canvas.lit(new Set(), null);
  const own = drawn.parts.find((part) => part.kind === "input" && part.value === value);
  if (own) return canvas.lit(new Set([own.key]), own.key);
  const found = await ask("way", { model: now.model, value, opened: drawn.open });
  if (!isLatest()) return;
  const shown = new Set([...found.parts, ...drawn.parts.filter((one) => one.kind === "input").map((one) => one.key)]);
  canvas.lit(shown, found.parts.at(-1) ?? null);
});

function choose(part) {
  $("spoken").textContent = `${part.title}, ${part.text}${part.kind === "group" ? ", a closed group" : ""}`;
  const node = part.key.startsWith("n") ? Number(part.key.slice(1)) : null;
  change({ node });
  change({ value: part.value });
  if (part.kind !== "group") change({ tab: "value" });
}

function toggle(part) {
  if (part.kind !== "group") return;
  hushed(load)(now.facts, { opened: [...drawn.open, part.key.slice(1)] });
}

export const closeGroup = hushed(async (key) => {
  const inside = (one) => one === key || one.startsWith(`${key}/`);
  await load(now.facts, { opened: drawn.open.filter((one) => !inside(one)) });
});

async function reveal(node) {
  if (!drawn.parts.some((part) => part.key === `n${node}`)) {
    await load(now.facts, { opened: drawn.open, around: node });
  }
  canvas.goTo(`n${node}`);
}

export function goToNode(node, value) {
  change({ node });
  if (value) change({ value, tab: "value" });
}

function startSearch() {
  const input = $("search");
  const list = $("found");
  let timer = 0;
  const hide = () => { list.hidden = true; input.setAttribute("aria-expanded", "false"); };
  const search = onlyLatest(async (isLatest) => {
    if (!input.value.trim()) return hide();
    const answer = await ask("search", { model: now.model, text: input.value });
    if (!isLatest()) return;
    fill(list, answer.found.map((one, k) => el("li", {
      role: "option", id: `found-${k}`, "aria-selected": "false", onmousedown: (event) => event.preventDefault(),
      onclick() { hide(); goToNode(one.node, one.value); },
    }, el("strong", { text: one.operator }), el("span", { text: one.name }), el("span", { class: "soft", text: one.shape }))),
      el("li", { class: "soft", role: "option", "aria-disabled": "true", "aria-selected": "false",
        text: answer.count > answer.found.length ? `${number(answer.count)} in all` : answer.count ? `${answer.count} found` : "nothing found" }));
    list.hidden = false;
    input.setAttribute("aria-expanded", "true");
    list.dataset.ready = input.value;
  });
  input.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(hushed(search), 180); });
  input.addEventListener("blur", () => setTimeout(hide, 150));
  input.addEventListener("keydown", (event) => {
    const options = [...list.querySelectorAll("[role=option]:not([aria-disabled])")];
    const at = options.findIndex((one) => one.getAttribute("aria-selected") === "true");
    if (event.key === "Escape") return hide();
    if (event.key === "Enter") return options[Math.max(at, 0)]?.click();
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step || options.length === 0) return undefined;
    event.preventDefault();
    const next = (at + step + options.length) % options.length;
    options.forEach((one, k) => one.setAttribute("aria-selected", String(k === next)));
    options[next].scrollIntoView({ block: "nearest" });
    return input.setAttribute("aria-activedescendant", options[next].id);
  });
}
