// Proves on this machine what reading people out of a long history costs: time, and memory of this process together
// with the git that it asks; first everything, then ten new commits, then nothing new. What is read on must be, row by
// row, what a whole read gives.
//
//   npm run build && node bench/proof/workers/identity.mjs           200,000 commits of 5,000 people: half a minute
//   node bench/proof/workers/identity.mjs --commits 50000            as many as the bar speaks of
//
// Ends with 1 when a bar is not met.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { createGit } from "../../../dist/src/adapter/git.js";
import { createShell } from "../../../dist/src/adapter/shell.js";
import { silentLogger } from "../../../dist/src/base/log.js";
import { WORKLOAD_DEFAULTS } from "../../../dist/src/policy/defaults.js";
import { createIdentityHandler } from "../../../dist/src/workload/handler/identify-people.js";
import { wholeNumber } from "../product.mjs";
import { withScene } from "../scene.mjs";

/** Seconds, and megabytes of this process and git together. */
const BARS = { whole: { s: 60, mb: 300 }, new: { s: 2, mb: 300 }, none: { s: 0.1, mb: 300 } };
const NEW_COMMITS = 10;
const SAMPLE_MS = 20;
const START_S = 1_500_000_000;

const { values } = parseArgs({
  options: {
    commits: { type: "string", default: "200000" },
    people: { type: "string", default: "5000" },
    keep: { type: "boolean", default: false },
  },
});
const [COMMITS, PEOPLE] = [wholeNumber(values.commits), wholeNumber(values.people)];

/** Some people write with two mails, some commits have two authors. */
function* commitStream(from, count) {
  for (let n = from; n < from + count; n++) {
    const who = (n * 7_919) % PEOPLE;
    const mail = who % 10 === 0 && n % 2 === 0 ? `p${who}@home.example` : `p${who}@engine.org`;
    const message =
      n % 7 === 0
        ? `change\n\nCo-authored-by: ${nameOf((who + 1) % PEOPLE)} <p${(who + 1) % PEOPLE}@engine.org>\n`
        : "change\n";
    const at = `${START_S + n * 600} +0000`;
    const first = n === from && from > 0 ? "from refs/heads/main^0\n" : "";
    yield `commit refs/heads/main\nauthor ${nameOf(who)} <${mail}> ${at}\ncommitter M <m@engine.org> ${at}\n` +
      `data ${Buffer.byteLength(message)}\n${message}${first}\n`;
  }
}

/** A first name and a family name of letters only, another for each. */
function nameOf(who) {
  const letters = [...String(who)].map((digit) => "abcdefghij"[Number(digit)]).join("");
  return `Ada Lovelace${letters}`;
}

async function addCommits(path, from, count) {
  const child = spawn("git", ["fast-import", "--quiet"], {
    cwd: path,
    stdio: ["pipe", "inherit", "inherit"],
  });
  const ended = once(child, "exit");
  for (const text of commitStream(from, count))
    if (!child.stdin.write(text)) await once(child.stdin, "drain");
  child.stdin.end();
  const [exitCode] = await ended;
  if (exitCode !== 0) throw new Error(`git fast-import ended with ${exitCode}`);
}

async function git(path, ...args) {
  const child = spawn("git", args, { cwd: path, stdio: "inherit" });
  const [exitCode] = await once(child, "exit");
  if (exitCode !== 0) throw new Error(`git ${args[0]} ended with ${exitCode}`);
}

/** Kilobytes of this process and of each git beneath it. */
function residentKb() {
  const processes = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap(readProcess);
  const mine = new Set([process.pid]);
  for (let before = 0; before < mine.size; ) {
    before = mine.size;
    for (const { pid, parent } of processes) if (mine.has(parent)) mine.add(pid);
  }
  return processes
    .filter(({ pid, name }) => pid === process.pid || (mine.has(pid) && name.startsWith("git")))
    .reduce((sum, { rssKb }) => sum + rssKb, 0);
}

/** None: it ended meanwhile. */
function readProcess(pid) {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    const field = (name) => new RegExp(`^${name}:\\s+(\\S+)`, "m").exec(status)?.[1] ?? "0";
    return [
      {
        pid: Number(pid),
        parent: Number(field("PPid")),
        name: field("Name"),
        rssKb: Number(field("VmRSS")),
      },
    ];
  } catch {
    return [];
  }
}

async function measure(work) {
  let peakKb = residentKb();
  const timer = setInterval(() => {
    peakKb = Math.max(peakKb, residentKb());
  }, SAMPLE_MS);
  const [startedMs, startedCpu] = [performance.now(), process.cpuUsage()];
  const result = await work();
  const s = (performance.now() - startedMs) / 1_000;
  const { user, system } = process.cpuUsage(startedCpu);
  clearInterval(timer);
  return {
    result,
    s,
    cpuS: (user + system) / 1_000_000,
    mb: Math.max(peakKb, residentKb()) / 1_024,
  };
}

function tell(name, bar, { s, cpuS, mb, result }) {
  const isMet = s < bar.s && mb < bar.mb;
  const mark = isMet ? "ok  " : "FAIL";
  console.log(
    `${mark} ${name.padEnd(28)} ${s.toFixed(3)} s (bar ${bar.s}; ${cpuS.toFixed(3)} s of a core here), ${mb.toFixed(0)} MB (bar ${bar.mb})  ${JSON.stringify(result)}`,
  );
  return isMet;
}

async function rowsOf(db, repoId) {
  const { rows } = await db.query(
    `SELECT md5(string_agg(concat_ws('|', identity_id, kind, name, email, commit_count, first_seen_at, last_seen_at, reason), E'\\n'
       ORDER BY kind, email, name)) AS md5, count(*)::int AS count FROM claims WHERE repo_id = $1`,
    [repoId],
  );
  return rows[0];
}

async function main(scene) {
  const { db, home } = scene;
  const path = join(home, "long");
  mkdirSync(path);
  await git(path, "init", "--quiet", "--initial-branch=main");
  await addCommits(path, 0, COMMITS);
  for (const id of ["on", "whole"])
    await db.query("INSERT INTO repos (id, name, location, root) VALUES ($1, 'long', $2, $2)", [
      id,
      path,
    ]);
  const handler = createIdentityHandler({
    ...{ db, git: createGit(createShell({ redact: (text) => text })), clones: null },
    policy: () => WORKLOAD_DEFAULTS,
  });
  let seq = 0;
  const identify = (repo_id, full = false) =>
    measure(() =>
      handler.run({
        job: { seq: ++seq, id: `job-${seq}`, payload: { repo_id, full }, createdAt: new Date(0) },
        ...{ signal: new AbortController().signal, log: silentLogger, now: () => new Date() },
        ...{ progress: () => {}, compensateWith: async () => {} },
      }),
    );
  const met = [tell(`${COMMITS} commits, whole`, BARS.whole, await identify("on"))];
  await addCommits(path, COMMITS, NEW_COMMITS);
  met.push(tell(`${NEW_COMMITS} new commits`, BARS.new, await identify("on")));
  met.push(tell("nothing new", BARS.none, await identify("on")));
  await identify("whole", true);
  const [on, whole] = [await rowsOf(db, "on"), await rowsOf(db, "whole")];
  met.push(on.md5 === whole.md5);
  console.log(
    `${met.at(-1) ? "ok  " : "FAIL"} read on = read whole          ${on.count} claims, ${on.md5}`,
  );
  process.exitCode = met.every(Boolean) ? 0 : 1;
}

await withScene(values.keep, main);
