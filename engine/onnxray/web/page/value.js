// What is chosen in the graph: the node, its numbers, its channels as maps, and one cell of them on the picture.
import { ask, hushed, post } from "./api.js";
import { $, el, fill, image, number, percent, table } from "./dom.js";
import { closeGroup, goToNode } from "./graph.js";
import { addRun } from "./runs.js";
import { change, now, on, onlyLatest } from "./state.js";

const place = { head: el("div"), maps: el("div"), cell: el("div"), node: el("div") };
let shown = null;

export function startValue() {
  fill($("value"), place.head, place.maps, place.cell, place.node);
  on("node", hushed(showNode));
  on("value", hushed(showValue));
  on("picture", hushed(() => Promise.all([showNode(now.node), showValue(now.value)])));
  on("verified", hushed(() => showNode(now.node)));
  showValue(null);
}

const showNode = onlyLatest(async (isLatest, node) => {
  if (node === null || node === undefined) return fill(place.node);
  const facts = await ask("node", { model: now.model, node, picture: now.picture });
  if (!isLatest()) return undefined;
  const attributes = facts.attributes.map((one) => [one.name, one.value]);
  const sized = (name, one) => el("span", {}, name, el("span", { class: "soft", text: `  ${one.shape || "?"} ${one.dtype}` }));
  const inputs = facts.inputs.map((one) => [one.kind === "weight" ? "weight" : "input", sized(one.node === null ? el("code", { text: one.name }) : link(one), one)]);
  const outputs = facts.outputs.flatMap((one) => [["output", sized(el("button", { class: "link", type: "button", onclick: () => change({ value: one.name }) }, one.name), one)],
    ...numbers(one), ...verdict(one.name)]);
  fill(place.node,
    el("h2", {}, el("span", { text: facts.operator }), facts.domain ? el("span", { class: "soft", text: ` ${facts.domain}` }) : null),
    el("p", { class: "name" }, el("code", { text: facts.name || "without a name" })),
    facts.around.length ? el("p", { class: "around" }, facts.around.map((one) => el("button", { type: "button", title: "Close this group", onclick: () => closeGroup(one.key) }, `${one.label} ×`))) : null,
    table([...outputs, ...inputs], "Outputs and inputs"),
    attributes.length ? el("h2", { text: "Attributes" }) : null,
    attributes.length ? table(attributes, "Attributes") : null);
  $("value").dataset.node = String(node);
  return undefined;
});

const link = (one) => el("button", { class: "link", type: "button", onclick: () => goToNode(one.node, one.name) }, one.name);

function numbers(output) {
  if (!output.numbers) return [];
  return [["first numbers", output.numbers.reason ?? `${output.numbers.first.join(", ")} …`]];
}

function verdict(name) {
  const found = now.verified.get(name);
  return found ? [["verified", `${found.verdict}, relative difference ${number(found.relative)}`]] : [];
}

const showValue = onlyLatest(async (isLatest, value) => {
  shown = null;
  fill(place.cell);
  if (!value) {
    fill(place.head, el("p", { class: "soft", text: "Choose a node in the graph, or search for one." }));
    return fill(place.maps);
  }
  fill(place.head, el("h2", { class: "name" }, el("code", { text: value })));
  if (!now.picture) return fill(place.maps, el("p", { class: "soft", text: "With a picture, its channels would be shown here." }));
  let found;
  try {
    found = await ask("value", { model: now.model, value, picture: now.picture });
  } catch (error) {
    if (isLatest()) fill(place.maps, el("p", { class: "warning", text: error.message }));
    return undefined;
  }
  if (!isLatest()) return undefined;
  shown = found;
  const s = found.statistics;
  const field = found.field?.size ? `a unit sees ${found.field.size.join(" × ")} pixels` : found.field?.reason ?? "";
  fill(place.head,
    el("h2", { class: "name" }, el("code", { text: found.value })),
    el("p", { class: "soft", text: `${found.shape.join(" × ")} ${found.dtype}${field ? ` · ${field}` : ""}` }),
    el("div", { class: "numbers" }, s.reason ? el("p", { text: s.reason }) : [
      ["least", number(s.least)], ["most", number(s.most)], ["mean", number(s.mean)], ["deviation", number(s.deviation)], ["zeros", percent(s.zeros)],
    ].map(([name, text]) => el("div", {}, el("span", { class: "soft", text: name }), el("strong", { text }))), histogram(found.histogram)));
  fill(place.maps, found.reason ? el("p", { class: "soft note", text: found.reason }) : null, found.png ? tiles(found) : bars(found));
  $("value").dataset.ready = found.value;
  return undefined;
});

function histogram(counts) {
  if (!counts) return null;
  const most = Math.max(...counts.counts, 1);
  const told = `Histogram from ${number(counts.from)} to ${number(counts.to)}; heights by the square root of the counts, at most ${number(most)}`;
  const canvas = el("canvas", { width: 192, height: 44, role: "img", class: "histogram", title: told, "aria-label": told });
  const pen = canvas.getContext("2d");
  pen.fillStyle = getComputedStyle(document.documentElement).getPropertyValue("--accent");
  counts.counts.forEach((count, k) => pen.fillRect(k * 6, 44 - 43 * Math.sqrt(count / most), 5, 43 * Math.sqrt(count / most)));
  return canvas;
}

