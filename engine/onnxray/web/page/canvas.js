// The drawing of the graph on one canvas: what is seen alone is drawn; mouse, fingers and keys move over it.

const HEIGHT = 42;
const KINDS = [
  [/conv/i, "--conv"], [/relu|sigmoid|tanh|gelu|elu|clip|swish|softplus|erf/i, "--act"], [/pool|reduce|argmax/i, "--pool"],
  [/norm|lrn/i, "--norm"], [/gemm|matmul|attention|lstm|gru/i, "--dense"], [/quant/i, "--quant"],
  [/add|sum|concat|mul|sub|div/i, "--join"],
];

export class Canvas {
  constructor(canvas, { chosen, opened }) {
    Object.assign(this, { canvas, chosen, opened, parts: [], edges: [], byKey: new Map(), view: { x: 0, y: 0, k: 1 } });
    Object.assign(this, { lights: new Set(), selected: null, pointers: new Map(), pending: false, touched: false });
    this.restyle();
    new ResizeObserver(() => this.resize()).observe(canvas);
    canvas.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    for (const name of ["pointerdown", "pointermove", "pointerup", "pointercancel"]) {
      canvas.addEventListener(name, (event) => this[name](event));
    }
    canvas.addEventListener("dblclick", (event) => this.withPart(event, (part) => this.opened(part)));
    canvas.addEventListener("keydown", (event) => this.key(event));
  }

  restyle() {
    const style = getComputedStyle(document.documentElement);
    const names = ["--page", "--panel", "--ink", "--soft", "--rule", "--accent", "--lit", "--plain", ...KINDS.map(([, name]) => name)];
    this.colours = Object.fromEntries(names.map((name) => [name, style.getPropertyValue(name).trim()]));
    this.draw();
  }

  show({ parts, edges }, { keep }) {
    const anchor = keep && this.selected ? this.byKey.get(this.selected) : null;
    this.parts = parts;
    this.byKey = new Map(parts.map((part) => [part.key, part]));
    this.rows = [...parts].sort((a, b) => a.y - b.y);
    this.edges = edges.map(([a, b, bends]) => {
      const way = [[parts[a].x, parts[a].y + HEIGHT / 2], ...bends, [parts[b].x, parts[b].y - HEIGHT / 2]];
      const [xs, ys] = [way.map(([x]) => x), way.map(([, y]) => y)];
      return { from: parts[a].key, to: parts[b].key, way, left: Math.min(...xs), right: Math.max(...xs), top: Math.min(...ys), bottom: Math.max(...ys) };
    });
    this.width = Math.max(...parts.map((part) => part.x + part.width / 2), 1);
    this.height = Math.max(...parts.map((part) => part.y), 1);
    const same = anchor && this.byKey.get(anchor.key);
    if (same) {
      this.view.x += (anchor.x - same.x) * this.view.k;
      this.view.y += (anchor.y - same.y) * this.view.k;
    } else if (!keep || parts.length < 3) this.touched = false;
    if (!this.touched && !same) this.begin();
    this.draw();
  }

  begin() {  // all of it where that can be read, else from the top
    const { clientWidth: wide, clientHeight: high } = this.canvas;
    const all = Math.min(1, (wide - 40) / this.width, (high - 60) / (this.height + HEIGHT));
    const k = all >= 0.7 ? all : Math.min(0.9, Math.max(0.7, (wide - 40) / this.width));
    const top = this.rows?.[0];
    this.view = { k, x: this.width * k < wide ? (wide - this.width * k) / 2 : wide / 2 - (top?.x ?? 0) * k, y: 40 };
  }

  fit() {
    const { clientWidth: wide, clientHeight: high } = this.canvas;
    const k = Math.min(1.2, (wide - 40) / this.width, (high - 60) / (this.height + HEIGHT));
    this.view = { k, x: (wide - this.width * k) / 2, y: (high - this.height * k) / 2 };
    this.draw();
  }

  lit(keys, selected) {
    this.lights = keys;
    if (selected || keys.size === 0) this.selected = selected;
    this.draw();
  }

  goTo(key) {
    const part = this.byKey.get(key);
    if (!part) return;
    this.selected = key;
    const { clientWidth: wide, clientHeight: high } = this.canvas;
    const [x, y] = [part.x * this.view.k + this.view.x, part.y * this.view.k + this.view.y];
    if (x < 60 || y < 40 || x > wide - 60 || y > high - 40) {
      this.view.k = Math.max(this.view.k, 0.7);
      this.view.x = wide / 2 - part.x * this.view.k;
      this.view.y = high / 2 - part.y * this.view.k;
      this.touched = true;
    }
    this.draw();
  }

