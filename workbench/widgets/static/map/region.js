// Which points lie in an outline drawn by hand, in the plane; the rule is even-odd.
export function pointsInside(xy, outline) {
  const corners = outline.length;
  if (corners < 3) return new Uint32Array(0);
  let left = Infinity, right = -Infinity, low = Infinity, high = -Infinity;
  for (const [x, y] of outline) {
    left = Math.min(left, x);
    right = Math.max(right, x);
    low = Math.min(low, y);
    high = Math.max(high, y);
  }
  const ax = Float64Array.from(outline, (c) => c[0]), ay = Float64Array.from(outline, (c) => c[1]);
  const found = new Uint32Array(xy.length / 2);
  let count = 0;
  for (let i = 0, at = 0; at < xy.length; i++, at += 2) {
    const x = xy[at], y = xy[at + 1];
    if (x < left || x > right || y < low || y > high) continue;
    let inside = false;
    for (let a = 0, b = corners - 1; a < corners; b = a++) {
      if (ay[a] > y !== ay[b] > y && x < ((ax[b] - ax[a]) * (y - ay[a])) / (ay[b] - ay[a]) + ax[a]) inside = !inside;
    }
    if (inside) found[count++] = i;
  }
  return found.slice(0, count);
}

// the new mark of every point: 1 chosen, 0 not; `how` is "replace", "add" or "remove"
export function marked(n, before, ids, how) {
  const marks = how === "replace" ? new Uint8Array(n) : before.slice();
  const value = how === "remove" ? 0 : 1;
  for (let i = 0; i < ids.length; i++) marks[ids[i]] = value;
  return marks;
}

export function idsOf(marks) {
  const ids = new Uint32Array(marks.length);
  let count = 0;
  for (let i = 0; i < marks.length; i++) if (marks[i]) ids[count++] = i;
  return ids.slice(0, count);
}

// ids as they travel: 4 bytes each, or one bit for every point where that is shorter (a server may refuse 10 MB)
export function packed(marks, ids) {
  if (ids.length * 32 <= marks.length) return { form: "ids", buffer: ids.buffer };
  const bits = new Uint8Array(Math.ceil(marks.length / 8));
  for (let k = 0; k < ids.length; k++) bits[ids[k] >> 3] |= 1 << (ids[k] & 7);
  return { form: "bits", buffer: bits.buffer };
}
