// report_trust.js -- can the figures be trusted? Activity against shuffled rankings, the control of positions, mixing of batches, retrieval
// curves, what correction changed, significance, similarity of replicates; then tables of all metrics.
heading("trust", "Trust");
const metric_cell = (m) => !m ? "<td>–</td>" : "<td title='" + (m.value === null ? "no value" : m.value) + "'>" + figure(m.value) +
  (m.low !== null ? "<small>" + figure(m.low) + " – " + figure(m.high) + "</small>" : "") + "</td>";
// rows: [metric, setting, k], or [null, .., .., a heading]; those without any figure are left out, and headings without rows.
function metric_table(id, title, sub, rows) {
  rows = rows.map(([m, s, k, head]) => head ? {head} : {label: named(m, k) + (ABOUT[m].setting && s !== ABOUT[m].setting ? ", " +
    SETTINGS[s].toLowerCase() : ""),
    help: ABOUT[m].help, c: KINDS.map((p) => find(p, m, s, k))})
    .filter((r) => r.head || r.c.some((x) => x && x.value !== null));
  rows = rows.filter((r, i) => !r.head || (rows[i + 1] && !rows[i + 1].head));
  if (!rows.length) return;
  const chance = rows.some((r) => r.c && r.c.some((x) => x && x.chance !== null)), n = KINDS.length + (chance ? 2 : 1);
  let html = "";
  for (const r of rows) {
    const one = r.c && r.c.find((x) => x && x.value !== null);
    html += r.head ? "<tr class=group><td colspan=" + (n + 1) + ">" + esc(r.head) + "</td></tr>" : "<tr title='" + esc(r.help) + "'><td>" +
      esc(r.label) + "</td>" +
      r.c.map(metric_cell).join("") + (chance ? "<td>" + figure(one.chance) + "</td>" : "") + "<td>" + (one.n === null ? ""
        : whole(one.n)) +
      (one.left_out ? "<small>+" + whole(one.left_out) + " out</small>" : "") + "</td></tr>";
  }
  return section(id, title, sub, "<table class=m style='--cols:" + n + "'><thead><tr><th></th>" + KINDS.map((p) => "<th>" + WITH[p] +
    "</th>").join("") +
    (chance ? "<th>chance</th>" : "") + "<th>n</th></tr></thead><tbody>" + html + "</tbody></table>");
}
// rows of a section's metrics: for each k that is shown, where there are several; and for each setting that has figures
function metric_rows(name, setting) {
  const has = (m, s) => M.metrics.some((x) => x.metric === m.name && x.setting === s), other = (m) => Object.keys(SETTINGS).filter((s) =>
    s !== m.setting && has(m, s));
  return METRICS.filter((m) => m.section === name).flatMap((m) => (setting ? [setting] : [m.setting, ...other(m)])
    .flatMap((s) => (m.by_k ? [1, 5, 10] : [m.k]).map((k) => [m.name, s, k])));
}

