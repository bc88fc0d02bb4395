// report_card.js -- the card of a treatment: what was measured of it, its place on the map, its doses, similar ones, its wells.
const dialog = document.getElementById("card");
const link = (t, s) => "<button class=link data-card=" + t + ">" + esc(s === undefined ? T.name[t] : s) + "</button>";
document.addEventListener("click", (e) => { // links to cards, wherever they are
  const b = e.target.closest && e.target.closest("[data-card]");
  if (b) open_card(+b.dataset.card);
});

function card_facts(t) {
  const rows = [], fact = (k, v, help) => {
    if (v !== "" && v !== "–") rows.push("<dt" + (help ? " title='" + esc(help) + "'" : "") + ">" + esc(k) + "</dt><dd>" + v + "</dd>");
  };
  const all = T.wells(t).length, p = D.treatments.predicted && D.treatments.predicted[t];
  if (T.name[t] !== T.id[t]) fact("identifier", esc(T.id[t]));
  fact("mechanism", esc(T.mechanism[t]));
  fact("wells", T.evaluated[t] + " evaluated" + (all > T.evaluated[t] ? ", " + (all - T.evaluated[t]) + " used in training or left out"
    : ""));
  for (const f of Object.keys(T.figures[Hits.form] || {})) {
    if (/_p$|_normalized$/.test(f)) continue;
    const v = value(Hits.form, f, t), [label, help] = FIGURES[f] || [f.replace(/_/g, " "), ""];
    fact(label, num(v) + (f === "activity_q" && v !== null ? v < .05 ? " <b class=good>active</b>" : " <span class=note>not active</span>"
      : ""), help);
  }
  const by_chance = SHUFFLED[Hits.form] && SHUFFLED[Hits.form][2][t];
  if (by_chance) fact("mAP by chance", "up to " + num(by_chance), "95 of 100 shuffled rankings of its wells among the controls are below");
  fact("alike across batches", num(D.treatments.batches[t]), "Mean cosine between its wells of different batches");
  fact("alike across sources", num(D.treatments.sources[t]), "Mean cosine between its wells of different sources");
  if (p) fact("predicted from structure", "cosine " + num(p[0]) + "; place " + p[1] + " of " + T.evaluated.filter((n) => n > 0).length,
    "The profile that the model predicts from the structure, against the observed one, and its place among all treatments");
  fact("flags", esc(T.flags[t]));
  return "<dl>" + rows.join("") + "</dl>";
}

// Does every source tell the same about it?
function card_agreement(t) {
  if (!AGREE || !AGREE.judged[t]) return "";
  const rows = AGREE.names.map((name, k) => [name, AGREE.of(t, k)]).filter(([, v]) => v === v), by = AGREE.by === "source" ? "source"
    : "batch";
  return "<div><h3>" + (AGREE.agree[t] === AGREE.judged[t] ? "All " : AGREE.agree[t] + " of ") + AGREE.judged[t] + " " +
    (by === "source" ? "sources" : "batches") + " agree</h3><table class='left agreement'><thead><tr><th>" + by +
    "</th><th>likeness</th><th></th></tr></thead><tbody>" + rows.map(([name, v]) => "<tr><td>" + esc(name) + "</td><td>" +
    v.toFixed(2) + "</td><td>" + (v > AGREE.limit ? "<b class=good>agrees</b>" : "<b class=bad>not clearly</b>") + "</td></tr>").join("") +
    "</tbody></table><p class=note>Likeness: cosine of its mean profile there and in the other " + (by === "source" ? "sources" :
    "batches") + "; of controls posed as treatments it is below " + num(AGREE.limit) + " in 95 of 100 cases.</p></div>";
}

