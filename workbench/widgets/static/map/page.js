// Small helpers for what stands in the page.
export function tag(name, attributes = {}, ...inside) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...inside);
  return made;
}

// the text changes only where it differs: a page that is read aloud stays calm
export function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

const COUNT = new Intl.NumberFormat("en");

export function counted(n, word = "point") {
  return `${COUNT.format(n)} ${word}${n === 1 ? "" : "s"}`;
}

export function calm() {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}

// a typed array of its own from a message's buffer, which may start anywhere
export function typed(Kind, buffer) {
  if (!buffer) return new Kind(0);
  const bytes = buffer.buffer ? buffer.buffer.slice(buffer.byteOffset, buffer.byteOffset + buffer.byteLength) : buffer.slice(0);
  return new Kind(bytes);
}
