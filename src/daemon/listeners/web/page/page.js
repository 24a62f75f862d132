// The page of a door: asks every second what is new, draws it, and hands on orders. No text of others becomes markup.
"use strict";

const EVERY = 1000; // ms from one question to the next
const COUNTS_EVERY = 60000;
const MOST_EVENTS = 100;
const WORDS = {
  idle: "Nobody is at the door.", pass: "Who is at the door wears a mask.", look: "Somebody should come closer or look at the camera.",
  incorrect: "A mask leaves nose or mouth bare.", alert: "Somebody without a mask is at the door.", fault: "The door cannot see. What is wrong stands below.",
  off: "The outputs are off.",
};
const KINDS = ["masked", "incorrect", "unmasked", "unsure"];

const $ = (id) => document.getElementById(id);
let session = null, since = 0, clock = 0, events = [], by = "day", countsAt = 0, asked = false, shownState = "";

function make(name, attributes = {}, text = "") {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.textContent = text;
  return element;
}

function draw(name, attributes = {}, text = "") {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.textContent = text;
  return element;
}

// Asks the daemon; the promise fails with its sentence.
async function ask(path, body) {
  const options = { credentials: "same-origin", headers: {} };
  if (body !== undefined) {
    options.method = "POST";
    options.body = JSON.stringify(body);
    options.headers["Content-Type"] = "application/json";
    if (session) options.headers["X-CSRF-Token"] = session.csrf;
  }
  let response;
  try { response = await fetch("api/" + path, options); } catch { throw new Error("The daemon does not answer."); }
  let told = null;
  try { told = await response.json(); } catch { /* no JSON: the status says it */ }
  if (response.status === 401 && path !== "login") logIn();
  if (!response.ok) throw new Error(told?.error ? sentence(told.error) : "The daemon answers with " + response.status + ".");
  return told;
}

const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");

function logIn() {
  session = null;
  zonesPage.leave();
  $("shown").hidden = $("logout").hidden = true;
  if (!$("login").hidden) return;
  $("login").hidden = false;
  $("password").value = "";
  $("password").focus();
}

function enter(told) {
  session = told;
  since = 0; events = []; countsAt = 0;
  $("login").hidden = true;
  $("login-problem").textContent = "";
  $("shown").hidden = $("logout").hidden = false;
  $("door").textContent = told.door;
  document.title = told.door;
  $("version").textContent = told.version;
  for (const group of document.querySelectorAll("[data-command]")) group.hidden = !told.commands.includes(group.dataset.command);
  $("orders").hidden = !told.commands.some((command) => command !== "zones");
  $("test-state").replaceChildren(...told.states.map((state) => make("option", { value: state }, state)));
  $("test-state").value = "alert";
  $("events").replaceChildren();
  zonesPage.enter(told);
  turn();
}

// Times of the daemon's clock, which began with it, in that of the browser.
function moment(at) {
  const date = new Date(Date.now() - 1000 * (clock - at));
  const time = date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
  return date.toDateString() === new Date().toDateString() ? time : date.toLocaleDateString() + " " + time;
}

function span(seconds) {
  if (seconds < 90) return Math.round(seconds) + " s";
  if (seconds < 5400) return Math.round(seconds / 60) + " min";
  return (seconds / 3600).toFixed(1) + " h";
}

function showState(state) {
  const words = WORDS[state.state] ?? "";
  $("state").dataset.state = state.state;
  // What is read aloud changes only when the state does.
  if (shownState !== state.state) { shownState = state.state; $("state-name").textContent = state.state; }
  $("state-words").textContent = words + " For " + span(state.lasted) + ".";
  $("state-status").textContent = state.fault ? sentence(state.fault) : sentence(state.status || "starting");
  const modes = [];
  if (state.paused !== undefined) modes.push("paused for another " + span(state.paused));
  if (state.silent !== undefined) modes.push("buzzers silent for another " + span(state.silent));
  if (state.test !== undefined) modes.push("a test for another " + span(state.test));
  if (state.quiet !== undefined) modes.push("quiet hours (" + state.quiet + ") until " + state.quiet_until);
  $("state-mode").textContent = modes.length ? sentence(modes.join("; ")) : "";
  $("unsilence").hidden = state.silent === undefined;
  $("resume").disabled = state.paused === undefined;
}

function showHealth(health) {
  const ms = (seconds) => Math.round(1000 * seconds) + " ms";
  const total = (stages) => stages.wait + stages.detect + stages.judge + stages.decide;
  const rows = [
    ["Looks a second", health.looks_per_second.toFixed(1)],
    ["A look takes (median, longest)", ms(total(health.median)) + ", " + ms(total(health.longest))],
    ["Looks since the start", health.looks], ["Alerts since the start", health.alerts], ["Faults since the start", health.faults],
    ["Frames that could not be used", health.skipped], ["Faces without time for them", health.left_out],
  ];
  if (health.temperature !== undefined) rows.push(["Processor", health.temperature.toFixed(1) + " °C"]);
  $("health").replaceChildren(...rows.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, String(value))]));
}

const TOLD = {
  alert: (event) => "Alert: person " + event.person, fault: (event) => "Fault: " + event.reason,
  recovered: (event) => "Fault over after " + span(event.lasted) + ": " + event.reason,
  state: (event) => "State " + event.state, verdict: (event) => "Person " + event.person + " is " + event.verdict,
};