(function () { // each treatment's mAP beside those of shuffled rankings
  const kinds = KINDS.filter((p) => SHUFFLED[p] && T.figures[p] && T.figures[p].activity_map), Wd = 340, H = 230, L = 42, B = 32;
  if (!kinds.length) return;
  const above = (p) => (t) => T.figures[p].activity_map[t] > SHUFFLED[p][2][t], last = kinds[kinds.length - 1];
  const known = (p) => [...T.id.keys()].filter((t) => T.figures[p].activity_map[t] !== null && SHUFFLED[p][2][t] === SHUFFLED[p][2][t]);
  const n = known(last).length, k = known(last).filter(above(last)).length, control = find(last, "map_controls", "all");
  if (!n) return;
  const sec = section("chance", "Activity against chance",
    "Each treatment's mAP, the most active first; the band holds 90 % of the mAPs of " +
    "shuffled rankings of its wells among the controls, the dashed line half of them. Click a point for its card.",
    "<p class=said><b>" + k + " of " + plural(n, "treatment") + "</b> " + (n === 1 ? "is" : "are") + " above 95 % of their shuffled " +
    "rankings, where chance alone would give " + num(Math.round(.5 * n) / 10) + "." + (control && control.value !== null ?
      " Held-out controls posed as treatments have mAP " + num(control.value) + (control.chance !== null ? " (chance " +
      num(control.chance) + ")" : "") + "." : "") + "</p><div class=two></div>");
  for (const p of kinds) {
    const map = T.figures[p].activity_map, [low, half, high] = SHUFFLED[p], order = known(p).sort((a, b) => map[b] - map[a] || a - b);
    const x = (r) => L + 8 + r / Math.max(1, order.length - 1) * (Wd - L - 24), y = (v) => 8 + (1 - v) * (H - B - 12);
    const step = Math.ceil(order.length / 1500), drawn = order.map((t, r) => [t, r]).filter(([, r]) => r % step === 0);
    const pt = (q) => drawn.map(([t, r]) => x(r).toFixed(1) + "," + y(q[t]).toFixed(1));
    const inner = axes(Wd, H, L, B, x, y, [], [0, .25, .5, .75, 1], "treatments", "mAP") + "<polygon points='" +
      pt(high).concat(pt(low).reverse()).join(" ") + "' fill='var(--soft)' opacity=.25 /><polyline points='" + pt(half).join(" ") +
      "' fill=none stroke='var(--soft)' stroke-dasharray='4 3'/>" + drawn.map(([t, r]) => "<circle cx=" + x(r).toFixed(1) + " cy=" +
      y(map[t]).toFixed(1) + " r=3.2 fill='var(--" + (above(p)(t) ? "accent" : "warm") + ")' data-card=" + t + " data-tip='" +
      esc(T.name[t]) + "\nmAP " + num(map[t]) + ", shuffled: up to " + num(high[t]) + "'/>").join("");
    tips(add(sec.lastElementChild, "<div><h3>" + WITH[p] + "</h3>" + svg(Wd, H, inner, "mAP against shuffled rankings") + "</div>"));
  }
})();

(function () { // the control of positions
  const claims = M.claims.filter((c) => c.profiles === FORM && c.all);
  if (!claims.some((c) => c.other_positions || c.position_control)) return;
  const kinds = [["all", "all positions", COLORS[0]], ["other_positions", "other positions only", COLORS[2]],
    ["position_control", "untreated positions posed as treatments", COLORS[3]]], row = 54, top = 22, Wd = room(560);
  const sec = section("position", "Is it only the well's position?",
    "A figure should stay where it is with candidates at other positions " +
    "of the plate, and untreated positions should be at chance (the grey bar). Profiles " + WITH[FORM] + ", 95 % intervals.",
    legend(kinds.map(([, name, c]) => [name, c])) + "<div class=plot></div>");
  const H = claims.length * (row + top) + 20, x = (v) => 8 + v * (Wd - 20);
  let s = "";
  for (const v of [0, .25, .5, .75, 1]) {
    s += "<line x1=" + x(v) + " x2=" + x(v) + " y1=0 y2=" + (H - 18) + " stroke='var(--grid)'/><text x=" + x(v) + " y=" + (H - 4) +
      " text-anchor=middle>" + v + "</text>";
  }
  claims.forEach((c, i) => {
    const at = i * (row + top) + 14;
    s += "<text class=name x=8 y=" + at + ">" + esc(named(c.metric, c.k)) + ": " + (c.holds === null ? "cannot be told" : c.holds ? "holds"
      : "position may explain it") + "</text>";
    kinds.forEach(([key, name, colour], k) => {
      const v = c[key], y = at + 14 + k * 15;
      if (!v || v.value === null) return;
      s += (v.chance === null ? "" : "<line x1=" + x(v.chance) + " x2=" + x(v.chance) + " y1=" + (y - 6) + " y2=" + (y + 6) +
        " stroke='var(--soft)' stroke-width=4 opacity=.6 />") + "<g data-tip='" + esc(name) + ": " + num(v.value) + (v.low === null ? "" :
        " (" + num(v.low) + " to " + num(v.high) + ")") + ", chance " + num(v.chance) + "'>" + (v.low === null ? "" : "<line x1=" +
        x(v.low) + " x2=" + x(v.high) + " y1=" + y + " y2=" + y + " stroke='" + colour + "' stroke-width=3 />") + "<circle cx=" +
        x(v.value) + " cy=" + y + " r=4.5 fill='" + colour + "'/></g>";
    });
  });
  sec.querySelector(".plot").innerHTML = svg(Wd, H, s, "Figures at other and at untreated positions");
  tips(sec);
})();

