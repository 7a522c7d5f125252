// The calculator of the report page, and the buttons that save plots.
//
// It shows what models.js computes. All inputs come from the JSON island of the page; all output is text.
"use strict";
(() => {
  const {
    fixed, formatBytes, formatSeconds, formatBandwidth, formatCount, formatCrossing,
    ways, fastest, ledger, secondsOnLink, estimate,
  } = globalThis.rewit;

  /** The setting for the encoding of the least time. */
  const ANY = "fastest";

  /** `Run::inputs` of calculator.rs. */
  function inputs(run, job, settings) {
    const segment_cycles = 2 ** run.costs.log_cycles;
    const segments = Math.ceil(settings.cycles / segment_cycles);
    const last_cycles = settings.cycles - (segments - 1) * segment_cycles;
    return {
      ...job.inputs,
      segments,
      last_execute_seconds: job.inputs.execute_seconds / segment_cycles * last_cycles,
      workers: settings.machines,
      capacity: settings.machines,
      executor_bps: settings.bw,
      worker_bps: settings.bw,
      latency_seconds: settings.latency,
    };
  }

  /** `Run::estimate` of calculator.rs. */
  function estimateOf(run, settings) {
    return run.jobs
      .filter((job) => job.aggregation === settings.aggregation)
      .filter((job) => settings.encoding === ANY || settings.encoding === job.encoding)
      .map((job) => ({ job, found: estimate(inputs(run, job, settings)) }))
      .reduce((a, b) => (a !== null && a.found.makespan_seconds <= b.found.makespan_seconds ? a : b), null);
  }

  /** `Unit::format` of calculator.rs. */
  const FORMATS = {
    bytes: formatBytes,
    count: formatCount,
    seconds: formatSeconds,
    share: (value) => `${fixed(100 * value, 1)} %`,
  };

  // The page.

  const byId = (id) => document.getElementById(id);

  function element(name, attributes, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
      made.setAttribute(key, value);
    }
    made.append(...children);
    return made;
  }

  function calculator() {
    const island = byId("calculator-data");
    const form = byId("calculator-form");
    if (island === null || form === null) {
      return;
    }
    const { runs, fields, settings: defaults } = JSON.parse(island.textContent);
    let settings = { ...defaults };
    let writing = 0;

    /** The number a field is set to by a text of a fragment or of an input; null if that is no number. */
    function read(field, text, scale) {
      if (!/^\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*$/i.test(text)) {
        return null;
      }
      const value = Math.min(Math.max(Number(text) * scale, field.min), field.max);
      return field.integer ? Math.round(value) : value;
    }

    function fromFragment() {
      settings = { ...defaults };
      const given = new URLSearchParams(location.hash.slice(1, 1000));
      for (const field of fields) {
        const value = read(field, given.get(field.key) ?? "", 1);
        if (value !== null) {
          settings[field.key] = value;
        }
      }
      const run = given.get("run") ?? "";
      if (/^\d{1,4}$/.test(run) && Number(run) < runs.length) {
        settings.run = Number(run);
      }
      settings.aggregation = given.get("aggregation") ?? defaults.aggregation;
      settings.encoding = given.get("encoding") ?? defaults.encoding;
      show();
    }

    function toFragment() {
      const changed = Object.entries(settings).filter(([key, value]) => value !== defaults[key]);
      history.replaceState(null, "", `#${new URLSearchParams(changed)}`);
    }

    /** Shows the settings in the inputs, but for the one being typed in, and computes. */
    function show(but) {
      for (const field of fields) {
        const value = settings[field.key];
        const [slider, box] = [byId(`calculator-${field.key}-slider`), byId(`calculator-${field.key}`)];
        if (slider !== but) {
          slider.value = Math.log10(Math.max(value, field.least));
        }
        if (box !== but) {
          box.value = Number((value / field.scale).toPrecision(12));
          box.removeAttribute("aria-invalid");
        }
        slider.setAttribute("aria-valuetext", `${box.value} ${field.unit}`);
      }
      if (runs.length > 0) {
        showJobs();
      }
      compute();
    }

    /** Offers what was measured for the run; a setting that was not gives way to the first. */
    function showJobs() {
      const { jobs } = runs[settings.run];
      byId("calculator-run").value = settings.run;
      const aggregation = byId("calculator-aggregation");
      for (const option of aggregation.options) {
        option.disabled = !jobs.some((job) => job.aggregation === option.value);
      }
      if (!jobs.some((job) => job.aggregation === settings.aggregation)) {
        settings.aggregation = jobs[0]?.aggregation ?? defaults.aggregation;
      }
      aggregation.value = settings.aggregation;
      const encodings = jobs.filter((job) => job.aggregation === settings.aggregation).map((job) => job.encoding);
      encodings.unshift(ANY);
      if (!encodings.includes(settings.encoding)) {
        settings.encoding = ANY;
      }
      const select = byId("calculator-encoding");
      select.replaceChildren(...encodings.map((name) => element("option", { value: name }, name.replace(".", ", "))));
      select.value = settings.encoding;
    }

    /** Writes the numbers of a model into its table, whose rows name them. */
    function fill(table, numbers, more) {
      for (const row of table.tBodies[0].rows) {
        const { key, unit } = row.dataset;
        write(row, "amount", numbers[key] ?? null, FORMATS[unit]);
        more?.(row, key, unit, numbers[key]);
      }
    }

    function write(row, name, value, format) {
      const cell = row.querySelector(`[data-name="${name}"]`);
      cell.textContent = value === null ? "–" : format(value);
      cell.dataset.value = value ?? "";
    }

    function compute() {
      if (runs.length > 0) {
        const run = runs[settings.run];
        const list = ways(run.costs, settings.bw, settings.latency);
        const best = fastest(list);
        const body = byId("calculator-times").tBodies[0];
        body.replaceChildren(...list.map((way) => timeRow(way, way === best)));
        byId("calculator-fastest").textContent = sentence(best);
        const estimated = estimateOf(run, settings);
        fill(byId("calculator-estimate"), estimated?.found ?? {});
        byId("calculator-bound").textContent = bound(estimated);
      }
      const found = ledger({
        machines: settings.machines,
        cycles: settings.cycles,
        segment_cycles: settings.segment,
        snapshot_bytes: settings.snapshot,
        stark_bytes: settings.stark,
      });
      fill(byId("calculator-ledger"), found, (row, key, unit, value) => {
        const seconds = key === "latencies" ? value * settings.latency :
          unit === "bytes" ? secondsOnLink(value, settings.bw) : null;
        write(row, "seconds", seconds, formatSeconds);
      });
    }

    function sentence(best) {
      return `At ${formatBandwidth(settings.bw)} the fastest way to the witness is ${name(best)}: ` +
        `${formatSeconds(best.total)}, modelled.`;
    }

    function bound(estimated) {
      if (estimated === null) {
        return "What this needs was not measured.";
      }
      const { job, found } = estimated;
      return `${formatCount(settings.cycles)} cycles on ${formatCount(settings.machines)} machines, shipped as ` +
        `${job.encoding.replace(".", ", ")}: no less than ${formatSeconds(found.makespan_seconds)}, bound by ` +
        `${way(found.binding)}, modelled.`;
    }

    function way(binding) {
      switch (binding) {
        case "executor": return "the way of the last segment executed";
        case "egress": return "bytes that leave the executor's machine";
        case "ingress": return "bytes that arrive at the executor's machine";
        case "aggregation": return "the first segment's way through the tree";
        default: return "work spread over all workers";
      }
    }

    function name(way) {
      return way.compression === null ? way.encoding : `${way.encoding} (${way.compression})`;
    }

    function timeRow(way, isBest) {
      const cell = (key, value, text) => element("td", { "data-name": key, "data-value": value, class: "n" }, text);
      const row = element("tr", { "data-key": way.encoding },
        element("th", { scope: "row" }, isBest ? `${name(way)}, fastest` : name(way)),
        cell("bytes", way.bytes, formatBytes(way.bytes)),
        cell("seconds", way.seconds, formatSeconds(way.seconds)),
        cell("total", way.total, formatSeconds(way.total)),
        cell("break-even", way.crossing?.bits_per_second ?? "", way.crossing === null ? "–" : formatCrossing(way.crossing)));
      if (isBest) {
        row.className = "fastest";
      }
      return row;
    }

    function change(event) {
      const input = event.target;
      const field = fields.find(({ key }) => input.id === `calculator-${key}` || input.id === `calculator-${key}-slider`);
      if (field !== undefined && input.type === "range") {
        const value = Number((10 ** Number(input.value)).toPrecision(3));
        settings[field.key] = read(field, String(value), 1);
      } else if (field !== undefined) {
        const value = read(field, input.value, field.scale);
        const outside = value === null || value !== read({ ...field, min: -Infinity, max: Infinity }, input.value, field.scale);
        input.setAttribute("aria-invalid", outside);
        if (value === null) {
          return;
        }
        settings[field.key] = value;
      } else if (input.id === "calculator-run") {
        settings.run = Number(input.value);
      } else if (input.id === "calculator-aggregation") {
        settings.aggregation = input.value;
      } else if (input.id === "calculator-encoding") {
        settings.encoding = input.value;
      } else {
        return;
      }
      show(input);
      // Not at once: a slider that is dragged would change the address a hundred times a second.
      clearTimeout(writing);
      writing = setTimeout(toFragment, 200);
    }

    form.addEventListener("input", change);
    form.addEventListener("submit", (event) => event.preventDefault());
    byId("calculator-reset").addEventListener("click", () => {
      settings = { ...defaults };
      show();
      toFragment();
    });
    // Links within the page have fragments, too, but no settings in them.
    const isSet = () => location.hash.includes("=");
    addEventListener("hashchange", () => isSet() && fromFragment());
    fromFragment();
    form.hidden = false;
    if (isSet()) {
      byId("calculator").scrollIntoView();
    }
  }

  // Saving plots.

  /** Gives each plot buttons that save it, in the size for wide screens and in the colours of paper. */
  function saving() {
    for (const figure of document.querySelectorAll("figure.plot")) {
      const svg = figure.querySelector(".desktop svg");
      const name = figure.dataset.name;
      const failed = element("span", { role: "status" });
      const button = (label, file, blob) => {
        const made = element("button", { type: "button", "aria-label": `${label}: ${name}` }, label);
        made.addEventListener("click", () => {
          failed.textContent = "";
          blob(svg).then((content) => save(content, file), () => { failed.textContent = "could not be saved"; });
        });
        return made;
      };
      figure.append(element("div", { class: "save interactive" },
        button("Save as PNG", `${name}.png`, png),
        button("Save as SVG", `${name}.svg`, async (svg) => new Blob([source(svg)], { type: "image/svg+xml" })),
        failed));
    }
  }

  function source(svg) {
    return new XMLSerializer().serializeToString(svg);
  }

  /** Twice the size, on white. */
  async function png(svg) {
    const image = new Image();
    image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(source(svg))}`;
    await image.decode();
    const canvas = element("canvas", { width: 2 * image.naturalWidth, height: 2 * image.naturalHeight });
    const context = canvas.getContext("2d");
    context.fillStyle = "white";
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.drawImage(image, 0, 0, canvas.width, canvas.height);
    return new Promise((done, fail) => {
      canvas.toBlob((blob) => (blob === null ? fail(new Error("no picture")) : done(blob)), "image/png");
    });
  }

  function save(blob, name) {
    const url = URL.createObjectURL(blob);
    element("a", { href: url, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
  }

  calculator();
  saving();
})();
