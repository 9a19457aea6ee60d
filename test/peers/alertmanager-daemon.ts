/** A live Alertmanager on loopback, with one route a scenario, and everything its receivers heard. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { access, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { until } from "../support/until.js";
import {
  labelsOfAlert,
  lineOf,
  nameOfAlert,
  type Post,
  type Scenario,
  type ScenarioStep,
} from "./alertmanager-scenario.js";

export interface Daemon {
  /** `http://127.0.0.1:41234` */
  readonly url: string;
  /** Drives all scenarios at once, in real time; what each route heard, by key. */
  run(scenarios: readonly Scenario[]): Promise<ReadonlyMap<string, readonly Post[]>>;
  close(): Promise<void>;
}

const READY_MS = 15_000;

export async function startAlertmanager(
  program: string,
  scenarios: readonly Scenario[],
): Promise<Daemon> {
  const ear = await startEar();
  const folder = await mkdtemp(join(tmpdir(), "alertmanager-"));
  const port = await freePort();
  await writeFile(join(folder, "config.yml"), configOf(scenarios, ear.url));
  const { path, cwd } = await runnable(program, folder);
  const daemon = spawn(
    path,
    [
      `--config.file=${join(folder, "config.yml")}`,
      `--storage.path=${join(folder, "data")}`,
      `--web.listen-address=127.0.0.1:${port}`,
      // No gossip.
      "--cluster.listen-address=",
      "--log.level=warn",
    ],
    { cwd, stdio: ["ignore", "ignore", "inherit"] },
  );
  const url = `http://127.0.0.1:${port}`;
  const close = async () => {
    await end(daemon);
    await ear.close();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const isReady = () =>
      fetch(`${url}/-/ready`).then(
        ({ ok }) => ok,
        () => false,
      );
    await until(isReady, "alertmanager is ready", READY_MS);
  } catch (error) {
    await close();
    throw error;
  }
  return { url, run: (all) => drive(url, ear, all), close };
}

/** Where Debian's build looks for its templates. */
const SHARED = "/usr/share/prometheus/alertmanager";

/** Unpacked, and not installed: then a copy looks for them from where it was unpacked, by a path of the same length. */
async function runnable(program: string, folder: string): Promise<{ path: string; cwd: string }> {
  const isInstalled = await access(SHARED).then(
    () => true,
    () => false,
  );
  if (isInstalled) return { path: program, cwd: folder };
  const bytes = await readFile(program);
  const here = Buffer.from(SHARED.replace("/usr/", "usr//"));
  for (let i = bytes.indexOf(SHARED); i >= 0; i = bytes.indexOf(SHARED, i)) here.copy(bytes, i);
  const path = join(folder, "alertmanager");
  await writeFile(path, bytes, { mode: 0o755 });
  return { path, cwd: dirname(dirname(dirname(program))) };
}

async function end(daemon: ChildProcess): Promise<void> {
  if (daemon.exitCode !== null || daemon.signalCode !== null) return;
  const exited = once(daemon, "exit");
  daemon.kill("SIGTERM");
  await exited;
}

/** JSON is YAML. */
function configOf(scenarios: readonly Scenario[], url: string): string {
  const seconds = (value: number) => `${value * 1_000}ms`;
  return JSON.stringify({
    global: { resolve_timeout: "1h" },
    route: {
      receiver: "nobody",
      routes: scenarios.map(({ key, route }) => ({
        receiver: key,
        matchers: [`scenario="${key}"`],
        group_by: ["scenario", ...route.groupBy],
        group_wait: seconds(route.wait),
        group_interval: seconds(route.interval),
        repeat_interval: seconds(route.repeat),
      })),
    },
    inhibit_rules: scenarios.flatMap(({ key, inhibit }) =>
      inhibit.map(({ source, target, equal }) => ({
        source_matchers: [`scenario="${key}"`, `alertname="${source}"`],
        target_matchers: [`scenario="${key}"`, `alertname="${target}"`],
        equal,
      })),
    ),
    receivers: [
      { name: "nobody" },
      ...scenarios.map(({ key, route }) => ({
        name: key,
        webhook_configs: [{ url: `${url}/${key}`, send_resolved: route.sendResolved }],
      })),
    ],
  });
}

interface Heard {
  readonly key: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly body: WebhookBody;
}

