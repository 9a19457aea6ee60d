// The bars that our runtime is held to, judged from what one run measured: same machine, same minutes, medians.
import { digits, medianOf, valuesOf } from "./measure.mjs";
import { OURS, PEERS } from "./peers.mjs";
import { limitOf } from "./rawlimit.mjs";

const GRAPHILE = ["graphile-018", "graphile-017"];
const NAMES = PEERS.map(({ name }) => name);
const KEEPERS = PEERS.filter(({ keepsHistory }) => keepsHistory).map(({ name }) => name);

const drainOf = (peer, mode) => ({ kind: "drain", peer, mode });
const SINGLE = { kind: "enqueue-single" };
const BULK = { kind: "enqueue-bulk" };

/**
 * Lines of { bar, figure, met }; `met` is null where something was not measured. `rows` by part: peers, depth, xmin, direct,
 * pooled, uncapped, capped, crash; `rawLimit` of measureRawLimit.
 */
export function judge({ rows, rawLimit }) {
  return [
    drainAgainstKeepers(rows.peers, rawLimit),
    atLeast(rows.peers, {
      bar: "drain, best settings: 1.0 × graphile-worker 0.18",
      factor: 1,
      of: (peer) => drainOf(peer, "best"),
      peers: ["graphile-018"],
    }),
    atLeast(rows.peers, {
      bar: "drain, concurrency 10: 2 × graphile-worker",
      factor: 2,
      of: (peer) => drainOf(peer, "c10"),
      peers: GRAPHILE,
    }),
    atLeast(rows.peers, {
      bar: "drain, concurrency 1: 1 × BullMQ on Redis",
      factor: 1,
      of: (peer) => drainOf(peer, "c1"),
      peers: ["bullmq-redis"],
    }),
    atLeast(rows.peers, {
      bar: "enqueue one by one, 10 in flight: 4 × graphile-worker",
      factor: 4,
      of: (peer) => ({ ...SINGLE, peer }),
      peers: GRAPHILE,
    }),
    atLeast(rows.peers, {
      bar: "enqueue in bulk: 1.2 × the best peer",
      factor: 1.2,
      of: (peer) => ({ ...BULK, peer }),
      peers: NAMES,
    }),
    ...["p50", "p99"].map((key) => noSlower(rows.peers, key)),
    ...["best", "c10"].map((mode) =>
      share(`1,000,000 finished and 200,000 future rows, ${mode}: 0.9 of the empty table`, 0.9, {
        part: [rows.depth, { kind: "depth", peer: OURS, mode }],
        whole: [rows.depth, drainOf(OURS, mode)],
      }),
    ),
    ...["best", "c10"].map((mode) =>
      share(`old snapshot held, fifth round, ${mode}: 0.7 of the rate without`, 0.7, {
        part: [rows.xmin, { kind: "xmin", peer: OURS, mode }],
        whole: [rows.xmin, drainOf(OURS, mode)],
      }),
    ),
    ...["best", "c10"].map((mode) =>
      share(`through pgbouncer in transaction mode, ${mode}: 0.7 of the direct rate`, 0.7, {
        part: [rows.pooled, drainOf(OURS, mode)],
        whole: [rows.direct, drainOf(OURS, mode)],
      }),
    ),
    share("limits of all and of the kind in force, best: 0.5 of the uncapped rate", 0.5, {
      part: [rows.capped, drainOf(OURS, "best")],
      whole: [rows.uncapped, drainOf(OURS, "best")],
    }),
    afterKill(rows.crash),
    handledOnce(Object.values(rows).flat()),
  ];
}

/** As Markdown. */
export function barTable(judged) {
  const said = { true: "met", false: "NOT MET", null: "not measured" };
  const lines = judged.map(({ bar, figure, met }) => `| ${bar} | ${figure} | ${said[met]} |`);
  return ["| bar | figure | |", "|---|---|---|", ...lines].join("\n");
}