// All wells faint, this treatment's full, its most similar treatment's as rings.
function card_map(t) {
  const X = MAPS[0], side = 300, pts = [], near = D.treatments.nearest[t][0];
  if (!X) return "";
  const x = (i) => (6 + X.x[i] * (side - 12)).toFixed(1), y = (i) => (side - 6 - X.y[i] * (side - 12)).toFixed(1);
  const step = Math.max(1, Math.floor(W.n / 3000));
  let faint = "";
  for (let i = 0; i < W.n; i += step) faint += "M" + x(i) + " " + y(i) + "h.01";
  if (near !== undefined) for (const i of T.wells(near)) pts.push("<circle cx=" + x(i) + " cy=" + y(i) +
    " r=4 fill=none stroke='var(--warm)' stroke-width=1.5 />");
  for (const i of T.wells(t)) {
    pts.push("<circle cx=" + x(i) + " cy=" + y(i) + " r=4.2 fill='var(--accent)'" + (W.kind[i] === EVALUATED ? "" : " fill-opacity=.35") +
      " data-tip='" + esc(well_name(i)) + "'/>");
  }
  return "<figure><div class=square>" + svg(side, side, "<path d='" + faint +
    "' stroke='var(--soft)' stroke-opacity=.35 stroke-width=2.6 stroke-linecap=round />" +
    pts.join(""), "Its place on the map") + "</div><figcaption>On the map: full, this treatment" +
    (near !== undefined ? "; rings, " + esc(T.name[near]) : "") + "</figcaption></figure>";
}

// Feature by feature: what the model predicts from the structure, against what was observed.
function card_predicted(t) {
  const pair = D.treatments.pairs && D.treatments.pairs[t];
  if (!pair) return "";
  const [seen, told] = pair.map((p) => reals(p, D.treatments.pairs.n)), [lo, hi] = ends([...seen, ...told]), S = 300;
  const at = (v) => 36 + (v - lo) / (hi - lo || 1) * (S - 46), x = (v) => at(v).toFixed(1), y = (v) => (S - at(v)).toFixed(1);
  let s = "<line x1=" + x(lo) + " y1=" + y(lo) + " x2=" + x(hi) + " y2=" + y(hi) + " stroke='var(--soft)' stroke-dasharray='4 3'/>" +
    "<text x=" + S / 2 + " y=" + (S - 8) + " text-anchor=middle>predicted</text><text transform='translate(14 " + S / 2 +
    ") rotate(-90)' text-anchor=middle>observed</text>";
  seen.forEach((v, k) => { s += "<circle cx=" + x(told[k]) + " cy=" + y(v) + " r=2.6 fill='var(--accent)' opacity=.6 />"; });
  return "<figure><div class=square>" + svg(S, S, s, "Predicted and observed profile") + "</div><figcaption>A point a feature of the " +
    "profile: predicted from the structure, and observed</figcaption></figure>";
}

// Other treatments of its compound, in the order of the first number in their names: dose or time, the first column of screen.treatment; a
// line for each combination of the others.
function card_doses(t) {
  const same = [];
  for (let o = 0; o < T.n; o++) if (T.compound[o] === T.compound[t]) same.push(o);
  if (same.length < 2) return "";
  const dose = (o) => parseFloat(T.id[o].slice(T.id[o].indexOf("|") + 1)), of = (o) => value(Hits.form, "activity_map", o);
  const axis = (M.configuration["screen.treatment"] || "dose").replace(/[[\]]/g, "").split(",")[0].trim();
  const rest = (o) => T.id[o].split("|").slice(2).join(" "), lines = [...new Set(same.map(rest))];
  same.sort((a, b) => dose(a) - dose(b) || a - b);
  const doses = [...new Set(same.map((o) => T.id[o].split("|")[1] || ""))], k_of = (o) => doses.indexOf(T.id[o].split("|")[1] || "");
  const Wd = 300, H = 190, L = 40, B = 34, x = (k) => L + 12 + k * (Wd - L - 34) / Math.max(1, doses.length - 1), y = (v) => 8 +
    (1 - v) * (H - B - 12);
  let s = axes(Wd, H, L, B, x, y, [], [0, .5, 1], axis, "mAP");
  const pts = same.map((o) => [o, x(k_of(o)), of(o)]).filter((p) => p[2] !== null), paint = (o) => lines.length < 2 ? "var(--accent)"
    : color(lines.indexOf(rest(o)), lines.length);
  for (const l of lines) {
    const own = pts.filter((p) => rest(p[0]) === l);
    if (own.length > 1) s += "<polyline fill=none stroke='" + paint(own[0][0]) + "' stroke-width=2 points='" + own.map((p) =>
      p[1].toFixed(1) + "," + y(p[2]).toFixed(1)).join(" ") + "'/>";
  }
  doses.forEach((d, k) => { s += "<text x=" + x(k).toFixed(1) + " y=" + (H - B + 14) + " text-anchor=middle>" + esc(d.slice(0, 6)) +
    "</text>"; });
  for (const [o, px, v] of pts) {
    s += "<circle cx=" + px.toFixed(1) + " cy=" + y(v).toFixed(1) + " r=" + (o === t ? 6 : 4) + " fill='" + paint(o) + "' data-card=" + o +
      " data-tip='" +
      esc(T.name[o]) + ": mAP " + num(v) + "'/>";
  }
  return "<figure>" + svg(Wd, H, s, "mAP by " + axis) + "<figcaption>Activity of the compound's treatments</figcaption>" +
    (lines.length > 1 ? legend(lines.map((l, i) => [l, color(i, lines.length)])) : "") + "</figure>";
}

