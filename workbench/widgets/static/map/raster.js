// Points written into the pixels of a 2-D canvas: where there is no graphics card this is faster than its imitation.
import { MISSING } from "./colours.js";

function packedColour(red, green, blue) {
  return ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}

// a disc, or a ring, as shifts from its middle and how much of each pixel it covers
function stampOf(diameter, hollow) {
  const across = [], down = [], cover = [], half = diameter / 2, reach = Math.floor(half + 0.5), line = Math.max(1, 0.16 * diameter);
  const even = diameter % 2 === 0 ? 0.5 : 0;
  for (let dy = -reach; dy <= reach; dy++) {
    for (let dx = -reach; dx <= reach; dx++) {
      const far = Math.hypot(dx + even, dy + even);
      let part = Math.min(1, Math.max(0, half + 0.5 - far));
      if (diameter <= 3) part = Math.abs(dx + even) < half && Math.abs(dy + even) < half ? 1 : 0;
      if (hollow) part *= diameter <= 3 ? Number(far > 0.5 || diameter < 3) : Math.min(1, Math.max(0, far - half + line + 0.5));
      if (part < 0.03) continue;
      across.push(dx);
      down.push(dy);
      cover.push(Math.round(255 * part));
    }
  }
  return { across: Int32Array.from(across), down: Int32Array.from(down), cover: Uint8Array.from(cover), reach };
}

export class PixelRenderer {
  constructor(canvas) {
    this.context = canvas.getContext("2d", { alpha: false });
    this.stamps = new Map();
  }

  stamp(diameter, hollow) {
    const key = 2 * diameter + Number(hollow);
    if (!this.stamps.has(key)) this.stamps.set(key, stampOf(diameter, hollow));
    return this.stamps.get(key);
  }

  draw(data, frame) {
    const { width, height, theme } = frame;
    if (!this.image || this.image.width !== width || this.image.height !== height) {
      this.image = this.context.createImageData(width, height);
      this.pixels = new Uint32Array(this.image.data.buffer);
    }
    this.pixels.fill(packedColour(...theme.back));
    const tints = new Uint32Array(256);
    for (let c = 0; c < 256; c++) tints[c] = packedColour(...data.tints.subarray(4 * c, 4 * c + 3));
    if (data.chosen) {
      this.stage(data, frame, 0, new Uint32Array(256).fill(packedColour(...theme.context)));
      this.stage(data, frame, 1, tints);
    } else this.stage(data, frame, -1, tints);
    this.context.putImageData(this.image, 0, 0);
  }

  stage(data, frame, wanted, tints) {
    const { n, xy, before, codes, sizes, marks } = data, { width, height, scale, share } = frame, pixels = this.pixels;
    const moving = share < 1 && before !== xy;
    const left = width / 2 - frame.x * scale, top = height / 2 + frame.y * scale;
    const usual = Math.max(1, Math.round(frame.diameter));
    const diameters = Uint8Array.from({ length: 256 }, (_, k) => Math.min(255, Math.max(1, Math.round(frame.diameter * (0.5 + (2 * k) / 255)))));
    const plain = !sizes && usual <= 3, edge = usual === 3 ? 1 : 0, span = usual;
    for (let i = 0; i < n; i++) {
      if (wanted >= 0 && marks[i] !== wanted) continue;
      let x = xy[2 * i], y = xy[2 * i + 1];
      if (moving) {
        x = before[2 * i] + (x - before[2 * i]) * share;
        y = before[2 * i + 1] + (y - before[2 * i + 1]) * share;
      }
      const across = Math.round(left + x * scale), down = Math.round(top - y * scale);
      const code = codes[i], tint = tints[code];
      if (plain && code !== MISSING) {
        if (across < 1 || down < 1 || across >= width - 2 || down >= height - 2) continue;
        let at = (down - edge) * width + across - edge;
        for (let r = 0; r < span; r++, at += width) for (let c = 0; c < span; c++) pixels[at + c] = tint;
      } else this.place(across, down, this.stamp(sizes ? diameters[sizes[i]] : usual, code === MISSING), tint, width, height);
    }
  }

  place(across, down, stamp, tint, width, height) {
    const { reach, cover } = stamp, pixels = this.pixels;
    if (across < reach || down < reach || across >= width - reach || down >= height - reach) return;
    for (let k = 0; k < cover.length; k++) {
      const at = (down + stamp.down[k]) * width + across + stamp.across[k], part = cover[k];
      if (part === 255) pixels[at] = tint;
      else {
        const old = pixels[at], rest = 255 - part;
        const red = ((tint & 255) * part + (old & 255) * rest) / 255;
        const green = (((tint >> 8) & 255) * part + ((old >> 8) & 255) * rest) / 255;
        const blue = (((tint >> 16) & 255) * part + ((old >> 16) & 255) * rest) / 255;
        pixels[at] = packedColour(red, green, blue);
      }
    }
  }

  leave() {}
}