  resize() {
    const scale = devicePixelRatio || 1;
    this.canvas.width = Math.round(this.canvas.clientWidth * scale);
    this.canvas.height = Math.round(this.canvas.clientHeight * scale);
    if (!this.touched && this.parts.length) this.begin();
    this.draw();
  }

  draw() {
    if (this.pending || !this.parts.length) return;
    this.pending = true;
    requestAnimationFrame(() => { this.pending = false; this.paint(); });
  }

  paint() {
    const [pen, scale, colour] = [this.canvas.getContext("2d"), devicePixelRatio || 1, this.colours];
    const { x, y, k } = this.view;
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.clearRect(0, 0, this.canvas.clientWidth, this.canvas.clientHeight);
    const seen = { left: -x / k, top: -y / k, right: (this.canvas.clientWidth - x) / k, bottom: (this.canvas.clientHeight - y) / k };
    pen.translate(x, y);
    pen.scale(k, k);
    const near = (one) => one.right >= seen.left && one.left <= seen.right && one.bottom >= seen.top && one.top <= seen.bottom;
    const bright = (edge) => this.lights.has(edge.from) && this.lights.has(edge.to);
    for (const lights of [false, true]) {
      pen.strokeStyle = lights ? colour["--lit"] : colour["--plain"];
      pen.lineWidth = lights ? 2.4 : Math.max(1, 0.7 / k);
      pen.beginPath();
      for (const edge of this.edges) if (near(edge) && bright(edge) === lights) line(pen, edge.way, k < 0.25);
      pen.stroke();
    }
    let drawn = 0;
    for (let at = this.first(seen.top - HEIGHT); at < this.rows.length && this.rows[at].y < seen.bottom + HEIGHT; at++) {
      const part = this.rows[at];
      if (part.x + part.width / 2 < seen.left || part.x - part.width / 2 > seen.right) continue;
      this.box(pen, part, k);
      drawn++;
    }
    this.canvas.dataset.drawn = String(drawn);
  }

