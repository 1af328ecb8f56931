// Messages between the page and the kernel. Questions that nobody answers are noticed.
const PATIENCE = 4000; // milliseconds

export class Talk {
  constructor(model, hear, silent) {
    Object.assign(this, { model, silent, waiting: 0, timer: 0, quiet: false });
    this.view = Math.random().toString(36).slice(2);
    this.heard = (message, buffers) => {
      clearTimeout(this.timer);
      this.timer = 0;
      if (this.quiet) silent(this.quiet = false);
      hear(message, buffers);
    };
    // the kernel was restarted or shut down: ask at once whether somebody is there
    this.cut = () => this.ask({ kind: "ping" });
    model.on("msg:custom", this.heard);
    model.on("comm_live_update", this.cut);
  }

  // a channel that is closed throws; the silence after it is what the page reports
  tell(content, buffers = []) {
    try {
      this.model.send({ ...content, view: this.view }, undefined, buffers);
    } catch (error) {
      console.warn(error);
    }
  }

  // tells, and expects an answer
  ask(content, buffers = []) {
    this.timer ||= setTimeout(() => {
      this.timer = 0;
      if (!this.quiet) this.silent(this.quiet = true);
    }, PATIENCE);
    this.tell(content, buffers);
  }

  leave() {
    clearTimeout(this.timer);
    this.tell({ kind: "gone" });
    this.model.off("msg:custom", this.heard);
    this.model.off("comm_live_update", this.cut);
  }
}

// One question about a point on its way at a time; the newest that came meanwhile follows, answers are kept.
export class Notes {
  constructor(talk, show) {
    Object.assign(this, { talk, show, kept: new Map(), asked: -2, next: -2, told: -1 });
  }

  want(point) {
    if (this.kept.has(point)) this.show(point, this.kept.get(point));
    if (point === this.told) return;
    if (this.asked !== -2 && performance.now() - this.since < 1000) this.next = point;
    else this.send(point);
  }

  send(point) {
    Object.assign(this, { asked: point, next: -2, told: point, since: performance.now() });
    this.talk.ask({ kind: "hover", point });
  }

  answer(message) {
    if (message.point >= 0) {
      if (this.kept.size > 500) this.kept.clear();
      this.kept.set(message.point, message);
      this.show(message.point, message);
    }
    if (message.point !== this.asked) return;
    this.asked = -2;
    if (this.next !== -2 && this.next !== this.told) this.send(this.next);
  }

  forget() {
    this.kept.clear();
    this.told = -3;
  }
}
