// report_map.js -- all wells on a map, UMAP or principal components, coloured by any column; the density of controls as a shade. A click
// opens the treatment's card; a drag draws an area, whose treatments are listed and alone remain in the table.
const MAPS = [["UMAP", D.wells.umap], ["first principal components", D.wells.pca]].filter((m) => m[1]).map(([name, packed]) => {
  const unit = packed.map((p) => { const v = whole_numbers(p, W.n), out = new Float32Array(W.n); for (let i = 0; i < W.n;
  i++) out[i] = v[i] / 65534; return out; });
  return {name, x: unit[0], y: unit[1]};
});


// Where controls are: 128 x 96 cells of the map, their counts smoothed; a cell's level says which share of the controls (0.5, 0.8, 0.95)
// the smallest area that contains the cell holds. 3: the densest.
const DENSE = {w: 128, h: 96};
function control_levels(m) {
  const {w, h} = DENSE, level = new Uint8Array(w * h);
  let v = new Float64Array(w * h), all = 0;
  for (let i = 0; i < W.n; i++) {
    if (W.kind[i] !== CONTROL) continue;
    v[Math.min(h - 1, Math.floor((1 - m.y[i]) * h)) * w + Math.min(w - 1, Math.floor(m.x[i] * w))]++;
  }
  for (let pass = 0; pass < 6; pass++) { // means of neighbours, across and down by turns
    const out = new Float64Array(w * h), step = pass % 2 ? w : 1, size = pass % 2 ? h : w, R = 3;
    for (let i = 0; i < w * h; i++) {
      const at = pass % 2 ? Math.floor(i / w) : i % w;
      for (let o = Math.max(-R, -at); o <= Math.min(R, size - 1 - at); o++) out[i] += v[i + o * step] / (2 * R + 1);
    }
    v = out;
  }
  for (const x of v) all += x;
  let sum = 0;
  for (const i of [...v.keys()].filter((k) => v[k] > 0).sort((a, b) => v[b] - v[a])) {
    level[i] = sum < .5 * all ? 3 : sum < .8 * all ? 2 : sum < .95 * all ? 1 : 0;
    sum += v[i];
  }
  return level;
}

