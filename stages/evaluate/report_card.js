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
    if (/_p$/.test(f)) continue;
    const v = value(Hits.form, f, t), [label, help] = FIGURES[f] || [f.replace(/_/g, " "), ""];
    fact(label, num(v) + (f === "activity_q" && v !== null ? v < .05 ? " <b class=good>active</b>" : " <span class=note>not active</span>"
      : ""), help);
  }
  fact("alike across batches", num(D.treatments.batches[t]), "Mean cosine between its wells of different batches");
  fact("alike across sources", num(D.treatments.sources[t]), "Mean cosine between its wells of different sources");
  if (p) fact("predicted from structure", "cosine " + num(p[0]) + "; place " + p[1] + " of " + T.evaluated.filter((n) => n > 0).length,
    "The profile that the model predicts from the structure, against the observed one, and its place among all treatments");
  fact("flags", esc(T.flags[t]));
  return "<dl>" + rows.join("") + "</dl>";
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

// Other treatments of its compound, in the order of the first number in their names.
function card_doses(t) {
  const same = [];
  for (let o = 0; o < T.n; o++) if (T.compound[o] === T.compound[t]) same.push(o);
  if (same.length < 2) return "";
  const dose = (o) => parseFloat(T.id[o].slice(T.id[o].indexOf("|") + 1)), of = (o) => value(Hits.form, "activity_map", o);
  same.sort((a, b) => dose(a) - dose(b) || a - b);
  const Wd = 300, H = 190, L = 40, B = 34, x = (k) => L + 12 + k * (Wd - L - 34) / (same.length - 1), y = (v) => 8 + (1 - v) * (H - B - 12);
  let s = axes(Wd, H, L, B, x, y, [], [0, .5, 1], "dose", "mAP");
  const pts = same.map((o, k) => [o, x(k), of(o)]).filter((p) => p[2] !== null);
  s += "<polyline fill=none stroke='var(--accent)' stroke-width=2 points='" + pts.map((p) => p[1].toFixed(1) + "," +
    y(p[2]).toFixed(1)).join(" ") + "'/>";
  same.forEach((o, k) => { s += "<text x=" + x(k).toFixed(1) + " y=" + (H - B + 14) + " text-anchor=middle>" + esc(T.id[o].split("|")[1] ||
    "").slice(0, 6) + "</text>"; });
  for (const [o, px, v] of pts) {
    s += "<circle cx=" + px.toFixed(1) + " cy=" + y(v).toFixed(1) + " r=" + (o === t ? 6 : 4) + " fill='var(--accent)' data-card=" + o +
      " data-tip='" +
      esc(T.name[o]) + ": mAP " + num(v) + "'/>";
  }
  return "<figure>" + svg(Wd, H, s, "mAP by dose") + "<figcaption>Activity of the compound's treatments</figcaption></figure>";
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
    card_structure(t) + card_map(t) +
      card_doses(t) +
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
