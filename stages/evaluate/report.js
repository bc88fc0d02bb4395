const M = D.metrics;
const COLORS = ["#3b82f6", "#f97316", "#10b981", "#e11d48", "#8b5cf6", "#b08900", "#06b6d4", "#ec4899", "#65a30d", "#7c5a48", "#6366f1", "#0d9488"];
const color = (i, n) => n <= COLORS.length ? COLORS[i] : "hsl(" + Math.round(i * 137.508 % 360) + " 62% " + (45 + 12 * (i % 3)) + "%)";
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const show = (e, s) => { tip.textContent = s; tip.style.display = "block"; const r = tip.getBoundingClientRect();
  tip.style.left = Math.max(4, Math.min(e.clientX + 12, innerWidth - r.width - 6)) + "px";
  tip.style.top = (e.clientY + 14 + r.height > innerHeight ? e.clientY - r.height - 8 : e.clientY + 14) + "px"; };
const hide = () => { tip.style.display = "none"; };
const find = (p, m, s, k) => M.metrics.find((x) => x.profiles === p && x.metric === m && x.setting === s && (x.k || 0) === (k || 0));
const KINDS = ["uncorrected", "corrected"].filter((p) => M.metrics.some((m) => m.profiles === p));
// head
document.title = M.screen + ": " + M.run;
add(main, "<h1>" + esc(M.screen) + " · " + esc(M.run) + "</h1>");
add(main, "<p class=sub>Profiles normalized (" + esc(M.configuration["evaluate.normalize"]) + ") by " + esc(M.configuration["evaluate.normalize_by"]) + "; with correction: sphering " +
  esc(M.configuration["evaluate.sphere"]) + ", " + (M.configuration["evaluate.batch_correction"] === "harmony" ? "Harmony" : "no Harmony") + ". Intervals: 95&nbsp;%, bootstrap over compounds.</p>");
const facts = add(main, "<div class=facts></div>");
for (const [k, v] of Object.entries(M.counts)) if (v || k !== "predicted") add(facts, "<div><b>" + v.toLocaleString("en") + "</b><span>" + esc(k === "predicted" ? "predicted profiles" : k) + "</span></div>");
if (M.notes.length) {
  const s = add(main, "<section><h2>Worth knowing</h2><ul></ul></section>");
  for (const n of M.notes) add(s.lastElementChild, "<li>" + esc(n) + "</li>");
}
// tables
const cell = (m) => !m ? "<td>–</td>" : "<td title='" + (m.value === null ? "no value" : m.value) + "'>" + figure(m.value) +
  (m.low !== null ? "<small>" + figure(m.low) + " – " + figure(m.high) + "</small>" : "") + "</td>";
