// The page to explore all trials: plot, curve and table of the rows that the filters let pass. The
// data are in an element beside this one; `hia_book.explorer` packs them.
"use strict";
(async () => {
  const root = document.getElementById("hia-explorer");
  const text = atob(root.querySelector("template").innerHTML);
  const packed = new Blob([Uint8Array.from(text, (sign) => sign.charCodeAt(0))]).stream();
  const unpacked = packed.pipeThrough(new DecompressionStream("deflate"));
  const given = await new Response(unpacked).json();
  const ROWS_PER_PAGE = 20, MOST_LEVELS = 12, BINS = 10, HEIGHT = 340;
  const MARGINS = { left: 52, right: 12, top: 12, bottom: 44 };
  const SHOWN = "#0072b2", MODEL = "#d55e00";

  const columns = Object.fromEntries(given.columns.map((one) => [one.name, complete(one)]));
  const total = Object.values(columns)[0].raw.length;
  const numeric = Object.keys(columns).filter((name) => columns[name].plotted);
  const state = {
    x: columns.lr, y: columns.accuracy, color: columns.optimizer, curve: columns.lr,
    chosen: Object.fromEntries(given.filters.map((name) => [name, new Set(columns[name].levels)])),
    range: { x: [-Infinity, Infinity], y: [-Infinity, Infinity] },
    sort: { column: columns.accuracy, down: true }, page: 0, picked: null, kept: [], shown: [],
  };

  function complete(column) {
    const raw = column.values.map((value) => value ?? NaN);
    const distinct = [...new Set(raw.filter(Number.isFinite))].sort((a, b) => a - b);
    const levels = distinct.length <= MOST_LEVELS ? distinct : null;
    const at = (i) => raw[i];
    const text = (value) => (column.choices ? column.choices[value] : write(value));
    const show = (i) => text(at(i));
    return { ...column, raw, at, levels, low: distinct[0], high: distinct.at(-1), text, show };
  }

  function write(value) {
    if (!Number.isFinite(value)) return "";
    if (Number.isInteger(value)) return String(value);
    return Math.abs(value) < 1e-3 ? value.toExponential(2) : String(+value.toPrecision(4));
  }

  const forward = (column, value) => (column.log ? Math.log10(value) : value);
  const back = (column, value) => (column.log ? 10 ** value : value);

  // Where a value lies on its axis, from 0 to 1; a column of few values has a lane for each, in
  // which the rows are strewn so that they do not hide each other.
  function place(column, value, i, salt) {
    if (column.levels) {
      const strewn = i === undefined ? 0 : ((i * salt) % 1009) / 1009 - 0.5;
      return (column.levels.indexOf(value) + 0.5 + 0.6 * strewn) / column.levels.length;
    }
    const [low, high] = [forward(column, column.low), forward(column, column.high)];
    return 0.02 + (0.96 * (forward(column, value) - low)) / (high - low || 1);
  }

  // The value at a place, for a rectangle that was drawn.
  function valueAt(column, where, upwards) {
    if (column.levels) {
      const position = where * column.levels.length - 0.5;
      const index = upwards ? Math.ceil(position) : Math.floor(position);
      return column.levels[Math.min(Math.max(index, 0), column.levels.length - 1)];
    }
    const [low, high] = [forward(column, column.low), forward(column, column.high)];
    return +back(column, low + ((where - 0.02) / 0.96) * (high - low)).toPrecision(4);
  }

  function ticks(column) {
    if (column.levels) return column.levels;
    const [low, high] = [forward(column, column.low), forward(column, column.high)];
    const rough = (high - low) / 5, power = 10 ** Math.floor(Math.log10(rough || 1));
    let step = [1, 2, 5, 10].map((k) => k * power).find((size) => size >= rough) ?? power;
    if (column.log) step = Math.max(1, Math.round(step));
    const found = [];
    for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k++)
      found.push(back(column, +(k * step).toPrecision(9)));
    return found;
  }

  function tickText(column, value) {
    if (column.levels) return column.text(value);
    if (column.log) return `1e${Math.round(Math.log10(value))}`;
    return value >= 1e5 ? value.toExponential(0).replace("+", "") : String(value);
  }

  function select() {
    const inside = (column, [low, high], i) =>
      (low === -Infinity && high === Infinity) || (column.at(i) >= low && column.at(i) <= high);
    const chosen = Object.entries(state.chosen).map(([name, set]) => [columns[name].raw, set]);
    state.kept = [...Array(total).keys()].filter((i) =>
      chosen.every(([raw, set]) => set.has(raw[i])));
    state.shown = state.kept.filter((i) =>
      inside(state.x, state.range.x, i) && inside(state.y, state.range.y, i));
    const { column, down } = state.sort;
    const key = (i) => (column.choices ? column.show(i) : column.at(i));
    const rank = (a, b) => (a < b ? -1 : a > b ? 1 : 0) * (down ? -1 : 1);
    const absent = (i) => Number.isNaN(column.at(i));
    state.shown.sort((a, b) => absent(a) - absent(b) || rank(key(a), key(b)) || a - b);
  }

  function element(tag, attributes = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes))
      if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
      else if (value === true) made.setAttribute(name, "");
      else if (value !== false) made.setAttribute(name, value);
    made.append(...children);
    return made;
  }

  const button = (words, onclick) => element("button", { type: "button", onclick }, words);
  const changed = (change) => (event) => { change(event.target); update(); };

  // A menu of columns for one entry of the state.
  function chooser(label, names, entry, then = () => {}) {
    const onchange = changed((menu) => { state[entry] = columns[menu.value]; then(); });
    const options = names.map((name) =>
      element("option", { value: name, selected: name === state[entry].name }, name));
    const menu = element("select", { name: label, onchange }, ...options);
    return element("label", {}, `${label} `, menu);
  }

  function checkboxes(name) {
    const column = columns[name], set = state.chosen[name];
    const boxes = column.levels.map((level) => element("label", {},
      element("input", { type: "checkbox", name, value: column.text(level), checked: true,
        onchange: changed((box) => {
          set[box.checked ? "add" : "delete"](level);
          state.page = 0;
        }) }),
      ` ${column.text(level)}`));
    const all = () => {
      const check = set.size < column.levels.length;
      together(() => {
        for (const { firstChild: box } of boxes)
          if (box.type === "checkbox" && box.checked !== check) box.click();
      });
    };
    if (boxes.length > 3) boxes.push(button("all / none", all));
    return element("fieldset", {}, element("legend", {}, column.label), ...boxes);
  }

  function limits(axis) {
    const inputs = ["from", "to"].map((end, k) => element("input", {
      type: "number", step: "any", name: `${axis} ${end}`, "aria-label": `${axis} ${end}`,
      placeholder: end, onchange: changed((input) => {
        state.range[axis][k] = input.value === "" ? (k ? Infinity : -Infinity) : +input.value;
        state.page = 0;
      }) }));
    return element("span", { class: "limits" }, ...inputs);
  }

  function setRange(axis, range) {
    state.range[axis] = range;
    state.page = 0;
    controls.querySelectorAll(`input[name^='${axis} ']`).forEach((input, k) => {
      input.value = Number.isFinite(range[k]) ? range[k] : "";
    });
  }

  // A pen on empty paper with two axes, and where a value lies on them; `i` strews a row's dot.
  function paper(canvas, x, y, yName) {
    const pixels = window.devicePixelRatio || 1, wide = canvas.clientWidth;
    canvas.width = wide * pixels;
    canvas.height = HEIGHT * pixels;
    const pen = canvas.getContext("2d");
    pen.scale(pixels, pixels);
    pen.font = "12px system-ui, sans-serif";
    const { left, right, top, bottom } = MARGINS;
    const width = wide - left - right, height = HEIGHT - top - bottom;
    const across = (value, i) => left + width * place(x, value, i, 617);
    const up = (value, i) => top + height * (1 - place(y, value, i, 389));
    const line = (x1, y1, x2, y2) => { pen.beginPath(); pen.moveTo(x1, y1); pen.lineTo(x2, y2);
      pen.stroke(); };
    const text = (words, x, y, align, baseline) => {
      Object.assign(pen, { textAlign: align, textBaseline: baseline });
      pen.fillText(words, x, y);
    };
    const dot = (x, y, radius) => { pen.beginPath(); pen.arc(x, y, radius, 0, 7); };
    pen.strokeStyle = "#d0d0d0";
    for (const value of ticks(x)) {
      line(across(value), top, across(value), top + height);
      text(tickText(x, value), across(value), top + height + 6, "center", "top");
    }
    for (const value of ticks(y)) {
      line(left, up(value), left + width, up(value));
      text(tickText(y, value), left - 6, up(value), "right", "middle");
    }
    text(x.name, left + width / 2, HEIGHT - 4, "center", "bottom");
    pen.save();
    pen.rotate(-Math.PI / 2);
    text(yName, -(top + height / 2), 2, "center", "top");
    pen.restore();
    const inside = (x, y) => [(x - left) / width, 1 - (y - top) / height];
    return { pen, across, up, line, dot, inside };
  }

  function plot() {
    const { x, y, color } = state, sheet = paper(plotCanvas, x, y, y.name), { pen } = sheet;
    const inside = new Set(state.shown), size = total > 3000 ? 2 : 2.8;
    point = (i) => [sheet.across(x.at(i), i), sheet.up(y.at(i), i)];
    inPlot = sheet.inside;
    pen.fillStyle = "#dcdcdc";
    for (const i of state.kept) if (!inside.has(i)) { sheet.dot(...point(i), size); pen.fill(); }
    pen.globalAlpha = total > 3000 ? 0.55 : 0.75;
    for (const i of state.kept) if (inside.has(i)) {
      pen.fillStyle = color.colors[color.raw[i]];
      sheet.dot(...point(i), size);
      pen.fill();
    }
    Object.assign(pen, { globalAlpha: 1, strokeStyle: "#000", lineWidth: 2 });
    if (inside.has(state.picked)) { sheet.dot(...point(state.picked), 7); pen.stroke(); }
    plotCanvas.setAttribute("aria-label", `Scatter plot of ${y.name} against ${x.name} of `
      + `${state.shown.length} CNNs, coloured by ${color.name}; the table below has the same.`);
    legend.replaceChildren(...color.levels.map((level) => element("span", {},
      element("i", { class: "hia-drawing", style: `background: ${color.colors[level]}` }),
      color.text(level))));
  }

  // Of the CNNs shown, by value or part of the axis: number, mean accuracy, half its interval.
  function bins(column) {
    const [low, high] = [forward(column, column.low), forward(column, column.high)];
    const number = (value) => (column.levels ? column.levels.indexOf(value)
      : Math.min(BINS - 1, Math.floor((BINS * (forward(column, value) - low)) / (high - low))));
    const groups = Array.from(column.levels ?? Array(BINS), () => []);
    for (const i of state.shown)
      if (Number.isFinite(column.at(i))) groups[number(column.at(i))].push(columns.accuracy.at(i));
    const edge = (k) => back(column, low + (k * (high - low)) / BINS);
    return groups.map((values, k) => {
      const n = values.length, mean = values.reduce((sum, value) => sum + value, 0) / n;
      const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
      const half = n > 1 ? 1.96 * Math.sqrt(squares / (n - 1) / n) : NaN;
      const name = column.levels ? column.text(column.levels[k])
        : `${write(+edge(k).toPrecision(3))} to ${write(+edge(k + 1).toPrecision(3))}`;
      return { name, at: column.levels ? column.levels[k] : edge(k + 0.5), n, mean, half };
    }).filter(({ n }) => n);
  }

  function curve() {
    const column = state.curve, rows = bins(column);
    const model = given.curves[column.name] ?? { value: [], mean: [], std: [] };
    const sums = (sign) => model.mean.map((mean, k) => mean + sign * model.std[k]);
    const ends = rows.flatMap(({ mean, half }) => [mean - (half || 0), mean + (half || 0)]);
    ends.push(...sums(1), ...sums(-1));
    const [low, high] = ends.length ? [Math.min(...ends), Math.max(...ends)] : [0, 1];
    const axis = { low: Math.max(low, 0), high: high > low ? high : low + 0.1 };
    const { pen, across, up, line, dot } = paper(curveCanvas, column, axis, "accuracy");
    const trace = (values, at) => values.forEach((v, k) => pen.lineTo(across(at[k]), up(v)));
    Object.assign(pen, { strokeStyle: MODEL, fillStyle: MODEL, lineWidth: 2, globalAlpha: 0.2 });
    pen.beginPath();
    trace(sums(1), model.value);
    trace(sums(-1).reverse(), [...model.value].reverse());
    pen.fill();
    pen.globalAlpha = 1;
    pen.beginPath();
    trace(model.mean, model.value);
    pen.stroke();
    Object.assign(pen, { strokeStyle: SHOWN, fillStyle: SHOWN });
    for (const { at, mean, half } of rows) {
      if (half) line(across(at), up(mean - half), across(at), up(mean + half));
      dot(across(at), up(mean), 4.5);
      pen.fill();
    }
    curveCanvas.setAttribute("aria-label",
      `Mean accuracy by ${column.name}; the numbers are in the table below it.`);
    curveTable.replaceChildren(...rows.map(({ name, n, mean, half }) => element("tr", {},
      element("th", { scope: "row" }, name),
      ...[n, mean.toFixed(4), Number.isFinite(half) ? half.toFixed(4) : ""].map((cell) =>
        element("td", {}, String(cell))))));
    curveTable.parentElement.tHead.rows[0].cells[0].textContent = column.name;
  }

  let point, inPlot, drawn; // of the last plot: a row's place, a place's parts, a corner
  let picture; // of the plot without the rectangle that is being drawn: thousands of dots take time
  const pointing = {
    onpointerdown: (event) => {
      const { width, height } = plotCanvas;
      drawn = [event.offsetX, event.offsetY];
      picture = plotCanvas.getContext("2d").getImageData(0, 0, width, height);
      plotCanvas.setPointerCapture(event.pointerId);
    },
    onpointermove: (event) => {
      if (!event.buttons) return;
      const pen = plotCanvas.getContext("2d");
      pen.putImageData(picture, 0, 0);
      pen.strokeRect(...drawn, event.offsetX - drawn[0], event.offsetY - drawn[1]);
    },
    onpointercancel: () => plot(),
    onpointerup: (event) => {
      const end = [event.offsetX, event.offsetY];
      if (Math.hypot(end[0] - drawn[0], end[1] - drawn[1]) < 5) return pick(nearest(end));
      const corners = [inPlot(...drawn), inPlot(...end)];
      ["x", "y"].forEach((name, k) => setRange(name, corners.map((corner) => corner[k])
        .sort((a, b) => a - b).map((at, end) => valueAt(state[name], at, end === 0))));
      return update();
    },
  };

  function nearest([x, y]) {
    const far = (i) => { const [a, b] = point(i); return Math.hypot(a - x, b - y); };
    const near = state.shown.filter((i) => far(i) < 12);
    return near.length ? near.reduce((best, i) => (far(i) < far(best) ? i : best)) : null;
  }

  function pick(i) {
    state.picked = i;
    if (i !== null) state.page = Math.floor(state.shown.indexOf(i) / ROWS_PER_PAGE);
    update();
  }

  function head() {
    return Object.values(columns).map((column) => {
      const { column: by, down } = state.sort, sorted = by === column;
      const sort = () => {
        state.sort = { column, down: sorted ? !down : !column.choices };
        state.page = 0;
        update();
        table.querySelector(`th[data-name='${column.name}'] button`).focus();
      };
      return element("th", { scope: "col", "data-name": column.name,
        "aria-sort": sorted && (down ? "descending" : "ascending") }, button(column.name, sort));
    });
  }

  function row(i) {
    const cells = Object.values(columns).map((column, k) => {
      const find = () => {
        pick(i === state.picked ? null : i);
        table.querySelector(`tr[data-row='${i}'] button`).focus();
      };
      const name = element("button", { type: "button", onclick: find,
        "aria-label": `${column.show(i)} ${columns.trial.at(i)}: show in the plot`,
        "aria-pressed": String(i === state.picked) }, column.show(i));
      return element("td", { class: column.choices ? "text" : "" }, k ? column.show(i) : name);
    });
    return element("tr", { "data-row": i, class: i === state.picked ? "picked" : "" }, ...cells);
  }

  function list() {
    const pages = Math.max(1, Math.ceil(state.shown.length / ROWS_PER_PAGE));
    state.page = Math.min(Math.max(state.page, 0), pages - 1);
    const start = state.page * ROWS_PER_PAGE;
    const rows = state.shown.slice(start, start + ROWS_PER_PAGE);
    table.tHead.replaceChildren(element("tr", {}, ...head()));
    table.tBodies[0].replaceChildren(...rows.map(row));
    pageText.textContent = `page ${state.page + 1} of ${pages}`;
    turns.forEach((button, k) => { button.disabled = state.page === (k ? pages - 1 : 0); });
  }

  function download() {
    const full = (column, i) =>
      (column.choices || Number.isNaN(column.at(i)) ? column.show(i) : column.at(i));
    const quoted = (text) => (/[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
    const lines = [Object.keys(columns).join(","), ...state.shown.map((i) =>
      Object.values(columns).map((column) => quoted(String(full(column, i)))).join(","))];
    const file = new Blob([lines.join("\n"), "\n"], { type: "text/csv" });
    element("a", { href: URL.createObjectURL(file), download: "chosen-trials.csv" }).click();
  }

  const status = element("p", { role: "status", class: "count" });
  const legend = element("p", { class: "legend" });
  const plotCanvas = element("canvas", { role: "img", class: "plot", ...pointing });
  const curveCanvas = element("canvas", { role: "img" });
  const curveTable = element("tbody");
  const table = element("table", {}, element("caption", {}, "The CNNs that are shown"),
    element("thead"), element("tbody"));
  const pageText = element("span");
  const turns = [["previous", -1], ["next", 1]].map(([words, by]) =>
    button(words, () => { state.page += by; update(); }));
  const axis = (name) => element("div", {},
    chooser(name, numeric, name, () => setRange(name, [-Infinity, Infinity])), limits(name));
  const reset = () => together(() => {
    for (const input of controls.querySelectorAll("input[type='checkbox']:not(:checked)"))
      input.click();
    for (const name of ["x", "y"]) setRange(name, [-Infinity, Infinity]);
    state.picked = null;
  });
  const controls = element("form", { onsubmit: (event) => event.preventDefault() },
    element("div", { class: "filters" }, ...given.filters.map(checkboxes)),
    element("div", { class: "axes" },
      axis("x"), axis("y"), chooser("colour", given.colored, "color")),
    element("div", { class: "axes" },
      button("show all", reset), button("download shown", download)));
  const heads = ["", "CNNs", "mean accuracy", "± 95%"].map((words) => element("th", {}, words));
  const scroll = (label, content) =>
    element("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": label }, content);
  root.append(controls, status, plotCanvas, legend,
    chooser("mean accuracy by", given.curved, "curve"),
    curveCanvas,
    element("p", { class: "legend" },
      element("span", {}, element("i", { class: "hia-drawing dot" }), "CNNs shown, 95% interval"),
      element("span", {}, element("i", { class: "hia-drawing bar" }), given.model)),
    element("details", {}, element("summary", {}, "These means as a table"),
      scroll("Means", element("table", {},
        element("thead", {}, element("tr", {}, ...heads)), curveTable))),
    scroll("CNNs", table),
    element("p", { class: "axes" }, turns[0], pageText, turns[1]));

  // Several changes, and one look at the result.
  let waiting = false;
  function together(change) {
    waiting = true;
    change();
    waiting = false;
    update();
  }

  function update() {
    if (waiting) return;
    select();
    const [n, all] = [state.shown.length, total].map((count) => count.toLocaleString("en"));
    status.textContent = `${n} of ${all} CNNs are shown`;
    plot();
    curve();
    list();
  }
  update();
  new ResizeObserver(() => { plot(); curve(); }).observe(root);
})();
