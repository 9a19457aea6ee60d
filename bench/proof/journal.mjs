// What handlers write themselves, each process in a file of its own, by the clock that all processes of the
// machine share: `S`tart and `E`nd of a run, and a sign of `L`ife for runs that a kill cut off.
import { openSync, readdirSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";

const LIFE_EVERY_MS = 20;

export function openJournal(folder) {
  const fd = openSync(join(folder, `${process.pid}-${process.hrtime.bigint()}.log`), "a");
  const note = (what, seq, fence) =>
    writeSync(fd, `${what} ${seq} ${fence} ${process.hrtime.bigint()}\n`);
  setInterval(() => note("L", 0, 0), LIFE_EVERY_MS).unref();
  return {
    start: ({ seq, fence }) => note("S", seq, fence),
    end: ({ seq, fence }) => note("E", seq, fence),
  };
}

/** All runs by the number of their job: `{ fence, from, to, ended }`, in nanoseconds. One that was cut off lasted as long as its process is known to have lived. */
export function readJournals(folder) {
  const runs = new Map();
  for (const name of readdirSync(folder)) readOne(join(folder, name), runs);
  for (const list of runs.values()) list.sort((a, b) => (a.from < b.from ? -1 : 1));
  return runs;
}

function readOne(path, runs) {
  const open = new Map();
  let last = 0n;
  // A kill may cut the last line.
  for (const line of readFileSync(path, "utf8").split("\n").slice(0, -1)) {
    const [what, seq, fence, at] = line.split(" ");
    last = BigInt(at);
    const key = `${seq} ${fence}`;
    if (what === "S") {
      const run = { fence: Number(fence), from: last, to: null, ended: false };
      open.set(key, run);
      if (!runs.has(Number(seq))) runs.set(Number(seq), []);
      runs.get(Number(seq)).push(run);
    }
    if (what === "E") {
      Object.assign(open.get(key), { to: last, ended: true });
      open.delete(key);
    }
  }
  for (const run of open.values()) run.to = last;
}

/** Pairs of runs of one job of which the later began before the earlier was over. */
export function findOverlaps(runs) {
  const overlaps = [];
  for (const [seq, list] of runs) {
    for (let n = 1; n < list.length; n++) {
      if (list[n].from < list[n - 1].to)
        overlaps.push({ seq, earlier: list[n - 1], later: list[n] });
    }
  }
  return overlaps;
}
