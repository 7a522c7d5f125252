// The models of `rewit model` and `rewit report`, for the calculator of the report page.
//
// Every function that has a counterpart in Rust names it, and does the same operations in the same order, so that the
// numbers are the same.
"use strict";
(() => {
  // Numbers for people: src/report/format.rs.

  /** As Rust's `{:.places$}`, which takes a tie to the even digit, where toFixed takes the larger. */
  function fixed(value, places) {
    if (Math.abs(value) >= 1e21) {
      return Number.isFinite(value) ? BigInt(value).toString() : String(value);
    }
    const halves = value * 2 ** (places + 1);
    const tie = Number.isInteger(halves) && Math.abs(halves % 2) === 1;
    if (!tie) {
      return value.toFixed(places);
    }
    const below = Math.floor(value * 10 ** places);
    return ((below % 2 === 0 ? below : below + 1) / 10 ** places).toFixed(places);
  }

  function digits(value) {
    return fixed(value, value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2);
  }

  function scaled(value, units) {
    const [scale, unit] = units.find(([scale]) => value >= 0.9995 * scale) ?? units[units.length - 1];
    return `${digits(value / scale)} ${unit}`;
  }

  function formatBytes(bytes) {
    if (bytes < 1e3) {
      return `${fixed(bytes, 0)} B`;
    }
    return scaled(bytes, [[1e12, "TB"], [1e9, "GB"], [1e6, "MB"], [1e3, "kB"]]);
  }

  function formatSeconds(seconds) {
    return scaled(seconds, [[1, "s"], [1e-3, "ms"], [1e-6, "µs"]]);
  }

  function formatBandwidth(bitsPerSecond) {
    return scaled(bitsPerSecond, [[1e12, "Tb/s"], [1e9, "Gb/s"], [1e6, "Mb/s"], [1e3, "kb/s"]]);
  }

  function formatRatio(ratio) {
    return ratio < 0.0995 && ratio > 0 ? fixed(ratio, 4) : digits(ratio);
  }

  function formatCount(count) {
    return fixed(count, 0).replace(/\B(?=(\d{3})+$)/g, ",");
  }

  // The time to the witness: src/model/break_even.rs.

  /** `Route::total_seconds`. */
  function totalSeconds(route, bandwidth) {
    return 8 * route.bytes / bandwidth + route.seconds;
  }

  /** `break_even`. */
  function breakEven(recompute, ship) {
    const savedBytes = ship.bytes - recompute.bytes;
    const addedSeconds = recompute.seconds - ship.seconds;
    const bitsPerSecond = 8 * savedBytes / addedSeconds;
    if (savedBytes <= 0 && addedSeconds >= 0) {
      return { faster: "never" };
    } else if (savedBytes >= 0 && addedSeconds <= 0) {
      return { faster: "always" };
    } else if (savedBytes > 0) {
      return { faster: "below", bits_per_second: bitsPerSecond };
    }
    return { faster: "above", bits_per_second: bitsPerSecond };
  }

  /** `crossing` of src/report/table.rs. */
  function formatCrossing(found) {
    switch (found.faster) {
      case "below": return formatBandwidth(found.bits_per_second);
      case "above": return `> ${formatBandwidth(found.bits_per_second)}`;
      default: return found.faster;
    }
  }

  /** `rank` of src/report/conclusion.rs. */
  function rank(found) {
    return { never: -1, above: 0, below: found.bits_per_second, always: Infinity }[found.faster];
  }

  /** `best` of calculator.rs. */
  function better(a, b) {
    return a !== null && rank(b) > rank(a) ? b : a;
  }

  /** `ways` of calculator.rs. */
  function ways(costs, bandwidth, latency) {
    const inPlace = { bytes: costs.witness_bytes.value, seconds: 0 };
    const list = [{
      encoding: "witness, in place", compression: null, ...inPlace, crossing: null,
      total: totalSeconds(inPlace, bandwidth) + latency,
    }];
    for (const cost of costs.encodings) {
      const route = {
        bytes: cost.bytes.value,
        seconds: cost.decode_seconds.value + cost.regenerate_seconds.value,
      };
      const total = totalSeconds(route, bandwidth) + latency;
      const crossing = cost.encoding === "witness" ? null : breakEven(route, inPlace);
      const way = { encoding: cost.encoding, compression: cost.compression, ...route, crossing, total };
      const at = list.findIndex((other) => other.encoding === way.encoding);
      if (at < 0) {
        list.push(way);
      } else {
        const found = better(list[at].crossing, crossing);
        if (total < list[at].total) {
          list[at] = way;
        }
        list[at].crossing = found;
      }
    }
    return list;
  }

  /** `fastest` of calculator.rs. */
  function fastest(list) {
    const [inPlace, ...others] = list;
    const best = others.reduce((a, b) => (b.total < a.total ? b : a), others[0]);
    return best === undefined || inPlace.total < best.total ? inPlace : best;
  }

  // The note's ledger: src/model/note/ledger.rs.

  /** `ledger`. */
  function ledger({ machines, cycles, segment_cycles, snapshot_bytes, stark_bytes }) {
    const segments = Math.ceil(cycles / segment_cycles);
    let [joins, levels, worker_max_joins] = [0, 0, 0];
    let objects = segments;
    while (objects > 1) {
      const pairs = Math.floor(objects / 2);
      joins += pairs;
      levels += 1;
      worker_max_joins += Math.ceil(pairs / machines);
      objects -= pairs;
    }
    const worker_max_segments = Math.ceil(segments / machines);
    const assigned_bytes = segments * snapshot_bytes;
    const returned_bytes = segments * stark_bytes;
    const joins_sent_bytes = 2 * joins * stark_bytes;
    const joins_returned_bytes = joins * stark_bytes;
    const tree_bytes = joins_sent_bytes + joins_returned_bytes;
    const aggregation_bytes = returned_bytes + tree_bytes;
    const total_bytes = assigned_bytes + aggregation_bytes;
    return {
      segments,
      joins,
      levels,
      assigned_bytes,
      returned_bytes,
      joins_sent_bytes,
      joins_returned_bytes,
      tree_bytes,
      aggregation_bytes,
      total_bytes,
      assigned_share: assigned_bytes / total_bytes,
      executor_egress_bytes: assigned_bytes,
      coordinator_ingress_bytes: returned_bytes + joins_returned_bytes,
      coordinator_egress_bytes: joins_sent_bytes,
      worker_ingress_mean_bytes: (assigned_bytes + joins_sent_bytes) / machines,
      worker_egress_mean_bytes: (returned_bytes + joins_returned_bytes) / machines,
      worker_max_segments,
      worker_max_joins,
      worker_ingress_max_bytes: worker_max_segments * snapshot_bytes + 2 * worker_max_joins * stark_bytes,
      worker_egress_max_bytes: (worker_max_segments + worker_max_joins) * stark_bytes,
      latencies: 2 + 2 * levels,
    };
  }

  /** `seconds_on_link`. */
  function secondsOnLink(bytes, bitsPerSecond) {
    return 8 * bytes / bitsPerSecond;
  }

  // The cluster: src/model/cluster/estimate.rs.

  /** `joins_above`. */
  function joinsAbove(leaf, leaves) {
    let [node, nodes, joins] = [leaf, leaves, 0];
    while (nodes > 1) {
      const carried = nodes % 2 === 1 && node === nodes - 1;
      if (!carried) {
        joins += 1;
      }
      node = Math.floor(node / 2);
      nodes = Math.ceil(nodes / 2);
    }
    return joins;
  }

  /** `estimate`. */
  function estimate(i) {
    const n = i.segments;
    const path = Math.min(i.executor_bps, i.worker_bps);
    const transfer = (bytes) => 8 * bytes / path + i.latency_seconds;
    const ready = (index) => {
      const execute = index === n - 1 ? i.last_execute_seconds : i.execute_seconds;
      return index * (i.execute_seconds + i.encode_seconds) + execute + i.encode_seconds;
    };
    const joined = i.aggregate && n > 1;
    const smaller = Math.min(i.object_bytes, i.join_bytes);
    const tail = (joins) => {
      if (!joined) {
        return transfer(i.object_bytes) + i.wrap_seconds;
      }
      if (!i.through_coordinator) {
        return joins * i.join_seconds + transfer(i.join_bytes) + i.wrap_seconds;
      }
      const first = transfer(i.object_bytes + smaller);
      const other = transfer(i.join_bytes + smaller);
      const back = i.join_seconds + transfer(i.join_bytes);
      return transfer(i.object_bytes) + first + back + (joins - 1) * (other + back) + i.wrap_seconds;
    };
    const depth = (leaf) => (joined ? joinsAbove(leaf, n) : 0);
    const fromLeaf = (leaf) => {
      const work = i.work_seconds + leaf * i.work_growth_seconds;
      return ready(leaf) + transfer(i.shipment_bytes) + work + tail(depth(leaf));
    };
    const leastDepth = depth(n - 1);
    const begin = ready(0);
    const workerBegin = begin + transfer(i.program_bytes + i.shipment_bytes);

    let executor_seconds = fromLeaf(n - 1);
    let [nodes, width] = [n, 1];
    while (joined && nodes > 1) {
      if (nodes % 2 === 1) {
        executor_seconds = Math.max(executor_seconds, fromLeaf((nodes - 1) * width - 1));
      }
      nodes = Math.ceil(nodes / 2);
      width *= 2;
    }

    const spread = (k) => workerBegin + Math.ceil(n / k) * i.work_seconds + tail(leastDepth);
    const last = joined ? i.join_bytes : i.object_bytes;
    const joins = joined ? n - 1 : 0;
    const allWork = n * i.work_seconds + i.work_growth_seconds * n * (n - 1) / 2 + joins * i.join_seconds;
    const most = Math.min(i.workers, n);
    const workers_seconds = Math.max(spread(most), workerBegin + allWork / i.capacity + transfer(last) + i.wrap_seconds);

    const sent = (k) => {
      const bytes = n * i.shipment_bytes + k * i.program_bytes;
      return begin + 8 * bytes / i.executor_bps + i.latency_seconds + i.work_seconds + tail(leastDepth);
    };
    let [low, high] = [1, most];
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (sent(middle) >= spread(middle)) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    const at = (k) => Math.max(sent(k), spread(k));
    let egress_seconds = Math.min(at(low), at(Math.max(low - 1, 1)));
    let ingress_seconds = 0;
    const arriving = joined ? n * i.object_bytes + (n - 1) * i.join_bytes : n * i.object_bytes;
    if (!joined || i.through_coordinator) {
      ingress_seconds = workerBegin + i.work_seconds + 8 * arriving / i.executor_bps + i.latency_seconds + i.wrap_seconds;
    }
    if (joined && i.through_coordinator) {
      const bytes = n * i.shipment_bytes + i.program_bytes + n * i.object_bytes + (n - 2) * i.join_bytes;
      const all = begin + 8 * bytes / i.executor_bps + i.latency_seconds + i.join_seconds + transfer(i.join_bytes) +
        i.wrap_seconds;
      egress_seconds = Math.max(egress_seconds, all);
    }
    const aggregation_seconds = workerBegin + i.work_seconds + tail(depth(0));

    let [binding, makespan_seconds] = ["workers", workers_seconds];
    for (const [name, seconds] of [
      ["executor", executor_seconds],
      ["aggregation", aggregation_seconds],
      ["ingress", ingress_seconds],
      ["egress", egress_seconds],
    ]) {
      if (seconds > makespan_seconds) {
        [binding, makespan_seconds] = [name, seconds];
      }
    }
    return {
      executor_seconds,
      egress_seconds,
      workers_seconds,
      ingress_seconds,
      aggregation_seconds,
      makespan_seconds,
      binding,
    };
  }

  globalThis.rewit = Object.freeze({
    fixed, formatBytes, formatSeconds, formatBandwidth, formatRatio, formatCount, formatCrossing,
    totalSeconds, breakEven, ways, fastest, ledger, secondsOnLink, estimate,
  });
})();