function drainAgainstKeepers(rows, rawLimit) {
  const bar =
    "drain, best settings: 1.5 × the best history-keeping peer, or 0.6 of the raw limit if that is lower";
  const ours = medianOf(rows, drainOf(OURS, "best"));
  const peer = bestOf(rows, KEEPERS, (name) => drainOf(name, "best"));
  const limit = rawLimit && limitOf(rawLimit, "conforming").rate;
  if (ours === undefined || peer === null || limit === undefined) return unmeasured(bar);
  const figure = `${digits(ours)} jobs/s: ${ratio(ours, peer.value)} × ${peer.name} (${digits(peer.value)}), ${ratio(ours, limit)} of the raw limit (${digits(limit)})`;
  return { bar, figure, met: ours >= Math.min(1.5 * peer.value, 0.6 * limit) };
}

function atLeast(rows, { bar, factor, of, peers }) {
  const ours = medianOf(rows, of(OURS));
  const peer = bestOf(rows, peers, of);
  if (ours === undefined || peer === null) return unmeasured(bar);
  const figure = `${digits(ours)} jobs/s: ${ratio(ours, peer.value)} × ${peer.name} (${digits(peer.value)})`;
  return { bar, figure, met: ours >= factor * peer.value };
}

/** Against the faster graphile-worker; BullMQ on Redis is what we aim at. */
function noSlower(rows, key) {
  const bar = `latency ${key}, idle: no worse than graphile-worker`;
  const of = (peer) => ({ kind: "latency", peer, mode: "latency-default", key });
  const ours = medianOf(rows, of(OURS));
  const theirs = GRAPHILE.map((peer) => medianOf(rows, of(peer))).filter(
    (one) => one !== undefined,
  );
  if (ours === undefined || theirs.length === 0) return unmeasured(bar);
  const aim = digits(medianOf(rows, of("bullmq-redis")));
  const best = Math.min(...theirs);
  const figure = `${digits(ours)} ms against ${digits(best)} ms (BullMQ on Redis ${aim} ms)`;
  return { bar, figure, met: ours <= best };
}

function share(bar, least, { part, whole }) {
  const [one, all] = [medianOf(...part), medianOf(...whole)];
  if (one === undefined || all === undefined) return unmeasured(bar);
  const figure = `${digits(one)} of ${digits(all)} jobs/s: ${ratio(one, all)}`;
  return { bar, figure, met: one >= least * all };
}

function afterKill(rows) {
  const bar = "kill -9 of a worker: its job starts again within 5 s, default settings";
  const seconds = valuesOf(rows, { kind: "crash", peer: OURS, mode: "default", key: "seconds" });
  if (seconds.length === 0) return unmeasured(bar);
  const worst = Math.max(...seconds.map((one) => one ?? Number.POSITIVE_INFINITY));
  return { bar, figure: `${seconds.map(digits).join(", ")} s`, met: worst <= 5 };
}

/** A drain that the cap stopped leaves jobs by intent. */
function handledOnce(rows) {
  const bar =
    "correct: no step of ours failed, every full drain handled each job once and left none";
  const own = rows.filter((row) => row.peer === OURS);
  const steps = own.filter(({ kind, capped, error }) => error || (kind === "drain" && !capped));
  if (steps.length === 0) return unmeasured(bar);
  const right = steps.filter(
    (row) => !row.error && row.pending === 0 && row.handlerCalls === row.n,
  );
  const figure = `${right.length} of ${steps.length}`;
  return { bar, figure, met: right.length === steps.length };
}

function bestOf(rows, peers, of) {
  const known = peers
    .map((name) => ({ name, value: medianOf(rows, of(name)) }))
    .filter(({ value }) => value !== undefined);
  if (known.length === 0) return null;
  return known.reduce((best, one) => (one.value > best.value ? one : best));
}

function ratio(one, other) {
  return (one / other).toFixed(2);
}

function unmeasured(bar) {
  return { bar, figure: "–", met: null };
}
