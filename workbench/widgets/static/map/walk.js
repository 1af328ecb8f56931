// From point to point by keyboard: on to the nearest one not yet visited, and back along the way.
export class Walk {
  constructor() {
    this.reset();
  }

  reset() {
    this.way = [];
    this.place = -1;
    this.visited = new Set();
  }

  get here() {
    return this.place < 0 ? -1 : this.way[this.place];
  }

  // the nearest point not yet visited; from (x, y) where the walk has not begun
  on(grid, xy, x, y) {
    if (this.place < this.way.length - 1) return this.way[++this.place];
    const from = this.here;
    const found = from < 0 ? grid.nearest(x, y) : grid.nearest(xy[2 * from], xy[2 * from + 1], Infinity, (i) => !this.visited.has(i));
    return this.to(found);
  }

  back() {
    if (this.place > 0) this.place--;
    return this.here;
  }

  // the walk goes on from this point
  to(point) {
    if (point < 0) return -1;
    this.way = [...this.way.slice(0, this.place + 1), point];
    this.place = this.way.length - 1;
    this.visited.add(point);
    return point;
  }
}
