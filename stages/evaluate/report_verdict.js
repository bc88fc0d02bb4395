// report_verdict.js -- the head of the page, and what is worth knowing.
document.title = M.screen + ": " + M.run;
add(main, "<h1>" + esc(M.screen) + " · " + esc(M.run) + "</h1>");
add(main, "<p class=sub>Profiles normalized (" + esc(M.configuration["evaluate.normalize"]) + ") by " +
  esc(M.configuration["evaluate.normalize_by"]) +
  "; with correction: sphering " + esc(M.configuration["evaluate.sphere"]) + ", " +
  (M.configuration["evaluate.batch_correction"] === "harmony" ? "Harmony" : "no Harmony") +
    ". Intervals: 95&nbsp;%, bootstrap over compounds.</p>");
(function () {
  const facts = add(main, "<div class=facts></div>"), words = {predicted: "predicted profiles", judged: "evaluated wells"};
  for (const [k, v] of Object.entries(M.counts)) {
    if (v || k !== "predicted") add(facts, "<div><b>" + v.toLocaleString("en") + "</b><span>" + esc(words[k] || k) + "</span></div>");
  }
  if (M.notes.length) section("notes", "Worth knowing", "", "<ul>" + M.notes.map((n) => "<li>" + esc(n) + "</li>").join("") + "</ul>");
  if (M.advice && M.advice.length) section("advice", "What to do", "", "<ul>" + M.advice.map((n) => "<li>" + esc(n) + "</li>").join("") +
    "</ul>");
})();