function table(title, sub, rows) {
  const chance = rows.some(([m]) => m && ABOUT[m].chance);
  rows = rows.map(([m, s, k, label]) => label !== undefined && !m ? {head: label} : {label: label || named(m, k), help: ABOUT[m] && ABOUT[m].help, c: KINDS.map((p) => find(p, m, s, k))}).filter((r) => r.head || r.c.some((x) => x));
  rows = rows.filter((r, i) => !r.head || (rows[i + 1] && !rows[i + 1].head));
  if (!rows.length) return;
  const s = add(main, "<section><h2>" + title + "</h2><p class=sub>" + sub + "</p><table class=m style='--cols:" + (KINDS.length + (chance ? 2 : 1)) + "'><thead><tr><th></th>" + KINDS.map((p) => "<th>" + (p === "corrected" ? "with" : "without") + " correction</th>").join("") +
    (chance ? "<th>chance</th>" : "") + "<th>n</th></tr></thead><tbody></tbody></table></section>"), b = s.querySelector("tbody");
  for (const r of rows) {
    const tr = document.createElement("tr"), one = r.c && r.c.find((x) => x);
    if (r.head) { tr.className = "group"; tr.innerHTML = "<td colspan=" + (KINDS.length + 2 + (chance ? 1 : 0)) + ">" + r.head + "</td>"; }
    else tr.innerHTML = "<td>" + r.label + "</td>" + r.c.map(cell).join("") + (chance ? "<td>" + figure(one.chance) + "</td>" : "") +
      "<td>" + (one.n === null ? "" : one.n.toLocaleString("en")) + (one.left_out ? "<small>+" + one.left_out + " out</small>" : "") + "</td>";
    if (r.help) tr.title = r.help;
    b.append(tr);
  }
}
// rows of a section's metrics: for each k that is shown, where there are several
const shown = (section, setting) => METRICS.filter((m) => m.section === section).flatMap((m) => (m.by_k ? [1, 5, 10] : [m.k]).map((k) => [m.name, setting || m.setting, k]));
const retrieval = [];
for (const s in SETTINGS) retrieval.push([null, s, 0, SETTINGS[s]], ...shown("retrieval", s));
table("Retrieval", "Share of wells with their own compound among the k most similar wells of another batch (or source). Left out: queries without a possible match.", retrieval);
curves();
table("Predicted profiles of unseen compounds", "The generator's profile of a compound that no training step saw, on a plate's controls, looks for real wells of that compound in other batches.", shown("predicted"));
table("Activity, mechanisms, replicates", "Mean average precision against the plate's controls, and among compounds that share a mechanism" + (M.mechanism_column ? " (" + esc(M.mechanism_column) + ")" : "") + ".", shown("activity"));
table("Batches", "How well batches mix, and compounds stay apart. Best is 1, except where said.", shown("batches"));
// retrieval curves
function svg(w, h, inner) { return "<svg viewBox='0 0 " + w + " " + h + "' role=img>" + inner + "</svg>"; }
function axes(w, h, l, b, x, y, xs, ys, xname, yname) {
  let s = "";
  for (const v of ys) s += "<line x1=" + l + " x2=" + (w - 8) + " y1=" + y(v) + " y2=" + y(v) + " stroke='var(--grid)'/><text x=" + (l - 5) + " y=" + (y(v) + 4) + " text-anchor=end>" + num(v) + "</text>";
  for (const v of xs) s += "<text x=" + x(v) + " y=" + (h - b + 15) + " text-anchor=middle>" + num(v) + "</text>";
  return s + "<text x=" + ((l + w - 8) / 2) + " y=" + (h - 3) + " text-anchor=middle>" + xname + "</text><text transform='translate(11 " + ((h - b) / 2) + ") rotate(-90)' text-anchor=middle>" + yname + "</text>";
}
function curves() {
  const list = [];
  for (const s in SETTINGS) for (const m of METRICS) if (m.section === "retrieval" && m.by_k && KINDS.some((p) => find(p, m.name, s, 1))) list.push([m.name, s]);
  if (KINDS.some((p) => find(p, "counterfactual", "unseen_compounds", 1))) list.push(["counterfactual", "unseen_compounds"]);
  if (!list.length) return;
  const sec = add(main, "<section><h2>Retrieval curves</h2><p class=sub>Hits among the first k, with 95 % intervals; dashed: what chance would hit.</p><div class=legend>" +
    KINDS.map((p, i) => "<span><i style='background:" + COLORS[i] + "'></i>" + (i ? "with" : "without") + " correction</span>").join("") + "</div><div class=two></div></section>");
  for (const [m, s] of list) {
    const W = 340, H = 210, L = 42, B = 32, x = (k) => L + (k - 1) / 9 * (W - L - 16) , y = (v) => 10 + (1 - v) * (H - B - 16);
    let inner = axes(W, H, L, B, x, y, [1, 2, 4, 6, 8, 10], [0, .25, .5, .75, 1], "k", "hits");
    KINDS.forEach((p, i) => {
      const r = []; for (let k = 1; k <= 10; k++) { const v = find(p, m, s, k); if (v && v.value !== null) r.push(v); }
      if (!r.length) return;
      const pt = (f) => r.map((v) => x(v.k).toFixed(1) + "," + y(v[f]).toFixed(1));
      inner += "<polygon points='" + pt("high").concat(pt("low").reverse()).join(" ") + "' fill='" + COLORS[i] + "' opacity=.15 />";
      inner += "<polyline points='" + pt("value").join(" ") + "' fill=none stroke='" + COLORS[i] + "' stroke-width=2 />";
      if (i === 0) inner += "<polyline points='" + pt("chance").join(" ") + "' fill=none stroke='var(--soft)' stroke-dasharray='4 3'/>";
      for (const v of r) inner += "<circle cx=" + x(v.k).toFixed(1) + " cy=" + y(v.value).toFixed(1) + " r=3.2 fill='" + COLORS[i] + "' data-tip='" + (i ? "with" : "without") + " correction, top " + v.k + ": " + num(v.value) + " (chance " + num(v.chance) + ")'/>";
    });
    const box = add(sec.lastElementChild, "<div><h3>" + ABOUT[m].label + "<br><span class=note>" + SETTINGS[s] + "</span></h3>" + svg(W, H, inner) + "</div>");
    tips(box);
  }
}
function tips(box) { box.querySelectorAll("[data-tip]").forEach((c) => { c.onmousemove = (e) => show(e, c.dataset.tip); c.onmouseleave = hide; }); }
// UMAP
(function () {
  const w = D.wells, fields = Object.keys(w.text).filter((f) => f !== "well"), n = w.x.length;
  if (!n) return;
  const sec = add(main, "<section><h2>UMAP of all wells</h2><p class=sub>Controls are grey. Point at a well for its name.</p><div class=controls><label>coloured by <select></select></label></div><div class=beside><div class=plot><canvas></canvas></div><div class=legend></div></div></section>");
  const sel = sec.querySelector("select"), cv = sec.querySelector("canvas"), leg = sec.querySelector(".legend"), c = cv.getContext("2d");
  for (const f of fields) sel.add(new Option(f));
  const lo = (a) => a.reduce((p, v) => Math.min(p, v), Infinity), hi = (a) => a.reduce((p, v) => Math.max(p, v), -Infinity);
  const x0 = lo(w.x), x1 = hi(w.x), y0 = lo(w.y), y1 = hi(w.y);
  let px, py;
  function draw() {
    const W = cv.clientWidth || 600, H = Math.round(W * .75), r = devicePixelRatio || 1, f = w.text[sel.value], rad = n > 5000 ? 1.6 : n > 800 ? 2.6 : 3.8;
    cv.width = W * r; cv.height = H * r; cv.style.height = H + "px"; c.setTransform(r, 0, 0, r, 0, 0); c.clearRect(0, 0, W, H);
    px = w.x.map((v) => 10 + (v - x0) / (x1 - x0 || 1) * (W - 20)); py = w.y.map((v) => H - 10 - (v - y0) / (y1 - y0 || 1) * (H - 20));
    for (let pass = 0; pass < 2; pass++) for (let i = 0; i < n; i++) {
      const grey = w.kind[i] !== 0 && (sel.value === "compound" || sel.value === "mechanism") || f.code[i] < 0;
      if (grey === (pass === 1)) continue;
      c.globalAlpha = grey ? .35 : .85; c.fillStyle = grey ? css("--soft") : color(f.code[i], f.names.length);
      c.beginPath(); c.arc(px[i], py[i], rad, 0, 6.2832); c.fill();
    }
    const used = new Set(f.code.filter((v, i) => v >= 0 && !(w.kind[i] !== 0 && (sel.value === "compound" || sel.value === "mechanism"))));
    leg.innerHTML = [...used].sort((a, b) => f.names[a].localeCompare(f.names[b], "en", {numeric: true})).slice(0, 60).map((i) => "<span><i style='background:" + color(i, f.names.length) + "'></i>" + esc(f.names[i]) + "</span>").join("") + (used.size > 60 ? "<span>… " + (used.size - 60) + " more</span>" : "");
  }
  cv.onmousemove = (e) => {
    const b = cv.getBoundingClientRect(), mx = e.clientX - b.left, my = e.clientY - b.top; let best = -1, d = 100;
    for (let i = 0; i < n; i++) { const q = (px[i] - mx) ** 2 + (py[i] - my) ** 2; if (q < d) { d = q; best = i; } }
    if (best < 0) return hide();
    show(e, fields.map((f) => f + ": " + (w.text[f].names[w.text[f].code[best]] || "–")).concat("well: " + w.text.well.names[w.text.well.code[best]]).join("\n"));
  };
  cv.onmouseleave = hide; sel.onchange = draw; addEventListener("resize", draw); matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw); draw();
})();
// mAP against significance
(function () {
  const kinds = KINDS.filter((p) => D.activity[p]);
  if (!kinds.length) return;
  const sec = add(main, "<section><h2>Activity and its significance</h2><p class=sub>A point a treatment: mAP against its plate's controls, and the corrected p-value; above the line q &lt; 0.05.</p><div class=two></div></section>");
  for (const p of kinds) {
    const a = D.activity[p], W = 340, H = 250, L = 42, B = 32, top = Math.max(1.6, ...a.q.map((v) => v === null ? 0 : -Math.log10(v))) * 1.05;
    const x = (v) => L + v * (W - L - 12), y = (v) => 8 + (1 - v / top) * (H - B - 12);
    let inner = axes(W, H, L, B, x, y, [0, .25, .5, .75, 1], [0, 1, 2, 3, 4].filter((v) => v <= top), "mAP", "−log10 q");
    inner += "<line x1=" + L + " x2=" + (W - 8) + " y1=" + y(1.30103) + " y2=" + y(1.30103) + " stroke='var(--warm)' stroke-dasharray='4 3'/>";
    a.map.forEach((v, i) => { if (v !== null) inner += "<circle cx=" + x(v).toFixed(1) + " cy=" + y(-Math.log10(a.q[i])).toFixed(1) + " r=3.4 fill='var(--accent)' opacity=.65 data-tip='" + esc(D.treatments[i]).replace(/'/g, "&#39;") + "\nmAP " + num(v) + ", q " + num(a.q[i]) + "'/>"; });
    tips(add(sec.lastElementChild, "<div><h3>" + (p === "corrected" ? "with" : "without") + " correction</h3>" + svg(W, H, inner) + "</div>"));
  }
})();
// heat map
(function () {
  const h = D.heat, n = h.names.length;
  if (n < 2) return;
  const sec = add(main, "<section><h2>Similarity of replicates</h2><p class=sub>Mean cosine between wells of two treatments, " + n + " of " + D.treatments.length + " treatments (the most active ones), grouped by mechanism; on the diagonal: between different wells of one treatment. Profiles " + (KINDS.length > 1 ? "with" : "without") + " correction.</p><div class=beside><div class=plot></div><div></div></div></section>");
  const top = Math.max(.01, ...h.v.flat().filter((v) => v !== null).map(Math.abs));
  sec.querySelector(".beside").lastElementChild.innerHTML = "<div class=scale style='background:linear-gradient(90deg,rgb(37,99,235),transparent,rgb(220,38,38))'></div><div class=ends><span>−" + num(top) + "</span><span>0</span><span>" + num(top) + "</span></div>";
  const L = 112, W = 600 + L, s = 600 / n, cut = (t) => t.length > 17 ? t.slice(0, 16) + "…" : t; let inner = "";
  h.names.forEach((t, i) => { inner += "<text x=" + (L - 6) + " y=" + ((i + .5) * s + 4).toFixed(1) + " text-anchor=end" + (s < 13 ? " style='font-size:" + (s * .85).toFixed(1) + "px'" : "") + ">" + esc(cut(t)) + "</text>"; });
  for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) { const v = h.v[i][j]; if (v !== null) inner += "<rect x=" + (L + j * s).toFixed(2) + " y=" + (i * s).toFixed(2) + " width=" + s.toFixed(2) + " height=" + s.toFixed(2) + " fill='" + (v < 0 ? "rgb(37,99,235)" : "rgb(220,38,38)") + "' fill-opacity=" + (Math.abs(v) / top).toFixed(3) + " data-i=" + i + " data-j=" + j + " />"; }
  const box = sec.querySelector(".plot"); box.innerHTML = svg(W, 600, inner); box.style.overflowX = "auto"; if (n > 15) box.firstElementChild.style.minWidth = "620px"; // names can be read
  box.onmousemove = (e) => { const t = e.target.dataset; if (t.i === undefined) return hide(); show(e, h.names[t.i] + "\n" + h.names[t.j] + "\n" + num(h.v[t.i][t.j])); };
  box.onmouseleave = hide;
})();
// quality
(function () {
  const w = D.wells, q = D.quality, cols = Object.keys(q), plates = w.text.plate.names;
  if (!cols.length) return;
  const sec = add(main, "<section><h2>Quality by plate</h2><p class=sub>Every well in its place; the fuller the colour, the higher. Outlined: all of the well's tiles were flagged.</p><div class=controls><label>shown <select></select></label><label>plates <select></select></label></div><div class=two></div></section>");
  const [a, b] = sec.querySelectorAll("select"), grid = sec.lastElementChild, AT = 8;
  for (const c of cols) a.add(new Option(c.replace(/_/g, " "), c));
  plates.forEach((p, i) => { if (i % AT === 0) b.add(new Option((i + 1) + " – " + Math.min(i + AT, plates.length) + " of " + plates.length, i)); });
  if (plates.length <= AT) b.parentElement.remove();
  const place = (s) => { const m = /^([A-Z]+)(\d+)$/.exec(s); return m ? [[...m[1]].reduce((r, c) => r * 26 + c.charCodeAt(0) - 64, 0) - 1, +m[2] - 1] : null; };
  const at = w.text.well.code.map((c) => place(w.text.well.names[c]));
  function draw() {
    const v = q[a.value], from = +b.value || 0; let lo = Infinity, hi = -Infinity; grid.innerHTML = "";
    for (const x of v) if (x !== null) { lo = Math.min(lo, x); hi = Math.max(hi, x); }
    for (let p = from; p < Math.min(from + AT, plates.length); p++) {
      const rows = []; w.text.plate.code.forEach((c, i) => { if (c === p && at[i]) rows.push(i); });
      const R = Math.max(...rows.map((i) => at[i][0])) + 1, C = Math.max(...rows.map((i) => at[i][1])) + 1;
      let inner = "<rect x=0 y=0 width=" + C * 10 + " height=" + R * 10 + " fill='var(--grid)'/>";
      for (const i of rows) { const t = v[i] === null ? 0 : (v[i] - lo) / (hi - lo || 1); inner += "<rect x=" + (at[i][1] * 10 + .5) + " y=" + (at[i][0] * 10 + .5) + " width=9 height=9 fill='var(--accent)' fill-opacity=" + (.08 + .92 * t).toFixed(3) + (q.QC_Flagged && q.QC_Flagged[i] ? " stroke='var(--warm)'" : "") + " data-tip='" + w.text.well.names[w.text.well.code[i]] + ": " + num(v[i]) + "'/>"; }
      tips(add(grid, "<div><h3>" + esc(plates[p]) + "</h3>" + svg(C * 10, R * 10, inner) + "</div>"));
    }
    if (lo <= hi) add(grid, "<p class=note>from " + num(lo) + " to " + num(hi) + " over all plates</p>");
  }
  a.onchange = b.onchange = draw; draw();
})();
// training
(function () {
  const rows = D.log.filter((r) => typeof r.step === "number" && typeof r.loss === "number");
  if (rows.length < 2) return;
  const sec = add(main, "<section><h2>Training</h2><p class=sub>Loss by step.</p><div class=plot></div></section>"), W = 640, H = 240, L = 46, B = 32;
  const xs = rows.map((r) => r.step), ys = rows.map((r) => r.loss), x1 = Math.max(...xs), y0 = Math.min(...ys), y1 = Math.max(...ys);
  const x = (v) => L + v / (x1 || 1) * (W - L - 20), y = (v) => 8 + (1 - (v - y0) / (y1 - y0 || 1)) * (H - B - 12);
  sec.lastElementChild.innerHTML = svg(W, H, axes(W, H, L, B, x, y, [0, .25, .5, .75, 1].map((t) => Math.round(t * x1)), [0, .5, 1].map((t) => y0 + t * (y1 - y0)), "step", "loss") +
    "<polyline fill=none stroke='var(--accent)' stroke-width=1.5 points='" + rows.map((r) => x(r.step).toFixed(1) + "," + y(r.loss).toFixed(1)).join(" ") + "'/>");
})();
// settings
const set = add(main, "<section><details><summary>Settings</summary><table><tbody></tbody></table></details></section>");
for (const [k, v] of Object.entries(M.configuration)) add(set.querySelector("tbody").appendChild(document.createElement("tr")), "<i></i>").parentElement.innerHTML = "<td>" + esc(k) + "</td><td>" + esc(v) + "</td>";
add(main, "<p class=note style='margin-top:14px'>All numbers: metrics.json, metrics.csv, compounds.csv, by_compound.csv, wells.csv beside this page.</p>");