// From the ring (without) to the dot (with correction). list: {label, before, after, colour}
function dumbbells(list, label) {
  const row = 40, Wd = room(560), [a, b] = ends(list.flatMap((c) => [c.before, c.after])), lo = Math.min(0, a), hi = Math.max(1, b);
  const x = (v) => 8 + (v - lo) / (hi - lo) * (Wd - 20), H = list.length * row + 22;
  let s = "";
  for (const v of [0, .25, .5, .75, 1]) {
    s += "<line x1=" + x(v) + " x2=" + x(v) + " y1=0 y2=" + (H - 18) + " stroke='var(--grid)'/><text x=" + x(v) + " y=" + (H - 4) +
      " text-anchor=middle>" + v + "</text>";
  }
  list.forEach((c, i) => {
    const y = i * row + 26, one = c.before === c.after;
    s += "<text class=name x=8 y=" + (y - 11) + ">" + esc(c.label) + "</text><g data-tip='" + esc(c.label) + "\n" + (one ? "" :
      num(c.before) + " → ") + num(c.after) + "'><line x1=" + x(c.before) + " x2=" + x(c.after) + " y1=" + y + " y2=" + y + " stroke='" +
      c.colour + "' stroke-width=3 /><circle cx=" + x(c.before) + " cy=" + y + " r=4.5 fill='var(--card)' stroke='" + c.colour +
      "' stroke-width=2 /><circle cx=" + x(c.after) + " cy=" + y + " r=5 fill='" + c.colour + "'/></g>";
  });
  return svg(Wd, H, s, label);
}

(function () { // do batches mix, and do compounds stay apart?
  const both = (m) => KINDS.map((p) => find(p, m, "all", ABOUT[m] ? ABOUT[m].k : 0)).filter((v) => v && v.value !== null);
  const groups = [["knn_source", "source", "Source"], ["knn_plate", "plate", "Plate"]].filter(([m]) => both(m).length);
  const rows = ["knn_source", "knn_plate", "lisi_batch", "silhouette_batch", "connectivity", "lisi_label", "silhouette_label"]
    .filter((m) => both(m).length);
  if (!groups.length) return;
  const share = (column) => { // of the commonest: what a vote names where all is mixed
    const count = new Map(), t = W.text[column];
    for (let i = 0; t && i < W.n; i++) if (W.kind[i] === EVALUATED) count.set(t.code[i], (count.get(t.code[i]) || 0) + 1);
    return count.size ? Math.max(...count.values()) / [...count.values()].reduce((a, b) => a + b) : null;
  };
  const say = ([m, word, column]) => {
    const v = both(m), now = v[v.length - 1], change = CHANGES.find((c) => c.metric === m), mixed = share(column);
    if (mixed === 1) return "There is one " + word + ": nothing can mix. ";
    return "<b>" + (!change || v.length < 2 ? "" : change.better > 0 ? "Correction mixes " + word + "s better. " : change.better < 0 ?
      "Correction sets " + word + "s further apart. " : "Correction does not change how " + word + "s mix. ") +
        "</b>The five most similar " +
      "wells of other compounds name a well's " + word + " in " + percent(now.value) + " of cases" + (v.length > 1 ? " (" +
      percent(v[0].value) + " without correction" : " (") + (none(mixed) ? ")" : (v.length > 1 ? "; " : "") + percent(mixed) +
      " where all " + word + "s mix)") + (none(mixed) || now.low === null ? ". " : now.low > mixed + .05 ? ": " + word +
      "s can still be told apart. " : ": " + word + "s mix. ");
  };
  const colour = (m) => { const c = CHANGES.find((x) => x.metric === m); return "var(--" + (!c || !c.better ? "soft" : c.better > 0 ?
    "accent" : "warm") + ")"; };
  const sec = section("mixing", "Do batches mix?", KINDS.length > 1 ? "From the ring (without correction) to the dot (with)." : "",
    groups.map((g) => "<p class=said>" + say(g) + "</p>").join("") + "<div class=plot></div>");
  const best = (m) => ABOUT[m].lower_is_better ? "" : m.endsWith("_label") ? " (1: well apart)" : " (1: well mixed)";
  sec.querySelector(".plot").innerHTML = dumbbells(rows.map((m) => { const v = both(m); return {label: named(m) + best(m), before:
    v[0].value, after: v[v.length - 1].value, colour: colour(m)}; }), "Mixing of batches");
  tips(sec);
})();

