"use strict";
const DATA = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);
const slug = (kind) => kind.replace(" ", "-");
const percent = (p) => (p > 0 && p < 0.005 ? "<.01" : p > 0.995 && p < 1 ? ">.99" : p.toFixed(2).replace(/^0/, ""));
const plural = (n, what) => `${n.toLocaleString("en")} ${what}${n === 1 ? "" : "s"}`;

/* Creates an element. Text of documents is set as textContent, never as markup. */
function make(tag, options = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(options)) {
    if (name === "text") node.textContent = value;
    else if (name === "class") node.className = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

/* ---- filters ---- */

const hints = {
  missed: "a gold span that no predicted span overlaps",
  spurious: "a predicted span that no gold span overlaps",
  "wrong type": "overlapping spans of different types",
  "wrong boundary": "overlapping spans of the same type",
  right: "the same characters and type",
};
const facets = { splits: DATA.splits, kinds: DATA.kinds, labels: DATA.labels, languages: DATA.languages };
$("splits").hidden = DATA.splits.length < 2;
const boxes = {};
for (const [facet, values] of Object.entries(facets)) {
  boxes[facet] = values.map((value) => {
    const box = make("input", { type: "checkbox", value });
    box.checked = !(facet === "kinds" && value === "right");
    const count = make("b");
    const chip = make("span", {}, value || "(none)", count);
    if (facet === "kinds") { chip.prepend(make("i")); chip.title = hints[value]; }
    $(facet).append(make("label", { class: facet === "kinds" ? `chip ${slug(value)}` : "chip" }, box, chip));
    return { value, box, count };
  });
}

function read() {
  const on = (facet) => new Set(boxes[facet].filter(({ box }) => box.checked).map(({ value }) => value));
  const number = (id, otherwise) => ($(id).value === "" ? otherwise : Number($(id).value));
  return {
    splits: on("splits"), kinds: on("kinds"), labels: on("labels"), languages: on("languages"),
    query: $("query").value.trim().toLowerCase(), low: number("low", 0), high: number("high", 1),
  };
}

/* A pair is [kind, gold label, predicted label, probability]; labels are null where there is no span. */
function passes(pair, doc, filter, except) {
  const [kind, gold, found, p] = pair;
  return (
    (except === "splits" || filter.splits.has(doc.split)) &&
    (except === "kinds" || filter.kinds.has(kind)) &&
    (except === "labels" || filter.labels.has(gold) || filter.labels.has(found)) &&
    (except === "languages" || filter.languages.has(doc.language)) &&
    p >= filter.low && p <= filter.high
  );
}

function count(documents, filter) {
  for (const facet of Object.keys(facets)) {
    const found = new Map();
    const add = (value) => found.set(value, (found.get(value) || 0) + 1);
    for (const doc of documents) for (const pair of doc.pairs) {
      if (!passes(pair, doc, filter, facet)) continue;
      if (facet === "kinds") add(pair[0]);
      else if (facet === "languages") add(doc.language);
      else if (facet === "splits") add(doc.split);
      else for (const label of new Set([pair[1], pair[2]])) if (label !== null) add(label);
    }
    for (const { value, count } of boxes[facet]) count.textContent = (found.get(value) || 0).toLocaleString("en");
  }
}

/* Tells screen readers that the list is not up to date with the filters. */
const busy = (is) => $("list").setAttribute("aria-busy", is);

const lower = DATA.documents.map((doc) => [doc.id, doc.topic, ...doc.rows.map((row) => row.text)].join("\n").toLowerCase());
const errors = (doc, hits) => hits.filter((i) => doc.pairs[i][0] !== "right");
const orders = {
  text: () => 0,
  most: (a, b) => errors(b.doc, b.hits).length - errors(a.doc, a.hits).length,
  sure: (a, b) => surest(b) - surest(a),
};
const surest = ({ doc, hits }) => Math.max(-1, ...errors(doc, hits).map((i) => (doc.pairs[i][2] === null ? -1 : doc.pairs[i][3])));

function show() {
  const filter = read();
  const named = DATA.documents.filter((doc, i) => !filter.query || lower[i].includes(filter.query));
  count(named, filter);
  const shown = named
    .map((doc) => ({ doc, hits: doc.pairs.flatMap((pair, i) => (passes(pair, doc, filter) ? [i] : [])) }))
    .filter(({ hits }) => hits.length)
    .sort(orders[$("sort").value]);
  const spans = shown.reduce((sum, { hits }) => sum + hits.length, 0);
  $("count").textContent = `${plural(spans, "span")} in ${plural(shown.length, "document")}`;
  waiting = 0;
  watcher.disconnect();
  const cards = shown.map(card);
  $("list").replaceChildren(...cards);
  busy(cards.length > 0);
  if (!cards.length) $("list").append(make("p", { text: "Nothing is left. Widen the filters above." }));
  for (const node of cards) watcher.observe(node);
}

/* ---- documents: rendered when they are near the visible part of the page ---- */

const pending = new WeakMap();
const watcher = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (!isIntersecting || !pending.has(target)) continue;
    pending.get(target)();
    pending.delete(target);
    watcher.unobserve(target);
  }
  if (!waiting && entries.some(({ target }) => target.isConnected)) busy(false);
}, { rootMargin: "1200px" });

function card({ doc, hits }) {
  const tally = DATA.kinds.map((kind) => [doc.pairs.filter((pair) => pair[0] === kind).length, kind]).filter(([n]) => n);
  const node = make("section", { class: "doc", "data-id": doc.id },
    make("header", {},
      make("h2", { text: doc.id }), make("span", { text: doc.language }), make("span", { text: doc.topic }), make("span", { text: DATA.splits.length < 2 ? "" : doc.split }),
      make("span", { class: "tally", text: tally.map(([n, kind]) => `${n} ${kind}`).join(" · ") })));
  const wanted = new Set(hits);
  const rows = doc.rows.filter((row) => holds(row, wanted)).length;
  node.style.minHeight = `${5 + rows * 4}rem`;
  pending.set(node, () => {
    node.style.minHeight = "";
    node.append(...body(doc, wanted));
  });
  return node;
}

