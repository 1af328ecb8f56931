// Maps of as many points show the same rows: what is pointed at and selected in one is so in the others.
import { SelectedList } from "./selected.js";

export class Group {
  // name: words for these maps where the page has others as well
  constructor(models, place, name) {
    this.models = models;
    for (const model of models) model.group = this;
    const first = models.find((model) => model.chosen.length) ?? models[0];
    for (const model of models) model.start(first.chosen);
    const told = models.find((model) => model.texts) ?? models[0];
    this.list = new SelectedList(place, { n: told.head.n, name, note: (point) => told.note(point) });
    this.list.show(first.chosen);
  }

  hovered(from, point) {
    for (const model of this.models) if (model !== from) model.ring(point);
  }

  selected(from, ids) {
    for (const model of this.models) if (model !== from) model.choose(ids);
    this.list.show(ids);
  }
}
