// Builds the page of an export: its maps, and for each group of maps the list of what is selected.
import { Group } from "./group.js";
import { Offline } from "./offline.js";

// draw: the function of the map's own page code that draws one model into an element
export function build(draw) {
  const data = JSON.parse(document.getElementById("workbench-data").textContent);
  const models = data.maps.map((map) => new Offline(map, map.texts === null ? null : data.texts[map.texts]));
  const lists = document.getElementById("workbench-lists");
  const sizes = new Set(models.map((model) => model.head.n));
  for (const n of sizes) {
    const place = document.createElement("section"), same = models.filter((model) => model.head.n === n);
    place.className = "selected";
    lists.append(place);
    new Group(same, place, sizes.size > 1 ? same.map((model) => model.head.title || "map").join(", ") : "");
  }
  models.forEach((model, k) => draw({ model, el: document.getElementById(`workbench-map-${k}`) }));
}
