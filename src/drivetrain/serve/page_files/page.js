"use strict";
// Everything that comes from the server is put in as text, never as markup.
const at = (id) => document.getElementById(id);
const make = (tag, text, className) => {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = text;
  if (className) element.className = className;
  return element;
};
const MOST_BARS = 12;
let model = null;
let key = "";

async function ask(path, body) {
  const headers = key ? { authorization: `Bearer ${key}` } : {};
  if (body !== undefined) headers["content-type"] = "application/json";
  const reply = await fetch(path, {
    method: body === undefined ? "GET" : "POST",
    headers,
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const told = await reply.json();
  if (reply.status === 401 || reply.status === 403) at("key-form").hidden = false;
  if (!reply.ok) throw new Error(told.error || told.message || `status ${reply.status}`);
  return { told, id: reply.headers.get("x-prediction-id") };
}

function complain(error) {
  at("problem").hidden = !error;
  at("problem").textContent = error ? error.message : "";
}

function number(value, digits = 5) {
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e7 || size < 1e-4)) return value.toExponential(digits - 2);
  return value.toLocaleString("en", { maximumSignificantDigits: digits });
}

function instant(microseconds) {
  const date = new Date(microseconds / 1000);
  return Number.isNaN(date.getTime()) ? "" : date.toISOString().slice(0, 10);
}

// One input for each column, by its kind. An empty one is a missing cell.
function inputOf(column) {
  if (column.kind === "boolean") {
    const select = make("select");
    for (const [value, text] of [["", "missing"], ["true", "true"], ["false", "false"]]) {
      const option = make("option", text);
      option.value = value;
      select.append(option);
    }
    return select;
  }
  if (column.kind === "text") return make("textarea");
  const input = make("input");
  input.type = "text";
  input.autocomplete = "off";
  if (column.kind === "number") input.inputMode = "decimal";
  return input;
}

function hintOf(column) {
  const told = [column.kind];
  if (column.kind === "number" && column.low != null) told.push(`${number(column.low)} to ${number(column.high)}`);
  if (column.kind === "datetime" && column.low != null) told.push(`${instant(column.low)} to ${instant(column.high)}`);
  if (column.kind === "vector") told.push(`${column.width} numbers, comma between`);
  if (column.categories_left_out) told.push(`${column.categories_left_out} more can be typed in`);
  told.push(column.policy && column.policy.missing === "reject" ? "must be given" : "may stay empty");
  if (column.private) told.push("private");
  return told.join(" · ");
}

function fieldOf(column, place) {
  const field = make("div", undefined, "field");
  const label = make("label", column.name);
  const input = inputOf(column);
  const hint = make("small", hintOf(column));
  input.id = `cell-${place}`;
  hint.id = `hint-${place}`;
  label.htmlFor = input.id;
  input.setAttribute("aria-describedby", hint.id);
  field.append(label, input);
  if (column.categories && column.categories.length) {
    const list = make("datalist");
    list.id = `choices-${place}`;
    for (const text of column.categories) {
      const option = make("option");
      option.value = text;
      list.append(option);
    }
    input.setAttribute("list", list.id);
    field.append(list);
  }
  if (column.example != null) input.value = String(column.example);
  field.append(hint);
  return field;
}

// A number goes as JSON's number where it is one; whatever else is typed, the Contract judges.
function cellOf(column, text) {
  if (text === "") return null;
  if (column.kind === "boolean") return text === "true";
  if (column.kind === "number") {
    const value = Number(text);
    return Number.isFinite(value) && Number.isSafeInteger(Math.trunc(value)) ? value : text;
  }
  if (column.kind === "vector") return text.split(",").map(Number);
  return text;
}

function bar(name, share, from, text, isDown) {
  const line = make("div", undefined, "bar");
  const track = make("span", undefined, "track");
  const fill = make("i", undefined, isDown ? "down" : "");
  fill.style.left = `${100 * from}%`;
  fill.style.width = `${100 * share}%`;
  track.append(fill);
  line.append(make("span", name), track, make("span", text));
  return line;
}

// The interval or the set of classes, in words; empty where the bundle has none.
function rangeOf(extras) {
  const share = model.coverage ? ` in ${number(100 * model.coverage)} % of rows like those of training` : "";
  if (extras.lower !== undefined) return `between ${number(extras.lower)} and ${number(extras.upper)}${share}`;
  if (extras.set === undefined) return "";
  const names = model.classes.filter((_, place) => extras.set[place]);
  return names.length === 1 ? `${names[0]} alone${share}` : `one of ${names.join(", ")}${share}`;
}

