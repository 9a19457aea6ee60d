/** The adapter of AWS over the SDK's own clients: its promises, and what an emulator cannot show (a stand-in that misbehaves). */

import { inspect } from "node:util";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { groundOf } from "../../src/adapter/aws.js";
import { assumeRole, sessionOf } from "../../src/adapter/aws-session.js";
import { type StandInAws, startStandInAws } from "../../src/adapter/stand-in/aws.js";
import { systemClock } from "../../src/base/clock.js";
import { SecretText } from "../../src/base/secret-text.js";
import { until } from "../support/until.js";
import { FIRST_TAG, keepsItsPromises, NEXT_TAG, openAws, PLACE } from "./aws-cases.js";
import { faultOf, never } from "./delivery.js";

let standIn: StandInAws;
beforeEach(async () => {
  standIn = await startStandInAws();
  standIn.ecs.addService("workers", `1.dkr.ecr.us-east-1.amazonaws.com/w:${FIRST_TAG}`, 12);
});
afterEach(() => standIn.close());

const CREDENTIALS = { accessKeyId: "test", secretAccessKey: "test" };
const access = () => ({ region: "us-east-1", endpointUrl: standIn.url, credentials: CREDENTIALS });
const open = (more: Parameters<typeof openAws>[1] = {}) => openAws(access(), more);

describe("on the stand-in", () => {
  beforeEach(() => {
    standIn.secrets.clear();
  });
  keepsItsPromises(access);
});

const deploy = async (aws: ReturnType<typeof open>["aws"]) => {
  const { taskDefinition: from, image } = await aws.service("workers");
  const next = await aws.registerRevision({ from, image: image.replace(FIRST_TAG, NEXT_TAG) });
  await aws.updateService({ service: "workers", taskDefinition: next.arn });
};

test("LB-aws-03: a deployment that starts slowly is seen as under way, and then as done", async () => {
  const { aws } = open();
  await deploy(aws);
  const looks = [
    await aws.service("workers"),
    await aws.service("workers"),
    await aws.service("workers"),
  ];
  expect(looks.map(({ deployments }) => deployments.map(({ rollout }) => rollout))).toEqual([
    ["IN_PROGRESS", "IN_PROGRESS"],
    ["IN_PROGRESS", "IN_PROGRESS"],
    ["COMPLETED"],
  ]);
});

test("LB-aws-03: what the breaker took back is seen by the revision that runs", async () => {
  const { aws } = open();
  standIn.ecs.fails = true;
  await deploy(aws);
  expect(await aws.service("workers")).toMatchObject({ revision: 2, imageTag: NEXT_TAG });
  await aws.service("workers");
  expect(await aws.service("workers")).toMatchObject({ revision: 1, imageTag: FIRST_TAG });
});

describe("what AWS says, and what happens next", () => {
  const refused = (type: string, status = 400) =>
    ({
      kind: "answer",
      answer: { status, headers: {}, body: { __type: type, message: type } },
    }) as const;

  test.each([
    ["ThrottlingException", 400, "waiting", "AWS_RATE_LIMITED"],
    ["AccessDeniedException", 400, "waiting", "AWS_UNAUTHORIZED"],
    ["ExpiredTokenException", 403, "waiting", "AWS_UNAUTHORIZED"],
    ["ClusterNotFoundException", 400, "refused", "AWS_NOT_FOUND"],
    ["InvalidParameterException", 400, "data", "AWS_REFUSED"],
    ["ServerException", 500, "transient", "AWS_FAILED"],
  ])("%s (%i) is %s", async (name, status, kind, code) => {
    standIn.misbehave(refused(name, status));
    const { aws, calls } = open();
    expect(await faultOf(aws.service("workers"))).toMatchObject({ kind, code });
    expect(calls).toMatchObject([{ operation: "DescribeServices", status: name }]);
  });

  test("a refusal names the action that somebody has to grant", async () => {
    standIn.misbehave(refused("AccessDeniedException"));
    const fault = await faultOf(open().aws.service("workers"));
    expect(fault).toMatchObject({ hint: expect.stringContaining("ecs:DescribeServices") });
  });

  test("silence ends with the deadline, and with the run", async () => {
    standIn.misbehave({ kind: "silence" }, { kind: "silence" });
    const late = await faultOf(open({ timeoutMs: 100 }).aws.service("workers"));
    expect(late).toMatchObject({ kind: "transient", code: "AWS_TIMED_OUT" });
    const stopped = new AbortController();
    const work = faultOf(open({ signal: stopped.signal }).aws.service("workers"));
    stopped.abort();
    expect(await work).toMatchObject({ code: "AWS_ABORTED" });
  });

  test("a secret whose answer was lost is put once: asked again, it is the same version", async () => {
    standIn.secrets.place("algobrain/prod/jwt-secret", "before");
    const { aws } = open();
    const put = {
      name: "jwt-secret",
      value: new SecretText("after"),
      stage: "AWSPENDING",
    } as const;
    standIn.misbehave({ kind: "drop-answer" });
    expect(await faultOf(aws.putSecret(put))).toMatchObject({ kind: "transient" });
    await aws.putSecret(put);
    expect((await aws.secret("jwt-secret"))?.versions).toHaveLength(2);
  });
});

