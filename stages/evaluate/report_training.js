// report_training.js -- the training's loss and validation, the settings, where the numbers are.
(function () {
  const rows = D.log.filter((r) => typeof r.step === "number");
  const curve = (title, lines) => { // lines: [name, key, colour]; a figure of the steps that have it
    lines = lines.map(([name, key, colour]) => ({name, colour, at: rows.filter((r) => typeof r[key] === "number").map((r) => [r.step,
      r[key]])}))
      .filter((l) => l.at.length > 1);
    if (!lines.length) return "";
    const Wd = 420, H = 220, L = 46, B = 32, [, x1] = ends(rows.map((r) => r.step)), [lo, y1] = ends(lines.flatMap((l) => l.at.map((p) =>
      p[1])));
    const y0 = lines.length > 1 ? 0 : lo, x = (v) => L + v / (x1 || 1) * (Wd - L - 20), y = (v) => 8 + (1 - (v - y0) / (y1 - y0 || 1)) *
      (H - B - 12);
    return "<div><h3>" + title + "</h3>" + (lines.length > 1 ? legend(lines.map((l) => [l.name, l.colour])) : "") + svg(Wd, H, axes(Wd,
      H, L,
      B, x, y, [0, .25, .5, .75, 1].map((t) => Math.round(t * x1)), [0, .5, 1].map((t) => y0 + t * (y1 - y0)), "step", lines[0].name) +
      lines.map((l) => "<polyline fill=none stroke='" + l.colour + "' stroke-width=1.5 points='" + l.at.map(([s, v]) => x(s).toFixed(1) +
      "," + y(v).toFixed(1)).join(" ") + "'/>").join(""), title) + "</div>";
  };
  const loss = curve("Loss by step", [["loss", "loss", "var(--accent)"]]);
  if (loss) {
    heading("training", "Training");
    section("loss", "Loss and validation", "How long the steps took is in micon status --html.", "<div class=two>" + loss +
      curve("Validation: nearest well is of the same compound", [["share", "valid_top1", "var(--accent)"], ["chance", "valid_chance",
        "var(--soft)"]]) + "</div>");
  }
  section("settings", "Settings", "", "<details><summary>All keys that decide these profiles</summary><table class=left><tbody>" +
    Object.entries(M.configuration).map(([k, v]) => "<tr><td>" + esc(k) + "</td><td>" + esc(v) + "</td></tr>").join("") +
      "</tbody></table></details>");
  start_verdict();
  add(main, "<p class=note>All numbers: metrics.json, metrics.csv, compounds.csv, by_compound.csv, wells.csv beside this page.</p>");
})();
