// A map's other half where no kernel runs: answers what the map's page asks, as Map in Python does.
export function bytesOf(base64) {
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
}

// ids in the form in which a page sends them: four bytes each, or one bit for every point
export function idsSent(content, buffer, n) {
  if (content.form === "ids") return new Uint32Array(buffer);
  const bits = new Uint8Array(buffer), ids = new Uint32Array(content.count);
  for (let i = 0, k = 0; i < n; i++) if (bits[i >> 3] & (1 << (i & 7))) ids[k++] = i;
  return ids;
}

export class Offline {
  // data: head, buffers, kinds, kindOf (base64) of one map; texts: a list or null
  constructor(data, texts) {
    Object.assign(this, { head: data.head, kinds: data.kinds, texts, ears: new Set(), group: null });
    this.buffers = data.buffers.map(bytesOf);
    this.kindOf = new Uint32Array(bytesOf(data.kindOf).buffer);
    this.chosen = new Uint32Array(this.buffers[3].slice().buffer);
  }

  get(name) {
    return name === "summary" ? this.head.title : "";
  }

  on(name, hear) {
    if (name === "msg:custom") this.ears.add(hear);
  }

  off(_name, hear) {
    this.ears.delete(hear);
  }

  send(content, _callbacks, buffers) {
    const answer = {
      ready: () => this.tell({ kind: "all", ...this.head }, this.buffers),
      ping: () => this.tell({ kind: "pong" }),
      hover: () => this.heardHover(content.point),
      select: () => this.heardSelection(idsSent(content, buffers[0], this.head.n)),
    }[content.kind];
    if (answer) queueMicrotask(answer);
  }

  tell(message, buffers = []) {
    for (const hear of this.ears) hear(message, buffers);
  }

  heardHover(point) {
    this.tell({ kind: "text", point, ...(point < 0 ? {} : this.note(point)) });
    this.group.hovered(this, point);
  }

  heardSelection(ids) {
    this.tell({ kind: "heard" });
    this.group.selected(this, ids);
  }

  note(point) {
    const value = this.kinds[this.kindOf[point]];
    return { ...(this.texts ? { text: this.texts[point] } : {}), ...(value === undefined ? {} : { value }) };
  }

  // what is selected when the page is opened
  start(ids) {
    this.chosen = ids;
    this.buffers[3] = new Uint8Array(ids.slice().buffer);
  }

  // what is pointed at, or selected, in another map of the group
  ring(point) {
    this.tell({ kind: "hovered", point });
  }

  choose(ids) {
    this.tell({ kind: "selection" }, [new Uint8Array(ids.slice().buffer)]);
  }
}