(function () { // retrieval curves of what has a possible match: of all wells, and the other settings on request
  const list = [], has = (m, s) => KINDS.some((p) => { const v = find(p, m, s, 1); return v && v.value !== null; });
  for (const s in SETTINGS) for (const m of METRICS) if (m.section === "retrieval" && m.by_k && has(m.name, s)) list.push([m.name, s]);
  if (has("counterfactual", "unseen_compounds")) list.push(["counterfactual", "unseen_compounds"]);
  if (!list.length) return;
  const sec = section("curves", "Retrieval curves",
    "Hits among the first k (precision: their share of k), with 95 % intervals; dashed: by chance.",
    legend(KINDS.map((p, i) => [WITH[p], COLORS[i]])) + "<div class=two></div><details><summary>Other wells, and precision</summary>" +
    "<div class=two></div></details>"), boxes = sec.querySelectorAll(".two"), shown = ([m, s]) => !m.endsWith("_precision") &&
    (s === "all" || m === "counterfactual");
  if (list.every(shown)) sec.querySelector("details").remove();
  for (const [m, s] of list) {
    const Wd = 340, H = 210, L = 42, B = 32, x = (k) => L + (k - 1) / 9 * (Wd - L - 16), y = (v) => 10 + (1 - v) * (H - B - 16);
    let inner = axes(Wd, H, L, B, x, y, [1, 2, 4, 6, 8, 10], [0, .25, .5, .75, 1], "k", "hits");
    KINDS.forEach((p, i) => {
      const r = [];
      for (let k = 1; k <= 10; k++) { const v = find(p, m, s, k); if (v && v.value !== null) r.push(v); }
      if (!r.length) return;
      const drawn = r.filter((v) => v.low !== null); // a single compound has no interval
      const pt = (f, of = r) => of.map((v) => x(v.k).toFixed(1) + "," + y(v[f]).toFixed(1));
      inner += "<polygon points='" + pt("high", drawn).concat(pt("low", drawn).reverse()).join(" ") +
        "' fill='" + COLORS[i] + "' opacity=.18 />" +
        "<polyline points='" + pt("value").join(" ") + "' fill=none stroke='" + COLORS[i] + "' stroke-width=2 />";
      if (i === 0) inner += "<polyline points='" + pt("chance").join(" ") + "' fill=none stroke='var(--soft)' stroke-dasharray='4 3'/>";
      for (const v of r) {
        inner += "<circle cx=" + x(v.k).toFixed(1) + " cy=" + y(v.value).toFixed(1) + " r=3.2 fill='" + COLORS[i] + "' data-tip='" +
          WITH[p] + ", top " + v.k + ": " + num(v.value) + " (chance " + num(v.chance) + ")'/>";
      }
    });
    tips(add(boxes[shown([m, s]) ? 0 : 1], "<div><h3>" + esc(ABOUT[m].label) + "<br><span class=note>" + esc(SETTINGS[s]) + "</span></h3>" +
      svg(Wd, H, inner) + "</div>"));
  }
})();
(function () { // a line per figure, from without correction to with it
  if (!CHANGES.length) return;
  const up = CHANGES.filter((c) => c.better > 0).length, down = CHANGES.filter((c) => c.better < 0).length;
  const sec = section("changes", "What correction changed", "Of " + plural(CHANGES.length, "figure") + " <b>" + up + " better, " + down +
    " worse</b> beyond noise, the same compounds compared. From the ring (without) to the dot (with).",
  legend([["better", "var(--accent)"], ["worse", "var(--warm)"], ["no difference beyond noise", "var(--soft)"]]) +
    "<div class=plot></div><p class=note>" + esc(M.correction.sentence) + "</p>");
  sec.querySelector(".plot").innerHTML = dumbbells(CHANGES.map((c) => ({...c, colour: "var(--" + (c.better > 0 ? "accent" : c.better < 0 ?
    "warm" : "soft") + ")"})), "Figures without and with correction");
  tips(sec);
})();
(function () { // evaluate.batch_correction: auto
  const tried = M.corrections_tried && M.corrections_tried.filter((t) => t.tried);
  if (!tried) return;
  const columns = ["nsb", "nss", "nsp", "map_activity", "bias"].filter((m) => tried.some((t) => t[m] !== null));
  const head = columns.map((m) => "<th>" + (m === "bias" ? "bias" : esc(named(m, 1))) + "</th>").join("");
  section("tried", "Corrections tried", "On wells that are not evaluated. Bias: mAP of held-out controls less that without correction. " +
    "Left out: a figure below that without correction, or bias above 0.02.", "<table class=m style='--cols:" + (columns.length + 1) +
    "'><thead><tr><th></th>" + head + "<th></th></tr></thead><tbody>" + tried.map((t) => "<tr><td>" + esc(t.correction) + "</td>" +
    columns.map((m) => "<td>" + (t[m] === null ? "–" : m === "bias" ? t[m].toFixed(3) : figure(t[m])) + "</td>").join("") + "<td>" +
    (t.chosen ? "<b>used</b>" : t.allowed ? "" : "left out") + "</td></tr>").join("") + "</tbody></table>");
})();

