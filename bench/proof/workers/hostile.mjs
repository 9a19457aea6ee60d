// Proves on this machine that what a repository holds does not decide what reading it costs: a file of 1 GB, a hundred
// thousand files in one folder, a mailmap of 200 MB, a name of 10 MB, a merge of a hundred thousand parents, a million
// trailers, a hundred thousand branches and tags. Each is read whole, as a job would, in a process of its own.
//
//   npm run build && node bench/proof/workers/hostile.mjs            about a minute, 1.5 GB of disk for a while
//   node bench/proof/workers/hostile.mjs --only name                 one of them
//
// Ends with 1 when one takes more than 5 s or 300 MB, the git that it asks included.
import { fork, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { deflateSync } from "node:zlib";
import { createGit } from "../../../dist/src/adapter/git.js";
import { createShell } from "../../../dist/src/adapter/shell.js";

const BAR = { s: 5, mb: 300 };
const SAMPLE_MS = 20;
const MB = 1024 * 1024;
const LOOSE_REFS = 10_000;
const PACKED_REFS = 80_000;
const file = fileURLToPath(import.meta.url);
const AT = "1767225600 +0000";
const WHO = `N <n@example.org> ${AT}`;

/** What is planted, and the least that must be read of it. */
const SCENES = {
  blob: { plant: (path) => importing(path, largeBlob()), commits: 1 },
  tree: { plant: (path) => importing(path, largeTree()), commits: 1 },
  mailmap: { plant: (path) => importing(path, largeMailmap()), commits: 1 },
  name: {
    plant: (path) => commit(path, { author: `${"n".repeat(10_000_000)} <a@b.c> ${AT}` }),
    commits: 1,
  },
  mail: {
    plant: (path) => commit(path, { author: `A <${"m".repeat(10_000_000)}> ${AT}` }),
    commits: 1,
  },
  trailers: {
    plant: (path) =>
      commit(path, { message: `x\n\n${"Co-authored-by: B <b@c.d>\n".repeat(1_000_000)}` }),
    commits: 1,
  },
  parents: {
    plant: (path) => {
      const root = commit(path, {});
      return commit(path, { parents: Array.from({ length: 100_000 }, () => root) });
    },
    commits: 2,
  },
  refs: { plant: manyRefs, commits: 1 },
};

async function main() {
  const { values } = parseArgs({ options: { only: { type: "string" } } });
  const names = values.only ? [values.only] : Object.keys(SCENES);
  const outcomes = [];
  for (const name of names) outcomes.push(await judge(name));
  process.exitCode = outcomes.every((isMet) => isMet) ? 0 : 1;
}

async function judge(name) {
  const folder = mkdtempSync(join(tmpdir(), "hostile-"));
  try {
    const path = join(folder, "r");
    mkdirSync(path);
    await git(path, ["init", "--quiet", "--initial-branch=main"], []);
    await SCENES[name].plant(path);
    const { s, mb, commits } = await measure(path);
    const isMet = s <= BAR.s && mb <= BAR.mb && commits === SCENES[name].commits;
    const figures = `${s.toFixed(2)} s, ${Math.round(mb)} MB, ${commits} commits`;
    console.log(
      `${isMet ? "ok  " : "MISS"} ${name.padEnd(9)} ${figures} (bar ${BAR.s} s, ${BAR.mb} MB)`,
    );
    return isMet;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Reads in a process of its own, whose memory and that of its children is looked at all the while. */
async function measure(path) {
  const child = fork(file, ["--read"], { env: { ...process.env, READ_PATH: path } });
  let peak = 0;
  const timer = setInterval(() => {
    peak = Math.max(peak, memoryOf(child.pid));
  }, SAMPLE_MS);
  const [told] = await once(child, "message");
  clearInterval(timer);
  await once(child, "exit");
  return { ...told, mb: peak / MB };
}

/** Bytes of this process and of all below it that belong to nobody else or are shared among them. */
function memoryOf(pid) {
  const parents = new Map();
  for (const name of readdirSync("/proc").filter((one) => /^\d+$/.test(one)))
    parents.set(
      Number(name),
      Number(/^PPid:\s*(\d+)/m.exec(read(`/proc/${name}/status`))?.[1] ?? 0),
    );
  let bytes = 0;
  for (const one of parents.keys()) {
    for (let at = one; at > 1; at = parents.get(at) ?? 0) {
      if (at !== pid) continue;
      bytes += Number(/^VmRSS:\s*(\d+)/m.exec(read(`/proc/${one}/status`))?.[1] ?? 0) * 1024;
      break;
    }
  }
  return bytes;
}

function read(path) {
  try {
    return readFileSync(path, "utf8");
  } catch {
    // It ended meanwhile.
    return "";
  }
}

async function readAll() {
  const at = { path: process.env.READ_PATH, root: process.env.READ_PATH };
  const { signal } = new AbortController();
  const port = createGit(createShell({ redact: (text) => text }));
  const startMs = performance.now();
  const head = await port.head(at, signal);
  await port.tags(at, signal);
  let commits = 0;
  for await (const _ of port.commits(at, { head: head.commit }, signal)) commits += 1;
  process.send({ s: (performance.now() - startMs) / 1000, commits });
  process.disconnect();
}

async function git(cwd, args, input) {
  const child = spawn("git", args, { cwd, stdio: ["pipe", "ignore", "inherit"] });
  const ended = once(child, "exit");
  for (const chunk of input) if (!child.stdin.write(chunk)) await once(child.stdin, "drain");
  child.stdin.end();
  const [code] = await ended;
  if (code !== 0) throw new Error(`git ${args[0]} ended with ${code}`);
}

function importing(path, stream) {
  return git(path, ["-c", "core.bigFileThreshold=16m", "fast-import", "--quiet"], stream);
}

function* committed() {
  yield `commit refs/heads/main\nauthor ${WHO}\ncommitter ${WHO}\ndata 1\nx\n`;
}

function* largeBlob() {
  yield* committed();
  yield `M 100644 inline large\ndata ${1024 * MB}\n`;
  const zeros = Buffer.alloc(MB);
  for (let n = 0; n < 1024; n++) yield zeros;
  yield "\n";
}

function* largeTree() {
  yield* committed();
  for (let n = 0; n < 100_000; n++) yield `M 100644 inline f${n}\ndata 1\nx\n`;
}

function* largeMailmap() {
  const line = Buffer.from("New <new@example.org> <n@example.org>\n".repeat(30_000));
  yield* committed();
  yield `M 100644 inline .mailmap\ndata ${line.length * 180}\n`;
  for (let n = 0; n < 180; n++) yield line;
  yield "\n";
}

/** One object each, so that nothing is compressed away. */
function plant(path, type, body) {
  const whole = Buffer.concat([Buffer.from(`${type} ${body.length}\0`), body]);
  const oid = createHash("sha1").update(whole).digest("hex");
  const folder = join(path, ".git", "objects", oid.slice(0, 2));
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, oid.slice(2)), deflateSync(whole, { level: 1 }));
  return oid;
}

function commit(path, { author = WHO, parents = [], message = "x\n" }) {
  const tree = plant(path, "tree", Buffer.alloc(0));
  const heads = parents.map((parent) => `parent ${parent}\n`).join("");
  const body = `tree ${tree}\n${heads}author ${author}\ncommitter ${WHO}\n\n${message}`;
  const oid = plant(path, "commit", Buffer.from(body));
  writeFileSync(join(path, ".git", "refs", "heads", "main"), `${oid}\n`);
  return oid;
}

/** 10,000 branches and 10,000 tags each in a file of its own, 80,000 tags in one file. */
async function manyRefs(path) {
  const oid = commit(path, {});
  await git(path, ["repack", "-adq"], []);
  const lines = Array.from(
    { length: PACKED_REFS },
    (_, n) => `${oid} refs/tags/packed${100_000 + n}\n`,
  );
  writeFileSync(join(path, ".git", "packed-refs"), `# pack-refs with: sorted \n${lines.join("")}`);
  for (const kind of ["heads", "tags"])
    for (let n = 0; n < LOOSE_REFS; n++)
      writeFileSync(join(path, ".git", "refs", kind, `r${n}`), `${oid}\n`);
}

await (process.argv.includes("--read") ? readAll() : main());
