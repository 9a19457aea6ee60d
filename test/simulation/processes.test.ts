/**
 * The few seeds that need real processes and a real server: SIGKILL, SIGSTOP past the lease, PostgreSQL stopped and
 * killed, the handbook's SQL, on one installation of two mains (bench/proof/storm.mjs).
 */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it, vi } from "vitest";

vi.setConfig({ testTimeout: 600_000 });

const STORM = fileURLToPath(new URL("../../bench/proof/storm.mjs", import.meta.url));
/** Each restarts the server: of 200 seeds 12 are played so, of the usual 30 two. */
const SHARE = 1 / 16;
const SEEDS_MAX = 20;

const first = process.env.SIMULATION_SEED ?? "1";
const count = Math.ceil(Number(process.env.SIMULATION_SEEDS ?? 30) * SHARE);
const seeds = process.env.SIMULATION_SEED ? 1 : Math.min(count, SEEDS_MAX);

it(`real processes and a real server, ${seeds} seeds from ${first} on`, async () => {
  const args = [STORM, "--seed", first, "--seeds", String(seeds)];
  const ended = await promisify(execFile)(process.execPath, args).then(
    ({ stdout }) => ({ code: 0, stdout }),
    ({ code, stdout, stderr }) => ({ code: Number(code), stdout: `${stdout}${stderr}` }),
  );
  expect(ended.code, ended.stdout).toBe(0);
  expect(ended.stdout.match(/^seed \d+: ok/gm)).toHaveLength(seeds);
});