const holds = (row, wanted) => [...row.gold, ...row.found].some((span) => wanted.has(span[3]));

function body(doc, wanted) {
  const nodes = [make("div", { class: "sides" }, make("span", { text: "gold" }), make("span", { text: "predicted" }))];
  let folded = [];
  const close = () => {
    if (!folded.length) return;
    const rows = folded;
    const button = make("button", { class: "fold", type: "button", text: `${plural(rows.length, "other sentence")}` });
    button.addEventListener("click", () => button.replaceWith(...rows.map((row) => drawn(doc, row, wanted))));
    nodes.push(button);
    folded = [];
  };
  for (const row of doc.rows) {
    if (!holds(row, wanted)) { folded.push(row); continue; }
    close();
    nodes.push(drawn(doc, row, wanted));
  }
  close();
  return nodes;
}

function drawn(doc, row, wanted) {
  const node = make("div", { class: "row", lang: doc.language });
  for (const side of ["gold", "found"]) {
    node.append(make("div", { class: "side", "data-side": side === "gold" ? "gold" : "predicted" },
      ...marked(doc, row, side, wanted, node)));
  }
  return node;
}

function marked(doc, row, side, wanted, node) {
  const parts = [];
  let at = 0;
  for (const [start, end, label, pair] of row[side]) {
    const also = start < at; /* overlaps the previous span: shown after it */
    const [kind, , , p] = doc.pairs[pair];
    const sign = make("small", { text: label });
    if (side === "found") sign.append(make("i", { text: percent(p) }));
    const open = () => toggle(doc, row, pair, node);
    parts.push(also ? " " : row.text.slice(at, start), make("mark", {
      class: `${slug(kind)}${wanted.has(pair) ? "" : " dim"}${also ? " also" : ""}`, role: "button", tabindex: "0", "data-pair": pair,
      "aria-label": `${row.text.slice(start, end)}, ${label}, ${kind}`, "aria-expanded": "false", onclick: open,
      onkeydown: (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); open(); } },
    }, row.text.slice(start, end), sign));
    at = Math.max(at, end);
  }
  return [...parts, row.text.slice(at)];
}

/* ---- details of a span ---- */

function toggle(doc, row, pair, node) {
  const marks = [...node.querySelectorAll("mark")];
  const same = node.nextElementSibling;
  const opened = same && same.classList.contains("detail") ? same : null;
  for (const mark of marks) { mark.classList.remove("open"); mark.setAttribute("aria-expanded", "false"); }
  if (opened) opened.remove();
  if (opened && opened.dataset.pair === String(pair)) return;
  for (const mark of marks.filter((mark) => mark.dataset.pair === String(pair))) {
    mark.classList.add("open");
    mark.setAttribute("aria-expanded", "true");
  }
  node.after(detail(doc, row, pair, node));
}

function detail(doc, row, pair, node) {
  const [kind, gold, found, p] = doc.pairs[pair];
  const text = (side) => row[side].filter((span) => span[3] === pair).map(([start, end]) => row.text.slice(start, end)).join(" ");
  const line = make("p", {}, make("strong", { text: kind }), gold === null ? "" : ` · gold ${gold} “${text("gold")}”`,
    found === null
      ? p ? ` · in readings of probability ${percent(p)} together` : " · in none of the readings"
      : ` · predicted ${found} “${text("found")}” with probability ${percent(p)}`);
  const shut = make("button", { class: "close", type: "button", text: "close", onclick: () => toggle(doc, row, pair, node) });
  const tables = row.readings.filter((each) => each.length).map((each) => readings(row, each));
  return make("div", { class: `detail ${slug(kind)}`, "data-pair": pair }, shut, line, ...tables);
}

const key = (span) => span.slice(0, 3).join(" ");

function readings(row, each) {
  const gold = new Set(row.gold.map(key));
  const all = each.map(([, spans]) => new Set(spans.map(key)));
  const common = (span) => all.every((keys) => keys.has(key(span)));
  const table = make("table", {}, make("caption", {
    text: `${plural(each.length, "reading")} of the sentence, most probable first; only what differs, gold spans in green`,
  }));
  each.forEach(([p, spans], rank) => {
    const fill = make("i");
    fill.style.width = `${100 * p}%`;
    const parts = spans.filter((span) => !common(span)).map((span) => make("span",
      { class: gold.has(key(span)) ? "part gold" : "part", text: row.text.slice(span[0], span[1]) }, make("small", { text: span[2] })));
    if (!parts.length) parts.push(make("span", { class: "note", text: each.length > 1 ? "none of these" : spans.length ? "no other reading" : "no entity" }));
    table.append(make("tr", {}, make("td", { text: rank + 1 }),
      make("td", {}, make("span", { class: "bar" }, fill), percent(p)), make("td", {}, ...parts)));
  });
  return table;
}

/* ---- start ---- */

$("summary").textContent = DATA.summary;
const narrow = matchMedia("(max-width: 46rem)");
const fit = () => { $("filters").open = !narrow.matches; };
narrow.addEventListener("change", fit);
fit();
let waiting = 0;
const later = () => { clearTimeout(waiting); waiting = setTimeout(show, 120); busy(true); };
$("form").addEventListener("change", later);
$("query").addEventListener("input", later);
$("form").addEventListener("submit", (event) => event.preventDefault());
show();
