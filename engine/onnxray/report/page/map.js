// The page around the maps: what they are coloured by, the list, the picture that is looked at and its nearest.
const MOST_ENTRIES = 300;
const MOST_LEGEND = 40;
const element = (id) => document.getElementById(id);

const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer;
const data = JSON.parse(element("data").textContent);
element("data").textContent = "";
for (const kind of ["label", "prediction"]) if (data[kind]) data[kind].of = new Int32Array(bytes(data[kind].of));
for (const layer of data.layers) {
  layer.positions = new Float32Array(bytes(layer.positions));
  layer.neighbors = new Int32Array(bytes(layer.neighbors));
  layer.distances = new Float32Array(bytes(layer.distances));
  layer.near = (place) => layer.neighbors.subarray(place * layer.k, (place + 1) * layer.k);
  layer.far = (place) => layer.distances.subarray(place * layer.k, (place + 1) * layer.k);
}
const all = Array.from({ length: data.count }, (_, place) => place);
const image = new Image();
const shared = {
  count: data.count, sheet: data.sheet, image, order: all, colourOf: () => "#888888", shown: () => true,
  thumbs: true, lasso: false, listed: new Set(), one: -1, inks: { ink: "#000000", faint: "#cccccc" },
};
const views = [];
const drawAll = () => views.forEach((view) => view.draw());

// What pictures are coloured by: names and colours of groups, and the group of each picture.
const wordOf = (kind, place) => (data[kind] && data[kind].of[place] >= 0 ? data[kind].words[data[kind].of[place]] : null);
const colourOfGroup = (place, count) =>
  count <= data.colours.length ? data.colours[place] : `hsl(${(place * 137.508) % 360} 65% ${45 + 15 * (place % 2)}%)`;

function groupsOf(kind) {
  if (kind === "correct") {
    const names = ["wrong", "correct", "no label"];
    const of = data.correct.map((one) => (one === null ? 2 : Number(one)));
    return { names, of, colours: ["#d55e00", "#0072b2", "#8a8a8a"] };
  }
  if (data[kind]) {
    const { words, of } = data[kind];
    return { names: words, of, colours: words.map((_, place) => colourOfGroup(place, words.length)) };
  }
  return null;
}

// Where a picture lies on another layer's map, as a colour: what is near there has like colours here.
function coloursOfPlaces(layer) {
  return all.map((place) => {
    const [x, y] = [layer.positions[2 * place] - 0.5, layer.positions[2 * place + 1] - 0.5];
    const hue = (Math.atan2(y, x) * 180) / Math.PI + 180;
    return `hsl(${Math.round(hue)} ${Math.round(35 + 110 * Math.min(Math.hypot(x, y), 0.5))}% 52%)`;
  });
}

function colourBy(kind) {
  const legend = element("legend");
  legend.replaceChildren();
  shared.shown = () => true;
  if (kind.startsWith("layer ")) {
    const colours = coloursOfPlaces(data.layers[Number(kind.slice(6))]);
    shared.colourOf = (place) => colours[place];
    shared.order = all;
    drawAll();
    return;
  }
  const groups = groupsOf(kind);
  if (groups === null) {
    shared.colourOf = () => data.colours[0];
    shared.order = all;
    drawAll();
    return;
  }
  shared.colourOf = (place) => (groups.of[place] < 0 ? "#8a8a8a" : groups.colours[groups.of[place]]);
  shared.order = all.slice().sort((a, b) => groups.of[a] - groups.of[b] || a - b);
  const sizes = new Array(groups.names.length).fill(0);
  for (const place of all) if (groups.of[place] >= 0) sizes[groups.of[place]] += 1;
  groups.names.forEach((name, group) => {
    if (sizes[group] === 0 || legend.childElementCount >= MOST_LEGEND) return;
    const button = document.createElement("button");
    button.type = "button";
    button.setAttribute("aria-pressed", "false");
    const square = document.createElement("i");
    square.style.backgroundColor = groups.colours[group];
    button.append(square, `${name} (${sizes[group]})`);
    button.addEventListener("click", () => {
      const alone = button.getAttribute("aria-pressed") === "false";
      for (const other of legend.querySelectorAll("button")) other.setAttribute("aria-pressed", "false");
      button.setAttribute("aria-pressed", String(alone));
      shared.shown = alone ? (place) => groups.of[place] === group : () => true;
      drawAll();
    });
    const line = document.createElement("li");
    line.append(button);
    legend.append(line);
  });
  drawAll();
}

// A picture of the sheet on a canvas of its own.
function pictureOf(place) {
  const canvas = document.createElement("canvas");
  const { width, height, columns } = data.sheet;
  [canvas.width, canvas.height] = [width, height];
  const draw = () => canvas.getContext("2d").drawImage(
    image, (place % columns) * width, Math.floor(place / columns) * height, width, height, 0, 0, width, height,
  );
  if (image.complete) draw();
  else image.addEventListener("load", draw);
  return canvas;
}

