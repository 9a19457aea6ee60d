/**
 * Debian's amtool 0.25, unmodified, does the same acts against us and against the Alertmanager it was made for, and
 * prints the same of both. What is ours on top (narrow, owned, short) it prints as our sentence.
 */
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { instanceKey } from "../../src/alert/instance.js";
import type { InstanceState } from "../../src/alert/state.js";
import { saveAlertStates } from "../../src/store/alerts.js";
import { createServer } from "../../src/web/server.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { makePolicy, makeReceiver, makeRule } from "../support/make-policy.js";
import { makeDeps, tokenFor } from "../web/harness.js";
import { type Daemon, startAlertmanager } from "./alertmanager-daemon.js";
import { findPeer } from "./debian.js";

const ASK_MS = 20_000;
const [amtool, alertmanager] = [await findPeer("amtool"), await findPeer("alertmanager")];
const missing = [amtool, alertmanager].find((peer) => !peer.ok);
const title = missing && !missing.ok ? missing.reason : "amtool, against us and against its own";

interface Said {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}
type Amtool = (...args: readonly string[]) => Promise<Said>;

function amtoolAt(url: string, httpConfig: string | null): Amtool {
  const fixed = [
    "--alertmanager.url",
    url,
    ...(httpConfig ? ["--http.config.file", httpConfig] : []),
  ];
  return (...args) =>
    new Promise((resolve) => {
      const program = amtool.ok ? amtool.path : "amtool";
      const options = {
        timeout: ASK_MS,
        env: { PATH: process.env.PATH ?? "", HOME: "/nonexistent" },
      };
      execFile(program, [...fixed, ...args], options, (error, out, err) => {
        const code = error === null ? 0 : typeof error.code === "number" ? error.code : -1;
        resolve({ code, out, err });
      });
    });
}

const rule = makeRule({ by: ["worker_type"] });
const policy = makePolicy({
  alerts: [rule, ...makePolicy().alerts.slice(1)],
  routes: {
    ...makePolicy().routes,
    receivers: { ops: makeReceiver("ops", { kind: "slack", channel: "#ops" }) },
  },
});

let folder: string;
let lent: TestDatabase;
let app: Awaited<ReturnType<typeof createServer>>;
let daemon: Daemon;
let ours: Amtool;
let theirs: Amtool;
let urls: { readonly ours: string; readonly theirs: string };
let token: string;

beforeAll(async () => {
  if (missing) return;
  folder = await mkdtemp(join(tmpdir(), "amtool-"));
  lent = await createTestDatabase();
  app = await createServer(makeDeps(lent.db, { policy: () => policy }));
  daemon = await startAlertmanager(alertmanager.ok ? alertmanager.path : "", []);
  urls = {
    ours: await app.listen({ host: "127.0.0.1", port: 0 }),
    theirs: daemon.url,
  };
  token = await tokenFor("operator");
  const config = join(folder, "http.yml");
  await writeFile(config, `authorization:\n  credentials: ${token}\n`);
  ours = amtoolAt(urls.ours, config);
  theirs = amtoolAt(urls.theirs, null);
});

afterAll(async () => {
  if (missing) return;
  await daemon?.close();
  await app?.close();
  await lent?.drop();
  await rm(folder, { recursive: true, force: true });
});

/** What differs between any two runs: ids, and moments. */
function plain({ code, out, err }: Said): Said {
  const say = (text: string) =>
    text
      .replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, "<id>")
      .replace(/\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?( ?UTC|Z)/g, "<at>")
      .replace(/ +/g, " ");
  return { code, out: say(out), err: say(err) };
}

/** One act against both: the same exit code, and the same words. */
async function both(...args: readonly string[]): Promise<readonly [Said, Said]> {
  const said = [await ours(...args), await theirs(...args)] as const;
  expect(plain(said[0])).toEqual(plain(said[1]));
  return said;
}

const ADD = ["silence", "add", "-a", "ann", "-c", "a migration", "-d", "2h"] as const;
const WHICH = ["alertname=queue-depth-high", 'worker_type=~"index|score"'] as const;

