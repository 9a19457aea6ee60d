/** What a run may do in AWS is what its runbook declares, filled in for the place where it runs; every change is audited. */
import { describe, expect, test } from "vitest";
import { type Logger, silentLogger } from "../../src/base/log.js";
import { loadRunbooks } from "../../src/main/runbooks.js";
import type { AwsCallRecord } from "../../src/runbook/aws-port.js";
import type { AwsPermission } from "../../src/runbook/power.js";
import { type AwsSessionDeps, openAwsSession } from "../../src/runtime/executor/aws-session.js";
import type { NewAuditEntry } from "../../src/store/audit.js";
import { faultOf, never } from "../contract/delivery.js";
import { makeAwsWorld } from "../support/aws-world.js";
import { makeRunbook } from "../support/runbook-world.js";

const ROLE = "arn:aws:iam::123456789012:role/algobrain-executor-runs";
const DESCRIBE: AwsPermission = {
  actions: ["ecs:DescribeServices"],
  resources: ["arn:aws:ecs:{region}:{account}:service/{cluster}/*"],
};
const UPDATE: AwsPermission = { ...DESCRIBE, actions: ["ecs:UpdateService"] };
const SECRET: AwsPermission = {
  actions: ["secretsmanager:GetSecretValue", "secretsmanager:ListSecretVersionIds"],
  resources: ["arn:aws:secretsmanager:{region}:{account}:secret:{secrets}/jwt-secret-*"],
};

interface Statement {
  readonly Action: readonly string[];
  readonly Resource: readonly string[];
}

function makeSession(overrides: Partial<AwsSessionDeps<string>> = {}) {
  const policies: string[] = [];
  const opened: (string | null)[] = [];
  const entries: NewAuditEntry[] = [];
  const notes: ((record: AwsCallRecord) => void)[] = [];
  const deps: AwsSessionDeps<string> = {
    place: () => makeAwsWorld().place,
    roleArn: ROLE,
    assume: async ({ policy }) => {
      policies.push(policy);
      return "credentials of the run";
    },
    open: async (credentials, _signal, onCall) => {
      opened.push(credentials);
      notes.push(onCall);
      return { aws: makeAwsWorld().aws, close: async () => void opened.push("closed") };
    },
    audit: async (entry) => entries.push(entry),
    log: silentLogger,
    ...overrides,
  };
  const run = { id: "run-17", actor: "cli:ann", dryRun: false };
  const open = (
    aws: readonly AwsPermission[],
    more: Partial<typeof run> = {},
    danger: "R" | "V" = "V",
  ) => {
    const touches = { database: [], aws };
    const runbook = { ...makeRunbook("scale-service"), danger, touches };
    return openAwsSession(deps, { ...run, ...more }, runbook, never());
  };
  const statements = () =>
    (JSON.parse(policies.at(-1) ?? "{}") as { Statement: Statement[] }).Statement;
  return {
    deps,
    open,
    statements,
    opened,
    entries,
    note: (one: AwsCallRecord) => notes.at(-1)?.(one),
  };
}

const actionsOf = (statements: readonly Statement[]) => statements.flatMap(({ Action }) => Action);

