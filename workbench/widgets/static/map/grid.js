// Points by cells of a square grid: the nearest one is found without looking at all of them.
import { boundsOf } from "./camera.js";

export class Grid {
  constructor(xy) {
    const n = xy.length / 2, bounds = boundsOf(xy);
    const side = Math.max(bounds.right - bounds.left, bounds.high - bounds.low) || 1;
    this.xy = xy;
    this.cells = Math.min(512, Math.max(1, Math.ceil(Math.sqrt(n / 2))));
    this.step = (side * 1.000001) / this.cells;
    Object.assign(this, { left: bounds.left, low: bounds.low });
    this.start = new Uint32Array(this.cells * this.cells + 1);
    this.order = new Uint32Array(n);
    const home = new Uint32Array(n);
    for (let i = 0; i < n; i++) {
      home[i] = this.column(xy[2 * i]) + this.cells * this.row(xy[2 * i + 1]);
      this.start[home[i] + 1]++;
    }
    for (let c = 0; c < this.cells * this.cells; c++) this.start[c + 1] += this.start[c];
    const next = this.start.slice(0, -1);
    for (let i = 0; i < n; i++) this.order[next[home[i]]++] = i;
  }

  clamp(k) { return k < 0 ? 0 : k >= this.cells ? this.cells - 1 : k; }
  column(x) { return this.clamp(Math.floor((x - this.left) / this.step)); }
  row(y) { return this.clamp(Math.floor((y - this.low) / this.step)); }

  // the nearest point within `reach` that `wanted` lets through, -1 where there is none; of equals the last drawn
  nearest(x, y, reach = Infinity, wanted = null) {
    const column = this.column(x), row = this.row(y);
    // how far outside of the grid the place is: rings of cells are only that much farther away
    const out = Math.max(this.left - x, x - this.left - this.cells * this.step, this.low - y, y - this.low - this.cells * this.step, 0);
    let best = -1, least = reach * reach;
    for (let ring = 0; ring < this.cells; ring++) {
      const near = Math.max((ring - 1) * this.step, out);
      if (near * near > least) break;
      for (let r = row - ring; r <= row + ring; r++) {
        if (r < 0 || r >= this.cells) continue;
        const whole = r === row - ring || r === row + ring;
        for (let c = column - ring; c <= column + ring; c += whole ? 1 : Math.max(2 * ring, 1)) {
          if (c < 0 || c >= this.cells) continue;
          const cell = c + this.cells * r;
          for (let k = this.start[cell]; k < this.start[cell + 1]; k++) {
            const i = this.order[k];
            const dx = this.xy[2 * i] - x, dy = this.xy[2 * i + 1] - y, far = dx * dx + dy * dy;
            if (far <= least && (far < least || i > best) && (!wanted || wanted(i))) [best, least] = [i, far];
          }
        }
      }
    }
    return best;
  }
}