const nameOf = (place) => data.paths[place].split(/[\\/]/).pop();

function entry(place, said) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "entry";
  button.title = data.paths[place];
  button.append(pictureOf(place));
  for (const text of [nameOf(place), said]) {
    if (!text) continue;
    const line = document.createElement("span");
    line.textContent = text;
    button.append(line);
  }
  button.addEventListener("click", () => look(place));
  const item = document.createElement("li");
  item.append(button);
  return item;
}

function look(place) {
  shared.one = place;
  element("one").hidden = false;
  const facts = document.createElement("dl");
  const likely = data.probability ? data.probability[place] : null;
  for (const [name, value] of [
    ["path", data.paths[place]], ["label", wordOf("label", place)], ["prediction", wordOf("prediction", place)],
    ["probability", likely === null ? null : likely.toFixed(3)],
  ]) {
    if (value === null) continue;
    const [term, text] = [document.createElement("dt"), document.createElement("dd")];
    [term.textContent, text.textContent] = [name, value];
    facts.append(term, text);
  }
  element("picture").replaceChildren(pictureOf(place), facts);
  const near = data.layers.flatMap((layer) => {
    const heading = document.createElement("h3");
    heading.textContent = `nearest in ${layer.name} (${layer.metric}, in the original space)`;
    const list = document.createElement("ul");
    list.className = "near";
    const far = layer.far(place);
    layer.near(place).forEach((other, k) => {
      const word = wordOf("label", other) ?? wordOf("prediction", other) ?? "";
      list.append(entry(other, `${word} at ${far[k].toPrecision(3)}`.trim()));
    });
    return [heading, list];
  });
  element("near").replaceChildren(...near);
  drawAll();
}

function list(places) {
  shared.listed = new Set(places);
  const more = places.length > MOST_ENTRIES ? `; the first ${MOST_ENTRIES} are shown` : "";
  element("count").textContent = places.length === 0 ? "Nothing is listed." : `${places.length} of ${data.count} pictures${more}`;
  element("list").replaceChildren(
    ...places.slice(0, MOST_ENTRIES).map((place) => entry(place, wordOf("label", place) ?? wordOf("prediction", place))),
  );
  element("paths").value = places.map((place) => data.paths[place]).join("\n");
  element("copied").hidden = element("empty").hidden = places.length === 0;
  drawAll();
}

function inks() {
  const style = getComputedStyle(document.documentElement);
  shared.inks = { ink: style.getPropertyValue("--ink").trim(), faint: style.getPropertyValue("--rule").trim() };
  drawAll();
}

function addMap(layer, place) {
  const figure = document.createElement("figure");
  const [heading, caption, canvas] = ["h2", "figcaption", "canvas"].map((name) => document.createElement(name));
  heading.textContent = layer.name;
  caption.textContent = layer.said;
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "application");
  canvas.setAttribute("aria-label", `map of ${layer.name}: ${data.count} pictures`);
  figure.append(heading, caption, canvas);
  element("maps").append(figure);
  const view = new MapView(canvas, layer, shared, { look, list });
  views.push(view);
  if (data.layers.length > 1) {
    const [label, box] = [document.createElement("label"), document.createElement("input")];
    box.type = "checkbox";
    box.checked = true;
    box.addEventListener("change", () => {
      figure.hidden = !box.checked;
      view.draw();
    });
    label.append(box, layer.name);
    element("layers").append(label);
  }
  const option = document.createElement("option");
  [option.value, option.textContent] = [`layer ${place}`, `place in ${layer.name}`];
  return option;
}

const open = () => views.filter((view) => !view.canvas.closest("figure").hidden);
const places = data.layers.map(addMap);
const kinds = [["label", "label"], ["prediction", "prediction"], ["correct", "correct or not"]].filter(([kind]) => data[kind]);
element("colour").append(
  ...(kinds.length ? kinds : [["none", "nothing"]]).map(([kind, text]) => {
    const option = document.createElement("option");
    [option.value, option.textContent] = [kind, text];
    return option;
  }),
  ...places,
);
element("colour").addEventListener("change", (event) => colourBy(event.target.value));
element("thumbs").addEventListener("change", (event) => {
  shared.thumbs = event.target.checked;
  drawAll();
});
element("lasso").addEventListener("change", (event) => {
  shared.lasso = event.target.checked;
  for (const view of views) view.canvas.classList.toggle("lasso", shared.lasso);
});
element("closer").addEventListener("click", () => open().forEach((view) => view.zoom(1.5)));
element("further").addEventListener("click", () => open().forEach((view) => view.zoom(1 / 1.5)));
element("whole").addEventListener("click", () => open().forEach((view) => view.fit()));
element("seen").addEventListener("click", () => list([...new Set(open().flatMap((view) => view.seen()))].sort((a, b) => a - b)));
element("empty").addEventListener("click", () => list([]));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", inks);
image.addEventListener("load", drawAll);
image.src = data.sheet.url;
colourBy(element("colour").value);
inks();
