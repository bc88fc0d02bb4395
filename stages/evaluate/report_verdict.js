// report_verdict.js -- the head of the page: five sentences made from the figures, each with a link to where they are from.
document.title = M.screen + ": " + M.run;
add(main, "<h1>" + esc(M.screen) + " · " + esc(M.run) + "</h1>");
add(main, "<p class=sub>Profiles normalized (" + esc(M.configuration["evaluate.normalize"]) + ") by " +
  esc(M.configuration["evaluate.normalize_by"]) + "; with correction: " +
  ({rank_plate: "ranks within plates", rank_batch: "ranks within batches"}[M.configuration["evaluate.reshape"]] || "values as they are") +
  ", sphering " + esc(M.configuration["evaluate.sphere"]) + ", batch correction " +
  esc(M.configuration["evaluate.batch_correction"]) + ". Intervals: 95&nbsp;%, bootstrap over compounds.</p>");

// The effect of correction on each figure, from the same compounds in both forms (advice.c); better: 0 where it is within noise.
const CHANGES = (M.correction ? M.correction.effects : []).map((c) => ({...c, label: named(c.metric, c.k)}));

function say_active() {
  const q = T.figures[FORM] && T.figures[FORM].activity_q, map = find(FORM, "map_activity", "all");
  if (!q || !map || map.value === null) return ["",
    "Activity was not measured: there are no controls, or no treatment has two evaluated wells.", "hits"];
  const known = q.filter((v) => v !== null).length, active = [...q.keys()].filter((t) => q[t] !== null && q[t] < .05);
  active.sort((a, b) => T.figures[FORM].activity_map[b] - T.figures[FORM].activity_map[a] || a - b);
  const strongest = active.slice(0, 3).map((t) => link(t)).join(", ");
  return [active.length ? "good" : "bad", "<b>" + whole(active.length) + " of " + plural(known, "treatment") + "</b> " +
    (known === 1 || active.length === 1 ? "is" : "are") + " active: told from untreated wells of the same plates (q &lt; 0.05; mean mAP " +
      num(map.value) + ")." +
    (active.length ? " Strongest: " + strongest + "." : ""), D.treatments.null[FORM] ? "chance" : "hits"];
}
function say_reproducible() {
  const parts = [], marks = [];
  for (const [m, what] of [["nsb", "batch"], ["nss", "source"], ["nsp", "plate"]]) { // of plates only where there is one batch
    const v = find(FORM, m, "all", 5);
    if (!v || v.value === null) continue;
    const clear = v.low > v.chance;
    marks.push(clear);
    parts.push("<b>" + percent(v.value) + "</b> of wells have one of their compound among the five most similar wells of another " + what +
      " (chance " + percent(v.chance) + (clear ? "" : ": not clearly more") + ")");
  }
  return parts.length ? [marks.every((x) => x) ? "good" : "bad", "Reproducible? " + parts.join("; ") + "." + say_agreement(), "curves"] :
    ["", "Reproducibility cannot be judged: no compound has wells in two batches, or on two plates of the only one.", "plates"];
}
function say_agreement() { // of active treatments
  const a = AGREE, q = T.figures[FORM] && T.figures[FORM].activity_q;
  if (!a || !q) return "";
  const known = [...q.keys()].filter((t) => q[t] !== null && q[t] < .05 && a.judged[t] > 0), all = known.filter((t) => a.agree[t] ===
    a.judged[t]);
  return known.length ? " All " + (a.by === "source" ? "sources" : "batches") + " agree about <b>" + all.length + " of " +
    plural(known.length, "active treatment") + "</b>." : "";
}
function say_position() {
  const claims = M.claims.filter((c) => c.profiles === FORM), told = claims.filter((c) => c.holds !== null),
    fails = told.filter((c) => !c.holds);
  if (told.length) {
    return fails.length ? ["bad", "<b>Well position may explain " + fails.length + " of " + plural(told.length, "figure") + "</b> (" +
      fails.map((c) => esc(named(c.metric, c.k))).join("; ") +
      "): not clearly above chance at other positions, or above untreated positions posed as treatments.", "position"] :
      ["good", "Well position does not explain the figures: they stay above chance at other positions, or above untreated positions " +
        "posed as treatments (" + told.map((c) => esc(named(c.metric, c.k))).join("; ") + ").", "position"];
  }
  let fixed = 0, replicated = 0;
  for (let t = 0; t < T.n; t++) if (T.evaluated[t] > 1) { replicated++; fixed += T.flags[t].includes("one position"); }
  if (!replicated) return ["", "No treatment has two evaluated wells: nothing can be said of positions.", "hits"];
  return [2 * fixed > replicated ? "bad" : "good", 2 * fixed > replicated ? "<b>" + fixed + " of " + plural(replicated, "treatment") +
    "</b> with replicates are at one well position on all plates: effects of the position raise every figure." :
    "Treatments are at several well positions (" + (replicated - fixed) + " of " + replicated +
      "): a shared position does not look like a shared effect.",
  "plates"];
}
function say_correction() {
  const mark = {use: "good", either: "", mixed: "", against: "bad"};
  if (M.correction) {
    const count = (way) => CHANGES.filter((c) => c.better === way).length, all = M.correction.sentence;
    return [mark[M.correction.verdict], "<b>" + esc(all.slice(all.lastIndexOf(". ") + 2)) + "</b> Correction made " + count(1) +
      " of " + plural(CHANGES.length, "figure") + " better and " + count(-1) + " worse, beyond noise.", "changes"];
  }
  return ["", KINDS.length < 2 ? "There is one form of the profiles: nothing was corrected after normalization." :
    "What correction changed cannot be said: no figure of reproducibility has values without and with it.", "settings"];
}
function say_plates() {
  const t = W.text.Plate;
  if (!t) return ["", "The profiles name no plates.", "hits"];
  const all = new Int32Array(t.names.length), flagged = new Int32Array(t.names.length);
  for (let i = 0; i < W.n; i++) if (t.code[i] >= 0) { all[t.code[i]]++; flagged[t.code[i]] += FLAGGED[i] > 0; }
  const order = [...t.names.keys()].sort((a, b) => flagged[b] / all[b] - flagged[a] / all[a] || a - b), bad = order.filter((p) =>
    flagged[p] > .1 * all[p]);
  const show = (p) => "<b>" + esc(t.names[p]) + "</b> (" + flagged[p] + " of " + plural(all[p], "well") + ")";
  if (!D.quality.QC_Flagged) return ["", "The quality of images is not known for these profiles.", "plates"];
  return bad.length ? ["bad", "Images of " + plural(bad.length, "plate") + " failed quality control in more than a tenth of the wells: " +
    bad.slice(0, 3).map(show).join(", ") + (bad.length > 3 ? ", …" : "") + ".", "plates"] :
    ["good", "No plate has unusually many flagged images" + (flagged[order[0]] ? "; most flagged wells: " + show(order[0]) : "") +
      ".", "plates"];
}
function start_verdict() { // the figures of the sentences are further down: a link leads there, or nowhere if a part is not on this page
  const list = [say_active(), say_reproducible(), say_position(), say_correction(), say_plates()];
  const mark = {good: "✓", bad: "!", "": "·"}, word = {good: "good", bad: "look at this", "": "for information"};
  const figures = (to) => document.getElementById(to) ? " <a href='#" + to + "'>figures</a>" : "";
  document.getElementById("verdict-list").innerHTML = list.map(([kind, s, to]) => "<li class='" + (kind || "plain") + "'><i title='" +
    word[kind] + "'>" +
    mark[kind] + "</i><span>" + s + figures(to) + "</span></li>").join("");
}
(function () {
  const list = (items) => "<ul>" + items.map((n) => "<li>" + esc(n) + "</li>").join("") +
    "</ul>", words = {predicted: "predicted profiles", judged: "evaluated wells"};
  section("verdict", "In short", "", "<ol id=verdict-list></ol>");
  const facts = add(main, "<div class=facts></div>");
  for (const [k, v] of Object.entries(M.counts)) {
    if (v || k !== "predicted") add(facts, "<div><b>" + v.toLocaleString("en") + "</b><span>" + esc(words[k] || k) + "</span></div>");
  }
  if (M.notes.length) section("notes", "Worth knowing", "", list(M.notes));
})();
