// report_structure.js -- a structure as micon-featurize laid it out: bonds as lines, wedges and hashes, atoms other than carbon as text.
function atom_text(label, left) { // "NH2" to N H and a small 2; the hydrogens in front where the bonds are on the right
  const m = /^(\d*)(\*|[A-Z][a-z]?)(H\d*)?(\d*[+-])?$/.exec(label), low = (s) => s.replace(/\d/g, (d) => "₀₁₂₃₄₅₆₇₈₉"[d]);
  const high = (s) => s.replace(/\d/g, (d) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[d]).replace("+", "⁺").replace("-", "⁻");
  if (!m) return label;
  const core = high(m[1] || "") + m[2], hydrogens = low(m[3] || ""), charge = high(m[4] || "");
  return left && hydrogens ? hydrogens + core + charge : core + hydrogens + charge;
}
function card_structure(t) {
  const s = D.structures[T.compound[t]];
  if (!s || !s.a.length) return "";
  const xs = s.a.map((a) => a[0]), ys = s.a.map((a) => a[1]), least = (v) => v.reduce((p, c) => Math.min(p, c)), most = (v) => v.reduce((p,
    c) => Math.max(p, c));
  const pad = 9, x0 = least(xs) - pad, y0 = least(ys) - pad, w = most(xs) - x0 + pad, h = most(ys) - y0 + pad, beside = s.a.map(() => [0,
    0, 0]);
  let lines = "", texts = "";
  for (const [i, j] of s.b) for (const [a, b] of [[i, j], [j, i]]) { beside[a][0] += s.a[b][0] - s.a[a][0];
  beside[a][1] += s.a[b][1] - s.a[a][1]; beside[a][2]++; }
  const line = (p, q, more) => "<line x1=" + p[0].toFixed(1) + " y1=" + p[1].toFixed(1) + " x2=" + q[0].toFixed(1) + " y2=" +
    q[1].toFixed(1) + (more || "") + " />";
  for (const [i, j, order, way] of s.b) {
    let p = [s.a[i][0], s.a[i][1]], q = [s.a[j][0], s.a[j][1]];
    const d = Math.hypot(q[0] - p[0], q[1] - p[1]) || 1, u = [(q[0] - p[0]) / d, (q[1] - p[1]) / d], n = [-u[1], u[0]];
    if (s.a[i][2]) p = [p[0] + 3.6 * u[0], p[1] + 3.6 * u[1]]; // room for the letters
    if (s.a[j][2]) q = [q[0] - 3.6 * u[0], q[1] - 3.6 * u[1]];
    const off = (k, cut) => [[p[0] + k * n[0] + cut * u[0], p[1] + k * n[1] + cut * u[1]], [q[0] + k * n[0] - cut * u[0], q[1] +
      k * n[1] - cut * u[1]]];
    if (way === 1) {
      lines += "<path fill='var(--ink)' d='M" + p.map((v) => v.toFixed(1)) + "L" + [q[0] + 1.4 * n[0], q[1] + 1.4 * n[1]].map((v) =>
        v.toFixed(1)) + "L" +
        [q[0] - 1.4 * n[0], q[1] - 1.4 * n[1]].map((v) => v.toFixed(1)) + "Z'/>";
    } else if (way === 2) {
      for (let k = 1; k <= 5; k++) {
        const c = [p[0] + (q[0] - p[0]) * k / 5, p[1] + (q[1] - p[1]) * k / 5], r = 1.4 * k / 5;
        lines += line([c[0] + r * n[0], c[1] + r * n[1]], [c[0] - r * n[0], c[1] - r * n[1]]);
      }
    } else if (order === 2) { // the second line on the side where the ring, or most of the molecule, is
      const end = s.a[i][2] && beside[i][2] === 1 || s.a[j][2] && beside[j][2] === 1, side = (beside[i][0] + beside[j][0]) * n[0] +
        (beside[i][1] + beside[j][1]) * n[1];
      lines += end ? line(...off(.9, 0)) + line(...off(-.9, 0)) : line(p, q) + line(...off(side < 0 ? -1.8 : 1.8, 1.2));
    } else if (order === 3) lines += line(p, q) + line(...off(1.7, 0)) + line(...off(-1.7, 0));
    else lines += line(p, q);
  }
  s.a.forEach(([x, y, label], i) => {
    if (!label) return;
    const left = beside[i][0] > 1, core = atom_text(label, left), shift = left ? 2.1 : -2.1;
    texts += "<text x=" + (x + (core.length > 1 ? shift : 0)).toFixed(1) + " y=" + (y + 2.1) + " text-anchor=" + (core.length < 2
      ? "middle" : left ? "end" : "start") +
      ">" + esc(core) + "</text>";
  });
  return "<figure class=structure><svg viewBox='" + [x0, y0, w, h].join(" ") + "' role=img aria-label='Structure of " + esc(T.name[t]) +
    "' style='max-width:" +
    Math.min(340, Math.round(3.2 * w)) + "px'><g stroke='var(--ink)' stroke-width=.7 stroke-linecap=round>" + lines + "</g>" + texts +
      "</svg></figure>";
}