function showEvents(newer) {
  if (!newer.length) return;
  events = events.concat(newer).slice(-MOST_EVENTS);
  const item = (event) => {
    const line = make("li", { class: "of-" + event.type });
    line.append(make("time", {}, moment(event.at)), make("span", {}, (TOLD[event.type] ?? (() => event.type))(event)));
    return line;
  };
  $("events").replaceChildren(...events.map(item).reverse());
}

function showCounts(counts) {
  const title = "People by " + counts.by;
  $("by-hour").setAttribute("aria-pressed", String(counts.by === "hour"));
  $("by-day").setAttribute("aria-pressed", String(counts.by === "day"));
  if (counts.problem || !counts.periods.length) {
    $("chart").replaceChildren(make("p", { class: "quiet" }, counts.problem ? sentence(counts.problem) : "Nothing was counted yet."));
    $("counts-table").replaceChildren();
    return;
  }
  const name = (begin) => counts.by === "hour" ? begin.slice(5, 16).replace("T", " ") : begin;
  const most = Math.max(1, ...counts.periods.map((period) => period.people));
  const [width, height, left, below] = [480, 190, 34, 24];
  const svg = draw("svg", { viewBox: `0 0 ${width} ${height + below}`, role: "img", "aria-label": title + ": " +
    counts.periods.map((period) => name(period.begin) + " " + period.people).join(", ") });
  for (const part of [0, 0.5, 1]) {
    const y = height - part * (height - 12);
    svg.append(draw("line", { x1: left, x2: width, y1: y, y2: y }));
    if (part !== 0.5 || most > 1) svg.append(draw("text", { x: left - 5, y: y + 4, "text-anchor": "end" }, String(Math.round(part * most))));
  }
  const step = (width - left) / counts.periods.length, every = Math.ceil(counts.periods.length / 6);
  counts.periods.forEach((period, index) => {
    let y = height;
    const x = left + index * step, wide = Math.min(step * 0.7, 48);
    for (const kind of KINDS) {
      const high = period[kind] / most * (height - 12);
      y -= high;
      if (high > 0) svg.append(draw("rect", { class: kind, x: x + (step - wide) / 2, y, width: wide, height: high }));
    }
    if (index % every === 0) svg.append(draw("text", { x: x + step / 2, y: height + 16, "text-anchor": "middle" }, name(period.begin).slice(-5)));
  });
  $("chart").replaceChildren(svg);
  const table = make("table"), columns = ["people", ...KINDS, "alerts", "faults"], head = make("tr");
  head.append(...[counts.by, ...columns].map((column) => make("th", { scope: "col" }, column)));
  table.append(make("caption", { class: "unseen" }, title), head);
  for (const period of counts.periods.toReversed()) {
    const row = make("tr");
    row.append(make("th", { scope: "row" }, name(period.begin)), ...columns.map((column) => make("td", {}, String(period[column]))));
    table.append(row);
  }
  $("counts-table").replaceChildren(table);
}

function complain(text) {
  $("problem").hidden = !text;
  if ($("problem").textContent !== text) $("problem").textContent = text;
}

async function turn() {
  if (!session || asked || document.hidden) return;
  asked = true;
  try {
    const now = await ask("now?since=" + since);
    if (now.newest < since) events = [];
    since = now.newest;
    clock = now.state.at;
    showState(now.state);
    showHealth(now.health);
    showEvents(now.events);
    complain(now.refused ? "The new configuration was refused: " + now.refused : "");
    if (Date.now() - countsAt > COUNTS_EVERY) { countsAt = Date.now(); showCounts(await ask("counts?by=" + by)); }
  } catch (error) {
    if (session) complain(error.message);
  } finally { asked = false; }
}

async function order(body, done) {
  $("order-outcome").textContent = "…";
  try { await ask("command", body); $("order-outcome").textContent = done; turn(); } catch (error) { $("order-outcome").textContent = error.message; }
}

const chosen = (id) => Number($(id).value);
const choice = (id) => $(id).selectedOptions[0].textContent;
$("silence").onclick = () => order({ command: "silence", seconds: chosen("silence-time") }, "The buzzers are silent for " + choice("silence-time") + ".");
$("unsilence").onclick = () => order({ command: "silence", seconds: 0 }, "The buzzers sound again.");
$("pause").onclick = () => order({ command: "pause", seconds: chosen("pause-time") }, "The door is paused for " + choice("pause-time") + ".");
$("resume").onclick = () => order({ command: "resume" }, "The pause is over.");
$("test").onclick = () => order({ command: "test", state: $("test-state").value, seconds: 5 }, "The outputs show " + $("test-state").value + ".");
for (const kind of ["hour", "day"]) $("by-" + kind).onclick = () => { by = kind; countsAt = 0; turn(); };
$("logout").onclick = async () => { try { await ask("logout", {}); } catch { /* the session is over either way */ } logIn(); };
$("login").onsubmit = async (event) => {
  event.preventDefault();
  $("login-problem").textContent = "…";
  try { enter(await ask("login", { password: $("password").value })); } catch (error) { $("login-problem").textContent = error.message; }
};
document.addEventListener("visibilitychange", turn);
setInterval(turn, EVERY);
ask("session").then(enter, () => logIn());
