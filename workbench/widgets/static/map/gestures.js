// Pointer and wheel on the map: drag to move or to draw an outline, click to select, wheel to zoom.
export const REACH = 8; // pixels: how near a point must be
const CLICK = 4; // pixels: how far a click may slip

export class Gestures {
  // on: camera(), mode(), outline(points), picked(points, how), clicked(across, down, how), hovered(across, down), left(), moved(), hint()
  constructor(over, on) {
    Object.assign(this, { over, on, drag: null });
    this.ends = new AbortController();
    const listen = (name, act, more = {}) => over.addEventListener(name, act, { signal: this.ends.signal, ...more });
    listen("pointerdown", (e) => this.press(e));
    listen("pointermove", (e) => this.move(e));
    listen("pointerup", (e) => this.release(e));
    listen("pointercancel", () => this.cancel());
    listen("pointerleave", () => { if (!this.drag) on.left(); });
    listen("wheel", (e) => this.wheel(e), { passive: false });
    listen("dblclick", (e) => e.preventDefault());
  }

  at(event) {
    const box = this.over.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  how(event) {
    return event.shiftKey ? "add" : event.altKey ? "remove" : "replace";
  }

  press(event) {
    if (event.button !== 0) return;
    this.over.focus({ preventScroll: true });
    this.over.setPointerCapture(event.pointerId);
    const mode = this.on.mode(), drawn = mode === "pan" && event.shiftKey ? "lasso" : mode;
    this.drag = { kind: drawn, from: this.at(event), last: this.at(event), slipped: false, outline: [this.at(event)] };
  }

  move(event) {
    const here = this.at(event), drag = this.drag;
    if (!drag) return this.on.hovered(...here);
    drag.slipped ||= Math.hypot(here[0] - drag.from[0], here[1] - drag.from[1]) > CLICK;
    if (!drag.slipped) return;
    if (drag.kind === "pan") {
      this.on.camera().pan(here[0] - drag.last[0], here[1] - drag.last[1]);
      this.on.moved();
    } else this.on.outline(this.extended(drag, here));
    drag.last = here;
  }

  extended(drag, here) {
    const [x, y] = drag.from;
    if (drag.kind === "box") drag.outline = [[x, y], [here[0], y], here, [x, here[1]]];
    else drag.outline.push(here);
    return drag.outline;
  }

  release(event) {
    const drag = this.drag;
    this.drag = null;
    if (!drag) return;
    if (!drag.slipped) this.on.clicked(...drag.from, this.how(event));
    else if (drag.kind !== "pan") {
      const outline = this.extended(drag, this.at(event));
      this.on.outline(null);
      this.on.picked(outline, this.how(event));
    }
  }

  // true where something was being drawn
  cancel() {
    const drawing = Boolean(this.drag);
    this.drag = null;
    this.on.outline(null);
    return drawing;
  }

  // the page scrolls on under the pointer until the map was clicked
  wheel(event) {
    if (document.activeElement !== this.over && !event.ctrlKey && !event.metaKey) return this.on.hint();
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 33 : event.deltaMode === 2 ? 400 : 1;
    this.on.camera().zoom(Math.exp(-Math.max(-240, Math.min(240, event.deltaY * lines)) * 0.0022), ...this.at(event));
    this.on.moved();
  }

  leave() {
    this.ends.abort();
  }
}
