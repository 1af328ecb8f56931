// Colours of the page's theme, and of the points: one entry for every code that a point may bear.
export const MISSING = 255;

// any colour that CSS knows, as [red, green, blue], 0 to 255
export function rgb(colour, instead = [128, 128, 128]) {
  const canvas = (rgb.canvas ??= document.createElement("canvas").getContext("2d", { willReadFrequently: true }));
  canvas.fillStyle = "#010203";
  canvas.fillStyle = colour;
  if (canvas.fillStyle === "#010203") return instead;
  canvas.clearRect(0, 0, 1, 1);
  canvas.fillRect(0, 0, 1, 1);
  return [...canvas.getImageData(0, 0, 1, 1).data.slice(0, 3)];
}

export function themeOf(root) {
  const style = getComputedStyle(root);
  const back = rgb(style.backgroundColor, [255, 255, 255]), text = rgb(style.color, [33, 33, 33]);
  const dark = back[0] * 0.299 + back[1] * 0.587 + back[2] * 0.114 < 128;
  const mixed = (share) => back.map((b, i) => Math.round(b + share * (text[i] - b)));
  // context is what is not selected; others are labels beyond the palette; missing has no value
  return { dark, back, text, context: mixed(0.2), others: mixed(0.46), missing: mixed(0.62), line: mixed(0.55) };
}

function between(stops, at) {
  const place = at * (stops.length - 1), k = Math.min(Math.floor(place), stops.length - 2), share = place - k;
  return stops[k].map((v, i) => Math.round(v + share * (stops[k + 1][i] - v)));
}

// 256 entries of red, green, blue, 255; the legend says which code is what
export function table(legend, theme) {
  const tints = legend.tints[theme.dark ? "dark" : "light"].map((hex) => rgb(hex));
  const entries = new Uint8Array(1024);
  for (let code = 0; code < 256; code++) {
    let tint = theme.others;
    if (code === MISSING) tint = theme.missing;
    else if (legend.form === "numbers") tint = between(tints, code / 254);
    else if (code < tints.length) tint = tints[code];
    entries.set([...tint, 255], 4 * code);
  }
  return entries;
}

export function css([red, green, blue], alpha = 1) {
  return `rgb(${red} ${green} ${blue} / ${alpha})`;
}