function tiles(found) {
  const { width, height, columns } = found.tile;
  const picture = image(`/blobs/${found.png}`, `Channels of ${found.value}, strongest first`, { class: "tiles", width: width * columns });
  const told = el("p", { class: "soft", "aria-live": "polite", text: `${number(found.count)} channels, strongest first. Click a cell: what it sees, and what moves it.` });
  const at = (event) => {
    const frame = picture.getBoundingClientRect();
    const [x, y] = [(event.clientX - frame.left) / frame.width * picture.naturalWidth, (event.clientY - frame.top) / frame.height * picture.naturalHeight];
    const k = Math.floor(y / height) * columns + Math.floor(x / width);
    const cell = (place, length, count) => Math.min(Math.floor(place % length / (length - found.tile.line) * count), count - 1);
    return { k, row: cell(y, height, found.rows), column: cell(x, width, found.columns) };
  };
  picture.addEventListener("pointermove", (event) => {
    const { k, row, column } = at(event);
    const one = found.channels[k];
    if (one) told.textContent = `channel ${one.channel}, strength ${number(one.strength)}, cell ${row}, ${column}`;
  });
  picture.addEventListener("click", (event) => {
    const { k, row, column } = at(event);
    if (found.channels[k]) showCell(found.channels[k].channel, row, column);
  });
  return [told, el("div", { class: "sheet" }, picture), chooser(found)];
}

function chooser(found) {  // the same for keyboards
  const channel = el("select", { "aria-label": "Channel" }, found.channels.map((one) => el("option", { value: String(one.channel), text: `channel ${one.channel}  (${number(one.strength)})` })));
  const row = el("input", { type: "number", min: 0, max: found.rows - 1, "aria-label": "Row" });
  const column = el("input", { type: "number", min: 0, max: found.columns - 1, "aria-label": "Column" });
  const peak = () => { [row.value, column.value] = found.channels.find((one) => one.channel === Number(channel.value)).peak.map(String); };
  channel.addEventListener("change", peak);
  peak();
  return el("form", { class: "line", onsubmit(event) {
    event.preventDefault();
    showCell(Number(channel.value), Number(row.value), Number(column.value));
  } }, channel, row, column, el("button", { text: "Look at this cell" }));
}

function bars(found) {
  if (!found.channels.length) return null;
  const most = Math.max(...found.channels.map((one) => Math.abs(one.strength)), 1e-30);
  return el("table", { class: "classes", "aria-label": "Largest numbers" }, el("tbody", {}, found.channels.slice(0, 12).map((one) => el("tr", {},
    el("th", { scope: "row" }, el("button", { class: "link", type: "button", onclick: () => showCell(one.channel, 0, 0) }, `channel ${one.channel}`)),
    el("td", { class: "bar" }, el("meter", { min: "0", max: "1", value: Math.abs(one.strength) / most, "aria-label": `channel ${one.channel}` })),
    el("td", { class: "figure", text: number(one.strength) })))));
}

const showCell = hushed(onlyLatest(async (isLatest, channel, row, column) => {
  const of = shown;
  const found = await ask("cell", { model: now.model, value: of.value, picture: now.picture, channel, row, column });
  if (!isLatest() || shown !== of) return;
  const box = found.box && found.size ? el("div", { class: "field-box", role: "img", "aria-label": `sees rows ${found.box[0]} to ${found.box[2]}, columns ${found.box[1]} to ${found.box[3]}` }) : null;
  if (box) {
    const [top, left, bottom, right] = found.box;
    const [high, wide] = found.size;
    Object.assign(box.style, { top: `${100 * top / high}%`, left: `${100 * left / wide}%`, height: `${100 * (bottom - top) / high}%`, width: `${100 * (right - left) / wide}%` });
  }
  const sees = found.box ? `sees rows ${found.box[0]}–${found.box[2] - 1}, columns ${found.box[1]}–${found.box[3] - 1} (the frame${found.inside ? ", beside it alone" : ""})` : found.reason ?? "";
  fill(place.cell,
    el("h2", { text: `channel ${channel}${of.rows ? `, row ${row}, column ${column}` : ""} = ${number(found.number)}` }),
    found.png ? el("figure", { class: found.inside ? "" : "cell" }, el("div", { class: found.inside ? "pair" : "" },
      el("div", { class: "frame" }, el("div", { class: "over" }, image(`/blobs/${found.png}`, "What moves this cell"), box)),
      found.inside ? el("div", { class: "frame" }, image(`/blobs/${found.inside}`, "The same within what the cell sees")) : null),
      el("figcaption", { text: `${sees}. ${found.span ? `Colours: the cell's derivative by each pixel; blue raises it, red lowers it (at most ${number(found.span)} a grey level)${found.rounded ? "; quantising on the way is passed over, as if nothing were rounded" : ""}.` : "Its derivative is zero everywhere: no small change of a pixel moves it."}` })) : el("p", { class: "soft", text: found.reason }),
    el("button", { type: "button", text: "Maximise this channel", title: "Make a picture that this channel answers to most", onclick: () => maximise(channel) }));
  $("value").dataset.cell = `${channel},${row},${column}`;
}));

const maximise = hushed(async (channel) => {
  addRun(await post("/runs", { path: ["visualize", "maximize"], model: now.model, target: `${shown.value}:${channel}`, options: {} }, "starting"));
  change({ tab: "runs" });
});