(function () { // mAP against significance
  const kinds = KINDS.filter((p) => T.figures[p] && T.figures[p].activity_map), MOST = 4000;
  if (!kinds.length) return;
  const sec = section("volcano", "Activity and its significance",
    "A point a treatment: mAP against its plate's controls, and the corrected p-value; " +
    "above the line q &lt; 0.05. Click one for its card.", "<div class=two></div>");
  for (const p of kinds) {
    const map = T.figures[p].activity_map, q = T.figures[p].activity_q, Wd = 340, H = 250, L = 42, B = 32, height = (t) =>
      -Math.log10(q[t]);
    let top = 1.6, inner = "";
    for (let t = 0; t < T.n; t++) if (q[t] > 0) top = Math.max(top, height(t));
    top *= 1.05;
    const x = (v) => L + v * (Wd - L - 12), y = (v) => 8 + (1 - v / top) * (H - B - 12), step = Math.max(1, Math.ceil(T.n / MOST));
    inner = axes(Wd, H, L, B, x, y, [0, .25, .5, .75, 1], [0, 1, 2, 3, 4].filter((v) => v <= top), "mAP", "−log10 q") +
      "<line x1=" + L + " x2=" + (Wd - 8) + " y1=" + y(1.30103) + " y2=" + y(1.30103) + " stroke='var(--warm)' stroke-dasharray='4 3'/>";
    for (let t = 0; t < T.n; t += step) {
      if (map[t] === null || !(q[t] > 0)) continue;
      inner += "<circle cx=" + x(map[t]).toFixed(1) + " cy=" + y(height(t)).toFixed(1) +
        " r=3.4 fill='var(--accent)' opacity=.65 data-card=" + t +
        " data-tip='" + esc(T.name[t]) + "\nmAP " + num(map[t]) + ", q " + num(q[t]) + "'/>";
    }
    tips(add(sec.lastElementChild, "<div><h3>" + WITH[p] + "</h3>" + svg(Wd, H, inner) + (step > 1 ? "<p class=note>one treatment in " +
      step + " is drawn</p>" : "") + "</div>"));
  }
})();

