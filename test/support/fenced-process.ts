/**
 * An executor of a run that changes AWS in three steps, over the program's own session and adapter. As a process of its
 * own it freezes itself at a moment that it was told.
 */
import { systemClock } from "../../src/base/clock.js";
import { silentLogger } from "../../src/base/log.js";
import { openRunAws } from "../../src/main/aws.js";
import type { ActContext, Runbook } from "../../src/runbook/define.js";
import { readConfig } from "../../src/runtime/config.js";
import { type Database, openDatabase } from "../../src/store/database.js";
import { makePolicy } from "./make-policy.js";
import { makeRegistry, makeRunbook, workOn } from "./runbook-world.js";

/** Tasks of the service `workers` that each step asks for. */
export const WISHES = [21, 22, 23] as const;

export type Moment = "before" | "after";
/** Called before and after the write of the second step. */
export type AtMoment = (moment: Moment) => void | Promise<void>;

const wish = (desired: number, at: AtMoment): Runbook["steps"][number] => ({
  name: `ask for ${desired}`,
  repeat: {
    check: async ({ aws }) =>
      (await aws.service("workers")).desired >= desired ? "done" : "not-done",
  },
  run: async ({ aws }: ActContext<never>) => {
    if (desired === WISHES[1]) await at("before");
    await aws.updateService({ service: "workers", desired });
    if (desired === WISHES[1]) await at("after");
    return `${desired} are asked for`;
  },
  undo: { never: "a test takes nothing back" },
});

/** The same on both sides: a run is pinned to the digest of its runbook. */
export function fencedRunbooks(at: AtMoment = () => {}) {
  const runbook = makeRunbook("scale-thrice", {
    ...{ locks: () => ["workers"], steps: WISHES.map((desired) => wish(desired, at)) },
  });
  const scaling = {
    actions: ["ecs:DescribeServices", "ecs:DescribeTaskDefinition", "ecs:UpdateService"],
    resources: ["arn:aws:ecs:{region}:{account}:service/{cluster}/*"],
  };
  return makeRegistry({ ...runbook, touches: { database: [], aws: [scaling] } });
}

export interface FencedPlace {
  readonly databaseUrl: string;
  readonly awsUrl: string;
  readonly runId: string;
  readonly freezeAt: Moment;
}

/** With what openRunAws takes from the program. */
export function fencedAws(db: Database, awsUrl: string) {
  const read = readConfig({ ALGOBRAIN_ENV: "local", AWS_ENDPOINT_URL: awsUrl });
  if (!read.ok) throw new Error("the settings of this test are wrong");
  const policy = () => makePolicy();
  return { config: read.value, policy, clock: systemClock, db, log: silentLogger };
}

export function workFenced(db: Database, awsUrl: string, runId: string, at?: AtMoment) {
  const ground = fencedAws(db, awsUrl);
  const openAws: Parameters<typeof workOn>[0]["other"] = {
    openAws: (run, runbook, signal) => openRunAws(ground, run, runbook, signal),
  };
  return workOn({ db, registry: fencedRunbooks(at), other: openAws }, runId);
}

const { TEST_FENCED_PLACE: given } = process.env;
if (given !== undefined) {
  const { databaseUrl: url, awsUrl, runId, freezeAt } = JSON.parse(given) as FencedPlace;
  const db = openDatabase({ url, poolMax: 5, applicationName: "test-fenced", ssl: false });
  const freeze = (moment: Moment) => {
    if (moment === freezeAt) process.kill(process.pid, "SIGSTOP");
  };
  try {
    await workFenced(db, awsUrl, runId, freeze);
    console.log("ENDED");
  } catch (error) {
    console.log((error as { code?: string }).code ?? String(error));
  }
  await db.close();
}
