// What part of the plane is seen: a centre and pixels per unit; y points up.
export const NEAREST = 2e5, FARTHEST = 0.2; // bounds of the zoom, in map half-widths

export function boundsOf(xy) {
  let left = Infinity, right = -Infinity, low = Infinity, high = -Infinity;
  for (let i = 0; i < xy.length; i += 2) {
    const x = xy[i], y = xy[i + 1];
    if (x < left) left = x;
    if (x > right) right = x;
    if (y < low) low = y;
    if (y > high) high = y;
  }
  return xy.length ? { left, right, low, high } : { left: -1, right: 1, low: -1, high: 1 };
}

export class Camera {
  constructor() {
    Object.assign(this, { x: 0, y: 0, scale: 200, width: 1, height: 1, moved: false });
  }

  // pixels of the page, from the left upper corner, of a point of the plane; and back
  across(x) { return (x - this.x) * this.scale + this.width / 2; }
  down(y) { return (this.y - y) * this.scale + this.height / 2; }
  planeX(across) { return (across - this.width / 2) / this.scale + this.x; }
  planeY(down) { return this.y - (down - this.height / 2) / this.scale; }

  limit(scale) {
    const half = Math.min(this.width, this.height) / 2 || 1;
    return Math.min(Math.max(scale, half * FARTHEST), half * NEAREST);
  }

  fit({ left, right, low, high }, margin = 24) {
    const wide = Math.max(right - left, 1e-9), tall = Math.max(high - low, 1e-9);
    const free = (side) => Math.max(side - 2 * margin, side / 2);
    this.x = (left + right) / 2;
    this.y = (low + high) / 2;
    // a single point, or several in one place, is shown in the middle at the usual scale
    const alone = wide <= 1e-9 && tall <= 1e-9;
    this.scale = alone ? Math.min(this.width, this.height) / 2 : this.limit(Math.min(free(this.width) / wide, free(this.height) / tall));
    this.moved = false;
  }

  // whether these bounds are in sight and fill a third of it at least in one direction
  suits({ left, right, low, high }) {
    const inside = this.across(left) >= 0 && this.across(right) <= this.width && this.down(high) >= 0 && this.down(low) <= this.height;
    return inside && ((right - left) * this.scale > this.width / 3 || (high - low) * this.scale > this.height / 3);
  }

  pan(across, down) {
    this.x -= across / this.scale;
    this.y += down / this.scale;
    this.moved = true;
  }

  // the point of the plane under (across, down) stays where it is
  zoom(factor, across = this.width / 2, down = this.height / 2) {
    const x = this.planeX(across), y = this.planeY(down);
    this.scale = this.limit(this.scale * factor);
    this.x = x - (across - this.width / 2) / this.scale;
    this.y = y + (down - this.height / 2) / this.scale;
    this.moved = true;
  }

  goTo(x, y, scale = this.scale) {
    Object.assign(this, { x, y, scale: this.limit(scale), moved: true });
  }

  resize(width, height) {
    this.width = width;
    this.height = height;
  }
}
