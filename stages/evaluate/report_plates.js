// report_plates.js -- every plate in its layout: quality, activity; effects of the edge, and unusual plates.
const scale_color = (v) => { // viridis in five steps, joined: brightness rises with the value, whatever the eye
  const s = [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]], at = Math.max(0, Math.min(.9999, v)) * 4,
    k = Math.floor(at), f = at - k;
  return "rgb(" + s[k].map((a, i) => Math.round(a + f * (s[k + 1][i] - a))).join(",") + ")";
};
const scale_legend = (lo, hi) => "<div><div class=scale style='background:linear-gradient(90deg," + [0, .25, .5, .75,
  1].map(scale_color).join(",") +
  ")'></div><div class=ends><span>" + num(lo) + "</span><span>" + num(hi) + "</span></div></div>";

(function () {
  const columns = Object.keys(D.quality), plates = W.text.Plate ? W.text.Plate.names : [], map = T.figures[FORM] &&
    T.figures[FORM].activity_map;
  if (!plates.length || !PLACE.some((p) => p) || !columns.length && !map) return;
  heading("plates", "Plates");
  const sec = section("plates-wells", "Plates in their layout",
    "Every well in its place. A red frame: all images of the well were flagged by quality control. Click a well for its treatment's card.",
    "<div class=controls><label>shown <select class=what></select></label><label>plates <select class=from></select></label></div>" +
    "<p class=edge></p><div class=key></div><div class=plates></div>");
  const $ = (s) => sec.querySelector(s), what = $(".what"), from = $(".from"), AT = 12, of = plates.map(() => []);
  if (map) what.add(new Option("activity of the treatment (mAP)", "activity"));
  for (const c of columns) what.add(new Option(quality_name(c), c));
  if (columns.includes("QC_Flagged") && FLAGGED.some((v) => v > 0)) what.value = "QC_Flagged";
  plates.forEach((p, i) => { if (i % AT === 0) from.add(new Option((i + 1) + " – " + Math.min(i + AT, plates.length) + " of " +
    plates.length, i)); });
  if (plates.length <= AT) from.parentElement.remove();
  for (let i = 0; i < W.n; i++) if (place(i)) of[W.text.Plate.code[i]].push(i);
  const values = () => what.value !== "activity" ? reals(D.quality[what.value], W.n) : by_treatment(map);

  // Wells of the outermost rows and columns against the others, in standard deviations of all: over every plate, and the worst plate.
  function edge(v) {
    let worst = 0, where = -1; const all = [[], []];
    of.forEach((wells, p) => {
      const rows = wells.map((i) => place(i)), r0 = Math.min(...rows.map((q) => q[0])), r1 = Math.max(...rows.map((q) => q[0]));
      const c0 = Math.min(...rows.map((q) => q[1])), c1 = Math.max(...rows.map((q) => q[1])), part = [[], []];
      wells.forEach((i, k) => { if (v[i] === v[i]) part[+(rows[k][0] === r0 || rows[k][0] === r1 || rows[k][1] === c0 ||
        rows[k][1] === c1)].push(v[i]); });
      if (part[0].length < 4 || part[1].length < 4) return;
      all[0].push(...part[0]), all[1].push(...part[1]);
      const d = shift(part);
      if (Math.abs(d) > Math.abs(worst)) worst = d, where = p;
    });
    return where < 0 ? null : {all: shift(all), worst, where};
  }
  const mean = (a) => a.reduce((s, x) => s + x, 0) / a.length;
  const shift = (part) => {
    const m = mean([...part[0], ...part[1]]), sd = Math.sqrt(mean([...part[0], ...part[1]].map((x) => (x - m) ** 2)));
    return sd > 0 ? (mean(part[1]) - mean(part[0])) / sd : 0;
  };
  const failed = (wells) => { const n = wells.filter((i) => FLAGGED[i] > 0).length; return n ? " · <b class=bad>" + n + " of " +
    wells.length +
    " flagged</b>" : ""; };
  function draw_plate(p, v, lo, hi) {
    const wells = of[p], R = Math.max(0, ...wells.map((i) => place(i)[0])) + 1, C = Math.max(0, ...wells.map((i) => place(i)[1])) + 1;
    let s = "<rect width=" + C * 10 + " height=" + R * 10 + " fill='var(--grid)'/>";
    for (const i of wells) {
      const [r, c] = place(i), t = W.treatment[i], name = t >= 0 ? T.name[t] : W.kind[i] === CONTROL ? "control" : "empty";
      s += "<rect x=" + (c * 10 + .5) + " y=" + (r * 10 + .5) + " width=9 height=9 fill='" + (v[i] !== v[i] ? "none"
        : scale_color((v[i] - lo) / (hi - lo || 1))) + "'" +
        (FLAGGED[i] > 0 ? " stroke='var(--bad)' stroke-width=1.4" : "") + (t >= 0 ? " data-card=" + t : "") +
        " data-tip='" + esc(said("Well", i) + " " + name + "\n" + num(v[i])) + "'/>";
    }
    const [source, batch, plate] = plates[p].split("/");
    return "<div><h3 title='" + esc(plates[p]) + "'>" + esc(plate) + "</h3><p class=note>" + esc([source, batch].filter((x) =>
      x).join(" · ")) + failed(wells) + "</p>" +
      svg(C * 10, R * 10, s, "Plate " + plates[p]) + "</div>";
  }
  function draw() {
    const v = values(), first = +from.value || 0, e = edge(v), [lo, hi] = ends(v);
    $(".edge").textContent = !e ? "" : Math.abs(e.worst) < .5
      ? "No edge effect is visible in this: edge wells differ from inner wells by less than half a standard deviation on every plate." :
      "Edge effect: wells at the edge are " + (e.all > 0 ? "higher" : "lower") + " by " + num(Math.abs(e.all)) +
        " standard deviations over all plates; most on " + plates[e.where] + " (" + num(e.worst) + ").";
    $(".key").innerHTML = lo <= hi ? scale_legend(lo, hi) : "<p class=note>no values</p>";
    $(".plates").innerHTML = plates.slice(first, first + AT).map((_, k) => draw_plate(first + k, v, lo, hi)).join("");
    tips($(".plates"));
  }
  what.onchange = from.onchange = draw;
  draw();
})();
