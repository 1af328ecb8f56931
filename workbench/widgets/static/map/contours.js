// Lines around the densest places: each encloses the named share of the points. A count on a grid, smoothed.
import { boundsOf } from "./camera.js";

export const SHARES = [0.9, 0.75, 0.5, 0.25];
const SIDE = 192, BORDER = 18, SMOOTH = 3;

function counts(xy, bounds, step) {
  const cells = new Float64Array(SIDE * SIDE);
  for (let i = 0; i < xy.length; i += 2) {
    const column = BORDER + Math.floor((xy[i] - bounds.left) / step), row = BORDER + Math.floor((xy[i + 1] - bounds.low) / step);
    cells[Math.min(column, SIDE - 1) + SIDE * Math.min(row, SIDE - 1)]++;
  }
  return cells;
}

// three running means along one direction come close to a normal curve
function smooth(cells, along, crosswise) {
  const out = new Float64Array(cells.length), width = 2 * SMOOTH + 1;
  for (let line = 0; line < SIDE; line++) {
    let sum = 0;
    for (let k = -SMOOTH; k < SIDE; k++) {
      if (k + SMOOTH < SIDE) sum += cells[line * crosswise + (k + SMOOTH) * along];
      if (k - SMOOTH - 1 >= 0) sum -= cells[line * crosswise + (k - SMOOTH - 1) * along];
      if (k >= 0) out[line * crosswise + k * along] = sum / width;
    }
  }
  return out;
}

// heights above which lie the shares of the mass
function heights(cells) {
  const sorted = Float64Array.from(cells).sort().reverse();
  const total = sorted.reduce((a, b) => a + b, 0), found = SHARES.map(() => 0);
  let sum = 0;
  for (const value of sorted) {
    SHARES.forEach((share, s) => { if (sum < share * total) found[s] = value; });
    sum += value;
  }
  return found;
}

// marching squares: pieces of the line at one height, four numbers each, in the plane
function pieces(cells, height, left, low, step) {
  const made = [];
  const cut = (a, b) => (height - a) / (b - a);
  for (let row = 0; row < SIDE - 1; row++) {
    for (let column = 0; column < SIDE - 1; column++) {
      const at = column + SIDE * row;
      const [a, b, c, d] = [cells[at], cells[at + 1], cells[at + SIDE + 1], cells[at + SIDE]];
      const crossed = [];
      if (a > height !== b > height) crossed.push([column + cut(a, b), row]);
      if (b > height !== c > height) crossed.push([column + 1, row + cut(b, c)]);
      if (d > height !== c > height) crossed.push([column + cut(d, c), row + 1]);
      if (a > height !== d > height) crossed.push([column, row + cut(a, d)]);
      for (let k = 0; k + 1 < crossed.length; k += 2) {
        const [[x, y], [u, v]] = [crossed[k], crossed[k + 1]];
        made.push(left + (x + 0.5) * step, low + (y + 0.5) * step, left + (u + 0.5) * step, low + (v + 0.5) * step);
      }
    }
  }
  return Float32Array.from(made);
}

// one list of pieces for every share, none where all points are in one place
export function contoursOf(xy) {
  const bounds = boundsOf(xy);
  const side = Math.max(bounds.right - bounds.left, bounds.high - bounds.low);
  if (xy.length < 20 || !(side > 0)) return [];
  const step = side / (SIDE - 2 * BORDER - 1);
  let cells = counts(xy, bounds, step);
  for (let k = 0; k < 3; k++) cells = smooth(smooth(cells, 1, SIDE), SIDE, 1);
  const [left, low] = [bounds.left - BORDER * step, bounds.low - BORDER * step];
  return heights(cells).map((height) => pieces(cells, height, left, low, step));
}