interface WebhookBody {
  readonly status: "firing" | "resolved";
  readonly groupLabels: Readonly<Record<string, string>>;
  readonly alerts: readonly {
    readonly status: "firing" | "resolved";
    readonly labels: Readonly<Record<string, string>>;
  }[];
}

interface Ear {
  readonly url: string;
  readonly heard: readonly Heard[];
  close(): Promise<void>;
}

async function startEar(): Promise<Ear> {
  const heard: Heard[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const body = JSON.parse(Buffer.concat(chunks).toString("utf8")) as WebhookBody;
      heard.push({ key: request.url!.slice(1), at: Date.now(), body });
      response.end("{}");
    });
  });
  const port = await listen(server, 0);
  return {
    url: `http://127.0.0.1:${port}`,
    heard,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

async function listen(server: Server, port: number): Promise<number> {
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

async function freePort(): Promise<number> {
  const server = createServer();
  const port = await listen(server, 0);
  server.close();
  await once(server, "close");
  return port;
}

/** Steps fall due by the wall clock: the daemon has no other. */
async function drive(
  url: string,
  { heard }: Ear,
  scenarios: readonly Scenario[],
): Promise<ReadonlyMap<string, readonly Post[]>> {
  const began = Date.now();
  await Promise.all(scenarios.map((scenario) => driveOne(url, scenario, began)));
  return new Map(
    scenarios.map(({ key, route, until: end }) => {
      const own = heard.filter((one) => one.key === key);
      const posts = own.map(({ at, body }) => toPost(at - began, body, route.groupBy));
      return [key, posts.filter(({ at }) => at <= end)];
    }),
  );
}

async function driveOne(url: string, scenario: Scenario, began: number): Promise<void> {
  const silences = new Map<string, string>();
  for (const step of scenario.steps) {
    await at(began + step.at * 1_000);
    await apply(url, scenario, step, silences);
  }
  await at(began + scenario.until * 1_000);
}

function at(time: number): Promise<unknown> {
  return until(() => Date.now() >= time, "the next step is due", time - Date.now() + 5_000);
}

async function apply(
  url: string,
  { key }: Scenario,
  step: ScenarioStep,
  silences: Map<string, string>,
): Promise<void> {
  const now = Date.now();
  const stamp = (ms: number) => new Date(ms).toISOString();
  const labelsOf = (alert: string) => ({
    ...{ ...labelsOfAlert(alert), scenario: key },
    ...(step.level === undefined ? {} : { level: step.level }),
  });
  const alerts = [
    ...(step.fire ?? []).map((alert) => ({
      labels: labelsOf(alert),
      startsAt: stamp(now - (step.startedAgo ?? 0) * 1_000),
    })),
    ...(step.resolve ?? []).map((alert) => ({ labels: labelsOf(alert), endsAt: stamp(now) })),
  ];
  if (alerts.length > 0) await send(`${url}/api/v2/alerts`, "POST", alerts);
  if (step.silence) {
    const { id, matchers, for: seconds } = step.silence;
    const own = { name: "scenario", value: key, isRegex: false, isEqual: true };
    const answer = await send(`${url}/api/v2/silences`, "POST", {
      ...{ matchers: [...matchers, own], createdBy: "ann", comment: "a scenario" },
      startsAt: stamp(now),
      endsAt: stamp(now + seconds * 1_000),
    });
    silences.set(id, (JSON.parse(answer) as { silenceID: string }).silenceID);
  }
  if (step.expire) await send(`${url}/api/v2/silence/${silences.get(step.expire)}`, "DELETE");
}

async function send(url: string, method: string, body?: unknown): Promise<string> {
  const content = body === undefined ? {} : { body: JSON.stringify(body) };
  const headers = { "content-type": "application/json" };
  const response = await fetch(url, { method, headers, ...content });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${url}: ${response.status} ${text}`);
  return text;
}

function toPost(ms: number, body: WebhookBody, groupBy: readonly string[]): Post {
  const named = (status: string) =>
    body.alerts.filter((one) => one.status === status).map(({ labels }) => nameOfAlert(labels));
  return {
    at: ms / 1_000,
    group: groupBy.map((name) => body.groupLabels[name] ?? "").join(","),
    line: lineOf(body.status, named("firing"), named("resolved")),
  };
}
