// The page's half of Map: draws what Python sends, and tells Python what was selected or pointed at.
import { contoursOf } from "./contours.js";
import { Gestures } from "./gestures.js";
import { keepKeys, onKey } from "./keys.js";
import { drawLegend } from "./legend.js";
import { drawOver } from "./overlay.js";
import { nameSliders } from "./names.js";
import { counted, typed, write } from "./page.js";
import { Pointing } from "./pointing.js";
import { idsOf, marked, packed, pointsInside } from "./region.js";
import { Scene } from "./scene.js";
import { shell } from "./shell.js";
import { Talk } from "./talk.js";
import { Toolbar } from "./toolbar.js";

const NONE = { form: "none", name: "", kinds: [], missing: 0, tints: { light: ["#0072B2"], dark: ["#56B4E9"] } };

class MapView {
  constructor(model, el) {
    this.data = { n: 0, xy: new Float32Array(0), codes: new Uint8Array(0), sizes: null, marks: new Uint8Array(0), chosen: 0, legend: NONE };
    this.data.before = this.data.xy;
    this.focus = { hovered: -1, walked: -1, contours: null, outline: null };
    this.toolbar = new Toolbar((name) => this.tool(name));
    this.parts = shell(this.toolbar);
    this.mode = "pan";
    el.append(this.parts.root);
    document.head.append(this.parts.hidden);
    this.scene = new Scene(this.parts.root, this.parts.place, this.data, (scene) => this.over(scene));
    this.talk = new Talk(model, (message, buffers) => this.hear(message, buffers), (quiet) => this.quiet(quiet));
    const act = { select: (ids, how) => this.select(ids, how), moved: () => this.moved() };
    this.pointing = new Pointing(this.scene, this.parts, this.talk, this.focus, act);
    this.gestures = new Gestures(this.scene.over, this.answers());
    this.scene.over.addEventListener("keydown", (event) => onKey(event, this.acts()));
    this.freeKeys = keepKeys(this.parts.root);
    this.freeNames = nameSliders(el);
    this.setMode("pan");
    this.talk.ask({ kind: "ready" });
  }

  answers() {
    return {
      camera: () => this.scene.camera,
      mode: () => this.mode,
      outline: (outline) => { this.focus.outline = outline; this.scene.ask(); },
      picked: (outline, how) => this.pick(outline, how),
      clicked: (across, down, how) => this.pointing.click(across, down, how),
      hovered: (across, down) => this.pointing.hoverSoon(across, down),
      left: () => this.pointing.hover(-1),
      moved: () => this.moved(),
      hint: () => this.hint(),
    };
  }

  acts() {
    return {
      pan: (across, down) => { this.scene.camera.pan(across, down); this.moved(); },
      zoom: (factor) => { this.scene.camera.zoom(factor); this.moved(); },
      tool: (name) => this.tool(name),
      walk: (back) => this.pointing.step(back),
      choose: (how) => { if (this.focus.walked >= 0) this.select([this.focus.walked], how); },
      escape: () => this.escape(),
    };
  }

  // what Python says
  hear(message, buffers) {
    const { data, scene } = this, act = {
      all: () => this.hearAll(message, buffers),
      points: () => this.setPoints(typed(Float32Array, buffers[0]), message.frame),
      move: () => { this.pointing.reset(); scene.movePoints(typed(Uint32Array, buffers[0]), typed(Float32Array, buffers[1])); },
      colour: () => this.setColour(message.legend, typed(Uint8Array, buffers[0])),
      sizes: () => { data.sizes = message.sized ? typed(Uint8Array, buffers[0]) : null; scene.ask(); },
      selection: () => this.setMarks(marked(data.n, data.marks, typed(Uint32Array, buffers[0]), "replace")),
      hovered: () => { this.focus.hovered = message.point; scene.ask(); },
      camera: () => this.goTo(message.camera),
      text: () => this.pointing.notes.answer(message),
      marks: () => this.hide(message.marks),
      title: () => this.setTitle(message.title),
    }[message.kind];
    if (act) act();
  }

  hearAll(message, buffers) {
    const { data, parts, scene } = this;
    parts.root.style.setProperty("--wb-height", `${message.height}px`);
    Object.assign(data, { n: message.n, known: true });
    data.sizes = message.sized ? typed(Uint8Array, buffers[2]) : null;
    data.codes = typed(Uint8Array, buffers[1]);
    data.legend = message.legend;
    data.xy = data.before = typed(Float32Array, buffers[0]);
    this.frame = message.frame;
    this.pointing.reset();
    scene.known = null;
    scene.ringMoved(message.moved ?? []);
    scene.resize();
    if (message.camera) this.goTo(message.camera);
    else if (!scene.camera.moved) scene.fit();
    this.setColour(message.legend, data.codes);
    this.setMarks(marked(data.n, data.marks, typed(Uint32Array, buffers[3]), "replace"));
    this.setTitle(message.title);
    this.hide(message.marks);
    parts.empty.hidden = data.n > 0;
  }

  setPoints(xy, frame) {
    const same = frame.every((v, k) => v === this.frame[k]);
    this.frame = frame;
    this.pointing.reset();
    if (!same) this.scene.camera.moved = false;
    this.scene.setPoints(xy, same);
    if (this.focus.contours) this.focus.contours = contoursOf(xy);
  }

