/** Alertmanager's API over HTTP: its answers, its refusals, who may, and that each answer is what our OpenAPI says. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { instanceKey } from "../../src/alert/instance.js";
import type { InstanceState } from "../../src/alert/state.js";
import { DAY_MS, HOUR_MS } from "../../src/base/duration.js";
import { compileSchema } from "../../src/base/schema.js";
import type { Role } from "../../src/policy/policy.js";
import { saveAlertStates } from "../../src/store/alerts.js";
import { listAudit } from "../../src/store/audit.js";
import { enterSafeMode, exitSafeMode } from "../../src/store/safe-mode.js";
import { createServer } from "../../src/web/server.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { makeLevel, makePolicy, makeReceiver, makeRule } from "../support/make-policy.js";
import { injectAs, makeDeps } from "./harness.js";

const SILENCES = "/api/v2/silences";
const QUEUE = { name: "alertname", value: "queue-depth-high", isRegex: false, isEqual: true };
const fromNow = (ms: number) => new Date(Date.now() + ms).toISOString();

const parent = makeRule({
  name: "service-down",
  levels: [makeLevel({ id: "AR-01", severity: "sev1" })],
});
const queues = makeRule({
  by: ["worker_type"],
  inhibitedBy: [{ rule: "service-down", equal: [] }],
});
const policy = makePolicy({
  alerts: [queues, parent],
  routes: {
    ...makePolicy().routes,
    receivers: { ops: makeReceiver("ops", { kind: "slack", channel: "#ops" }) },
  },
});

let lent: TestDatabase;
let app: Awaited<ReturnType<typeof createServer>>;
beforeAll(async () => {
  lent = await createTestDatabase();
  app = await createServer(makeDeps(lent.db, { policy: () => policy }));
});
afterAll(async () => {
  await app.close();
  await lent.drop();
});
beforeEach(() => lent.db.query("TRUNCATE control.silence, control.alert_state"));

const ask = (role: Role | null, method: "GET" | "POST" | "DELETE", url: string, payload?: object) =>
  injectAs(app, role, { method, url, ...(payload ? { payload } : {}) });

const wish = (overrides: object = {}) => ({
  ...{ matchers: [QUEUE], startsAt: fromNow(-1_000), endsAt: fromNow(HOUR_MS) },
  ...{ createdBy: "ann", comment: "a migration" },
  ...overrides,
});

async function silence(overrides: object = {}): Promise<string> {
  const reply = await ask("operator", "POST", SILENCES, wish(overrides));
  expect(reply.statusCode, reply.body).toBe(200);
  return reply.json().silenceID;
}

async function read(url: string) {
  const reply = await ask("viewer", "GET", url);
  expect(reply.statusCode, reply.body).toBe(200);
  return reply.json();
}

/** A rule's alert as the evaluator keeps it while it fires. */
async function fire(rule: string, level: string, labels: Record<string, string> = {}) {
  const at = Date.now() - HOUR_MS;
  const state: InstanceState = {
    ...{ shape: "s", labels, knownSince: at, tickAt: at, value: 1200, valueAt: at, level },
    levels: { [level]: { phase: "firing", activeAt: at, recoveringSince: null, op: ">" } },
    ...{ severity: level === "AR-01" ? "sev1" : "sev2", since: at, begun: { level, at } },
    ...{ endedByEdit: false, told: null, cooling: null },
  };
  const instance = instanceKey(labels);
  await saveAlertStates(lent.db, { upsert: [{ rule, instance, state }], remove: [] }, []);
}

