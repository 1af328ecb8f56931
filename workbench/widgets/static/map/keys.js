// The keyboard on the map.
const STEP = 60, FAR = 240, CLOSER = 1.5; // pixels, and the factor of one zoom
const ARROWS = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

export const HELP = [
  ["Arrows", "move (Shift: farther)"],
  ["+ and -", "zoom"],
  ["0", "show all points"],
  ["N and P", "walk to the next nearest point, and back"],
  ["Enter", "select the point of the walk (Shift: add, Alt: take away)"],
  ["L, B, V", "draw a lasso, draw a box, move the map"],
  ["D", "density lines"],
  ["Esc", "end drawing, then clear the selection"],
  ["Shift or Alt", "while drawing or clicking: add to the selection, take away from it"],
  ["Wheel", "zoom, once the map was clicked; with Ctrl always"],
];

// Lab takes plain keys for commands of its own (B: a new cell) before anything inside the page hears of them, unless
// an attribute on the very element forbids it; what is pressed together with Ctrl stays Lab's. So it is for the lists
// and buttons of a view around the map as well.
export function keepKeys(root) {
  const mark = ({ target, ctrlKey, metaKey }) => {
    const whole = root.closest(".workbench-view") ?? root;
    if (whole.contains(target)) target.toggleAttribute("data-lm-suppress-shortcuts", !ctrlKey && !metaKey);
  };
  window.addEventListener("keydown", mark, true);
  return () => window.removeEventListener("keydown", mark, true);
}

// act: pan(across, down), zoom(factor), the tools by name, walk(back), choose(how), escape()
export function onKey(event, act) {
  if (event.ctrlKey || event.metaKey) return;
  const arrow = ARROWS[event.key], step = event.shiftKey ? FAR : STEP;
  const how = event.shiftKey ? "add" : event.altKey ? "remove" : "replace";
  const plain = {
    "+": () => act.zoom(CLOSER), "=": () => act.zoom(CLOSER), "-": () => act.zoom(1 / CLOSER), _: () => act.zoom(1 / CLOSER),
    0: () => act.tool("fit"), l: () => act.tool("lasso"), b: () => act.tool("box"), v: () => act.tool("pan"), d: () => act.tool("contours"),
    n: () => act.walk(false), p: () => act.walk(true), enter: () => act.choose(how), " ": () => act.choose(how), escape: () => act.escape(),
  };
  const found = arrow ? () => act.pan(arrow[0] * step, arrow[1] * step) : plain[event.key.toLowerCase()];
  if (!found) return;
  event.preventDefault();
  event.stopPropagation();
  found();
}
