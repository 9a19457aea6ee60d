/** Our reader of history beside a real Prometheus: what was written into its database comes back as it was, gaps too. */
import { execFile, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { createPrometheusHistory } from "../../src/adapter/prometheus-history.js";
import { until } from "../support/until.js";
import { findPeer } from "./debian.js";

const run = promisify(execFile);
const HOUR_MS = 3_600_000;
/** Whole hours ago, so that the server's own clock has nothing against it. */
const TO = Math.floor(Date.now() / HOUR_MS) * HOUR_MS - HOUR_MS;
const FROM = TO - 50 * HOUR_MS;
const STEP_MS = 15_000;
const START_TIMEOUT_MS = 30_000;

const promtool = await findPeer("promtool");
const program = promtool.ok ? join(dirname(promtool.path), "prometheus") : "";

/** Two days of two series, at odd milliseconds; one pauses for an hour. */
function makeSamples(host: string): [at: number, value: number][] {
  const samples: [number, number][] = [];
  for (let at = FROM + 123; at < TO; at += STEP_MS) {
    const hour = Math.floor((at - FROM) / HOUR_MS);
    if (host === "b" && hour === 20) continue;
    samples.push([at, Math.round(Math.sin(at / HOUR_MS) * 1e6) / 1e6]);
  }
  return samples;
}

test.skipIf(!promtool.ok)(
  `reads from ${promtool.ok ? promtool.version : promtool.reason}`,
  async () => {
    const folder = await mkdtemp(join(tmpdir(), "algobrain-prometheus-"));
    const hosts = ["a", "b"];
    const lines = hosts.flatMap((host) =>
      makeSamples(host).map(
        ([at, value]) =>
          `made{host="${host}",job="algobrain",instance="x:1"} ${value} ${(at / 1_000).toFixed(3)}`,
      ),
    );
    await writeFile(join(folder, "made.txt"), `# TYPE made gauge\n${lines.join("\n")}\n# EOF\n`);
    const data = join(folder, "data");
    await run(promtool.ok ? promtool.path : "", [
      ...["tsdb", "create-blocks-from", "openmetrics", join(folder, "made.txt"), data],
    ]);
    await writeFile(join(folder, "prometheus.yml"), "scrape_configs: []\n");
    const port = await freePort();
    const server = spawn(program, [
      `--config.file=${join(folder, "prometheus.yml")}`,
      `--storage.tsdb.path=${data}`,
      `--web.listen-address=127.0.0.1:${port}`,
      // Less than a day of one series: what is asked for a day at a time must be asked for again in parts.
      "--query.max-samples=4000",
    ]);
    try {
      const url = `http://127.0.0.1:${port}`;
      await until(() => isReady(url), "Prometheus is ready", START_TIMEOUT_MS);
      const found = await createPrometheusHistory({ url }).load(
        {
          metrics: [{ name: "our.made", prometheusName: "made", factor: 2, labels: ["host"] }],
          ...{ from: new Date(FROM), to: new Date(TO), stepMs: STEP_MS },
        },
        new AbortController().signal,
      );
      expect(found.map(({ metric, labels }) => [metric, labels])).toEqual(
        hosts.map((host) => ["our.made", { host }]),
      );
      for (const { labels, times, values } of found) {
        const made = makeSamples(labels.host!);
        expect(Array.from(times)).toEqual(made.map(([at]) => at));
        expect(Array.from(values)).toEqual(made.map(([, value]) => value * 2));
      }
      console.log(`${found.reduce((sum, { times }) => sum + times.length, 0)} samples, all equal`);
    } finally {
      const ended = new Promise((resolve) => server.once("exit", resolve));
      server.kill("SIGTERM");
      await ended;
      await rm(folder, { recursive: true, force: true });
    }
  },
);

async function isReady(url: string): Promise<boolean> {
  return fetch(`${url}/-/ready`).then(
    ({ ok }) => ok,
    () => false,
  );
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}
