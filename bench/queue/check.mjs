// npm run test:peers: our adapter and one peer pass through the harness with few jobs. What is checked is that every job is
// handled once and that none of ours is left, not how fast.
import { measure } from "./measure.mjs";
import { choosePeers, findNode22, installPeers, OURS } from "./peers.mjs";
import { withServers } from "./servers.mjs";

/** It runs on every Node that we run on, and on the PostgreSQL that is there anyway. */
const PEER = "graphile-017";
const JOBS = 200;
const LATENCY_JOBS = 10;
const MODES = ["c1", "c10", "best"];
const FLAGS = {
  ...{ runs: 1, tests: "enqueue,drain,latency", n: JOBS, "n-single": 50, "lat-n": LATENCY_JOBS },
  ...{ "cap-c1": 20_000, "cap-c10": 20_000, "cap-best": 20_000 },
};

const refused = installPeers();
if (refused) console.log(`SKIPPED the peers: ${refused}`);
await withServers(async (servers) => {
  const { running } = choosePeers([OURS, PEER], {
    node22: findNode22(),
    missing: servers.missing,
  });
  const rows = await measure("run", { ...FLAGS, peers: running.join(",") }, servers.env);
  const findings = running.flatMap((peer) => wrongWith(rows, peer));
  for (const finding of findings) console.error(finding);
  if (findings.length > 0) process.exitCode = 1;
  else console.log(`every job of ${running.join(" and ")} was handled once, none of ours is left`);
});

function wrongWith(rows, peer) {
  const own = rows.filter((row) => row.peer === peer);
  const failed = own.filter(({ error }) => error).map((row) => `${row.kind}: ${row.error}`);
  const drains = MODES.map((mode) => own.find((row) => row.kind === "drain" && row.mode === mode));
  const wrong = drains.flatMap((row, i) => {
    if (row?.handlerCalls === JOBS && (row.pending === 0 || peer === PEER) && !row.capped)
      return [];
    return `drain ${MODES[i]}: ${row?.handlerCalls} of ${JOBS} handler calls, ${row?.pending} pending`;
  });
  const heard = own.find(({ kind }) => kind === "latency")?.n;
  const lost = heard === LATENCY_JOBS ? [] : [`latency: ${heard} of ${LATENCY_JOBS} jobs arrived`];
  return [...failed, ...wrong, ...lost].map((finding) => `${peer}: ${finding}`);
}