  setColour(legend, codes) {
    this.data.legend = legend;
    this.data.codes = codes;
    this.pointing.notes.forget();
    this.scene.retint();
    this.tinted = null;
  }

  setMarks(marks) {
    const ids = idsOf(marks);
    Object.assign(this.data, { marks, chosen: ids.length });
    this.toolbar.allowClear(ids.length > 0);
    this.describe();
    this.scene.ask();
    return ids;
  }

  setTitle(title) {
    this.title = title;
    write(this.parts.title, title);
    this.describe();
  }

  // what the page says about itself, and its names for those who do not see it
  describe() {
    const { n, chosen, legend } = this.data, of = legend.name ? `, coloured by ${legend.name}` : "";
    const selected = chosen ? `${chosen.toLocaleString("en")} of ${counted(n)} selected` : `${counted(n)}, none selected`;
    write(this.parts.status, selected);
    this.parts.root.setAttribute("aria-label", this.title || "Map of points");
    this.scene.over.setAttribute("aria-label", `${this.title || "Map"}: ${counted(n)}${of}. ${selected}. N walks from point to point.`);
  }

  // what the reader does
  select(ids, how) {
    const marks = marked(this.data.n, this.data.marks, ids, how), chosen = this.setMarks(marks);
    const { form, buffer } = packed(marks, chosen);
    this.talk.ask({ kind: "select", form, count: chosen.length }, [buffer]);
  }

  pick(outline, how) {
    const camera = this.scene.camera;
    this.select(pointsInside(this.data.xy, outline.map(([x, y]) => [camera.planeX(x), camera.planeY(y)])), how);
  }

  kind(code, how, label) {
    const { codes } = this.data, ids = new Uint32Array(codes.length);
    let count = 0;
    for (let i = 0; i < codes.length; i++) if (codes[i] === code) ids[count++] = i;
    this.select(ids.subarray(0, count), how);
    write(this.parts.said, `${label}: ${this.parts.status.textContent}`);
  }

  tool(name) {
    if (["pan", "lasso", "box"].includes(name)) return this.setMode(name);
    ({
      closer: () => this.acts().zoom(1.5),
      farther: () => this.acts().zoom(1 / 1.5),
      fit: () => { this.scene.fit(); this.moved(false); },
      clear: () => this.select([], "replace"),
      contours: () => {
        this.focus.contours = this.focus.contours ? null : contoursOf(this.data.xy);
        this.toolbar.press("contours", Boolean(this.focus.contours));
        this.scene.ask();
      },
    })[name]();
  }

  setMode(mode) {
    this.mode = mode;
    this.toolbar.setMode(mode);
    this.parts.root.dataset.mode = mode;
  }

  escape() {
    if (this.gestures.cancel()) return;
    if (this.mode !== "pan") this.setMode("pan");
    else if (this.data.chosen) this.tool("clear");
    this.pointing.forget();
  }

  // the camera in the units of the data: centre, and pixels of the page per unit; null: all points are shown
  moved(byHand = true) {
    const { camera } = this.scene, [x, y, half] = this.frame ?? [0, 0, 1];
    camera.moved = byHand;
    this.parts.tip.hidden = true;
    this.scene.ask();
    clearTimeout(this.telling);
    this.telling = setTimeout(() => this.talk.tell({ kind: "camera", camera: [x + half * camera.x, y + half * camera.y, camera.scale / half], fitted: !byHand }), 150);
  }

  goTo(place) {
    const [x, y, half] = this.frame;
    if (place) this.scene.camera.goTo((place[0] - x) / half, (place[1] - y) / half, place[2] * half);
    else this.scene.fit();
    this.scene.ask();
  }

  hint() {
    this.parts.hint.hidden = false;
    clearTimeout(this.hinting);
    this.hinting = setTimeout(() => { this.parts.hint.hidden = true; }, 1500);
  }

  // the picture for saved notebooks stands beside the widget: not while this is alive
  hide(marks) {
    write(this.parts.hidden, marks.map((m) => `[data-workbench-saved="${m}"], .jp-OutputArea-child:has([data-workbench-saved="${m}"]) { display: none; }`).join("\n"));
  }

  quiet(quiet) {
    this.parts.warn.hidden = !quiet;
    write(this.parts.warn, quiet ? "The kernel does not answer: it is busy, or it was restarted. After a restart run the cell again." : "");
    if (quiet) this.parts.root.dataset.quiet = "true";
    else delete this.parts.root.dataset.quiet;
  }

  over(scene) {
    drawOver(scene, this.focus);
    if (this.tinted === scene.data.tints) return;
    this.tinted = scene.data.tints;
    drawLegend(this.parts.legend, scene.data.legend, scene.theme, (code, how, label) => this.kind(code, how, label));
  }

  leave() {
    for (const timer of [this.telling, this.hinting]) clearTimeout(timer);
    this.pointing.leave();
    this.freeKeys();
    this.freeNames();
    this.gestures.leave();
    this.scene.leave();
    this.talk.leave();
    this.parts.hidden.remove();
    this.parts.root.remove();
  }
}

export function render({ model, el }) {
  const view = new MapView(model, el);
  return () => view.leave();
}
