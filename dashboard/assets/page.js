/* The live part of the page: one state, mirrored in the address; a move of a lever asks the server for
   the curves on the screen and draws them. Dash builds the page; from then on this script owns the
   numbers in it. */
(function () {
  "use strict";
  const F = window.flywheelFormat;
  const NO = () => window.dash_clientside.no_update;
  const props = (id, values) => window.dash_clientside.set_props(id, values);
  const all = (selector, root) => Array.from((root || document).querySelectorAll(selector));
  const one = (selector, root) => (root || document).querySelector(selector);

  let M = null; // what the server said about the model
  let S = null; // the state of the page
  let base = null; // the answer for the baseline
  let shown = null; // the answer that is drawn
  let mounted = new Set(); // levers whose slider has reported once
  const timings = []; // the last moves, for benchmarks/dashboard_latency.py
  const SETTLED = 350; // ms without a move after which it counts as one step to undo

  /* ---- state and address ------------------------------------------------------------------- */

  function query(state) {
    const put = (name, value) => `${encodeURIComponent(name)}=${encodeURIComponent(value).replace(/%2C/g, ",")}`;
    const pairs = [put("model", state.model)];
    if (state.scenario) pairs.push(put("scenario", state.scenario));
    for (const name of Object.keys(M.defaults)) {
      if (name in state.values) pairs.push(put("p." + name, String(state.values[name])));
    }
    if (state.at !== null) pairs.push(put("at", String(state.at)));
    if (state.show.length) pairs.push(put("show", state.show.join(",")));
    if (state.loop) pairs.push(put("loop", state.loop));
    if (state.view !== "loops") pairs.push(put("view", state.view));
    if (state.lang !== "en") pairs.push(put("lang", state.lang));
    if (state.theme) pairs.push(put("theme", state.theme));
    return "?" + pairs.join("&");
  }

  function readQuery(text) {
    const given = new URLSearchParams(text);
    const values = {};
    for (const [field, value] of given) {
      const name = field.slice(2);
      if (field.startsWith("p.") && name in M.defaults && value !== "" && Number.isFinite(Number(value))) {
        values[name] = Number(value);
      }
    }
    const at = given.get("at");
    return {
      model: given.get("model") || M.model,
      scenario: given.get("scenario") in M.scenarios ? given.get("scenario") : "",
      values,
      at: at !== null && at !== "" && Number.isFinite(Number(at)) ? Number(at) : null,
      show: (given.get("show") || "").split(",").filter((name) => name in M.labels),
      loop: given.get("loop") in M.loops ? given.get("loop") : "",
      view: given.get("view") === "all" ? "all" : "loops",
      lang: given.get("lang") === "ko" ? "ko" : "en",
      theme: ["light", "dark"].includes(given.get("theme")) ? given.get("theme") : "",
    };
  }

  const place = () => (history.state && history.state.flywheel) || 0;
  const furthest = () => Math.max(place(), Number(sessionStorage.getItem("flywheel.furthest") || 0));

  let committing = 0;
  function commitSoon() {
    clearTimeout(committing);
    committing = setTimeout(commit, SETTLED);
  }

  /* Every settled change is one entry of the browser's history: undo is the way back. */
  function commit() {
    clearTimeout(committing);
    const next = query(S);
    if (next !== location.search) {
      history.pushState({ flywheel: place() + 1 }, "", next);
      sessionStorage.setItem("flywheel.furthest", String(place()));
    }
    buttons();
  }

  function buttons() {
    const undo = one('[data-do="undo"]');
    if (!undo) return;
    undo.disabled = place() === 0;
    one('[data-do="redo"]').disabled = place() >= furthest();
    const count = Object.keys(S.values).length;
    const reset = one('.column-head [data-do="reset"]');
    if (reset) reset.disabled = count === 0;
    const table = one("#csv");
    if (table) table.href = "/_flywheel/run.csv" + query(S);
  }

  window.addEventListener("popstate", () => {
    if (!M) return;
    clearTimeout(committing);
    const next = readQuery(location.search);
    if (next.model !== S.model || next.lang !== S.lang) {
      location.reload();
      return;
    }
    adopt(next);
  });

  /* Another state, from the history or a button: the controls follow, then the curves. */
  function adopt(next) {
    const before = S;
    S = next;
    for (const name of new Set([...Object.keys(before.values), ...Object.keys(next.values)])) {
      if (before.values[name] !== next.values[name]) moveSlider(name);
    }
    if (before.scenario !== next.scenario) props("scenario", { value: next.scenario || "-" });
    if (before.view !== next.view) props("view", { value: next.view });
    if (before.at !== next.at) props("at", { value: next.at === null ? M.time.stop : next.at });
    if (before.theme !== next.theme) applyTheme();
    if (before.show.join() !== next.show.join()) props("show", { value: charted() });
    if (before.loop !== next.loop) lightLoop();
    rows();
    buttons();
    ask();
  }

  const said = (name) => F.short(valueOf(name), M.units[name]);
  const valueOf = (name) => (name in S.values ? S.values[name] : M.defaults[name]);
  const charted = () => (S.show.length ? S.show : M.charts);

  function moveSlider(name) {
    if (!mounted.has(name)) return;
    props({ type: "lever", name }, { value: valueOf(name) });
    props({ type: "said", name }, { children: said(name) });
  }

  /* ---- asking the server --------------------------------------------------------------------- */

  let flying = false;
  let waiting = false;
  let moved = 0; // when the move that is to be drawn happened
  let retry = 0;
  let input = 0;
  for (const kind of ["pointerdown", "pointermove", "keydown", "touchmove"]) {
    window.addEventListener(kind, (event) => { input = event.timeStamp; }, { capture: true, passive: true });
  }

  function wanted() {
    const names = new Set([...charted(), ...M.stocks]);
    return Array.from(names);
  }

  function body(extra) {
    return JSON.stringify({ model: S.model, scenario: S.scenario, values: S.values, names: wanted(), ...extra });
  }

  async function post(path, text) {
    const response = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: text,
      credentials: "same-origin",
    });
    const received = await response.text();
    const answer = JSON.parse(received);
    if (!response.ok) {
      const error = new Error(answer.error || response.statusText);
      error.refused = response.status >= 400 && response.status < 500;
      throw error;
    }
    return [answer, received.length];
  }

  /* One request at a time; what happens meanwhile is asked for once it is back. So the newest state is
     always the next to be drawn and no answer is ever drawn over a newer one. */
  async function ask() {
    if (flying) {
      waiting = true;
      return;
    }
    flying = true;
    waiting = false;
    const sample = { moved: moved || performance.now(), sent: performance.now() };
    try {
      const [answer, size] = await post("/_flywheel/run", body());
      sample.received = performance.now();
      sample.bytes = size;
      shown = answer;
      retry = 0;
      tell(answer.status);
      draw();
      sample.drawn = performance.now();
      requestAnimationFrame(() => {
        const channel = new MessageChannel(); // its message comes after this frame is painted
        channel.port1.onmessage = () => {
          sample.painted = performance.now();
          timings.push(sample);
          if (timings.length > 2000) timings.shift();
        };
        channel.port2.postMessage(0);
      });
      checkSoon();
    } catch (error) {
      failed(error);
    } finally {
      flying = false;
      if (waiting) ask();
    }
  }

  function failed(error) {
    if (error.refused) {
      banner("bad", M.texts.refused, error.message, ["undo", "reset"]);
      return;
    }
    banner("bad", M.texts.offline, "", ["retry"]);
    retry = Math.min(retry ? 2 * retry : 1000, 16000);
    setTimeout(ask, retry);
  }

  let checking = 0;
  let checked = 0;
  function checkSoon() {
    clearTimeout(checking);
    const badge = one("#badge");
    if (badge) badge.dataset.level = "wait";
    checking = setTimeout(check, SETTLED + 50);
  }

  /* The halved-step error comes after the curves and never holds them up. */
  async function check() {
    const turn = ++checked;
    const badge = one("#badge");
    if (!badge) return;
    try {
      const [found] = await post("/_flywheel/exactness", body({ names: [] }));
      if (turn !== checked) return;
      if (!found || found.relative === null) {
        badge.textContent = M.texts.error_none;
        badge.dataset.level = "bad";
        badge.title = "";
        return;
      }
      const size = found.relative < 0.0001 ? "< 0.01 %" : F.percent(found.relative, false);
      const big = found.relative > 0.01;
      badge.textContent = fill(big ? M.texts.error_big : M.texts.error_small, { size });
      badge.dataset.level = big ? "bad" : "good";
      badge.title = fill(M.texts.error_help, {
        size,
        step: F.rounded(found.step / 2, 4),
        worst: M.labels[found.worst] || found.worst,
      });
    } catch (error) {
      badge.textContent = M.texts.error_none;
      badge.dataset.level = "bad";
    }
  }

  const fill = (text, fields) => text.replace(/\{(\w+)\}/g, (_, name) => fields[name]);

  function tell(status) {
    if (status.ok) {
      const banner = one("#banner");
      if (banner) banner.replaceChildren();
      if (banner) banner.className = "banner";
      return;
    }
    const time = status.time === null ? "–" : when(status.time);
    const known = status.variable && status.variable in M.labels;
    const text = known
      ? fill(M.texts.stopped_variable, { time, label: M.labels[status.variable], name: status.variable })
      : fill(M.texts.stopped, { time });
    banner("bad", text, M.texts.stopped_hint, ["undo", "reset"], status.message);
  }

  function banner(level, text, hint, actions, detail) {
    const place = one("#banner");
    if (!place) return;
    place.className = "banner banner-" + level;
    const said = document.createElement("div");
    const strong = document.createElement("strong");
    strong.textContent = text;
    said.append(strong, hint ? " " + hint : "");
    if (detail) {
      const small = document.createElement("div");
      small.className = "banner-detail";
      small.textContent = detail;
      said.append(small);
    }
    const tools = document.createElement("div");
    tools.className = "banner-tools";
    for (const action of actions) {
      if (action === "undo" && place_is_first()) continue;
      const button = document.createElement("button");
      button.type = "button";
      button.className = "quiet";
      button.dataset.do = action;
      button.textContent = { undo: M.texts.undo, reset: M.texts.reset_all, retry: M.texts.retry }[action];
      tools.append(button);
    }
    place.replaceChildren(said, tools);
  }
  const place_is_first = () => place() === 0 && query(S) === location.search;

  /* ---- drawing --------------------------------------------------------------------------------- */

  function draw() {
    charts();
    tiles();
    sparks();
  }

  const graphs = () => all(".chart").map((card) => [card, card.dataset.chart, one(".js-plotly-plot", card)]);
  const trace = (graph, role) => graph.data.findIndex((t) => t.meta && t.meta.role === role);

  function extent(arrays) {
    let low = Infinity;
    let high = -Infinity;
    for (const array of arrays) {
      for (const value of array || []) {
        if (value === null || !Number.isFinite(value)) continue;
        if (value < low) low = value;
        if (value > high) high = value;
      }
    }
    return low > high ? [0, 1] : [low, high];
  }

  function charts() {
    const hidden = document.hidden;
    for (const [card, name, graph] of graphs()) {
      if (!graph || !graph._fullLayout || !shown.values[name]) continue;
      if (hidden || !inSight(card)) {
        card.dataset.stale = "1";
        continue;
      }
      chart(card, name, graph);
    }
    markTime();
  }

  /* In sight, or nearly: what is scrolled away is drawn when it comes. */
  function inSight(card) {
    if (card.offsetParent === null) return false;
    const box = card.getBoundingClientRect();
    return box.bottom > -80 && box.top < window.innerHeight + 80;
  }
  document.addEventListener("scroll", () => {
    clearTimeout(inSight.timer);
    inSight.timer = setTimeout(() => {
      for (const [card, name, graph] of graphs()) {
        if (card.dataset.stale && graph && graph._fullLayout && shown && inSight(card)) chart(card, name, graph);
      }
    }, 40);
  }, true);

  function chart(card, name, graph) {
    delete card.dataset.stale;
    const values = shown.values[name];
    const ghost = base.values[name] || [];
    const dots = graph.data.filter((t) => t.meta && ["data", "unverified"].includes(t.meta.role) && t.visible !== false);
    const [low, high] = extent([values, ghost, ...dots.map((t) => t._numbers || (t._numbers = Array.from(t.y || [])))]);
    const restyle = { y: [values] };
    const index = trace(graph, "run");
    const range = card._range;
    const bottom = Math.min(low, 0);
    const top = Math.max(high, 0);
    const stretch = top - bottom || 1;
    const fits = range && bottom >= range[0] && top <= range[1] && stretch > 0.45 * (range[1] - range[0]);
    if (fits) {
      if (stroked(graph, index, values)) {
        card.dataset.loose = "1";
        tightenSoon();
      } else {
        window.Plotly.restyle(graph, restyle, [index]);
      }
      return;
    }
    const spec = M.units[name];
    const scale = F.axis(spec, Math.max(Math.abs(low), Math.abs(high)));
    const marks = F.ticks(bottom * scale.factor, top * scale.factor, 4);
    const room = 0.02 * (marks[marks.length - 1] - marks[0]);
    card._range = [marks[0] / scale.factor, marks[marks.length - 1] / scale.factor];
    one(".chart-unit", card).textContent = scale.caption;
    window.Plotly.update(
      graph,
      restyle,
      {
        "yaxis.autorange": false,
        "yaxis.range": [(marks[0] - (marks[0] < 0 ? room : 0)) / scale.factor, (marks[marks.length - 1] + room) / scale.factor],
        "yaxis.tickvals": marks.map((mark) => mark / scale.factor),
        "yaxis.ticktext": marks.map((mark) => F.rounded(mark, 4)),
        "yaxis.tickmode": "array",
      },
      [index],
    );
  }

  /* While a lever moves, the curve's path is written straight into the chart, a hundred times quicker
     than a restyle; once the hand rests, plotly gets the numbers, for hovering and for pictures. */
  function stroked(graph, index, values) {
    const trace = graph.calcdata && graph.calcdata[index] && graph.calcdata[index][0];
    const line = trace && trace.node3 && trace.node3.node() && one("path.js-line", trace.node3.node());
    if (!line) return false;
    const { xaxis, yaxis } = graph._fullLayout;
    let path = "";
    let pen = "M";
    for (let i = 0; i < values.length; i++) {
      const value = values[i];
      if (value === null) {
        pen = "M";
        continue;
      }
      path += pen + xaxis.l2p(M.grid[i]).toFixed(1) + "," + yaxis.l2p(value).toFixed(1);
      pen = "L";
    }
    line.setAttribute("d", path || "M0,0");
    return true;
  }

  let tightening = 0;
  function tightenSoon() {
    clearTimeout(tightening);
    tightening = setTimeout(tighten, SETTLED);
  }

  /* One chart a frame, so that a hand that moves again never waits. */
  function tighten() {
    const next = graphs().find(([card]) => card.dataset.loose);
    if (!next || !shown) return;
    const [card, name, graph] = next;
    delete card.dataset.loose;
    if (graph && graph._fullLayout && shown.values[name]) {
      window.Plotly.restyle(graph, { y: [shown.values[name]] }, [trace(graph, "run")]);
    }
    tightening = setTimeout(tighten, 16);
  }

  function tiles() {
    for (const tile of all("[data-tile]")) {
      const name = tile.dataset.tile;
      const value = shown.outcomes[name];
      const before = base.outcomes[name];
      const moment = M.outcomes[name] === "time of";
      const text = (number) =>
        number === null || number === undefined
          ? moment ? M.texts.not_reached : "–"
          : F.short(number, M.units[name]);
      one(".tile-number", tile).textContent = text(value);
      one(".tile-unit", tile).textContent = value === null ? "" : F.unitOf(M.units[name]);
      const note = one(".tile-change", tile);
      const same = value === before || (value !== null && before !== null && Math.abs(value - before) <= 1e-7 * Math.abs(before));
      tile.dataset.change = same || value === null || before === null ? "none" : value > before ? "up" : "down";
      if (same) note.textContent = M.texts.same;
      else {
        const size = value === null || before === null || before === undefined ? "" : moment ? signed(value - before) : compared(value, before, M.units[name]);
        note.textContent = `${size ? size + " " : ""}${fill(M.texts.against, { value: text(before) })}`;
      }
    }
  }

  /* Where a percentage would say nothing (another sign, a base of zero), the difference in its unit. */
  function compared(value, before, spec) {
    if (before !== 0 && value < 0 === before < 0) return F.change(value, before);
    return (value > before ? "+" : "") + F.short(value - before, spec);
  }

  const signed = (number) => (number > 0 ? "+" : "") + F.rounded(number, 3);
  const when = (time) => (M.time.calendar ? F.date(time) : F.rounded(time, 4));
  const now = () => (S.at === null ? M.time.stop : S.at);

  /* The index of the saved time at or before the scrubber. */
  function nowIndex() {
    const time = now() + 1e-9;
    let low = 0;
    let high = M.grid.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (M.grid[middle] <= time) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  function markTime() {
    const index = nowIndex();
    const said = one("#at-said");
    if (said) said.textContent = when(M.grid[index]);
    for (const [card, name, graph] of graphs()) {
      if (!graph || !graph._fullLayout || !shown.values[name]) continue;
      one(".chart-now", card).textContent = F.short(shown.values[name][index], M.units[name]);
      let line = one(".chart-time", card);
      if (!line) {
        line = document.createElement("div");
        line.className = "chart-time";
        one(".plot", card).append(line);
      }
      line.hidden = S.at === null;
      const axis = graph._fullLayout.xaxis;
      line.style.transform = `translateX(${axis._offset + axis.l2p(M.grid[index])}px)`;
      line.style.top = graph._fullLayout.margin.t + "px";
      line.style.bottom = graph._fullLayout.margin.b + "px";
    }
  }

  /* ---- the diagram ------------------------------------------------------------------------------ */

  const cy = () => {
    const place = document.getElementById("diagram");
    return place && place._cyreg ? place._cyreg.cy : null;
  };

  function scheme() {
    return document.documentElement.getAttribute("data-mantine-color-scheme") === "dark" ? "dark" : "light";
  }
  const ink = () => M.colors[scheme()];

  /* Sparklines stand on a canvas over the diagram: pictures inside its nodes would be cached by the
     thousand while a lever moves. */
  function sparks() {
    const graph = cy();
    const canvas = one("#sparks");
    if (!graph || !canvas || !shown || !base) return;
    const ratio = window.devicePixelRatio || 1;
    const width = canvas.clientWidth;
    const height = canvas.clientHeight;
    if (!width || !height) return;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    const paint = canvas.getContext("2d");
    paint.setTransform(ratio, 0, 0, ratio, 0, 0);
    paint.clearRect(0, 0, width, height);
    const zoom = graph.zoom();
    const colors = ink();
    const index = nowIndex();
    const family = getComputedStyle(document.body).fontFamily;
    graph.nodes(".stock").forEach((node) => {
      const name = node.id();
      const values = shown.values[name];
      if (!values) return;
      const centre = node.renderedPosition();
      const w = node.width() * zoom;
      const h = node.height() * zoom;
      paint.globalAlpha = node.hasClass("dim") ? 0.28 : 1;
      const left = centre.x - w / 2 + 8 * zoom;
      const right = centre.x + w / 2 - 8 * zoom;
      const top = centre.y + 12 * zoom;
      const bottom = centre.y + h / 2 - 8 * zoom;
      const [low, high] = extent([values, base.values[name]]);
      const floor = Math.min(low, 0);
      const span = high - floor || 1;
      const x = (i) => left + ((right - left) * i) / (values.length - 1);
      const y = (v) => bottom - ((bottom - top) * (v - floor)) / span;
      stroke(paint, base.values[name], x, y, colors.baseline, Math.max(1, zoom));
      stroke(paint, values, x, y, colors.run, Math.max(1, 1.75 * zoom));
      const value = values[index];
      if (value !== null && Number.isFinite(value)) {
        paint.fillStyle = colors.run;
        paint.beginPath();
        paint.arc(x(index), y(value), Math.max(1.5, 2.75 * zoom), 0, 7);
        paint.fill();
      }
      if (zoom > 0.42) {
        paint.fillStyle = colors.muted;
        paint.font = `${12 * zoom}px ${family}`;
        paint.textAlign = "center";
        paint.textBaseline = "alphabetic";
        paint.fillText(F.short(value, M.units[name]), centre.x, centre.y + 4 * zoom, w - 8);
      }
    });
    paint.globalAlpha = 1;
  }

  function stroke(paint, values, x, y, color, width) {
    if (!values) return;
    paint.strokeStyle = color;
    paint.lineWidth = width;
    paint.lineJoin = "round";
    paint.beginPath();
    let pen = false;
    for (let i = 0; i < values.length; i++) {
      const value = values[i];
      if (value === null || !Number.isFinite(value)) {
        pen = false;
        continue;
      }
      if (pen) paint.lineTo(x(i), y(value));
      else paint.moveTo(x(i), y(value));
      pen = true;
    }
    paint.stroke();
  }

  function lightLoop() {
    for (const button of all('[data-do="loop"]')) {
      button.setAttribute("aria-pressed", String(button.dataset.name === S.loop));
    }
    sayLoop(S.loop);
    const graph = cy();
    if (!graph) return;
    const kind = M.loops[S.loop];
    graph.batch(() => {
      graph.elements().forEach((element) => {
        element.removeClass("dim lit lit-R lit-B");
        if (!S.loop) return;
        const on = (element.data("loops") || []).includes(S.loop);
        element.addClass(on ? `lit lit-${kind}` : "dim");
      });
    });
    sparks();
  }

  /* One line under the chips says what the chosen or pointed-at loop is. */
  function sayLoop(name) {
    const line = one("#loop-said");
    if (!line) return;
    const button = name && one(`[data-do="loop"][data-name="${CSS.escape(name)}"]`);
    line.dataset.on = String(Boolean(button));
    line.textContent = button ? `${name} · ${button.dataset.kind} · ${button.dataset.label}` : M.texts.loop_hint;
  }
  for (const [kind, on] of [["pointerover", true], ["pointerout", false], ["focusin", true], ["focusout", false]]) {
    document.addEventListener(kind, (event) => {
      const button = M && event.target.closest && event.target.closest('[data-do="loop"]');
      if (button) sayLoop(on ? button.dataset.name : S.loop);
    });
  }

  function watchDiagram() {
    const graph = cy();
    if (!graph || graph._watched) return Boolean(graph);
    graph._watched = true;
    let due = false;
    graph.on("render", () => {
      if (due) return;
      due = true;
      requestAnimationFrame(() => { due = false; sparks(); });
    });
    graph.on("mouseover", "node, edge.arrow", (event) => hint(event.target));
    graph.on("mouseout", "node, edge.arrow", () => hint(null));
    graph.on("add", () => setTimeout(() => { fit(); lightLoop(); }, 60));
    new ResizeObserver(() => { graph.resize(); fit(); }).observe(graph.container());
    fit();
    if (scheme() !== (S.theme || "light")) props("diagram", { stylesheet: M.sheets[scheme()] });
    setTimeout(lightLoop, 80);
    return true;
  }

  function fit() {
    const graph = cy();
    if (!graph || !graph.container().clientWidth) return;
    graph.fit(undefined, 20);
    if (graph.zoom() > 1.25) {
      graph.zoom(1.25);
      graph.center();
    }
  }

  function hint(element) {
    const canvas = one(".canvas");
    if (!canvas) return;
    if (!element) canvas.removeAttribute("title");
    else if (element.isNode()) canvas.title = [element.data("label"), element.data("doc")].filter(Boolean).join(": ");
    else {
      const graph = cy();
      const way = [element.data("source"), element.data("target")].map((id) => graph.getElementById(id).data("label"));
      canvas.title = [way[0], ...(element.data("through") || []), way[1]].join(" → ");
    }
  }

  /* ---- levers -------------------------------------------------------------------------------- */

  function rows() {
    const touched = new Set(S.scenario ? M.scenarios[S.scenario] : []);
    for (const row of all("[data-param]")) {
      const name = row.dataset.param;
      row.dataset.changed = String(name in S.values);
      row.dataset.scenario = String(touched.has(name) && !(name in S.values));
      row.title = row.dataset.scenario === "true" ? M.texts.by_scenario : "";
    }
  }

  function dressRows(root) {
    for (const row of all("[data-param]", root)) {
      const spec = M.units[row.dataset.param];
      for (const end of all("[data-number]", row)) end.textContent = F.short(Number(end.dataset.number), spec);
      one(".lever-unit", row).textContent = F.unitOf(spec);
    }
    rows();
  }

  function reset(name) {
    const next = { ...S, values: { ...S.values } };
    if (name) delete next.values[name];
    else next.values = {};
    adopt(next);
    commit();
  }

  /* ---- actions ---------------------------------------------------------------------------------- */

  let playing = 0;
  const actions = {
    undo() { commit(); if (place() > 0) history.back(); },
    redo() { if (place() < furthest()) history.forward(); },
    reset() { reset(); },
    "reset-one"(button) { reset(button.dataset.name); },
    retry() { ask(); },
    close(button) { button.closest(".notice").remove(); },
    fit() { fit(); },
    theme() {
      S.theme = scheme() === "dark" ? "light" : "dark";
      applyTheme();
      commit();
    },
    loop(button) {
      S.loop = S.loop === button.dataset.name ? "" : button.dataset.name;
      lightLoop();
      commit();
    },
    async share() {
      commit();
      try {
        await navigator.clipboard.writeText(location.href);
        toast(M.texts.shared);
      } catch (error) {
        toast(`${M.texts.share_by_hand}: ${location.href}`, 12000);
      }
    },
    play(button) {
      if (playing) return stopPlaying();
      const span = M.time.stop - M.time.start;
      let time = now() >= M.time.stop ? M.time.start : now();
      let last = performance.now();
      button.title = M.texts.pause;
      button.setAttribute("aria-label", M.texts.pause);
      button.firstElementChild.className = "icon icon-pause";
      const tick = (stamp) => {
        time = Math.min(time + (span * Math.max(stamp - last, 0)) / 9000, M.time.stop);
        last = stamp;
        const index = Math.round((time - M.time.start) / M.time.save);
        props("at", { value: M.grid[Math.min(index, M.grid.length - 1)] });
        playing = requestAnimationFrame(tick);
        if (time >= M.time.stop) stopPlaying();
      };
      playing = requestAnimationFrame(tick);
    },
  };

  function stopPlaying() {
    cancelAnimationFrame(playing);
    playing = 0;
    const button = one('[data-do="play"]');
    if (!button) return;
    button.title = M.texts.play;
    button.setAttribute("aria-label", M.texts.play);
    button.firstElementChild.className = "icon icon-play";
  }

  function toast(text, long) {
    const place = one("#toast");
    place.textContent = text;
    place.classList.add("on");
    clearTimeout(toast.timer);
    toast.timer = setTimeout(() => place.classList.remove("on"), long || 2500);
  }

  document.addEventListener("click", (event) => {
    const target = event.target.closest && event.target.closest("[data-do]");
    if (target && M && !target.disabled) actions[target.dataset.do](target);
  });

  document.addEventListener("keydown", (event) => {
    if (!M || !(event.ctrlKey || event.metaKey) || event.altKey) return;
    if (/^(input|textarea)$/i.test(event.target.tagName || "") && event.target.type !== "range") return;
    const letter = event.key.toLowerCase();
    if (letter === "z" && !event.shiftKey) actions.undo();
    else if (letter === "y" || (letter === "z" && event.shiftKey)) actions.redo();
    else return;
    event.preventDefault();
  });

  document.addEventListener("toggle", (event) => {
    if (event.target.id === "others-fold" && event.target.open && !one("#others").childElementCount) {
      one("#more").click();
    }
  }, true);

  /* ---- light and dark ------------------------------------------------------------------------ */

  function applyTheme() {
    props("mantine", S.theme ? { forceColorScheme: S.theme } : { forceColorScheme: null });
  }

  function recolour() {
    if (!M) return;
    const colors = ink();
    props("diagram", { stylesheet: M.sheets[scheme()] });
    setTimeout(lightLoop, 80);
    for (const [, , graph] of graphs()) colourChart(graph, colors);
    sparks();
  }

  function colourChart(graph, colors) {
    if (!graph || !graph._fullLayout || graph._scheme === scheme()) return;
    graph._scheme = scheme();
    graph.data.forEach((t, index) => {
      const role = t.meta && t.meta.role;
      if (role === "run" || role === "baseline") window.Plotly.restyle(graph, { "line.color": colors[role] }, [index]);
      if (role === "data") window.Plotly.restyle(graph, { "marker.color": colors.data }, [index]);
      if (role === "unverified") {
        window.Plotly.restyle(graph, { "marker.color": colors.paper, "marker.line.color": colors.unverified }, [index]);
      }
    });
    window.Plotly.relayout(graph, {
      "font.color": colors.ink,
      "xaxis.tickfont.color": colors.muted,
      "yaxis.tickfont.color": colors.muted,
      "xaxis.linecolor": colors.baseline,
      "xaxis.tickcolor": colors.baseline,
      "yaxis.gridcolor": colors.hairline,
      "yaxis.zerolinecolor": colors.baseline,
      "hoverlabel.bgcolor": colors.panel,
      "hoverlabel.bordercolor": colors.hairline,
      "hoverlabel.font.color": colors.ink,
    });
  }

  new MutationObserver(recolour).observe(document.documentElement, {
    attributes: true,
    attributeFilter: ["data-mantine-color-scheme"],
  });

  /* ---- start ----------------------------------------------------------------------------------- */

  /* Charts and rows that Dash puts into the page later get their numbers as soon as they are drawn. */
  const fresh = new MutationObserver(() => {
    clearTimeout(fresh.timer);
    fresh.timer = setTimeout(settle, 30);
  });

  function settle() {
    if (!M || !shown) return;
    watchDiagram();
    let waiting = false;
    for (const [card, name, graph] of graphs()) {
      if (!graph || !graph._fullLayout) {
        waiting = true;
        continue;
      }
      colourChart(graph, ink());
      if (!card.dataset.ready && shown.values[name]) {
        card.dataset.ready = "1";
        if (card.offsetParent === null) card.dataset.stale = "1";
        else chart(card, name, graph);
        markTime();
      }
    }
    const others = one("#others");
    if (others && others.childElementCount && !others.dataset.dressed) {
      others.dataset.dressed = "1";
      dressRows(others);
    }
    if (waiting || !cy()) fresh.timer = setTimeout(settle, 60);
  }

  function refreshStale() {
    if (!M || !shown) return;
    for (const [card, name, graph] of graphs()) {
      if (!graph || !graph._fullLayout || card.offsetParent === null) continue;
      window.Plotly.Plots.resize(graph);
      if (card.dataset.stale || !card._range) chart(card, name, graph);
    }
    markTime();
    sparks();
  }
  window.addEventListener("resize", () => {
    clearTimeout(refreshStale.timer);
    refreshStale.timer = setTimeout(refreshStale, 120);
  });
  document.addEventListener("visibilitychange", () => { if (!document.hidden) refreshStale(); });

  async function begin(meta) {
    M = meta;
    S = { ...meta.state };
    shown = base = null;
    document.documentElement.lang = S.lang;
    history.replaceState({ flywheel: place() }, "", query(S));
    if (S.theme) applyTheme();
    dressRows();
    for (const row of all("[data-param]")) {
      const name = row.dataset.param;
      props({ type: "said", name }, { children: said(name) });
    }
    buttons();
    const names = wanted();
    try {
      const still = JSON.stringify({ model: S.model, scenario: "", values: {}, names });
      [base] = await post("/_flywheel/run", still);
      shown = base;
      const page = one("#page");
      fresh.disconnect();
      fresh.observe(page, { childList: true, subtree: true });
      if (S.scenario || Object.keys(S.values).length) await ask();
      else {
        tell(base.status);
        checkSoon();
      }
      tiles();
      markTime();
      settle();
      lightLoop();
      page.dataset.live = "1";
    } catch (error) {
      failed(error);
    }
  }

  const moves = {
    first(search) {
      return moves.known ? NO() : ((moves.known = true), search || "?");
    },
    start(meta) {
      if (meta) begin(meta);
      return NO();
    },
    lever(value, id) {
      if (!M || !S) {
        mounted.add(id.name);
        return NO();
      }
      const name = id.name;
      const current = valueOf(name);
      if (!mounted.has(name)) {
        mounted.add(name);
        if (value !== current) setTimeout(() => moveSlider(name));
        return said(name);
      }
      if (value === current) return said(name);
      const slider = one(`[data-param="${CSS.escape(name)}"] [role="slider"]`);
      const low = slider ? Number(slider.getAttribute("aria-valuemin")) : -Infinity;
      const high = slider ? Number(slider.getAttribute("aria-valuemax")) : Infinity;
      if ((value === low && current < low) || (value === high && current > high)) return said(name);
      const standard = M.defaults[name];
      const step = (high - low) / 200;
      if (Math.abs(value - standard) < 0.9 * step) delete S.values[name];
      else S.values[name] = value;
      if (valueOf(name) === current) return said(name);
      moved = input && performance.now() - input < 250 ? input : performance.now();
      rows();
      ask();
      commitSoon();
      return said(name);
    },
    pick_scenario(value) {
      const name = value === "-" || !value ? "" : value;
      if (!S || name === S.scenario) return;
      S.scenario = name;
      rows();
      moved = performance.now();
      ask();
      commit();
    },
    pick_model(value) {
      if (!S || !value || value === S.model) return;
      const next = { ...S, model: value, scenario: "", values: {}, at: null, show: [], loop: "" };
      location.assign(query(next));
    },
    pick_language(value) {
      if (!S || !value || value === S.lang) return;
      commit();
      S.lang = value;
      location.assign(query(S));
    },
    pick_view(value) {
      if (!S || !value || value === S.view) return;
      S.view = value;
      commit();
    },
    pick_show(value) {
      if (!S || !value || value.join() === charted().join()) return;
      S.show = value.join() === M.charts.join() ? [] : value;
      fetchMissing();
      commit();
    },
    pick_at(value) {
      if (!S || !shown || value === null || value === undefined) return;
      const at = value >= M.time.stop - 1e-9 ? null : value;
      if (at === S.at) return;
      S.at = at;
      markTime();
      sparks();
      commitSoon();
    },
    pick_tab(value) {
      const app = one(".app");
      if (!app || !value) return;
      app.dataset.tab = value;
      setTimeout(() => {
        refreshStale();
        fit();
      }, 30);
    },
    pick_search(text) {
      const words = (text || "").toLowerCase().split(/\s+/).filter(Boolean);
      let found = 0;
      for (const row of all("#others [data-param]")) {
        const hit = words.every((word) => row.dataset.search.includes(word));
        row.classList.toggle("hidden", !hit);
        if (hit) found++;
      }
      for (const group of all("#others .group")) {
        group.classList.toggle("hidden", !one(".lever:not(.hidden)", group));
      }
      const none = one("#search-none");
      if (none) none.classList.toggle("hidden", found > 0);
    },
    click_node(node) {
      if (!S || !node || !(node.id in M.labels)) return;
      const names = charted();
      if (names[0] === node.id) return;
      const next = [node.id, ...names.filter((name) => name !== node.id)].slice(0, Math.max(names.length, 6));
      props("show", { value: next });
    },
  };

  /* A newly charted variable needs its baseline too. */
  async function fetchMissing() {
    const missing = charted().filter((name) => !(name in base.values));
    if (missing.length) {
      try {
        const still = JSON.stringify({ model: S.model, scenario: "", values: {}, names: missing });
        const [answer] = await post("/_flywheel/run", still);
        base = { ...base, values: { ...base.values, ...answer.values } };
      } catch (error) {
        failed(error);
        return;
      }
    }
    await ask();
    settle();
  }

  window.dash_clientside = Object.assign({}, window.dash_clientside, { flywheel: moves });
  window.flywheel = {
    timings,
    state: () => JSON.parse(JSON.stringify(S)),
    curve: (name) => shown && shown.values[name],
    baseline: (name) => base && base.values[name],
    idle: () => Boolean(M && base && !flying && !waiting),
  };
})();
