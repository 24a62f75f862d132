// The picture and the zones on it. A zone is drawn as a rectangle, by its corners, or typed; the daemon checks it.
"use strict";

const zonesPage = (() => {
  const $ = (id) => document.getElementById(id);
  const PICTURE_EVERY = 500; // ms; the daemon gives no more
  let may = { draw: false, look: false }, zones = [], corners = [], from = null, high = 750, looking = false, frame = 0, url = "", changed = false;

  const whole = (value) => Math.round(100 * Math.min(1, Math.max(0, value)));
  const shown = (points) => points.map(([x, y]) => whole(x) + " " + whole(y)).join(", ");
  const typed = (text) => text.split(",").map((pair) => pair.trim().split(/\s+/).map((number) => Number(number) / 100)).filter((pair) => pair.length === 2 && pair.every(Number.isFinite));

  function map() {
    const at = ([x, y]) => 1000 * x + "," + high * y;
    const parts = [draw("title", { id: "map-title" }, zones.length ? "Zones: " + zones.map((zone) => zone.name + ", " + zone.kind).join("; ") : "No zones")];
    for (const zone of zones) {
      parts.push(draw("polygon", { class: zone.kind, points: zone.points.map(at).join(" ") }));
      const [x, y] = zone.points.reduce((sum, point) => [sum[0] + point[0] / zone.points.length, sum[1] + point[1] / zone.points.length], [0, 0]);
      parts.push(draw("text", { x: 1000 * x, y: high * y, "text-anchor": "middle" }, zone.name));
    }
    if (corners.length) {
      parts.push(draw("polygon", { class: "new", points: corners.map(at).join(" ") }));
      for (const [x, y] of corners) parts.push(draw("circle", { cx: 1000 * x, cy: high * y, r: 7 }));
    }
    $("map").replaceChildren(...parts);
  }

  function shape(to) {
    if (Math.abs(to - high) < 1) return;
    high = to;
    $("map").setAttribute("viewBox", "0 0 1000 " + high);
    map();
  }

  function list() {
    const item = (zone, index) => {
      const line = make("li", {}, zone.name + " (" + zone.kind + "): " + shown(zone.points));
      if (may.draw) {
        const button = make("button", { type: "button", class: "plain", "aria-label": "Remove zone " + zone.name }, "Remove");
        button.onclick = () => { zones.splice(index, 1); change(); };
        line.append(button);
      }
      return line;
    };
    $("zones-list").replaceChildren(...zones.map(item));
    const counting = zones.some((zone) => zone.kind === "count");
    $("zones-words").textContent = zones.length
      ? (counting ? "Faces count in the zones that count, and nowhere else." : "Faces count everywhere but in these zones.")
      : "There are no zones: faces count everywhere.";
    $("zones-save").disabled = $("zones-undo").disabled = !changed;
    map();
  }

  function change() { changed = true; $("zones-outcome").textContent = "Not saved yet."; list(); }

  async function load() {
    try { zones = (await ask("zones")).zones; changed = false; list(); } catch (error) { $("zones-outcome").textContent = error.message; }
  }

  async function save() {
    $("zones-save").disabled = true;
    try {
      await ask("zones", { zones });
      changed = false;
      $("zones-outcome").textContent = "Saved; the door follows them now.";
    } catch (error) { $("zones-outcome").textContent = error.message; }
    list();
  }

  // Drawing: a press and a move make a rectangle, a click alone adds a corner.
  const place = (event) => {
    const box = $("frame").getBoundingClientRect(), within = (value) => Math.min(1, Math.max(0, value));
    return [within((event.clientX - box.left) / box.width), within((event.clientY - box.top) / box.height)];
  };
  function take(points) { corners = points; $("zone-points").value = shown(points); map(); }
  $("frame").onpointerdown = (event) => { if (may.draw && event.isPrimary) { from = { point: place(event), before: corners }; $("frame").setPointerCapture(event.pointerId); } };
  function stretch(event) {
    const [x, y] = place(event), [left, top] = from.point;
    if (from.moved || Math.abs(x - left) > 0.02 || Math.abs(y - top) > 0.02) { from.moved = true; take([[left, top], [x, top], [x, y], [left, y]]); }
  }
  $("frame").onpointermove = (event) => { if (from) stretch(event); };
  $("frame").onpointerup = (event) => {
    if (!from) return;
    stretch(event);
    if (!from.moved) take(from.before.length >= 64 ? from.before : [...from.before, from.point]);
    from = null;
  };
  $("frame").onpointercancel = () => { from = null; };
  $("zone-points").oninput = () => { corners = typed($("zone-points").value); map(); };
  $("zone-clear").onclick = () => take([]);
  $("zone-form").onsubmit = (event) => {
    event.preventDefault();
    const name = $("zone-name").value.trim(), points = typed($("zone-points").value);
    const problem = !name ? "Give the zone a name." : points.length < 3 ? "Give at least three corners." :
      points.flat().some((value) => value < 0 || value > 1) ? "Corners are from 0 to 100 percent." : "";
    if (problem) { $("zones-outcome").textContent = problem; return; }
    zones = zones.filter((zone) => zone.name !== name).concat({ name, kind: $("zone-kind").value, points, min_face: 0, max_face: 1 });
    take([]);
    change();
  };
  $("zones-save").onclick = save;
  $("zones-undo").onclick = () => { take([]); $("zones-outcome").textContent = ""; load(); };

  function look(on) {
    const begins = on && !looking;
    looking = on;
    $("look").setAttribute("aria-pressed", String(on));
    $("look").textContent = on ? "Stop looking" : "Look";
    if (!on) { $("picture").hidden = true; URL.revokeObjectURL(url); url = ""; $("view-note").textContent = ""; }
    if (begins) pictures();
  }

  async function pictures() {
    while (looking) {
      const start = Date.now();
      try {
        if (!document.hidden) await picture();
      } catch (error) { $("view-note").textContent = error.message; }
      await new Promise((done) => setTimeout(done, Math.max(50, PICTURE_EVERY - (Date.now() - start))));
    }
  }

  async function picture() {
    const response = await fetch("api/preview?after=" + frame, { credentials: "same-origin" });
    if (response.status === 401) { look(false); return; }
    if (response.status === 204) { $("view-note").textContent = "No picture: the door is paused or off, or its camera is away."; return; }
    if (!response.ok) throw new Error("No picture: " + response.status);
    frame = Number(response.headers.get("X-Frame"));
    const next = URL.createObjectURL(await response.blob());
    if (!looking) { URL.revokeObjectURL(next); return; }
    const image = $("picture"), old = url;
    image.onload = () => { $("frame").style.aspectRatio = image.naturalWidth + " / " + image.naturalHeight; URL.revokeObjectURL(old); shape(1000 * image.naturalHeight / image.naturalWidth); };
    image.src = url = next;
    image.hidden = false;
    $("view-note").textContent = may.faces ? "Faces are shown as they are." : "Faces that are found are pixelated.";
  }

  $("look").onclick = () => look(!looking);

  return {
    enter(session) {
      may = { draw: session.commands.includes("zones"), look: session.preview, faces: session.preview_faces };
      $("frame").classList.toggle("draws", may.draw); // a finger draws there, or scrolls as anywhere
      $("look").hidden = !may.look;
      if (!may.look) $("view-note").textContent = "No picture is shown here; web.preview = true allows it.";
      $("zone-form").hidden = $("zones-save").hidden = $("zones-undo").hidden = !may.draw;
      take([]);
      load();
    },
    leave() { look(false); },
  };
})();
