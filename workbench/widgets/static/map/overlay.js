// What lies over the points: contours, the outline being drawn, rings around the points in focus.
import { css } from "./colours.js";

function ring(brush, camera, data, point, radius, colour, back) {
  if (point < 0 || point >= data.n) return;
  const across = camera.across(data.xy[2 * point]), down = camera.down(data.xy[2 * point + 1]);
  for (const [width, tint] of [[5, back], [2.5, colour]]) {
    brush.beginPath();
    brush.arc(across, down, radius, 0, 7);
    brush.lineWidth = width;
    brush.strokeStyle = tint;
    brush.stroke();
  }
}

function lines(brush, camera, contours, theme) {
  contours.forEach((pieces, k) => {
    brush.beginPath();
    for (let i = 0; i < pieces.length; i += 4) {
      brush.moveTo(camera.across(pieces[i]), camera.down(pieces[i + 1]));
      brush.lineTo(camera.across(pieces[i + 2]), camera.down(pieces[i + 3]));
    }
    brush.lineWidth = 1 + 0.35 * k;
    brush.lineCap = "round";
    brush.strokeStyle = css(theme.text, 0.5 + 0.15 * k);
    brush.stroke();
  });
}

// where a moved point has been: the older the fainter
function trail(brush, camera, places, colour, back) {
  const at = places.map(([x, y]) => [camera.across(x), camera.down(y)]);
  at.slice(1).forEach(([x, y], k) => {
    const [[fromX, fromY], age] = [at[k], (k + 1) / (at.length - 1)];
    for (const [width, tint] of [[4.5, back], [2, colour]]) {
      brush.beginPath();
      brush.moveTo(fromX, fromY);
      brush.lineTo(x, y);
      brush.globalAlpha = 0.2 + 0.7 * age;
      brush.lineWidth = width;
      brush.lineCap = "round";
      brush.strokeStyle = tint;
      brush.stroke();
    }
    brush.beginPath();
    brush.arc(fromX, fromY, 3, 0, 7);
    brush.fillStyle = colour;
    brush.fill();
  });
  brush.globalAlpha = 1;
}

export function drawOver(scene, focus) {
  const { over, camera, fine, theme, data } = scene, brush = over.getContext("2d");
  const accent = theme.dark ? "#7ab8ff" : "#1f5fa8";
  brush.setTransform(fine, 0, 0, fine, 0, 0);
  brush.clearRect(0, 0, camera.width, camera.height);
  if (focus.contours) lines(brush, camera, focus.contours, theme);
  const radius = scene.diameter() / 2 + 4, strong = theme.dark ? "#ffb454" : "#b4320a";
  for (const places of scene.trails.values()) trail(brush, camera, places, strong, css(theme.back));
  for (const point of scene.trails.keys()) ring(brush, camera, data, point, radius + 2, strong, css(theme.back));
  if (focus.hovered !== focus.walked) ring(brush, camera, data, focus.hovered, radius, css(theme.text), css(theme.back));
  ring(brush, camera, data, focus.walked, radius + 1, accent, css(theme.back));
  if (focus.outline?.length > 1) {
    brush.beginPath();
    focus.outline.forEach(([x, y], k) => brush[k ? "lineTo" : "moveTo"](x, y));
    brush.closePath();
    brush.fillStyle = accent + "26";
    brush.fill();
    brush.setLineDash([6, 4]);
    brush.lineWidth = 1.75;
    brush.strokeStyle = accent;
    brush.stroke();
    brush.setLineDash([]);
  }
}