(function () { // heat map
  const h = D.heat, n = h.treatment.length;
  if (n < 2) return;
  const sec = section("replicates", "Similarity of replicates", "Mean cosine between wells of two treatments, " + n + " of " + plural(T.n,
    "treatment") +
    " (the most active ones), grouped by mechanism; on the diagonal: between different wells of one treatment. Profiles " + WITH[FORM] +
      ".",
    "<div class=beside><div class='plot scroll'></div><div></div></div>");
  let top = .01;
  for (const row of h.v) for (const v of row) if (v !== null) top = Math.max(top, Math.abs(v));
  sec.querySelector(".beside").lastElementChild.innerHTML =
    "<div class=scale style='background:linear-gradient(90deg,#2563eb,transparent,#c2410c)'></div>" +
    "<div class=ends><span>−" + num(top) + "</span><span>0</span><span>" + num(top) + "</span></div>";
  const L = 150, Wd = 600 + L, s = 600 / n, cut = (t) => t.length > 22 ? t.slice(0, 21) + "…" : t;
  let inner = "";
  h.treatment.forEach((t, i) => {
    inner += "<text x=" + (L - 6) + " y=" + ((i + .5) * s + 4).toFixed(1) + " text-anchor=end" + (s < 13 ? " style='font-size:" +
      (s * .85).toFixed(1) + "px'" : "") +
      " data-card=" + t + ">" + esc(cut(T.name[t])) + "</text>";
  });
  for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) {
    const v = h.v[i][j];
    if (v === null) continue;
    inner += "<rect x=" + (L + j * s).toFixed(2) + " y=" + (i * s).toFixed(2) + " width=" + s.toFixed(2) + " height=" + s.toFixed(2) +
      " fill='" +
      (v < 0 ? "#2563eb" : "#c2410c") + "' fill-opacity=" + (Math.abs(v) / top).toFixed(3) + " data-i=" + i + " data-j=" + j + " />";
  }
  const box = sec.querySelector(".plot");
  box.innerHTML = svg(Wd, 600, inner, "Similarity of treatments");
  if (n > 15) box.firstElementChild.style.minWidth = "620px"; // names can be read
  box.onmousemove = (e) => {
    const t = e.target.dataset;
    if (t.i === undefined) return hide();
    show(e, T.name[h.treatment[t.i]] + "\n" + T.name[h.treatment[t.j]] + "\n" + num(h.v[t.i][t.j]));
  };
  box.onmouseleave = hide;
})();

heading("figures", "All figures");
(function () {
  const rows = [];
  for (const s in SETTINGS) rows.push([null, s, 0, SETTINGS[s]], ...metric_rows("retrieval", s));
  metric_table("retrieval", "Retrieval",
    "Share of wells with their own compound among the k most similar wells of another batch (or source), with 95 % intervals. " +
    "Left out: queries without a possible match.", rows);
})();
metric_table("predicted", "Predicted profiles of unseen compounds",
  "The generator's profile of a compound that no training step saw, on a plate's controls, " +
  "looks for real wells of that compound in other batches.", metric_rows("predicted"));
metric_table("activity", "Activity, mechanisms, replicates",
  "Mean average precision against the plate's controls, and among compounds that share a mechanism" +
  (M.mechanism_column ? " (" + esc(M.mechanism_column) + ")" : "") + ".", metric_rows("activity"));
metric_table("batches", "Batches", "How well batches mix, and compounds stay apart. Best is 1, except where said.", metric_rows("batches"));
for (const name of new Set(METRICS.map((m) => m.section))) { // sections that are new in the table of metrics
  if (!["retrieval", "predicted", "activity", "batches", ""].includes(name)) metric_table(name, name[0].toUpperCase() + name.slice(1), "",
    metric_rows(name));
}
