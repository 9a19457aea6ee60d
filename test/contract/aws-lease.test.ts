/** How a call to AWS keeps within the lease of its run: begun under it, ended before it ends, or not sent. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { createAws } from "../../src/adapter/aws.js";
import { type StandInAws, startStandInAws } from "../../src/adapter/stand-in/aws.js";
import { type Clock, systemClock } from "../../src/base/clock.js";
import { fault } from "../../src/base/fault.js";
import type { AwsCallRecord } from "../../src/runbook/aws-port.js";
import { FIRST_TAG, PLACE } from "./aws-cases.js";
import { faultOf, never } from "./delivery.js";

let standIn: StandInAws;
let calls: AwsCallRecord[];
beforeEach(async () => {
  calls = [];
  standIn = await startStandInAws();
  standIn.ecs.addService("workers", `1.dkr.ecr.us-east-1.amazonaws.com/w:${FIRST_TAG}`, 12);
});
afterEach(() => standIn.close());

interface Given {
  readonly lease: () => Promise<number>;
  readonly clock?: Clock;
  /** Found while the request is made: between the answer of the database and the sending. */
  readonly credentials?: () => Promise<{ accessKeyId: string; secretAccessKey: string }>;
}

const KEYS = { accessKeyId: "test", secretAccessKey: "test" };

function open({ lease, clock = systemClock, credentials = async () => KEYS }: Given) {
  const access = { region: "us-east-1", endpointUrl: standIn.url, credentials };
  return createAws({
    ...{ access, place: () => PLACE, signal: never(), clock, lease },
    ...{ onCall: (record) => void calls.push(record), timeoutMs: 60_000 },
    ...{ namespace: () => "AlgoBrain", heartbeatsTable: () => "none" },
  }).aws;
}

const write = (given: Given) => faultOf(open(given).updateService({ service: "workers" }));
const RUN_LOST = { kind: "waiting", code: "RUN_LOST" };

test("a call that hangs is given up before the lease ends, though its own deadline is a minute", async () => {
  standIn.misbehave({ kind: "silence" });
  // Two seconds are kept free.
  const late = await write({ lease: async () => 3_500 });
  expect(late).toMatchObject({ kind: "transient", code: "AWS_TIMED_OUT" });
  const [, withinMs] = /within (\d+) ms/.exec(late.message) ?? [];
  expect(Number(withinMs)).toBeLessThanOrEqual(1_500);
});

test("what has less than a second is not sent, and leaves no record of a call", async () => {
  expect(await write({ lease: async () => 2_900 })).toMatchObject(RUN_LOST);
  expect(standIn.asked).toEqual([]);
  expect(calls).toEqual([]);
});

test("who lost the run asks AWS nothing, and says so in the database's own words", async () => {
  const lost = fault.waiting("RUN_LOST", "run-17 or one of its targets was taken");
  expect(await write({ lease: () => Promise.reject(lost) })).toBe(lost);
  expect(standIn.asked).toEqual([]);
});

test("a process that stood still after the answer of the database sends no more", async () => {
  let aheadMs = 0;
  const clock = {
    ...systemClock,
    now: () => new Date(systemClock.now().getTime() + aheadMs),
  };
  const credentials = async () => {
    aheadMs = 30_000;
    return KEYS;
  };
  expect(await write({ lease: async () => 29_000, clock, credentials })).toMatchObject(RUN_LOST);
  expect(standIn.asked).toEqual([]);
  expect(calls).toEqual([]);
});

test("a database that does not say whose the run is lets nothing through", async () => {
  // The five seconds for its answer pass at once.
  const clock = { ...systemClock, sleep: async () => {} };
  const silent = () => new Promise<number>(() => {});
  expect(await write({ lease: silent, clock })).toMatchObject({
    ...{ kind: "transient", code: "RUN_LEASE_UNKNOWN" },
  });
  expect(standIn.asked).toEqual([]);
});

test("what looks asks for no lease; the value of a secret is no mere look", async () => {
  standIn.secrets.place("algobrain/prod/jwt-secret", "before");
  let leases = 0;
  const aws = open({
    lease: async () => {
      leases += 1;
      return 29_000;
    },
  });
  await aws.service("workers");
  await aws.secret("algobrain/prod/jwt-secret");
  expect(leases).toBe(0);
  await aws.readSecret({ name: "algobrain/prod/jwt-secret" });
  expect(leases).toBe(1);
});
