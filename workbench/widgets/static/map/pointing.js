// Which point is pointed at, by pointer or by keyboard, and the note beside it.
import { REACH } from "./gestures.js";
import { Grid } from "./grid.js";
import { write } from "./page.js";
import { showTip } from "./shell.js";
import { Notes } from "./talk.js";
import { Walk } from "./walk.js";

export class Pointing {
  // act: select(ids, how), moved()
  constructor(scene, parts, talk, focus, act) {
    Object.assign(this, { scene, parts, focus, act, data: scene.data, grid: null, walk: new Walk() });
    this.notes = new Notes(talk, (point, note) => this.note(point, note));
  }

  // the points are elsewhere
  reset() {
    this.grid = null;
    this.walk.reset();
    this.forget();
  }

  forget() {
    Object.assign(this.focus, { hovered: -1, walked: -1 });
    this.parts.tip.hidden = true;
    this.scene.ask();
  }

  near(across, down) {
    if (!this.data.n || this.scene.share < 1) return -1;
    this.grid ??= new Grid(this.data.xy);
    const camera = this.scene.camera, reach = (REACH + this.scene.diameter() / 2) / camera.scale;
    return this.grid.nearest(camera.planeX(across), camera.planeY(down), reach);
  }

  click(across, down, how) {
    const point = this.near(across, down);
    if (point < 0) return;
    this.walk.to(point);
    this.focus.walked = point;
    this.act.select([point], how);
  }

  hoverSoon(across, down) {
    this.pointer = [across, down];
    this.looking ??= requestAnimationFrame(() => {
      this.looking = null;
      this.hover(this.near(...this.pointer));
    });
  }

  hover(point) {
    if (point === this.focus.hovered) return;
    this.focus.hovered = point;
    this.scene.over.classList.toggle("wb-on", point >= 0);
    if (point < 0) this.parts.tip.hidden = true;
    this.notes.want(point);
    this.scene.ask();
  }

  step(back) {
    if (!this.data.n) return;
    const { camera } = this.scene, xy = this.data.xy;
    this.grid ??= new Grid(xy);
    const point = back ? this.walk.back() : this.walk.on(this.grid, xy, camera.x, camera.y);
    if (point < 0) return write(this.parts.said, this.walk.here < 0 ? "The walk has not begun." : "Every point was visited.");
    this.focus.walked = this.focus.hovered = point;
    const across = camera.across(xy[2 * point]), down = camera.down(xy[2 * point + 1]);
    if (across < 20 || down < 20 || across > camera.width - 20 || down > camera.height - 20) {
      camera.goTo(xy[2 * point], xy[2 * point + 1]);
      this.act.moved();
    }
    this.notes.want(point);
    this.scene.ask();
  }

  note(point, note) {
    const { camera, data } = this.scene;
    if (point !== this.focus.hovered || point >= data.n) return;
    showTip(this.parts.tip, camera, camera.across(data.xy[2 * point]), camera.down(data.xy[2 * point + 1]), note);
    if (point === this.focus.walked) write(this.parts.said, `Point ${point}. ${note.text ?? ""} ${note.value ?? ""}${data.marks[point] ? " Selected." : ""}`);
  }

  leave() {
    if (this.looking) cancelAnimationFrame(this.looking);
  }
}
