/** What the adapter of AWS promises wherever it is pointed at: a stand-in, an emulator, one day an account. */
import { expect, test } from "vitest";
import { createAws, createAwsSigns } from "../../src/adapter/aws.js";
import type { AwsAccess } from "../../src/adapter/aws-clients.js";
import { systemClock } from "../../src/base/clock.js";
import { SecretText } from "../../src/base/secret-text.js";
import type { AwsCallRecord } from "../../src/runbook/aws-port.js";
import { makeAwsPlace } from "../support/aws-world-place.js";
import { faultOf } from "./delivery.js";

export const FIRST_TAG = "a".repeat(40);
export const NEXT_TAG = "b".repeat(40);
export const HEARTBEATS_TABLE = "algobrain-heartbeats";
export const PLACE = makeAwsPlace();

/** Opens the adapter; what it called is in `calls`. */
export function openAws(
  access: AwsAccess,
  more: { readonly timeoutMs?: number; readonly signal?: AbortSignal } = {},
) {
  const calls: AwsCallRecord[] = [];
  const options = {
    ...{ access, place: () => PLACE, clock: systemClock, timeoutMs: 60_000 },
    signal: new AbortController().signal,
    onCall: (record: AwsCallRecord) => void calls.push(record),
    ...more,
  };
  const { aws, close, findDistribution } = createAws({
    ...options,
    ...{ namespace: () => "AlgoBrain", heartbeatsTable: () => HEARTBEATS_TABLE },
  });
  return { aws, close, findDistribution, calls, signs: createAwsSigns(options) };
}

const keysOf = (calls: readonly AwsCallRecord[], operation: string) =>
  calls.findLast((call) => call.operation === operation)?.keys;

/** @param open the ground: a service `workers` with 12 tasks of the first image, no secret, an empty table */
export function keepsItsPromises(open: () => AwsAccess): void {
  test("X-12, X-19: a service that is none is refused, with the names that there are", async () => {
    expect(await faultOf(openAws(open()).aws.service("web"))).toMatchObject({
      ...{ kind: "refused", code: "AWS_NOT_FOUND" },
      hint: expect.stringContaining("orchestrator"),
    });
  });

  test("X-21, X-23: a deployment changes the image and leaves the number of tasks and all else", async () => {
    const { aws, calls } = openAws(open());
    const before = await aws.service("workers");
    expect(before).toMatchObject({ desired: 12, imageTag: FIRST_TAG, revision: 1 });
    const image = before.image.replace(FIRST_TAG, NEXT_TAG);
    const made = await aws.registerRevision({ from: before.taskDefinition, image });
    expect(made.revision).toBe(2);
    await aws.updateService({ service: "workers", taskDefinition: made.arn });
    expect(await aws.service("workers")).toMatchObject({
      ...{ taskDefinition: made.arn, imageTag: NEXT_TAG, desired: 12 },
    });
    expect(keysOf(calls, "UpdateService")).toEqual(["cluster", "service", "taskDefinition"]);
  });

  test("X-32, X-33: a secret goes from pending to current, and the one before stays to go back to", async () => {
    const { aws, calls } = openAws(open());
    const value = (text: string) => new SecretText(`${text}-of-a-rotation`);
    expect(await aws.createSecret({ name: "jwt-secret", value: value("first") })).toBe("created");
    expect(await aws.createSecret({ name: "jwt-secret", value: value("other") })).toBe("exists");
    const put = { name: "jwt-secret", value: value("second"), stage: "AWSPENDING" } as const;
    const { version } = await aws.putSecret(put);
    // As after an answer that was lost.
    expect(await aws.putSecret(put)).toEqual({ version });
    expect((await aws.readSecret({ name: "jwt-secret" })).reveal()).toBe("first-of-a-rotation");
    const { previous } = await aws.promoteSecret({ name: "jwt-secret", version });
    expect((await aws.readSecret({ name: "jwt-secret" })).reveal()).toBe("second-of-a-rotation");
    const { versions = [] } = (await aws.secret("jwt-secret")) ?? {};
    expect(Object.fromEntries(versions.map(({ id, stages }) => [id, stages]))).toEqual({
      [version]: ["AWSCURRENT"],
      [previous ?? "none"]: ["AWSPREVIOUS"],
    });
    expect(await aws.promoteSecret({ name: "jwt-secret", version })).toEqual({ previous: null });
    expect(JSON.stringify(calls)).not.toContain("of-a-rotation");
  });

  test("a value that was there before can be made current again", async () => {
    const { aws } = openAws(open());
    const name = "webhook-secret";
    await aws.createSecret({ name, value: new SecretText("the-first-value") });
    const put = (text: string) =>
      aws.putSecret({ name, value: new SecretText(text), stage: "AWSCURRENT" });
    const { version } = await put("the-third-value");
    await put("the-fourth-value");
    expect(await put("the-third-value")).toEqual({ version });
    expect((await aws.readSecret({ name })).reveal()).toBe("the-third-value");
  });

  test("HB-cli-14, X-61: the heartbeat that the runtime writes is the one that is read, consistently", async () => {
    const { aws, signs, calls } = openAws(open());
    expect(await aws.heartbeat("orchestrator")).toBeNull();
    const at = new Date("2026-11-22T12:00:00Z");
    const beat = { service: "orchestrator", at, leader: "host/1", cycle: 7 };
    await signs.putHeartbeat(HEARTBEATS_TABLE, beat);
    expect(await aws.heartbeat("orchestrator")).toEqual({ at, leader: "host/1" });
    expect(keysOf(calls, "GetItem")).toContain("ConsistentRead");
  });

  test("every call leaves a record of what was asked of whom", async () => {
    const { aws, calls } = openAws(open());
    await aws.service("workers");
    expect(calls[0]).toMatchObject({
      ...{ service: "ecs", operation: "DescribeServices", target: "algobrain-prod/workers" },
      ...{ status: "ok", keys: ["cluster", "services"] },
    });
    await faultOf(aws.readSecret({ name: "none-of-this-name" }));
    expect(calls.at(-1)).toMatchObject({ status: "ResourceNotFoundException" });
  });
}