describe("silences over Alertmanager's API", () => {
  it("are made, read, changed and ended; each act is in the audit under the token's name", async () => {
    const id = await silence();
    expect(await read(`/api/v2/silence/${id}`)).toMatchObject({
      ...{ id, status: { state: "active" }, matchers: [QUEUE], createdBy: "ann" },
      ...{ comment: "a migration", silencesPages: false, source: "api", matches: 0 },
    });
    const { startsAt } = await read(`/api/v2/silence/${id}`);
    expect(await silence({ id, startsAt, endsAt: fromNow(2 * HOUR_MS) })).toBe(id);
    const ended = await ask("operator", "DELETE", `/api/v2/silence/${id}`);
    expect([ended.statusCode, ended.body]).toEqual([200, ""]);
    expect((await ask("operator", "DELETE", `/api/v2/silence/${id}`)).statusCode).toBe(200);
    expect(await read(SILENCES)).toMatchObject([{ id, status: { state: "expired" } }]);
    expect(await listAudit(lent.db, { limit: 3 })).toMatchObject([
      { actor: "api:test-operator", action: "silence.ended", target: `silence:${id}` },
      { actor: "api:test-operator", action: "silence.changed" },
      { actor: "api:test-operator", action: "silence.created", details: { owner: "ann" } },
    ]);
  });

  it("that hold pages back say so, in the comment or in a field of ours", async () => {
    const page = [{ ...QUEUE, value: "service-down" }];
    const byComment = await silence({ matchers: page, comment: "[pages] a game day" });
    const byField = await silence({ matchers: page, silencesPages: true });
    for (const id of [byComment, byField])
      expect(await read(`/api/v2/silence/${id}`)).toMatchObject({ silencesPages: true });
  });

  it("are filtered by matchers that are theirs, word for word", async () => {
    const id = await silence();
    await silence({ matchers: [{ ...QUEUE, isRegex: true }] });
    const found = async (...filters: string[]) => {
      const query = filters.map((one) => `filter=${encodeURIComponent(one)}`).join("&");
      return (await read(`${SILENCES}?${query}`)).map((one: { id: string }) => one.id);
    };
    expect(await found('alertname="queue-depth-high"')).toEqual([id]);
    expect(await found('alertname="queue-depth-high"', "host=a")).toEqual([]);
    expect(await found('alertname=~"queue.*"')).toEqual([]);
  });

  it.each<[string, object, string]>([
    [
      "of the whole system",
      { matchers: [{ ...QUEUE, name: "system", value: "algobrain" }] },
      "would hide every alert",
    ],
    ["without an end", { endsAt: undefined }, 'must have key "endsAt"'],
    ["without an owner", { createdBy: "" }, "createdBy is empty"],
    ["without a reason", { comment: "" }, "comment is empty"],
    ["for more than 30 days", { endsAt: fromNow(31 * DAY_MS) }, "lasts at most 30d"],
    [
      "of a page that does not say so",
      { matchers: [{ ...QUEUE, value: "service-down" }] },
      "write [pages] into the comment",
    ],
    ["with a moment that is none", { endsAt: "tomorrow" }, "/endsAt is no moment"],
    ["without matchers", { matchers: [] }, "/matchers"],
    [
      "with a slow pattern",
      { matchers: [{ ...QUEUE, isRegex: true, value: "(a*)*b" }] },
      "repeats a group",
    ],
  ])(
    "%s are refused with a 400 and one sentence, as amtool prints it",
    async (_, part, sentence) => {
      const reply = await ask("operator", "POST", SILENCES, wish(part));
      expect([reply.statusCode, reply.headers["content-type"]]).toEqual([400, "application/json"]);
      expect(reply.json()).toEqual(expect.stringContaining(sentence));
      expect(await read(SILENCES)).toEqual([]);
    },
  );

  it("that are not there are a 404 in the words that amtool's import looks for", async () => {
    for (const id of ["7d1ee1d1-0000-4000-8000-000000000000", "nonsense"]) {
      const changed = await ask("operator", "POST", SILENCES, wish({ id }));
      expect([changed.statusCode, changed.json()]).toEqual([404, "silence not found"]);
      expect((await ask("viewer", "GET", `/api/v2/silence/${id}`)).statusCode).toBe(404);
      expect((await ask("operator", "DELETE", `/api/v2/silence/${id}`)).statusCode).toBe(404);
    }
  });

  it("are read by viewers and made by operators, in safe mode as well", async () => {
    expect((await ask(null, "GET", SILENCES)).statusCode).toBe(401);
    expect((await ask("viewer", "POST", SILENCES, wish())).statusCode).toBe(403);
    await enterSafeMode(lent.db, { reason: "test", by: "test" });
    const id = await silence();
    expect((await ask("operator", "DELETE", `/api/v2/silence/${id}`)).statusCode).toBe(200);
    await exitSafeMode(lent.db, { by: "test", reason: "done" });
  });

  it("that hide nothing for a quarter of an hour say so", async () => {
    const id = await silence();
    expect(await read(`/api/v2/silence/${id}`)).not.toHaveProperty("note");
    await lent.db.query(
      "UPDATE control.silence SET starts_at = starts_at - interval '16 minutes' WHERE id = $1",
      [id],
    );
    const { note } = await read(`/api/v2/silence/${id}`);
    expect(note).toContain("has hidden no alert");
  });
});