(function () {
  if (!MAPS.length || !W.n) return;
  heading("map", "Map");
  const controls = W.kind.includes(CONTROL);
  const sec = section("map-wells", "All wells",
    "A point is a well; near points look alike. Controls are grey. Point at a well for its name, click for its treatment's card. " +
    "Drag around wells to list their treatments.",
    "<div class=controls><label>map <select class=which></select></label><label>coloured by <select class=by></select></label>" +
    (controls ? "<label title='Darkest: the area that holds half of the controls; then 80 % and 95 %'><input type=checkbox class=dense " +
      "checked> shade where controls are</label>" : "") + "</div>" +
    "<div class=beside><div class=plot><canvas role=img aria-label='Map of all wells'></canvas></div><div><div class=inside></div>" +
    "<div class=legend></div></div></div>");
  const $ = (s) => sec.querySelector(s), by = $(".by"), cv = $("canvas"), leg = $(".legend"), c = cv.getContext("2d");
  MAPS.forEach((m, k) => $(".which").add(new Option(m.name, k)));
  for (const f of Object.keys(W.text)) if (W.text[f].names.length > 1) by.add(new Option(f.replace(/_/g, " ").toLowerCase(), f));
  for (const q of Object.keys(D.quality)) by.add(new Option(quality_name(q), "quality " + q));
  if (T.figures[FORM] && T.figures[FORM].activity_map) by.add(new Option("activity (mAP)", "activity"));
  const first = [MECHANISM, "Compound", "Batch", "Plate"].find((f) => f && W.text[f] && W.text[f].names.length > 1);
  if (first) by.value = first;
  const ofTreatment = new Set([MECHANISM, NAME, "Compound", "SMILES", "InChIKey", "target"]), compare = new Intl.Collator("en",
    {numeric: true}).compare;
  let px, py, cells, lit = -1, path = null, area = null;

  function shades() { // a number per well: from the lightest to the fullest colour
    const q = by.value.startsWith("quality ") ? reals(D.quality[by.value.slice(8)], W.n) : null;
    return q || by_treatment(T.figures[FORM].activity_map);
  }
  function levels() { // [a number per well, -1: grey; a colour for each; the names in their order, or null]
    const field = W.text[by.value], fill = [];
    if (!field) {
      const v = shades(), [lo, hi] = ends(v);
      leg.innerHTML = scale_legend(lo, hi);
      for (let k = 0; k < 16; k++) fill.push(scale_color(k / 15));
      return [Int32Array.from(v, (x) => x !== x ? -1 : Math.min(15, Math.floor(16 * (x - lo) / (hi - lo || 1)))), fill, null];
    }
    const grey = (i) => (W.kind[i] === CONTROL || W.kind[i] === EMPTY) && ofTreatment.has(by.value);
    const level = field.code.map((k, i) => grey(i) ? -1 : k), order = [...new Set(level)].filter((k) => k >= 0)
      .sort((a, b) => compare(field.names[a], field.names[b]));
    order.forEach((k, i) => { fill[k] = color(i, order.length); });
    return [level, fill, order];
  }
  function shade(m, w, h) {
    const level = control_levels(m), {w: gw, h: gh} = DENSE;
    c.fillStyle = css("--soft");
    for (let i = 0; i < level.length; i++) {
      if (!level[i]) continue;
      c.globalAlpha = .07 * level[i];
      const x = Math.round(10 + i % gw * (w - 20) / gw), y = Math.round(10 + Math.floor(i / gw) * (h - 20) / gh);
      c.fillRect(x, y, Math.round(10 + (i % gw + 1) * (w - 20) / gw) - x, Math.round(10 + (Math.floor(i / gw) + 1) * (h - 20) / gh) - y);
    }
  }
  function draw() {
    const w = cv.clientWidth || 600, h = Math.round(w * .75), r = devicePixelRatio || 1, m = MAPS[$(".which").value], n = W.n;
    const rad = n > 20000 ? 1.1 : n > 5000 ? 1.7 : n > 800 ? 2.7 : 3.8, soft = css("--soft");
    cv.width = w * r, cv.height = h * r, cv.style.height = h + "px";
    c.setTransform(r, 0, 0, r, 0, 0), c.clearRect(0, 0, w, h);
    px = m.x.map((v) => 10 + v * (w - 20)), py = m.y.map((v) => h - 10 - v * (h - 20));
    if ($(".dense") && $(".dense").checked) shade(m, w, h);
    const [level, fill, names] = levels(), byLevel = new Map();
    for (let i = 0; i < n; i++) { if (!byLevel.has(level[i])) byLevel.set(level[i], []); byLevel.get(level[i]).push(i); }
    for (const k of [...byLevel.keys()].sort((a, b) => (a === lit) - (b === lit) || a - b)) { // a colour at a time: one path each
      c.globalAlpha = k < 0 ? .3 : lit >= 0 && k !== lit ? .12 : .85;
      c.fillStyle = k < 0 ? soft : fill[k];
      c.beginPath();
      for (const i of byLevel.get(k)) {
        if (n > 20000) c.rect(px[i] - rad, py[i] - rad, 2 * rad, 2 * rad);
        else c.moveTo(px[i] + rad, py[i]), c.arc(px[i], py[i], rad, 0, 6.2832);
      }
      c.fill();
    }
    cells = new Map(); // wells by squares of 16 pixels, for the pointer
    for (let i = 0; i < n; i++) {
      const key = (px[i] >> 4) * 4096 + (py[i] >> 4);
      if (!cells.has(key)) cells.set(key, []);
      cells.get(key).push(i);
    }
    if (area) outline(area.map(([x, y]) => [10 + x * (w - 20), h - 10 - y * (h - 20)]), true);
    if (!names) return;
    leg.innerHTML = names.slice(0, 80).map((k) => "<button data-level=" + k + (k === lit ? " class=lit" : "") + "><i style='background:" +
      fill[k] + "'></i>" + esc(W.text[by.value].names[k]) + "</button>").join("") +
      (names.length > 80 ? "<span>… " + (names.length - 80) + " more</span>" : "");
  }
  function nearest(e) {
    const [mx, my] = at(e);
    let best = -1, d = 100;
    for (let a = -1; a <= 1; a++) for (let o = -1; o <= 1; o++) for (const i of cells.get(((mx >> 4) + a) * 4096 + (my >> 4) + o) || []) {
      const q = (px[i] - mx) ** 2 + (py[i] - my) ** 2;
      if (q < d) d = q, best = i;
    }
    return best;
  }
  const at = (e) => { const b = cv.getBoundingClientRect(); return [e.clientX - b.left, e.clientY - b.top]; };

  // ---- an area ----
  function outline(points, closed) {
    c.globalAlpha = 1, c.strokeStyle = css("--accent"), c.lineWidth = 2;
    c.beginPath();
    points.forEach(([x, y], k) => k ? c.lineTo(x, y) : c.moveTo(x, y));
    if (closed) c.closePath();
    c.stroke();
  }
  function within(x, y, points) { // a ray to the right crosses the outline an odd number of times
    let odd = false;
    for (let k = 0, j = points.length - 1; k < points.length; j = k++) {
      const [ax, ay] = points[k], [bx, by_] = points[j];
      if ((ay > y) !== (by_ > y) && x < (bx - ax) * (y - ay) / (by_ - ay) + ax) odd = !odd;
    }
    return odd;
  }
  function pick(points) { // in units of the map; null: no area
    const m = MAPS[$(".which").value], of = new Map();
    let wells = 0, other = 0;
    area = points;
    for (let i = 0; points && i < W.n; i++) {
      if (!within(m.x[i], m.y[i], points)) continue;
      wells++;
      if (W.treatment[i] < 0) other++;
      else of.set(W.treatment[i], (of.get(W.treatment[i]) || 0) + 1);
    }
    const list = [...of.keys()].sort((a, b) => of.get(b) / T.wells(b).length - of.get(a) / T.wells(a).length || a - b), MOST = 12;
    $(".inside").innerHTML = !points ? "" : "<p><b>" + plural(wells, "well") + "</b> of <b>" + plural(list.length, "treatment") + "</b>" +
      (other ? " and " + plural(other, "other") + " (controls, empty)" : "") + " inside. " +
      (list.length ? "<a href='#hits'>See them in the table</a> · " : "") + "<button class=link>Clear</button></p>" +
      (list.length ? "<ol class=picked>" + list.slice(0, MOST).map((t) => "<li>" + link(t) + " <span class=note>" + of.get(t) + " of " +
        plural(T.wells(t).length, "well") + (T.mechanism[t] ? "; " + esc(T.mechanism[t]) : "") + "</span></li>").join("") + "</ol>" +
        (list.length > MOST ? "<p class=note>and " + whole(list.length - MOST) + " more, in the table</p>" : "") : "");
    if (points) $(".inside .link:not([data-card])").onclick = () => pick(null);
    Hits.only(points ? new Set(list) : null);
    draw();
  }
  Hits.forget = () => pick(null);
  cv.onpointerdown = (e) => { if (e.pointerType !== "touch" && e.button === 0) path = [at(e)], cv.setPointerCapture(e.pointerId); };
  cv.onpointermove = (e) => {
    if (!path || !e.buttons) return point(e);
    const [x, y] = at(e), [lx, ly] = path[path.length - 1];
    if (Math.abs(x - lx) + Math.abs(y - ly) < 4) return;
    path.push([x, y]);
    if (path.length > 2) hide(), outline(path.slice(-2));
  };
  cv.onpointerup = (e) => {
    const drawn = path, w = cv.clientWidth - 20, h = cv.clientHeight - 20;
    path = null;
    if (drawn && drawn.length > 3) return pick(drawn.map(([x, y]) => [(x - 10) / w, (h + 10 - y) / h]));
    const i = nearest(e);
    if (i >= 0 && W.treatment[i] >= 0) open_card(W.treatment[i]);
  };
  cv.onpointercancel = () => { path = null; };

  const field_text = (i) => W.text[by.value] && !["Plate", "Well", MECHANISM, NAME].includes(by.value) ? by.value + ": " + (said(by.value,
    i) || "–") : "";
  function point(e) {
    const i = nearest(e), t = i < 0 ? -1 : W.treatment[i];
    cv.style.cursor = t >= 0 ? "pointer" : "crosshair";
    if (i < 0) return hide();
    const lines = [t >= 0 ? T.name[t] : W.kind[i] === CONTROL ? "control" : "empty well", t >= 0 ? T.mechanism[t] : "", well_name(i),
      field_text(i)];
    show(e, lines.filter((s) => s).join("\n"));
  }
  cv.onmouseleave = hide;
  leg.onclick = (e) => {
    const b = e.target.closest("[data-level]");
    if (b) lit = lit === +b.dataset.level ? -1 : +b.dataset.level, draw();
  };
  by.onchange = () => { lit = -1; draw(); };
  $(".which").onchange = () => area ? pick(null) : draw();
  if (controls) $(".dense").onchange = draw;
  redrawn.push(draw);
  draw();
})();
