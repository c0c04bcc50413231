"use strict";
// One map on a canvas: points, thumbnails where there is room, what is listed, the one that is looked at.
const DOT = 2.5;
const CLICK = 4; // pixels that a press may move and still be a click
const REACH = 14; // pixels between a click and the picture that is meant

class MapView {
  // shared: what is the same for all maps: count, sheet, image, order, colourOf, shown, thumbs, listed, one, inks.
  constructor(canvas, layer, shared, told) {
    Object.assign(this, { canvas, layer, shared, told, scale: 1, x: 0, y: 0, path: null, waiting: false });
    this.pen = canvas.getContext("2d");
    this.fit();
    canvas.addEventListener("pointerdown", (event) => this.press(event));
    canvas.addEventListener("wheel", (event) => this.turn(event), { passive: false });
    canvas.addEventListener("keydown", (event) => this.key(event));
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  fit() {
    Object.assign(this, { scale: 0.94, x: 0.5, y: 0.5 });
    this.draw();
  }

  // Pixels a unit of the map takes, at the canvas's own size.
  unit() { return this.scale * Math.min(this.canvas.clientWidth, this.canvas.clientHeight); }

  at(place) {
    const unit = this.unit();
    const [px, py] = [this.layer.positions[2 * place], this.layer.positions[2 * place + 1]];
    return [(px - this.x) * unit + this.canvas.clientWidth / 2, (py - this.y) * unit + this.canvas.clientHeight / 2];
  }

  seen() {
    const [wide, high] = [this.canvas.clientWidth, this.canvas.clientHeight];
    return this.where((x, y) => x >= 0 && y >= 0 && x <= wide && y <= high);
  }

  where(holds) {
    const found = [];
    for (let place = 0; place < this.shared.count; place += 1) {
      if (this.shared.shown(place) && holds(...this.at(place))) found.push(place);
    }
    return found;
  }

  nearest(x, y, reach) {
    let [best, least] = [-1, reach * reach];
    for (let place = 0; place < this.shared.count; place += 1) {
      if (!this.shared.shown(place)) continue;
      const [px, py] = this.at(place);
      const far = (px - x) ** 2 + (py - y) ** 2;
      if (far <= least) [best, least] = [place, far];
    }
    return best;
  }

  zoom(by, x = this.canvas.clientWidth / 2, y = this.canvas.clientHeight / 2) {
    const unit = this.unit();
    const [dx, dy] = [x - this.canvas.clientWidth / 2, y - this.canvas.clientHeight / 2];
    const scale = Math.min(Math.max(this.scale * by, 0.2), 500);
    const factor = 1 / unit - this.scale / scale / unit;
    this.x += dx * factor;
    this.y += dy * factor;
    this.scale = scale;
    this.draw();
  }

  move(dx, dy) {
    const unit = this.unit();
    this.x -= dx / unit;
    this.y -= dy / unit;
    this.draw();
  }

  press(event) {
    const { canvas } = this;
    const lasso = event.shiftKey || this.shared.lasso;
    const begin = [event.offsetX, event.offsetY];
    let last = begin;
    let moved = false;
    canvas.setPointerCapture(event.pointerId);
    if (lasso) this.path = [begin];
    const drag = (one) => {
      moved = moved || Math.hypot(one.offsetX - begin[0], one.offsetY - begin[1]) > CLICK;
      if (!moved) return;
      if (lasso) this.path.push([one.offsetX, one.offsetY]);
      else this.move(one.offsetX - last[0], one.offsetY - last[1]);
      last = [one.offsetX, one.offsetY];
      this.draw();
    };
    const end = (one) => {
      canvas.removeEventListener("pointermove", drag);
      canvas.removeEventListener("pointerup", end);
      canvas.removeEventListener("pointercancel", end);
      const path = this.path;
      this.path = null;
      if (!moved && one.type === "pointerup") {
        const size = this.shared.thumbs ? this.side() / 2 : 0;
        const place = this.nearest(...begin, Math.max(REACH, size));
        if (place >= 0) this.told.look(place);
      } else if (path !== null && path.length > 2) {
        this.told.list(this.where((x, y) => inside(path, x, y)));
      }
      this.draw();
    };
    canvas.addEventListener("pointermove", drag);
    canvas.addEventListener("pointerup", end);
    canvas.addEventListener("pointercancel", end);
  }

  turn(event) {
    event.preventDefault();
    this.zoom(Math.exp(-event.deltaY * 0.0015), event.offsetX, event.offsetY);
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = 40;
    const done = {
      ArrowLeft: () => this.move(step, 0), ArrowRight: () => this.move(-step, 0),
      ArrowUp: () => this.move(0, step), ArrowDown: () => this.move(0, -step),
      "+": () => this.zoom(1.25), "=": () => this.zoom(1.25), "-": () => this.zoom(0.8), 0: () => this.fit(),
      n: () => this.step(1), p: () => this.step(-1), l: () => this.told.list(this.seen()),
    }[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (done === undefined) return;
    event.preventDefault();
    done();
  }

  // The next picture in view, from left to right.
  step(by) {
    const places = this.seen().sort((a, b) => this.layer.positions[2 * a] - this.layer.positions[2 * b] || a - b);
    if (places.length === 0) return;
    const now = places.indexOf(this.shared.one);
    const next = now < 0 ? (by > 0 ? 0 : places.length - 1) : (now + by + places.length) % places.length;
    this.told.look(places[next]);
  }

  side() {
    const { sheet } = this.shared;
    const most = Math.max(sheet.width, sheet.height, 24);
    return Math.min(most * Math.max(1, Math.sqrt(this.scale)), 96);
  }

  draw() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      this.paint();
    });
  }

  paint() {
    const { canvas, pen, shared } = this;
    const [wide, high] = [canvas.clientWidth, canvas.clientHeight];
    if (wide === 0 || high === 0) return;
    const dense = Math.min(window.devicePixelRatio || 1, 2);
    const [w, h] = [Math.round(wide * dense), Math.round(high * dense)];
    if (canvas.width !== w || canvas.height !== h) [canvas.width, canvas.height] = [w, h];
    pen.setTransform(dense, 0, 0, dense, 0, 0);
    pen.clearRect(0, 0, wide, high);
    const unit = this.unit();
    const { positions } = this.layer;
    const [left, top] = [wide / 2 - this.x * unit, high / 2 - this.y * unit];
    const side = this.side();
    const across = Math.ceil(wide / side) + 3;
    const taken = new Uint8Array(across * (Math.ceil(high / side) + 3));
    const pictures = shared.thumbs && shared.image.complete && shared.image.naturalWidth > 0;
    const held = [];
    let colour = null;
    for (const place of shared.order) {
      const x = positions[2 * place] * unit + left;
      const y = positions[2 * place + 1] * unit + top;
      if (x < -side || y < -side || x > wide + side || y > high + side) continue;
      if (pictures && shared.shown(place)) {
        const cell = Math.floor(x / side + 1) + across * Math.floor(y / side + 1);
        if (taken[cell] === 0) {
          taken[cell] = 1;
          held.push(place, x, y);
          continue;
        }
      }
      const own = shared.shown(place) ? shared.colourOf(place) : shared.inks.faint;
      if (own !== colour) pen.fillStyle = colour = own;
      pen.fillRect(x - DOT, y - DOT, 2 * DOT, 2 * DOT);
    }
    for (let k = 0; k < held.length; k += 3) this.thumbnail(held[k], held[k + 1], held[k + 2], side);
    this.marks();
    this.outline();
  }

  thumbnail(place, x, y, side) {
    const { pen, shared } = this;
    const { sheet } = shared;
    const most = Math.max(sheet.width, sheet.height);
    const [w, h] = [0.82 * side * sheet.width / most, 0.82 * side * sheet.height / most];
    const [sx, sy] = [(place % sheet.columns) * sheet.width, Math.floor(place / sheet.columns) * sheet.height];
    pen.fillStyle = shared.colourOf(place);
    pen.fillRect(x - w / 2 - 2, y - h / 2 - 2, w + 4, h + 4);
    pen.drawImage(shared.image, sx, sy, sheet.width, sheet.height, x - w / 2, y - h / 2, w, h);
  }

  marks() {
    const { pen, shared } = this;
    pen.lineWidth = 1.5;
    pen.strokeStyle = shared.inks.ink;
    if (shared.listed.size < 5000) for (const place of shared.listed) this.ring(...this.at(place), 6);
    if (shared.one < 0) return;
    const [x, y] = this.at(shared.one);
    pen.lineWidth = 1;
    for (const other of this.layer.near(shared.one)) {
      const [ox, oy] = this.at(other);
      pen.beginPath();
      pen.moveTo(x, y);
      pen.lineTo(ox, oy);
      pen.stroke();
      this.ring(ox, oy, 5);
    }
    pen.lineWidth = 3;
    this.ring(x, y, 11);
  }

  ring(x, y, radius) {
    this.pen.beginPath();
    this.pen.arc(x, y, radius, 0, 2 * Math.PI);
    this.pen.stroke();
  }

  outline() {
    if (this.path === null) return;
    const { pen } = this;
    pen.lineWidth = 2;
    pen.strokeStyle = this.shared.inks.ink;
    pen.beginPath();
    for (const [x, y] of this.path) pen.lineTo(x, y);
    pen.stroke();
  }
}

// Whether a point lies within a closed line: a ray from it crosses that an odd number of times.
function inside(path, x, y) {
  let odd = false;
  for (let k = 0, before = path.length - 1; k < path.length; before = k, k += 1) {
    const [ax, ay] = path[k];
    const [bx, by] = path[before];
    if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) odd = !odd;
  }
  return odd;
}
