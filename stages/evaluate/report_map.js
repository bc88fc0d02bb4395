// report_map.js -- all wells on a map, UMAP or principal components, coloured by any column; a click opens the treatment's card.
const MAPS = [["UMAP", D.wells.umap], ["first principal components", D.wells.pca]].filter((m) => m[1]).map(([name, packed]) => {
  const unit = packed.map((p) => { const v = whole_numbers(p, W.n), out = new Float32Array(W.n); for (let i = 0; i < W.n;
  i++) out[i] = v[i] / 65534; return out; });
  return {name, x: unit[0], y: unit[1]};
});

(function () {
  if (!MAPS.length || !W.n) return;
  heading("map", "Map");
  const sec = section("map-wells", "All wells",
    "A point is a well; near points look alike. Controls are grey. Point at a well for its name, click for its treatment's card.",
    "<div class=controls><label>map <select class=which></select></label><label>coloured by <select class=by></select></label></div>" +
    "<div class=beside><div class=plot><canvas role=img aria-label='Map of all wells'></canvas></div><div class=legend></div></div>");
  const $ = (s) => sec.querySelector(s), by = $(".by"), cv = $("canvas"), leg = $(".legend"), c = cv.getContext("2d");
  MAPS.forEach((m, k) => $(".which").add(new Option(m.name, k)));
  for (const f of Object.keys(W.text)) if (W.text[f].names.length > 1) by.add(new Option(f.replace(/_/g, " ").toLowerCase(), f));
  for (const q of Object.keys(D.quality)) by.add(new Option(q.replace(/_/g, " "), "quality " + q));
  if (T.figures[FORM] && T.figures[FORM].activity_map) by.add(new Option("activity (mAP)", "activity"));
  const first = [MECHANISM, "Compound", "Batch", "Plate"].find((f) => f && W.text[f] && W.text[f].names.length > 1);
  if (first) by.value = first;
  const ofTreatment = new Set([MECHANISM, NAME, "Compound", "SMILES", "InChIKey", "target"]);
  let px, py, cells, lit = -1;

  function shades() { // a number per well: from the lightest to the fullest colour
    const q = by.value.startsWith("quality ") ? reals(D.quality[by.value.slice(8)], W.n) : null, map = q ? null
      : T.figures[FORM].activity_map;
    return Float64Array.from({length: W.n}, (_, i) => q ? q[i] : W.treatment[i] < 0 || map[W.treatment[i]] === null ? NaN
      : map[W.treatment[i]]);
  }
  function draw() {
    const w = cv.clientWidth || 600, h = Math.round(w * .75), r = devicePixelRatio || 1, m = MAPS[$(".which").value], n = W.n;
    const rad = n > 20000 ? 1.1 : n > 5000 ? 1.7 : n > 800 ? 2.7 : 3.8, field = W.text[by.value], soft = css("--soft");
    cv.width = w * r, cv.height = h * r, cv.style.height = h + "px";
    c.setTransform(r, 0, 0, r, 0, 0), c.clearRect(0, 0, w, h);
    px = m.x.map((v) => 10 + v * (w - 20)), py = m.y.map((v) => h - 10 - v * (h - 20));
    let level, names = 0, used = new Set(), fill = [];
    if (field) {
      const grey = (i) => field.code[i] < 0 || (W.kind[i] === CONTROL || W.kind[i] === EMPTY) && ofTreatment.has(by.value);
      level = field.code.map((k, i) => grey(i) ? -1 : k);
      for (const k of level) if (k >= 0) used.add(k);
      const order = [...used].sort((a, b) => field.names[a].localeCompare(field.names[b], "en", {numeric: true}));
      order.forEach((k, i) => { fill[k] = color(i, order.length); });
      names = order;
    } else {
      const v = shades(); let lo = Infinity, hi = -Infinity;
      for (const x of v) if (x === x) lo = Math.min(lo, x), hi = Math.max(hi, x);
      level = Int32Array.from(v, (x) => x !== x ? -1 : Math.min(15, Math.floor(16 * (x - lo) / (hi - lo || 1))));
      fill = Array.from({length: 16}, (_, k) => scale_color(k / 15));
      leg.innerHTML = scale_legend(lo, hi);
    }
    const byLevel = new Map();
    for (let i = 0; i < n; i++) { if (!byLevel.has(level[i])) byLevel.set(level[i], []); byLevel.get(level[i]).push(i); }
    for (const k of [...byLevel.keys()].sort((a, b) => (a === lit) - (b === lit) || a - b)) { // a colour at a time: one path each
      c.globalAlpha = k < 0 ? .3 : lit >= 0 && k !== lit ? .12 : .85;
      c.fillStyle = k < 0 ? soft : fill[k];
      c.beginPath();
      for (const i of byLevel.get(k)) { c.moveTo(px[i] + rad, py[i]); c.arc(px[i], py[i], rad, 0, 6.2832); }
      c.fill();
    }
    cells = new Map(); // wells by squares of 16 pixels, for the pointer
    for (let i = 0; i < n; i++) { const key = (px[i] >> 4) * 4096 + (py[i] >> 4); if (!cells.has(key)) cells.set(key, []);
    cells.get(key).push(i); }
    if (names) {
      leg.innerHTML = names.slice(0, 80).map((k) => "<button data-level=" + k + (k === lit ? " class=lit" : "") +
        "><i style='background:" + fill[k] + "'></i>" +
        esc(field.names[k]) + "</button>").join("") + (names.length > 80 ? "<span>… " + (names.length - 80) + " more</span>" : "");
    }
  }
  function nearest(e) {
    const b = cv.getBoundingClientRect(), mx = e.clientX - b.left, my = e.clientY - b.top;
    let best = -1, d = 100;
    for (let a = -1; a <= 1; a++) for (let o = -1; o <= 1; o++) for (const i of cells.get(((mx >> 4) + a) * 4096 + (my >> 4) + o) || []) {
      const q = (px[i] - mx) ** 2 + (py[i] - my) ** 2;
      if (q < d) d = q, best = i;
    }
    return best;
  }
  cv.onmousemove = (e) => {
    const i = nearest(e), t = i < 0 ? -1 : W.treatment[i];
    cv.style.cursor = t >= 0 ? "pointer" : "";
    if (i < 0) return hide();
    const lines = [t >= 0 ? T.name[t] : W.kind[i] === CONTROL ? "control" : "empty well", t >= 0 ? T.mechanism[t] : "", well_name(i),
      field_text(i)];
    show(e, lines.filter((s) => s).join("\n"));
  };
  const field_text = (i) => W.text[by.value] && !["Plate", "Well", MECHANISM, NAME].includes(by.value) ? by.value + ": " + (said(by.value,
    i) || "–") : "";
  cv.onmouseleave = hide;
  cv.onclick = (e) => { const i = nearest(e); if (i >= 0 && W.treatment[i] >= 0) open_card(W.treatment[i]); };
  leg.onclick = (e) => { const b = e.target.closest("[data-level]"); if (b) { lit = lit === +b.dataset.level ? -1 : +b.dataset.level;
  draw(); } };
  by.onchange = () => { lit = -1; draw(); };
  $(".which").onchange = draw;
  redrawn.push(draw);
  draw();
})();