function card_near(t) {
  const n = D.treatments.nearest[t], rows = [];
  for (let k = 0; k < n.length; k += 2) {
    rows.push("<tr><td>" + link(n[k]) + "</td><td>" + esc(T.mechanism[n[k]] || "–") + "</td><td>" + num(n[k + 1]) + "</td></tr>");
  }
  return rows.length ? "<h3>Most similar</h3><div class=scroll><table class=names><thead><tr><th>treatment</th>" +
    "<th>mechanism</th><th>cosine</th></tr></thead><tbody>" +
    rows.join("") + "</tbody></table></div>" : "";
}

function card_wells(t) {
  const fields = ["Source", "Batch", "Plate", "Well", "Set"].filter((f) => W.text[f]), wells = T.wells(t), MOST = 200;
  const short = (f, i) => f === "Batch" || f === "Plate" ? said(f, i).split("/").pop() : said(f, i);
  const rows = Array.from(wells.subarray(0, MOST), (i) => "<tr" + (W.kind[i] === EVALUATED ? "" : " class=soft") + ">" +
    fields.map((f) => "<td>" + esc(short(f, i)) + "</td>").join("") + "<td>" + (FLAGGED[i] > 0 ? "flagged" : "") + "</td></tr>");
  return "<details" + (wells.length <= 12 ? " open" : "") + "><summary>" + plural(wells.length, "well") +
    "</summary><div class=scroll><table class=left><thead><tr>" +
    fields.map((f) => "<th>" + f.toLowerCase() + "</th>").join("") + "<th>quality</th></tr></thead><tbody>" + rows.join("") +
      "</tbody></table></div>" +
    (wells.length > MOST ? "<p class=note>the first " + MOST + "; all are in wells.csv</p>" : "") + "</details>";
}
const well_name = (i) => said("Plate", i) + " " + said("Well", i);

function open_card(t) {
  const at = Hits.rows.indexOf(t), step = (by) => at < 0 ? -1 : at + by;
  const go = (r, s, label) => "<button data-card=" + (r < 0 || r >= Hits.rows.length ? t + " disabled" : Hits.rows[r]) + " aria-label='" +
    label + "'>" + s + "</button>";
  dialog.innerHTML = "<header><h2>" + esc(T.name[t]) + "</h2><span>" + go(step(-1), "‹", "Previous treatment") + go(step(1), "›",
    "Next treatment") +
    "<button class=close aria-label='Close'>×</button></span></header><div class=parts><div>" + card_facts(t) + "</div>" +
    card_agreement(t) + card_structure(t) + card_map(t) + card_doses(t) + card_predicted(t) +
    "</div>" + card_images(t) + card_near(t) + card_wells(t);
  dialog.querySelector(".close").onclick = () => dialog.close();
  tips(dialog);
  start_images(dialog);
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
}
dialog.onclose = hide;
dialog.onclick = (e) => { if (e.target === dialog) dialog.close(); };
dialog.onkeydown = (e) => {
  const b = e.key === "ArrowLeft" ? "Previous treatment" : e.key === "ArrowRight" ? "Next treatment" : "", button = b &&
    dialog.querySelector("[aria-label='" + b + "']");
  if (button && !button.disabled) button.click();
};
