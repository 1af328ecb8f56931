// The buttons above the map.
import { tag } from "./page.js";

const SVG = "http://www.w3.org/2000/svg";
const TOOLS = [
  ["pan", "Move the map (drag)", "M8 1v14M1 8h14M8 1L6 3.2M8 1l2 2.2M8 15l-2-2.2M8 15l2-2.2M1 8l2.2-2M1 8l2.2 2M15 8l-2.2-2M15 8l-2.2 2"],
  ["lasso", "Lasso: select by an outline (L)", "M4.5 11.5C1.5 10 .9 6.8 3 4.4 5.3 1.8 10.6 1.2 13.2 3.5c2.6 2.3 1.4 6-1.6 7.3-2.2 1-5.4 1-7.1.7zm0 0c.2 1.5-.6 2.6-2 3"],
  ["box", "Box: select by a rectangle (B)", "M2 3h3M7 3h2.5M11.5 3H14v2.5M14 7.5v2M14 11v2h-2.5M9.5 13H7M5 13H2v-2M2 9.5v-2M2 5.5V3"],
];
const ACTS = [
  ["closer", "Zoom in (+)", "M8 3v10M3 8h10"],
  ["farther", "Zoom out (-)", "M3 8h10"],
  ["fit", "Show all points (0)", "M2 5.5V2h3.5M10.5 2H14v3.5M14 10.5V14h-3.5M5.5 14H2v-3.5M6 6h4v4H6z"],
];
const LAYER = ["contours", "Density: lines around the densest 25, 50, 75 and 90 % of the points (D)", "M8 1.5c4 0 6.5 2.8 6.5 6.5S12 14.5 8 14.5 1.5 12 1.5 8 4 1.5 8 1.5zM8.5 4.8c2 0 3 1.3 3 3.2s-1.5 3.3-3.5 3.3S4.6 10 4.6 8s1.9-3.2 3.9-3.2zM8 7v2M7 8h2"];
const CLEAR = ["clear", "Clear the selection (Esc)", "M4 4l8 8M12 4l-8 8"];

function button([name, words, path]) {
  const icon = document.createElementNS(SVG, "svg"), line = document.createElementNS(SVG, "path");
  icon.setAttribute("viewBox", "0 0 16 16");
  icon.setAttribute("aria-hidden", "true");
  line.setAttribute("d", path);
  icon.append(line);
  return tag("button", { type: "button", class: "wb-tool", "data-tool": name, "aria-label": words, title: words }, icon);
}

export class Toolbar {
  constructor(act) {
    this.root = tag("div", { class: "wb-tools", role: "toolbar", "aria-label": "Map tools" });
    this.made = new Map();
    for (const group of [TOOLS, ACTS, [LAYER], [CLEAR]]) {
      const box = tag("div", { class: "wb-group" });
      for (const spec of group) {
        const made = button(spec);
        made.addEventListener("click", () => act(spec[0]));
        this.made.set(spec[0], made);
        box.append(made);
      }
      this.root.append(box);
    }
  }

  press(name, on) {
    this.made.get(name).setAttribute("aria-pressed", String(on));
  }

  setMode(mode) {
    for (const [name] of TOOLS) this.press(name, name === mode);
  }

  allowClear(on) {
    this.made.get("clear").disabled = !on;
  }
}