describe("alerts over Alertmanager's API", () => {
  const names = async (query = "") =>
    (await read(`/api/v2/alerts${query}`)).map(
      (alert: { labels: Record<string, string> }) => alert.labels.worker_type ?? alert.labels.rule,
    );

  it("say what fires, who is told and what holds it back", async () => {
    await fire("queue-depth-high", "AR-06", { worker_type: "index" });
    const [alert] = await read("/api/v2/alerts");
    expect(alert).toMatchObject({
      labels: {
        ...{ alertname: "queue-depth-high", rule: "queue-depth-high", level: "AR-06" },
        ...{ severity: "sev2", system: policy.system, worker_type: "index" },
      },
      receivers: [{ name: "ops" }],
      status: { state: "active", silencedBy: [], inhibitedBy: [] },
      fingerprint: expect.stringMatching(/^[0-9a-f]{16}$/),
      annotations: { summary: queues.summary, value: "1200" },
    });
    expect(alert.generatorURL).toMatch(
      /^http:.*\/api\/v1\/alerts\/AR-06~worker_type%3Dindex\/explain$/,
    );
    const id = await silence();
    await fire("service-down", "AR-01");
    const muted = await read("/api/v2/alerts?filter=worker_type=index");
    expect(muted).toMatchObject([
      { status: { state: "suppressed", silencedBy: [id], inhibitedBy: ["service-down"] } },
    ]);
    expect(muted[0].fingerprint).toBe(alert.fingerprint);
  });

  it("are chosen by state, matchers and receivers", async () => {
    await fire("queue-depth-high", "AR-06", { worker_type: "index" });
    await fire("queue-depth-high", "AR-06", { worker_type: "score" });
    await silence({ matchers: [QUEUE, { ...QUEUE, name: "worker_type", value: "index" }] });
    expect((await names()).sort()).toEqual(["index", "score"]);
    expect(await names("?silenced=false")).toEqual(["score"]);
    expect(await names("?active=false")).toEqual(["index"]);
    expect(await names(`?filter=${encodeURIComponent('worker_type=~"s.*"')}`)).toEqual(["score"]);
    expect(await names("?receiver=op.")).toHaveLength(2);
    expect(await names("?receiver=o")).toEqual([]);
    for (const bad of ["filter=nonsense", "receiver=(a%2B)%2B", "active=maybe"]) {
      const reply = await ask("viewer", "GET", `/api/v2/alerts?${bad}`);
      expect([reply.statusCode, typeof reply.json()]).toEqual([400, "string"]);
    }
  });

  it("of a rule that left the policy are not shown", async () => {
    await fire("gone", "AR-77");
    expect(await names()).toEqual([]);
  });
});

it("says that it speaks 0.25, and who may be told", async () => {
  expect(await read("/api/v2/status")).toMatchObject({
    ...{ versionInfo: { version: "0.25.0" }, cluster: { status: "disabled" } },
  });
  expect(await read("/api/v2/receivers")).toEqual([{ name: "ops" }]);
});

it("answers with what our OpenAPI document says", async () => {
  const id = await silence();
  await fire("queue-depth-high", "AR-06", { worker_type: "index" });
  const { paths } = (await app.inject("/documentation/json")).json();
  for (const path of ["status", "receivers", "alerts", "silences", "silence/{silenceID}"]) {
    const { schema } = paths[`/api/v2/${path}`].get.responses["200"].content["application/json"];
    const answer = await read(`/api/v2/${path.replace("{silenceID}", id)}`);
    expect([path, compileSchema(schema).check(answer)]).toEqual([path, []]);
  }
});
