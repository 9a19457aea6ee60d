// Whether the service in this image is alive: exit 0 or 1. Of the API its own answer (never that of what it depends on:
// else one slow database would end every task at once), of the others that their process still gets round to things.
import { statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Three beats of entry.mjs, and as much again for a machine that is busy. */
const QUIET_MAX_MS = 30_000;
/** What whoever asks waits, in seconds, if it is said: the rest goes by until node has started. */
const ASKED_S = Number(process.argv[2] ?? 5);
const START_S = 2;
const ANSWER_MS = Math.max(1, ASKED_S - START_S) * 1_000;

async function isAlive() {
  const quietMs = Date.now() - statSync(join(tmpdir(), "algobrain-alive")).mtimeMs;
  if (quietMs > QUIET_MAX_MS) return `no sign of life for ${Math.round(quietMs / 1_000)} s`;
  if (process.env.PORT === undefined) return null;
  const url = `http://127.0.0.1:${process.env.PORT}/health/live`;
  const { status } = await fetch(url, { signal: AbortSignal.timeout(ANSWER_MS) });
  return status === 200 ? null : `${url} answered ${status}`;
}

const why = await isAlive().catch((error) => error.message);
if (why !== null) process.stderr.write(`${why}\n`);
process.exitCode = why === null ? 0 : 1;
