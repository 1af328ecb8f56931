// The two canvases of the map and what is drawn on them, once a frame where something has changed.
import { Camera, boundsOf } from "./camera.js";
import { CardRenderer, software } from "./gl.js";
import { PixelRenderer } from "./raster.js";
import { table, themeOf } from "./colours.js";
import { calm, tag } from "./page.js";

const MOVE = 250, MANY = 250_000; // milliseconds of a move; beyond so many points it is a jump
const TRAIL = 7; // places of a moved point that are drawn
const ENDS = ["transitionend", "transitioncancel"];

export class Scene {
  constructor(root, place, data, drawOver) {
    Object.assign(this, { root, place, data, drawOver, frame: 0, moves: 0, begun: 0, share: 1, drawn: 0 });
    this.camera = new Camera();
    this.trails = new Map();
    this.over = tag("canvas", { class: "wb-over", tabindex: "0", role: "application", "aria-roledescription": "map of points" });
    place.append(this.over);
    this.useCard();
    this.theme = themeOf(root);
    this.watchSize = new ResizeObserver(() => this.resize());
    this.watchSize.observe(place);
    // JupyterLab names a theme before its colours are there: map.css lets a change of colour end with an event
    // (cancelled where Lab hides the page for a moment, which it does after a change of theme)
    this.restyle = (event) => event.target === root && requestAnimationFrame(() => this.setTheme());
    for (const name of ENDS) root.addEventListener(name, this.restyle);
    this.resize();
  }

  newCanvas() {
    this.points?.remove();
    this.points = tag("canvas", { class: "wb-points", "aria-hidden": "true" });
    this.place.prepend(this.points);
  }

  // the graphics card where there is a real one; a canvas that had WebGL gives no other kind of context
  useCard() {
    this.newCanvas();
    const gl = this.points.getContext("webgl2", { alpha: false, antialias: false, powerPreference: "high-performance" });
    if (!gl || software(gl)) return this.usePixels();
    this.renderer = new CardRenderer(gl);
    this.root.dataset.renderer = "webgl";
    this.points.addEventListener("webglcontextlost", (event) => {
      event.preventDefault();
      if (!this.left) this.usePixels();
    });
  }

  usePixels() {
    this.newCanvas();
    this.renderer = new PixelRenderer(this.points);
    this.root.dataset.renderer = "canvas";
    if (this.theme) this.resize();
  }

  resize() {
    const width = this.place.clientWidth, height = this.place.clientHeight;
    if (!width || !height) return;
    const fine = Math.min(window.devicePixelRatio || 1, 2);
    const fitted = !this.camera.moved;
    this.fine = fine;
    for (const canvas of [this.points, this.over]) {
      canvas.width = Math.round(width * fine);
      canvas.height = Math.round(height * fine);
    }
    this.camera.resize(width, height);
    if (fitted) this.camera.fit(this.bounds());
    this.setTheme();
  }

  bounds() {
    return (this.known ??= boundsOf(this.data.xy));
  }

  setTheme() {
    this.theme = themeOf(this.root);
    this.retint();
  }

  retint() {
    if (this.data.legend) this.data.tints = table(this.data.legend, this.theme);
    this.ask();
  }

  // new places of the same points, reached in a short move where motion is wanted
  setPoints(xy, moving) {
    const data = this.data, quick = !moving || calm() || data.n > MANY || data.xy.length !== xy.length;
    data.before = quick ? xy : data.xy;
    data.xy = xy;
    this.known = null;
    this.ringMoved([...this.trails.keys()]);
    this.share = quick ? 1 : 0;
    this.begun = 0;
    if (!this.camera.moved && !this.camera.suits(this.bounds())) this.camera.fit(this.bounds());
    this.ask();
  }

  // points that were moved one by one: where each has been, the last place at the end
  ringMoved(ids) {
    this.trails = new Map(ids.map((id) => [id, [[this.data.xy[2 * id], this.data.xy[2 * id + 1]]]]));
  }

  // few points jump; those that would be out of sight are brought back, unless the reader has chosen what is seen
  movePoints(ids, places) {
    const { data, camera } = this, xy = data.xy.slice();
    ids.forEach((id, k) => {
      const place = [places[2 * k], places[2 * k + 1]], trail = this.trails.get(id) ?? [[xy[2 * id], xy[2 * id + 1]]];
      this.trails.set(id, [...trail, place].slice(-TRAIL));
      xy.set(place, 2 * id);
    });
    Object.assign(data, { xy, before: xy });
    Object.assign(this, { known: null, share: 1 });
    const inside = (x, y) => x > 0 && y > 0 && x < camera.width && y < camera.height;
    const lost = [...ids].some((id) => !inside(camera.across(xy[2 * id]), camera.down(xy[2 * id + 1])));
    if (lost && !camera.moved) camera.fit(this.bounds());
    this.ask();
  }

  fit() {
    this.camera.fit(this.bounds());
    this.ask();
  }

  ask() {
    if (!this.frame && !this.left) this.frame = requestAnimationFrame((now) => this.draw(now));
  }

  // usual diameter in pixels of the page: smaller for more points, a little larger close up
  diameter() {
    const n = this.data.n, usual = n <= 500 ? 8 : n <= 3000 ? 6 : n <= 20_000 ? 4 : n <= 300_000 ? 3 : 2;
    const closer = (this.camera.scale * 2) / Math.min(this.camera.width, this.camera.height);
    return usual * Math.min(3, Math.max(1, closer ** 0.35));
  }

  draw(now) {
    this.frame = 0;
    if (!this.place.clientWidth) return;
    if (this.share < 1) {
      this.begun ||= now - 32;
      this.share = Math.min(1, (now - this.begun) / MOVE);
      this.ask();
    }
    const { camera, fine, theme, data } = this, smooth = 1 - (1 - this.share) ** 3;
    this.renderer.draw(data, {
      ...{ x: camera.x, y: camera.y, scale: camera.scale * fine, diameter: this.diameter() * fine, share: smooth, theme },
      ...{ width: this.points.width, height: this.points.height },
    });
    if (this.share >= 1) data.before = data.xy;
    this.drawOver(this);
    if (data.known) this.root.dataset.drawn = String(++this.drawn);
  }

  leave() {
    this.left = true;
    cancelAnimationFrame(this.frame);
    this.watchSize.disconnect();
    for (const name of ENDS) this.root.removeEventListener(name, this.restyle);
    this.renderer.leave();
  }
}
