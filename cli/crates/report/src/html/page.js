"use strict";
(() => {
  const root = document.documentElement;
  const tip = document.getElementById("tip"), said = document.getElementById("said");
  const reader = matchMedia("(prefers-color-scheme: dark)");

  // Colour scheme: the system's until the button is pressed.
  const theme = document.getElementById("theme");
  const dark = () => root.dataset.theme ? root.dataset.theme === "dark" : reader.matches;
  const name = () => { theme.textContent = dark() ? "Light" : "Dark"; };
  theme.hidden = false;
  theme.addEventListener("click", () => { root.dataset.theme = dark() ? "light" : "dark"; name(); });
  reader.addEventListener("change", name);
  name();

  // Everything is expanded in print.
  const all = () => document.querySelectorAll("details");
  let opened = [];
  addEventListener("beforeprint", () => { opened = [...all()].filter(one => !one.open); opened.forEach(one => { one.open = true; }); });
  addEventListener("afterprint", () => opened.forEach(one => { one.open = false; }));
  for (const button of document.querySelectorAll("[data-open]")) {
    button.hidden = false;
    button.addEventListener("click", () => {
      button.closest("section").querySelectorAll("details.claim").forEach(one => { one.open = button.dataset.open === "true"; });
    });
  }
  // A link to a claim opens it.
  const reveal = () => {
    const target = location.hash && document.getElementById(location.hash.slice(1));
    if (target && target.tagName === "DETAILS") target.open = true;
  };
  addEventListener("hashchange", reveal);
  reveal();

  const round = value => Number(value.toPrecision(3)).toString();
  const units = {
    rate: value => round(value) + " /s",
    share: value => round(value) + " %",
    count: value => round(value),
    ns: value => {
      const [by, unit] = value >= 1e9 ? [1e9, " s"] : value >= 1e6 ? [1e6, " ms"] : value >= 1e3 ? [1e3, " µs"] : [1, " ns"];
      return round(value / by) + unit;
    },
  };
  const element = (kind, text) => {
    const made = document.createElement(kind);
    if (text !== undefined) made.textContent = text;
    return made;
  };

  for (const figure of document.querySelectorAll("figure[data-chart]")) {
    const chart = JSON.parse(figure.dataset.chart);
    const svg = figure.querySelector("svg[role]");
    const cursor = svg.querySelector(".cursor");
    const [left, right, bottom, top] = chart.px;
    const count = Math.max(...chart.s.map(series => series.v.length));
    const shown = chart.s.map(() => true);
    let current = -1;

    // Coordinate of an interval's index, and index at a coordinate.
    const x = number => {
      if (chart.x) return chart.x[number];
      if (chart.labels) return left + (number + 0.5) * (right - left) / count;
      const [from, to, begin, width] = chart.t;
      return left + Math.min(1, (begin + (number + 0.5) * width - from) / (to - from)) * (right - left);
    };
    const number = place => {
      if (chart.x) return chart.x.reduce((best, at, index) => Math.abs(at - place) < Math.abs(chart.x[best] - place) ? index : best, 0);
      const share = Math.max(0, Math.min(1, (place - left) / (right - left)));
      if (chart.labels) return Math.min(count - 1, Math.floor(share * count));
      const [from, to, begin, width] = chart.t;
      return Math.max(0, Math.min(count - 1, Math.floor((from + share * (to - from) - begin) / width)));
    };
    const when = number => chart.labels ? chart.labels[number] : "from " + round(chart.t[2] + number * chart.t[3]) + " s";

    const show = (at, clientX, clientY) => {
      current = at;
      cursor.innerHTML = "";
      const line = document.createElementNS("http://www.w3.org/2000/svg", "line");
      for (const [key, value] of [["x1", x(at)], ["x2", x(at)], ["y1", top], ["y2", bottom]]) line.setAttribute(key, value);
      cursor.append(line);
      const table = element("table");
      chart.s.forEach((series, index) => {
        if (!shown[index]) return;
        const row = element("tr"), value = series.v[at];
        row.append(element("th", series.n), element("td", value == null ? "–" : units[chart.unit](value)));
        table.append(row);
      });
      tip.replaceChildren(element("b", when(at)), table);
      tip.hidden = false;
      const box = tip.getBoundingClientRect();
      tip.style.left = Math.max(4, Math.min(innerWidth - box.width - 4, clientX + 14)) + "px";
      tip.style.top = Math.max(4, Math.min(innerHeight - box.height - 4, clientY + 14)) + "px";
    };
    const hide = () => { cursor.innerHTML = ""; tip.hidden = true; current = -1; };
    svg.addEventListener("pointermove", event => {
      const box = svg.getBoundingClientRect();
      show(number((event.clientX - box.left) * svg.viewBox.baseVal.width / box.width), event.clientX, event.clientY);
    });
    svg.addEventListener("pointerleave", hide);
    svg.addEventListener("blur", hide);
    svg.addEventListener("keydown", event => {
      const step = { ArrowLeft: -1, ArrowRight: 1, Home: -count, End: count }[event.key];
      if (event.key === "Escape") hide();
      if (step === undefined) return;
      event.preventDefault();
      const at = Math.max(0, Math.min(count - 1, current < 0 ? (step > 0 ? 0 : count - 1) : current + step));
      const box = svg.getBoundingClientRect();
      show(at, box.left + x(at) * box.width / svg.viewBox.baseVal.width, box.top + box.height / 2);
      // Announce values to screen readers; with the pointer there would be too many.
      said.textContent = [...tip.querySelectorAll("b, tr")].map(one => [...one.childNodes].map(part => part.textContent).join(" ")).join(", ");
    });

    // Without a series, those above it move down.
    const restack = () => {
      const [low, high] = chart.y;
      const y = value => bottom + (value - low) / (high - low) * (top - bottom);
      const sums = new Array(count).fill(0);
      const point = (number, value) => x(number).toFixed(1) + " " + y(value).toFixed(1);
      const areas = svg.querySelectorAll(".plot .area"), curves = svg.querySelectorAll(".plot .curve");
      chart.s.forEach((series, index) => {
        const below = sums.slice();
        if (shown[index]) series.v.forEach((value, number) => { sums[number] += value || 0; });
        // The first and the last interval reach to the edges.
        const edge = values => [left.toFixed(1) + " " + y(values[0]).toFixed(1), ...values.map((value, number) => point(number, value)),
          right.toFixed(1) + " " + y(values[count - 1]).toFixed(1)];
        const upper = edge(sums), lower = edge(below).reverse();
        areas[index].setAttribute("d", "M" + upper.concat(lower).join("L") + "Z");
        curves[index].setAttribute("d", "M" + upper.join("L"));
      });
    };
    for (const button of figure.querySelectorAll("[data-series]")) {
      button.addEventListener("click", () => {
        const index = Number(button.dataset.series);
        shown[index] = !shown[index];
        button.setAttribute("aria-pressed", shown[index]);
        if (chart.stack) restack();
        const seen = shown[index] ? "" : "hidden";
        const curve = svg.querySelectorAll(".plot .curve")[index];
        const area = chart.labels && index > 0 ? null : svg.querySelectorAll(".plot .area")[index];
        curve.style.visibility = seen;
        if (area) area.style.visibility = seen;
      });
    }
  }
})();