function show(found, id) {
  at("prediction").textContent = `${model.target || "prediction"}: ` +
    (typeof found.prediction === "number" && !model.classes.length ? number(found.prediction) : found.prediction);
  const extras = found.extras || {};
  const range = rangeOf(extras);
  at("range").hidden = !range;
  at("range").textContent = range;
  at("unlike").hidden = extras.out_of_range !== true;
  const bars = (found.probabilities || []).map((p, place) => [model.classes[place], p]);
  bars.sort((one, other) => other[1] - one[1]);
  at("probabilities").replaceChildren(
    ...bars.slice(0, MOST_BARS).map(([name, p]) => bar(name, p, 0, `${(100 * p).toFixed(2)} %`, false)),
  );
  const isExplained = found.base !== null && found.base !== undefined;
  at("why-title").hidden = at("contributions").hidden = !isExplained;
  at("why").textContent = isExplained
    ? `${found.explains[0].toUpperCase()}${found.explains.slice(1)} is ${number(found.value)}, and ${number(found.base)} on average over ` +
      `${found.compared_with} rows that the bundle carries. What each column moves it by:`
    : "The bundle carries no rows to compare this one with, so there is no explanation.";
  const most = Math.max(1e-300, ...found.columns.map((one) => Math.abs(one.value)));
  at("contributions").replaceChildren(
    ...found.columns.slice(0, MOST_BARS).map((one) => {
      const share = Math.abs(one.value) / most / 2;
      const isDown = one.value < 0;
      const text = `${isDown ? "−" : "+"}${number(Math.abs(one.value), 3)} ± ${number(one.error, 2)}`;
      return bar(one.column, share, isDown ? 0.5 - share : 0.5, text, isDown);
    }),
  );
  at("id").textContent = id ? `prediction id ${id}` : "";
  at("answer").hidden = false;
}

// As much of Markdown as a card has: headings, lists, tables, paragraphs.
function cells(line) {
  return line.replace(/^\||\|$/g, "").split(/(?<!\\)\|/).map((cell) => plain(cell.trim()));
}
function plain(text) {
  return text.replace(/\*\*/g, "").replace(/(?<!\\)`/g, "").replace(/\\([\\`*_{}[\]<>#|!~&])/g, "$1");
}
function render(card) {
  const parts = [];
  let list = null;
  let table = null;
  for (const line of card.split("\n")) {
    const heading = /^(#{1,3}) (.*)/.exec(line);
    const item = /^[-*] (.*)/.exec(line);
    if (!item) list = null;
    if (!line.startsWith("|")) table = null;
    if (heading) {
      parts.push(make(heading[1].length < 3 ? "h2" : "h3", plain(heading[2])));
    } else if (item) {
      if (!list) parts.push((list = make("ul")));
      list.append(make("li", plain(item[1])));
    } else if (/^\|[\s:|-]+\|?$/.test(line)) {
      continue;
    } else if (line.startsWith("|")) {
      const row = make("tr");
      for (const text of cells(line)) row.append(make(table ? "td" : "th", text));
      if (!table) parts.push((table = make("table")));
      table.append(row);
    } else if (line.trim()) {
      parts.push(make("p", plain(line)));
    }
  }
  return parts;
}

async function start() {
  complain(null);
  try {
    model = (await ask("model.json")).told;
  } catch (error) {
    complain(error);
    return;
  }
  document.title = model.name;
  at("name").textContent = model.name;
  at("facts").textContent = [model.task, model.ledger_version || `version ${model.version}`].join(" · ");
  at("fields").replaceChildren(...model.columns.map(fieldOf));
  at("logged").hidden = !model.is_logged;
  at("try").hidden = false;
  at("card").replaceChildren(...render(model.card));
  at("card").hidden = !model.card;
}

at("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  key = at("key").value;
  at("key-form").hidden = true;
  start();
});

at("row").addEventListener("submit", async (event) => {
  event.preventDefault();
  const row = {};
  model.columns.forEach((column, place) => {
    row[column.name] = cellOf(column, at(`cell-${place}`).value);
  });
  at("ask").disabled = true;
  complain(null);
  try {
    const path = `v1/models/${encodeURIComponent(model.name)}:explain`;
    const { told, id } = await ask(path, { instances: [row] });
    show(told.explanations[0], id);
  } catch (error) {
    at("answer").hidden = true;
    complain(error);
  }
  at("ask").disabled = false;
});

start();
