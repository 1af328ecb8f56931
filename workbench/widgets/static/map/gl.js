// Points drawn by the graphics card (WebGL 2). Throws where there is none; `software` tells a card that is only imitated.
const VERTEX = `#version 300 es
in vec2 before; in vec2 place; in float code; in float size; in float mark;
uniform vec2 centre, zoom; uniform float share, diameter, stage, grow;
uniform vec3 context; uniform sampler2D tints;
out vec3 tint; out float wide; flat out float hollow;
void main() {
  vec2 at = (mix(before, place, share) - centre) * zoom;
  bool wanted = stage < 0.0 || abs(mark - stage) < 0.5;
  wide = max(1.0, diameter * (grow > 0.5 ? 0.5 + 2.0 * size / 255.0 : 1.0));
  gl_Position = wanted ? vec4(at, 0.0, 1.0) : vec4(2.0, 2.0, 2.0, 1.0);
  gl_PointSize = wide + 1.0;
  hollow = code > 254.5 && wide >= 3.0 ? 1.0 : 0.0;
  tint = stage > -0.5 && stage < 0.5 ? context : texelFetch(tints, ivec2(int(code + 0.5), 0), 0).rgb;
}`;
const FRAGMENT = `#version 300 es
precision highp float;
in vec3 tint; in float wide; flat in float hollow; uniform float alpha; out vec4 colour;
void main() {
  float far = length(gl_PointCoord - 0.5) * (wide + 1.0);
  float cover = clamp(0.5 * wide + 0.5 - far, 0.0, 1.0);
  float line = max(1.0, 0.16 * wide);
  if (hollow > 0.5) cover *= clamp(far - (0.5 * wide - line) + 0.5, 0.0, 1.0);
  if (wide < 2.5) cover = 1.0;
  if (cover <= 0.0) discard;
  colour = vec4(tint * cover * alpha, cover * alpha);
}`;
const ATTRIBUTES = { before: 2, place: 2, code: 1, size: 1, mark: 1 };
const UNIFORMS = ["centre", "zoom", "share", "diameter", "stage", "grow", "context", "tints", "alpha"];

function compiled(gl) {
  const program = gl.createProgram();
  for (const [kind, source] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  Object.keys(ATTRIBUTES).forEach((name, place) => gl.bindAttribLocation(program, place, name));
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS)) throw new Error(`the map's shader: ${gl.getProgramInfoLog(program)}`);
  return program;
}

export function software(gl) {
  const details = gl.getExtension("WEBGL_debug_renderer_info");
  return /swiftshader|llvmpipe|software|basic render/i.test(gl.getParameter(details ? details.UNMASKED_RENDERER_WEBGL : gl.RENDERER));
}

export class CardRenderer {
  constructor(gl) {
    this.gl = gl;
    this.program = compiled(gl);
    gl.useProgram(this.program);
    this.at = Object.fromEntries(UNIFORMS.map((name) => [name, gl.getUniformLocation(this.program, name)]));
    this.buffers = Object.fromEntries(Object.keys(ATTRIBUTES).map((name) => [name, gl.createBuffer()]));
    Object.entries(ATTRIBUTES).forEach(([name, parts], place) => {
      gl.bindBuffer(gl.ARRAY_BUFFER, this.buffers[name]);
      gl.enableVertexAttribArray(place);
      gl.vertexAttribPointer(place, parts, parts === 2 ? gl.FLOAT : gl.UNSIGNED_BYTE, false, 0, 0);
    });
    gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.NEAREST);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.NEAREST);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    this.held = new Map();
  }

  // uploads what is another array than last time
  give(name, array) {
    if (this.held.get(name) === array) return;
    this.held.set(name, array);
    this.gl.bindBuffer(this.gl.ARRAY_BUFFER, this.buffers[name]);
    this.gl.bufferData(this.gl.ARRAY_BUFFER, array, this.gl.DYNAMIC_DRAW);
  }

  setTints(entries) {
    const gl = this.gl;
    if (this.held.get("tints") === entries) return;
    this.held.set("tints", entries);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, 256, 1, 0, gl.RGBA, gl.UNSIGNED_BYTE, entries);
  }

  draw(data, frame) {
    const gl = this.gl, { theme } = frame;
    gl.viewport(0, 0, frame.width, frame.height);
    gl.clearColor(theme.back[0] / 255, theme.back[1] / 255, theme.back[2] / 255, 1);
    gl.clear(gl.COLOR_BUFFER_BIT);
    if (!data.n) return;
    this.give("before", data.before);
    this.give("place", data.xy);
    this.give("code", data.codes);
    this.give("size", data.sizes ?? data.codes);
    this.give("mark", data.marks);
    this.setTints(data.tints);
    gl.uniform2f(this.at.centre, frame.x, frame.y);
    gl.uniform2f(this.at.zoom, (2 * frame.scale) / frame.width, (2 * frame.scale) / frame.height);
    gl.uniform1f(this.at.share, frame.share);
    gl.uniform1f(this.at.diameter, frame.diameter);
    gl.uniform1f(this.at.grow, data.sizes ? 1 : 0);
    gl.uniform3f(this.at.context, ...theme.context.map((v) => v / 255));
    gl.uniform1f(this.at.alpha, data.n > 20_000 ? 0.75 : 0.88);
    for (const stage of data.chosen ? [0, 1] : [-1]) {
      gl.uniform1f(this.at.stage, stage);
      gl.drawArrays(gl.POINTS, 0, data.n);
    }
  }

  leave() {
    this.gl.getExtension("WEBGL_lose_context")?.loseContext();
  }
}