describe("the policy of the session", () => {
  test("names the places of the environment, and nothing but what is declared", async () => {
    const { open, statements, opened } = makeSession();
    const { enforced, close } = await open([DESCRIBE]);
    expect(enforced).toBe(true);
    expect(statements()).toEqual([
      {
        ...{ Effect: "Allow", Action: ["ecs:DescribeServices"] },
        Resource: ["arn:aws:ecs:us-east-1:123456789012:service/algobrain-prod/*"],
      },
    ]);
    await close();
    expect(opened).toEqual(["credentials of the run", "closed"]);
  });

  test("adds what AWS asks for besides: handing a role to tasks, and the key of a secret", async () => {
    const { open, statements } = makeSession();
    await open([UPDATE, SECRET]);
    expect(actionsOf(statements())).toEqual([
      ...["ecs:UpdateService", "secretsmanager:GetSecretValue"],
      ...["secretsmanager:ListSecretVersionIds", "iam:PassRole"],
      ...["kms:Decrypt", "kms:GenerateDataKey"],
    ]);
    expect(statements().flatMap(({ Resource }) => Resource)).toEqual([
      "arn:aws:ecs:us-east-1:123456789012:service/algobrain-prod/*",
      "arn:aws:secretsmanager:us-east-1:123456789012:secret:algobrain/prod/jwt-secret-*",
      "arn:aws:iam::123456789012:role/algobrain-*",
      "arn:aws:kms:us-east-1:123456789012:key/*",
    ]);
  });

  test.each([
    ["a dry run", { dryRun: true }, "V"],
    ["a runbook that only reads", {}, "R"],
  ] as const)("%s can change nothing and read no secret", async (_, more, danger) => {
    const { open, statements } = makeSession();
    const all = { ...SECRET, actions: ["secretsmanager:Get*", "secretsmanager:GetS*"] };
    await open([DESCRIBE, UPDATE, SECRET, all], more, danger);
    expect(actionsOf(statements())).toEqual([
      ...["ecs:DescribeServices", "secretsmanager:ListSecretVersionIds"],
    ]);
  });

  test("a runbook that only reads may start the one task that looks, and a dry run may not", async () => {
    const probe = {
      actions: ["ecs:RunTask"],
      resources: ["arn:aws:ecs:{region}:{account}:task-definition/{system}-*"],
    };
    const reads = makeSession();
    await reads.open([DESCRIBE, UPDATE, probe], {}, "R");
    expect(actionsOf(reads.statements())).toEqual(
      expect.arrayContaining(["ecs:DescribeServices", "ecs:RunTask", "iam:PassRole"]),
    );
    expect(actionsOf(reads.statements())).not.toContain("ecs:UpdateService");
    const dry = makeSession();
    await dry.open([DESCRIBE, UPDATE, probe], { dryRun: true }, "R");
    expect(actionsOf(dry.statements())).toEqual(["ecs:DescribeServices"]);
  });

  test.each([
    ["arn:aws:ecs:{region}:{acount}:service/*", "{acount}"],
    ["*", "found the resource"],
    ["arn:aws:ecs:{region}:*:service/x", "found the resource"],
  ])("%s opens no session", async (resource, said) => {
    const { open, opened } = makeSession();
    const fault = await faultOf(open([{ ...UPDATE, resources: [resource] }]));
    expect(fault).toMatchObject({
      ...{ kind: "data", code: "SESSION_POLICY_INVALID" },
      message: expect.stringContaining(said),
    });
    expect(opened).toEqual([]);
  });
});

describe("each runbook that touches AWS", async () => {
  const registry = await loadRunbooks();
  const touching = registry.list().filter(({ runbook }) => runbook.touches.aws !== undefined);

  test.each(touching.map(({ runbook }) => [runbook.name, runbook] as const))(
    "%s: STS takes its policy, in full and as a dry run",
    async (_, runbook) => {
      // Of all environments the one with the longest names.
      const place = { ...makeAwsWorld().place, cluster: "algobrain-staging" };
      for (const dryRun of [false, true]) {
        const { deps, statements } = makeSession({ place: () => place });
        const run = { id: "run-17", actor: "cli:ann", dryRun };
        await openAwsSession(deps, run, runbook, never());
        expect(statements().length).toBeGreaterThan(0);
      }
    },
  );
});

test("without a role the run has all that this process may, and that is told", async () => {
  const warned: string[] = [];
  const log: Logger = { ...silentLogger, warn: (event) => void warned.push(event) };
  const { open, opened } = makeSession({ roleArn: null, log });
  const { enforced } = await open([UPDATE]);
  expect({ enforced, opened, warned }).toEqual({
    ...{ enforced: false, opened: [null], warned: ["aws.session-not-enforced"] },
  });
});

describe("the trail", () => {
  const record = (service: string, operation: string, status = "ok"): AwsCallRecord => ({
    ...{ service, operation, status, target: "algobrain-prod/api", keys: ["cluster", "service"] },
    ...{ ms: 12, requestId: "r-1" },
  });

  test("keeps what changed something and each look at a secret, in order, before the run is over", async () => {
    const { open, note, entries } = makeSession();
    const { close } = await open([UPDATE, SECRET]);
    note(record("ecs", "DescribeServices"));
    note(record("ecs", "UpdateService"));
    note(record("secretsmanager", "GetSecretValue"));
    note(record("ecs", "StopTask", "AccessDeniedException"));
    await close();
    expect(entries.map(({ target, details }) => [target, details?.status])).toEqual([
      ["ecs:UpdateService algobrain-prod/api", "ok"],
      ["secretsmanager:GetSecretValue algobrain-prod/api", "ok"],
      ["ecs:StopTask algobrain-prod/api", "AccessDeniedException"],
    ]);
    expect(entries[0]).toMatchObject({ actor: "cli:ann", action: "aws.called" });
    expect(entries[0]?.details).toMatchObject({ run: "run-17", keys: ["cluster", "service"] });
  });

  test("an audit that cannot be written ends nothing, and is told with the call itself", async () => {
    const told: unknown[] = [];
    const log: Logger = {
      ...silentLogger,
      error: (event, fields) => void told.push([event, fields]),
    };
    const audit = async () => {
      throw new Error("the database is gone");
    };
    const { open, note } = makeSession({ log, audit });
    const { close } = await open([UPDATE]);
    note(record("ecs", "UpdateService"));
    await close();
    expect(told).toMatchObject([["aws.call-not-audited", { operation: "UpdateService" }]]);
  });
});
