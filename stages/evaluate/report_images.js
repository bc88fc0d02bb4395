// report_images.js -- wells of a treatment beside controls of their plates, channels coloured and added up here. A picture is grey, the
// channels of one well side by side; the canvas is only drawn on, never read, so that files beside the page can be used.
const IMAGES = D.images || {of: {}, wells: {}, channels: []};
const Shown = {channel: "all", bright: 1}; // as last chosen, for the next card

function image_address(well) {
  const name = IMAGES.wells[well];
  return name === undefined ? "" : name.startsWith("data:") ? name : IMAGES.folder + encodeURIComponent(name);
}
function draw_well(cv, picture) {
  const side = IMAGES.side, c = cv.getContext("2d"), off = document.createElement("canvas"), o = off.getContext("2d");
  off.width = off.height = cv.width = cv.height = side;
  c.fillStyle = "#000";
  c.fillRect(0, 0, side, side);
  IMAGES.channels.forEach(([name, colour], k) => {
    if (Shown.channel !== "all" && Shown.channel !== name) return;
    o.globalCompositeOperation = "source-over";
    o.drawImage(picture, k * side, 0, side, side, 0, 0, side, side);
    o.globalCompositeOperation = "multiply";
    if (Shown.channel === "all" && IMAGES.channels.length > 3) o.drawImage(picture, k * side, 0, side, side, 0, 0, side, side);
    // as in pictures.c
    o.fillStyle = Shown.channel === "all" ? colour : "#fff";
    o.fillRect(0, 0, side, side);
    c.globalCompositeOperation = "lighter";
    for (let left = Shown.bright; left > 0; left--) { c.globalAlpha = Math.min(1, left); c.drawImage(off, 0, 0); }
    c.globalAlpha = 1;
  });
}
function card_images(t) {
  const of = IMAGES.of[t];
  if (!of || !of.some(([well]) => IMAGES.wells[well])) {
    return D.images ? "<p class=note>No pictures of it here: the report has those of the most active treatments. " +
      "<code>micon gallery screen.yaml " +
      "--compound '" + esc(T.id[t].split("|")[0]) + "' -o FILE.png</code> draws them.</p>" : "";
  }
  const cell = (well, what) => !IMAGES.wells[well] ? "<td></td>" : "<td><canvas data-well=" + well + " role=img aria-label='" +
    esc(what + ", " + well_name(well)) + "'></canvas><small>" + esc(what) + "<br>" + esc(well_name(well).split("/").pop()) +
      "</small></td>";
  const far = of.length > 3 ? of.length - 1 : -1;
  return "<h3>Its wells beside controls of their plates</h3><div class=controls><label>channel <select class=channel>" +
    "<option value=all>all, coloured" +
    "</option>" + IMAGES.channels.map(([c]) => "<option" + (c === Shown.channel ? " selected" : "") + ">" + esc(c) + "</option>").join("") +
    "</select></label><label>brightness <input class=bright type=range min=.5 max=3 step=.25 value=" + Shown.bright + "></label>" +
    "<span class=legend></span></div><div class=scroll><table class=wells><tbody><tr>" +
    of.map(([well], i) => cell(well, i === far ? "farthest from the others" : "typical, no. " + (i + 1))).join("") + "</tr><tr>" +
    of.map(([, control]) => control < 0 ? "<td></td>" : cell(control, "control")).join("") + "</tr></tbody></table></div>" +
    "<p class=note>One field of " + IMAGES.side +
      " pixels a well. A plate's wells have one brightness per channel: a treated well and the control " +
    "below it can be compared.</p>";
}
function start_images(box) {
  const canvases = [...box.querySelectorAll("canvas[data-well]")], select = box.querySelector(".channel");
  if (!select) return;
  const draw = () => {
    for (const cv of canvases) if (cv.picture.complete && cv.picture.naturalWidth) draw_well(cv, cv.picture);
    box.querySelector(".legend").innerHTML = Shown.channel !== "all" ? "" :
      IMAGES.channels.map(([name, c]) => "<span><i style='background:" + c + "'></i>" + esc(name) + "</span>").join("");
  };
  for (const cv of canvases) {
    cv.width = cv.height = IMAGES.side;
    cv.picture = new Image();
    cv.picture.onload = draw;
    cv.picture.onerror = () => { cv.nextElementSibling.textContent = "the picture is not in " + IMAGES.folder; };
    cv.picture.src = image_address(+cv.dataset.well);
  }
  select.onchange = () => { Shown.channel = select.value; draw(); };
  box.querySelector(".bright").oninput = (e) => { Shown.bright = +e.target.value; draw(); };
  draw();
}
