/** The runtime in front of an emulator of AWS: what it publishes is there, and a run works with a session of its own. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { systemClock } from "../../../src/base/clock.js";
import { silentLogger } from "../../../src/base/log.js";
import { createSignsToAws, openAwsReader, openRunAws } from "../../../src/main/aws.js";
import { defineRunbook, Type } from "../../../src/runbook/define.js";
import type { Run } from "../../../src/runbook/run.js";
import { readConfig } from "../../../src/runtime/config.js";
import { publishMetrics } from "../../../src/runtime/tick/publish-metrics.js";
import { readAuditOfTarget } from "../../../src/store/audit.js";
import { startRun } from "../../../src/store/run-leases.js";
import { PLACE } from "../../contract/aws-cases.js";
import { faultOf, never } from "../../contract/delivery.js";
import { createTestDatabase, type TestDatabase } from "../../support/database.js";
import { makePolicy } from "../../support/make-policy.js";
import {
  findMoto,
  MOTO_ACCOUNT,
  MOTO_CREDENTIALS,
  type Moto,
  NEEDS_MOTO,
  startMoto,
} from "../../support/moto.js";
import { until } from "../../support/until.js";
import { makeDistribution, makeEstate } from "./moto-estate.js";

const moto = findMoto();
const shipped = makePolicy();
const policy = () => ({
  ...shipped,
  infrastructure: { ...shipped.infrastructure, heartbeatsTable: "algobrain-heartbeats" },
});
let server: Moto;
let base: TestDatabase;

const scale = defineRunbook({
  ...{ name: "scale", title: "scales a service", danger: "V", params: Type.Object({}) },
  ...{ timeoutMs: 60_000, steps: [], plan: async () => ({ text: "", changes: [] }) },
  touches: {
    database: [],
    aws: [
      {
        actions: ["ecs:DescribeServices", "ecs:UpdateService"],
        resources: ["arn:aws:ecs:{region}:{account}:service/{cluster}/*"],
      },
      {
        actions: ["cloudfront:CreateInvalidation"],
        resources: ["arn:aws:cloudfront::{account}:distribution/*"],
      },
    ],
  },
});
const NO_RUN = { id: "run-17", actor: "cli:ann", dryRun: false } as Run;

/** At work under a lease: nothing else may change anything. */
async function startedRun(): Promise<Run> {
  const { rows } = await base.db.query<{ id: string }>(
    `INSERT INTO control.run (runbook, actor, role, door, content_hash, dry_run, status)
     VALUES ('scale', 'cli:ann', 'operator', 'cli', 'hash', false, 'queued') RETURNING id`,
  );
  return (await base.db.transaction((tx) => startRun(tx, rows[0]!.id)))!;
}

function deps() {
  const read = readConfig({
    ALGOBRAIN_ENV: "local",
    AWS_ENDPOINT_URL: server.url,
    AWS_EXECUTOR_ROLE_ARN: `arn:aws:iam::${MOTO_ACCOUNT}:role/algobrain-runs`,
  });
  if (!read.ok) throw new Error("the settings of this test are wrong");
  return { config: read.value, policy, clock: systemClock, db: base.db, log: silentLogger };
}

describe.skipIf(moto === null)(`${NEEDS_MOTO} the runtime`, () => {
  beforeAll(async () => {
    server = await startMoto(moto ?? "");
    // As an operator would hand them in: through the environment of the process.
    process.env.AWS_ACCESS_KEY_ID = MOTO_CREDENTIALS.accessKeyId;
    process.env.AWS_SECRET_ACCESS_KEY = MOTO_CREDENTIALS.secretAccessKey;
    base = await createTestDatabase();
    await makeEstate(server.url, PLACE);
  });
  afterAll(async () => {
    await server?.close();
    await base?.drop();
  });

  test("HB-aws-09, HB-cli-14: the depth of the queues and the heartbeat arrive", async () => {
    await base.db.query(
      `INSERT INTO public.jobs (job_type, payload, status, scheduled_at)
       SELECT 'index', jsonb_build_object('repo_id', n), 'pending', now() FROM generate_series(1, 3) n`,
    );
    const signs = createSignsToAws(deps());
    if (signs === null) throw new Error("an endpoint is set, so signs are sent");
    const { step, tick } = publishMetrics({ ...deps(), holder: "host/1", signs });
    const now = new Date(Math.floor(Date.now() / 60_000) * 60_000 - 120_000);
    await step.run(now, never());
    await tick.run(now, never());
    const { aws } = await openAwsReader(policy(), deps().config, never());
    const window = [new Date(now.getTime() - 60_000), new Date(now.getTime() + 120_000)] as const;
    const points = await until(async () => {
      const found = await aws.metric("JobQueueDepth", ...window);
      return found.length > 0 && found;
    }, "the point is there");
    expect(points).toEqual([{ at: now, value: 3 }]);
    const beat = await until(() => aws.heartbeat("orchestrator"), "the row is there");
    expect(beat).toEqual({ at: now, leader: "host/1" });
  });

  test("a run works as its role, knows its CDN by name, and what it changed is in the audit", async () => {
    const { frontend } = policy().infrastructure;
    const distribution = await makeDistribution(server.url, frontend.host);
    const run = await startedRun();
    const { aws, close } = await openRunAws(deps(), run, scale, never());
    expect((await aws.identity()).arn).toContain(`assumed-role/algobrain-runs/${run.id}`);
    expect(aws.place().distributionId).toBe(distribution);
    await aws.updateService({ service: "api", desired: 3 });
    await close();
    const entries = await readAuditOfTarget(base.db, "ecs:UpdateService algobrain-prod/api");
    expect(entries).toMatchObject([
      {
        ...{ actor: "cli:ann", action: "aws.called" },
        details: { run: run.id, status: "ok", keys: ["cluster", "service", "desiredCount"] },
      },
    ]);
  });

  test("without an account in the policy every verb says so", async () => {
    const nowhere = { ...shipped, infrastructure: { ...shipped.infrastructure, account: null } };
    const { aws } = await openRunAws({ ...deps(), policy: () => nowhere }, NO_RUN, scale, never());
    expect(await faultOf((async () => aws.place())())).toMatchObject({
      ...{ kind: "refused", code: "AWS_NOT_CONFIGURED" },
      hint: expect.stringContaining("infrastructure.account"),
    });
  });
});