  first(top) {  // the first row that reaches below
    let [low, high] = [0, this.rows.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.rows[middle].y < top) low = middle + 1; else high = middle;
    }
    return low;
  }

  box(pen, part, k) {
    const colour = this.colours;
    const [left, top, group] = [part.x - part.width / 2, part.y - HEIGHT / 2, part.kind === "group"];
    const end = part.kind === "input" || part.kind === "output";
    const own = end ? "--accent" : group ? "--soft" : (KINDS.find(([words]) => words.test(part.title)) ?? [0, "--plain"])[1];
    if (k < 0.25) {  // from afar: thousands of plain boxes in the colours of their operators
      pen.fillStyle = this.lights.has(part.key) ? colour["--lit"] : colour[own];
      return pen.fillRect(left, top, part.width, HEIGHT);
    }
    pen.beginPath();
    pen.roundRect(left, top, part.width, HEIGHT, end ? HEIGHT / 2 : 6);
    pen.fillStyle = this.lights.has(part.key) ? colour["--panel"] : colour["--page"];
    pen.fill();
    const chosen = part.key === this.selected;
    pen.strokeStyle = chosen ? colour["--accent"] : this.lights.has(part.key) ? colour["--lit"] : colour["--rule"];
    pen.lineWidth = chosen ? 3 : this.lights.has(part.key) ? 2 : 1.2;
    pen.setLineDash(group ? [5, 3] : []);
    pen.stroke();
    pen.setLineDash([]);
    if (!end) {
      pen.fillStyle = colour[own];
      pen.fillRect(left + 1.5, top + 8, 4, HEIGHT - 16);
    }
    if (k < 0.32) return undefined;
    pen.fillStyle = colour["--ink"];
    pen.textBaseline = "middle";
    pen.font = `${group || end ? 600 : 500} 13px system-ui, sans-serif`;
    pen.fillText(cut(part.title, (part.width - (group ? 34 : 22)) / 7.2), left + 13, part.text ? part.y - 8 : part.y);
    pen.fillStyle = colour["--soft"];
    pen.font = "11px system-ui, sans-serif";
    if (part.text) pen.fillText(cut(part.text, (part.width - 22) / 5.9), left + 13, part.y + 9);
    if (group) pen.fillText("+", left + part.width - 18, part.y - 8);
    return undefined;
  }

  at(event) {
    const frame = this.canvas.getBoundingClientRect();
    return [(event.clientX - frame.left - this.view.x) / this.view.k, (event.clientY - frame.top - this.view.y) / this.view.k];
  }

  withPart(event, work) {
    const [x, y] = this.at(event);
    const part = this.parts.find((one) => Math.abs(one.x - x) <= one.width / 2 && Math.abs(one.y - y) <= HEIGHT / 2);
    if (part) work(part, x, y);
  }

  zoom(factor, x, y) {
    const k = Math.min(3, Math.max(0.02, this.view.k * factor));
    this.view.x = x - (x - this.view.x) * k / this.view.k;
    this.view.y = y - (y - this.view.y) * k / this.view.k;
    this.view.k = k;
    this.touched = true;
    this.draw();
  }

  wheel(event) {
    event.preventDefault();
    const frame = this.canvas.getBoundingClientRect();
    if (event.ctrlKey || !event.deltaX) return this.zoom(Math.exp(-event.deltaY / 400), event.clientX - frame.left, event.clientY - frame.top);
    return this.move(-event.deltaX, -event.deltaY);
  }

  move(x, y) {
    this.view.x += x;
    this.view.y += y;
    this.touched = true;
    this.draw();
  }

  pointerdown(event) {
    this.canvas.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    this.moved = 0;
  }

  pointermove(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    const others = [...this.pointers].filter(([id]) => id !== event.pointerId).map(([, one]) => one);
    const [dx, dy] = [event.clientX - before.x, event.clientY - before.y];
    this.moved += Math.abs(dx) + Math.abs(dy);
    if (others.length) {
      const [other, frame] = [others[0], this.canvas.getBoundingClientRect()];
      const apart = (x, y) => Math.max(10, Math.hypot(x - other.x, y - other.y));
      this.zoom(apart(event.clientX, event.clientY) / apart(before.x, before.y), (event.clientX + other.x) / 2 - frame.left, (event.clientY + other.y) / 2 - frame.top);
    } else if (this.moved > 4) this.move(dx, dy);
    this.pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
  }

  pointerup(event) {
    this.pointers.delete(event.pointerId);
    if (this.moved > 4) return;
    this.withPart(event, (part, x) => {
      if (part.kind === "group" && x > part.x + part.width / 2 - 28) return this.opened(part);
      this.selected = part.key;
      this.draw();
      return this.chosen(part);
    });
  }

  pointercancel(event) { this.pointers.delete(event.pointerId); }

  key(event) {
    const { clientWidth: wide, clientHeight: high } = this.canvas;
    const part = this.byKey.get(this.selected);
    const next = { ArrowDown: ["from", "to"], ArrowUp: ["to", "from"] }[event.key];
    if (next && part) {
      const edge = this.edges.find((one) => one[next[0]] === part.key);
      if (edge) this.choose(edge[next[1]]);
    } else if (["ArrowLeft", "ArrowRight"].includes(event.key) && part) {
      const row = this.parts.filter((one) => one.y === part.y).sort((a, b) => a.x - b.x);
      this.choose(row[row.indexOf(part) + (event.key === "ArrowLeft" ? -1 : 1)]?.key);
    } else if (next && this.parts.length) this.choose(this.rows[0].key);
    else if (event.key === "Enter" && part) this.opened(part);
    else if (event.key === "+" || event.key === "=") this.zoom(1.25, wide / 2, high / 2);
    else if (event.key === "-") this.zoom(0.8, wide / 2, high / 2);
    else if (event.key === "0") this.fit();
    else return;
    event.preventDefault();
  }

  choose(key) {
    if (!key) return;
    this.goTo(key);
    this.chosen(this.byKey.get(key));
  }
}

function line(pen, way, straight) {
  pen.moveTo(...way[0]);
  for (let k = 1; k < way.length; k++) {
    const [[x0, y0], [x1, y1]] = [way[k - 1], way[k]];
    const bend = (y1 - y0) / 2;
    if (straight || Math.abs(x1 - x0) < 1) pen.lineTo(x1, y1);
    else pen.bezierCurveTo(x0, y0 + bend, x1, y1 - bend, x1, y1);
  }
}

const cut = (text, letters) => (text.length > letters ? `${text.slice(0, Math.max(1, Math.floor(letters) - 1))}…` : text);