describe.skipIf(missing !== undefined)(title, () => {
  test("a silence is added, queried, updated, expired, exported and imported", async () => {
    const added = await both(...ADD, ...WHICH);
    expect(added.map(({ code, err }) => [code, err])).toEqual([
      [0, ""],
      [0, ""],
    ]);
    for (const query of [
      [],
      ["-q"],
      ["alertname=queue-depth-high"],
      ["host=a"],
      ["--within", "3h"],
      ["--expired"],
      ["queue-depth-high"],
    ])
      await both("silence", "query", ...query);
    const ids = added.map(({ out }) => out.trim());
    const exported = join(folder, "silences.json");
    const [shown] = await both("silence", "query", "-o", "json", "-q");
    expect(shown.code).toBe(0);
    const full = await ours("silence", "query", "-o", "json");
    expect(JSON.parse(full.out)).toMatchObject([
      {
        ...{ id: ids[0], status: { state: "active" }, createdBy: "ann", comment: "a migration" },
        matchers: [{ name: "alertname" }, { name: "worker_type", isRegex: true, isEqual: true }],
      },
    ]);
    await writeFile(exported, full.out);

    const updated = [
      await ours("silence", "update", "-c", "still at it", "-d", "3h", ids[0]!),
      await theirs("silence", "update", "-c", "still at it", "-d", "3h", ids[1]!),
    ] as const;
    expect(plain(updated[0])).toEqual(plain(updated[1]));
    expect(updated[0].out).toContain("still at it");
    await both("silence", "query", "-o", "extended");

    const expired = [
      await ours("silence", "expire", ids[0]!),
      await theirs("silence", "expire", ids[1]!),
    ];
    expect(expired.map(plain)).toEqual([
      { code: 0, out: "", err: "" },
      { code: 0, out: "", err: "" },
    ]);
    await both("silence", "query", "-q");
    await both("silence", "query", "--expired");

    // Its id is known to us, and unknown there: amtool makes a new one of it in both cases.
    const [imported] = await both("silence", "import", exported);
    expect(imported.code).toBe(0);
    await both("silence", "import", "--force", exported);
    const [active] = await both("silence", "query", "-q");
    expect(active.out.trim().split("\n")).toHaveLength(2);
  });

  test("alerts are queried, and a silence holds the one it names", async () => {
    const labels = { worker_type: "index" };
    const at = Date.now() - 60_000;
    const state: InstanceState = {
      ...{ shape: "s", labels, knownSince: at, tickAt: at, value: 1200, valueAt: at },
      levels: { "AR-06": { phase: "firing", activeAt: at, recoveringSince: null, op: ">" } },
      ...{ level: "AR-06", severity: "sev2", since: at, begun: { level: "AR-06", at } },
      ...{ endedByEdit: false, told: null, cooling: null },
    };
    const upsert = [{ rule: rule.name, instance: instanceKey(labels), state }];
    await saveAlertStates(lent.db, { upsert, remove: [] }, []);
    const own = [
      "rule=queue-depth-high",
      "level=AR-06",
      "severity=sev2",
      `system=${policy.system}`,
    ];
    const told = [`--annotation=summary=${rule.summary}`, "alertname=queue-depth-high", ...own];
    expect((await theirs("alert", "add", ...told, "worker_type=index")).code).toBe(0);
    for (const query of [
      [],
      ["queue-depth-high"],
      ["worker_type=score"],
      ["--silenced"],
      ["--active"],
      ["--inhibited"],
      ["--receiver=ops"],
    ])
      await both("alert", "query", ...query);
    const [silenced] = await both("alert", "query", "--silenced");
    expect(silenced.out).toContain("suppressed");
  });

  test("everything that their answers have, ours have, of the same kind", async () => {
    for (const path of ["status", "receivers", "silences", "alerts"]) {
      const [a, b] = [await getJson(urls.ours, path), await getJson(urls.theirs, path)];
      expect(missingFrom(a, b, path)).toEqual([]);
    }
  });

  test("what is refused is said in our words, with an exit code", async () => {
    const refused = async (...args: readonly string[]) => {
      const { code, err } = await ours(...args);
      expect(code).not.toBe(0);
      return err;
    };
    const add = [...ADD.slice(0, -2)];
    expect(await refused(...add, "system=algobrain")).toContain("would hide every alert");
    expect(await refused(...add, "-d", "31d", ...WHICH)).toContain("lasts at most 30d");
    expect(await refused(...add, "orchestrator-down")).toContain("write [pages] into the comment");
    expect(await refused(...add, "queue-dept-high")).toContain('did you mean "queue-depth-high"');
    const stranger = amtoolAt(urls.ours, null);
    expect((await stranger("silence", "query")).code).not.toBe(0);
    // Theirs answers 500, which their client of 0.25 alone expects; a fault of ours would count against us.
    const nobody = "7d1ee1d1-0000-4000-8000-000000000000";
    expect(await refused("silence", "expire", nobody)).toContain("status 404");
    expect((await theirs("silence", "expire", nobody)).code).not.toBe(0);
  });
});

async function getJson(url: string, path: string): Promise<unknown> {
  const headers = { authorization: `Bearer ${token}` };
  const reply = await fetch(`${url}/api/v2/${path}`, {
    headers,
    signal: AbortSignal.timeout(ASK_MS),
  });
  return reply.json();
}

/** Paths at which `a` lacks what `b` has, or has something of another kind. Of lists the first element stands for all. */
function missingFrom(a: unknown, b: unknown, path: string): string[] {
  if (kindOf(a) !== kindOf(b)) return [`${path}: ${kindOf(a)} instead of ${kindOf(b)}`];
  if (Array.isArray(a) && Array.isArray(b))
    return b.length === 0 || a.length === 0 ? [] : missingFrom(a[0], b[0], `${path}[0]`);
  if (kindOf(b) !== "object") return [];
  return Object.entries(b as object).flatMap(([key, value]) =>
    missingFrom((a as Record<string, unknown>)[key], value, `${path}.${key}`),
  );
}

function kindOf(value: unknown): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "array" : typeof value;
}