test("X-23: a copy of a revision keeps its tags and every variable but those that are named", async () => {
  const { aws } = open();
  const { taskDefinition: from, image } = await aws.service("workers");
  const { arn } = await aws.registerRevision({ from, image, environment: { B: "2" } });
  expect(standIn.ecs.definition(arn)).toMatchObject({
    tags: [{ key: "system", value: "algobrain" }],
    containerDefinitions: [
      {
        environment: [
          { name: "constructor", value: "1" },
          { name: "B", value: "2" },
        ],
      },
    ],
  });
});

test("a session is assumed once for all who ask at once, and anew before it ends", async () => {
  let now = new Date("2026-11-22T12:00:00Z");
  const ends = new Date("2100-01-01T00:00:00Z");
  const ground = groundOf({
    ...{ access: access(), place: () => PLACE, signal: never(), onCall: () => {} },
    clock: { ...systemClock, now: () => now },
  });
  const session = sessionOf(ground, {
    roleArn: "arn:aws:iam::1:role/x",
    name: "run-1",
    policy: "{}",
  });
  const [first, second] = await Promise.all([session(), session()]);
  expect(first).toBe(second);
  now = new Date(ends.getTime() - 301_000);
  expect(await session()).toBe(first);
  now = new Date(ends.getTime() - 299_000);
  expect(await session()).not.toBe(first);
  expect(standIn.sessions.size).toBe(2);
  standIn.misbehave({ kind: "drop-answer" });
  expect(await faultOf(session())).toMatchObject({ kind: "transient" });
  expect(await session()).toMatchObject({ sessionToken: "the-token-of-a-session" });
});

test("a query of logs is stopped at AWS with the run that asked: it is paid by what it reads", async () => {
  const stopped = new AbortController();
  const { aws } = open({ signal: stopped.signal });
  const window = { from: new Date(0), to: new Date(1_000) };
  const query = { groups: ["/ecs/algobrain-api"], query: "fields @message", limit: 5, ...window };
  const work = faultOf(aws.logQuery(query));
  await until(() => standIn.asked.includes("logs:GetQueryResults"), "it is under way");
  stopped.abort();
  expect(await work).toMatchObject({ code: "AWS_ABORTED" });
  expect(standIn.asked.at(-1)).toBe("logs:StopQuery");
});

test("a session may do what its policy names, and AWS refuses the rest", async () => {
  const policy = JSON.stringify({
    Version: "2012-10-17",
    Statement: [{ Effect: "Allow", Action: ["ecs:Describe*"], Resource: ["*"] }],
  });
  const ground = groundOf({
    ...{ access: access(), place: () => PLACE, signal: never(), clock: systemClock },
    onCall: () => {},
  });
  const roleArn = "arn:aws:iam::123456789012:role/algobrain-executor";
  const credentials = await assumeRole(ground, { roleArn, name: "run-17", policy });
  // The shortest that STS gives: what is taken out of an executor's memory ends by itself.
  expect([...standIn.sessions.values()]).toEqual([
    { roleArn, name: "run-17", policy, duration: 900 },
  ]);
  const { aws } = openAws({ ...access(), credentials });
  const { taskDefinition } = await aws.service("workers");
  expect(await faultOf(aws.updateService({ service: "workers", taskDefinition }))).toMatchObject({
    ...{ kind: "waiting", code: "AWS_UNAUTHORIZED" },
    hint: expect.stringContaining("ecs:UpdateService"),
  });
});

test("X-31: whatever happens to a call that carries a secret, nothing that is kept of it says the value", async () => {
  const mishaps = ["honest", "refused", "lost", "throttled"] as const;
  const marker = fc.stringMatching(/^[A-Za-z0-9]{16,40}$/).map((text) => `marker${text}`);
  await fc.assert(
    fc.asyncProperty(marker, fc.constantFrom(...mishaps), async (text, mishap) => {
      const { aws, calls, close } = open();
      const value = new SecretText(text);
      const name = "jwt-secret";
      standIn.secrets.place("algobrain/prod/jwt-secret", text);
      const verbs = [
        () => aws.putSecret({ name, value, stage: "AWSPENDING" }),
        () => aws.createSecret({ name, value }),
        () => aws.readSecret({ name }),
        () => aws.setCacheToken({ value, strategy: "ROTATE" }),
      ];
      const kept: unknown[] = [calls];
      for (const verb of verbs) {
        misbehave(mishap, text);
        kept.push(await verb().catch((error: unknown) => error));
      }
      for (const one of kept)
        expect(
          `${inspect(one, { depth: 12, showHidden: true })} ${JSON.stringify(one)}`,
        ).not.toContain(text);
      await close();
    }),
    { numRuns: 12 },
  );

  /** What AWS says of a value may repeat it. */
  function misbehave(mishap: (typeof mishaps)[number], text: string): void {
    const said = (type: string) =>
      ({ status: 400, body: { __type: type, message: `the value ${text} is wrong` } }) as const;
    if (mishap === "refused")
      standIn.misbehave({ kind: "answer", answer: said("InvalidParameterException") });
    if (mishap === "throttled")
      standIn.misbehave({ kind: "answer", answer: said("ThrottlingException") });
    if (mishap === "lost") standIn.misbehave({ kind: "drop-answer" });
  }
});
