/** The drift workflow line by line, with the real Terraform: what is put back, what is left alone, and what is not known. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { systemClock } from "../../src/base/clock.js";
import { HOUR_MS } from "../../src/base/duration.js";
import { isJsonObject, type JsonObject } from "../../src/base/json.js";
import { signToken } from "../../src/web/token.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { type OrderedDocument, orderedDocuments } from "../support/ordered-documents.js";
import { repositoryPolicy } from "../support/repository-policy.js";
import {
  type Estate,
  openTerraformSandbox,
  type TerraformSandbox,
  terraformPlatform,
} from "../support/terraform.js";
import { applyFirst, openWorkflowEstate, type WorkflowEstate } from "../support/workflow-estate.js";
import { type JobOutcome, runJob } from "../support/workflow-run.js";

const ENVIRONMENT = "staging";
const IMAGE = "0123456789abcdef0123456789abcdef01234567";
const ENDPOINT = "https://events.example.test/integration";
const JWT_SECRET = "a-secret-for-tests-that-is-long-enough";
const SIZE = "scaling.workers.max";

let sandbox: TerraformSandbox;
let estate: WorkflowEstate;
let database: TestDatabase;
let runtime: ChildProcess;
let url: string;
let token: string;
let changes: string;
let sound: Estate;
/** An alarm with a number, by its key in the estate and by Terraform's address. */
let alarm: { readonly key: string; readonly address: string; readonly threshold: number };

describe.runIf(terraformPlatform !== null)("terraform: drift", () => {
  beforeAll(async () => {
    sandbox = await openTerraformSandbox({ image_tag: IMAGE, alarm_endpoint: ENDPOINT });
    const variables = { TF_VAR_image_tag: IMAGE, TF_VAR_alarm_endpoint: ENDPOINT };
    estate = openWorkflowEstate(sandbox, variables);
    changes = join(estate.scratch, "changes.json");
    writeFileSync(changes, "[]");
    database = await createTestDatabase();
    [runtime, url] = await startRuntime();
    const asked = { subject: "look", role: "viewer", purpose: "drift", ttlMs: HOUR_MS } as const;
    token = await signToken({ ...asked, now: systemClock.now() }, [JWT_SECRET]);
    const stacks = await orderedDocuments(await repositoryPolicy(ENVIRONMENT));
    for (const stack of stacks) await applyFirst(sandbox, estate, stack);
    alarm = findAlarm(stacks);
    sound = await sandbox.readEstate();
  });
  afterEach(async () => {
    writeFileSync(changes, "[]");
    if (sound !== undefined) await sandbox.editEstate((now) => Object.assign(now, sound));
  });
  afterAll(async () => {
    if (runtime !== undefined) await stopRuntime();
    await database?.drop();
    estate?.remove();
    await sandbox?.remove();
  });

  test("terraform: where nothing differs there is nothing to put back", () => {
    const looked = look();
    expect(looked.failedAt, looked.log).toBeNull();
    expect(looked.outputs[ENVIRONMENT]).toBe("false");
    expect(told(`drift-${ENVIRONMENT}`)).toMatchObject({ state: "clean" });
  });

  test("terraform: a number that somebody has changed is put back, and the second look is clean", async () => {
    await loosen();
    const looked = look();
    expect(looked.failedAt, looked.log).toBe("Drift");
    expect(looked.outputs[ENVIRONMENT], looked.log).toBe("true");
    expect(told(`drift-${ENVIRONMENT}`)).toMatchObject({
      ...{ state: "drifted", text: expect.stringMatching(/heal: An alarm that was loosened/) },
    });
    const kept = readdirSync(join(artifact("heals"), "observability")).sort();
    expect(kept).toEqual([".terraform.lock.hcl", "plan.bin", "plan.seal.json"]);

    const healed = heal();
    expect(healed.failedAt, healed.log).toBeNull();
    expect(healed.log).toContain(`observability: put back: ${alarm.address}`);
    expect(await thresholdNow()).toBe(alarm.threshold);
    expect(told(`drift-${ENVIRONMENT}-again`)).toMatchObject({ state: "clean" });
    // Cut off and started again it does the same: the state is what it was, and so is the value that is put back.
    const again = heal();
    expect(again.failedAt, again.log).toBeNull();
    expect(await thresholdNow()).toBe(alarm.threshold);
  });

  test("terraform: what is gone is told, and never made by itself", async () => {
    await sandbox.editEstate(({ resources }) => {
      delete resources[alarm.key];
    });
    const looked = look();
    expect(looked.failedAt).toBe("Drift");
    expect(looked.outputs[ENVIRONMENT]).toBe("false");
    expect(existsSync(artifact("heals"))).toBe(false);
    expect(told(`drift-${ENVIRONMENT}`).text).toMatch(
      /alarm-AR-01 \| gone \|.*\| report: no class/,
    );
  });

  test("terraform: what somebody stands for until an end is left alone, by the look and by the last one", async () => {
    await loosen();
    writeFileSync(changes, JSON.stringify([standing()]));
    const looked = look();
    expect(looked.failedAt, looked.log).toBeNull();
    expect(looked.outputs[ENVIRONMENT]).toBe("false");
    const { state, text } = told(`drift-${ENVIRONMENT}`);
    expect(state).toBe("only-known");
    expect(text).toContain("ann until 2099-01-01 00:00");

    // Nobody did when it was sealed, and somebody does now.
    writeFileSync(changes, "[]");
    expect(look().outputs[ENVIRONMENT]).toBe("true");
    writeFileSync(changes, JSON.stringify([standing()]));
    const healed = heal();
    expect(healed.failedAt).toBe("Heal");
    expect(healed.log).toContain("somebody stands for it");
    expect(await thresholdNow()).toBe(alarm.threshold + 1);
  });

  test("terraform: a size that somebody has set is one pull request, which the issue names", async () => {
    const most = await scale(1);
    const looked = look();
    expect(looked.failedAt, looked.log).toBe("Drift");
    const [pull] = await openPulls();
    expect(pull?.title).toBe(`policy: ${SIZE} = ${most} (${ENVIRONMENT})`);
    const { state, text } = told(`drift-${ENVIRONMENT}`);
    expect(state).toBe("drifted");
    expect(text).toContain(`${SIZE} = ${most}: #${pull?.number}`);
    expect(text).not.toContain("algobrain policy change");
  });

  test("terraform: a look that a provider fails closes no pull request, though it finds no such size", async () => {
    await scale(1);
    look();
    const open = await openPulls();
    expect(open).toHaveLength(1);
    await sandbox.editEstate((now) => {
      Object.assign(now, structuredClone(sound));
      now.failing.push(Object.keys(now.resources).find((key) => key.startsWith("aws_vpc/"))!);
    });
    expect(look().failedAt).toBe("Plan");
    expect(await openPulls()).toEqual(open);
  });

  test("terraform: the pull request of a size is closed, with its reason, once another runs or none", async () => {
    await scale(1);
    look();
    const [first] = await openPulls();
    const most = await scale(2);
    look();
    const [second, ...others] = await openPulls();
    expect(second?.title).toContain(`${SIZE} = ${most}`);
    expect(others).toEqual([]);
    await sandbox.editEstate((now) => Object.assign(now, structuredClone(sound)));
    const clean = look();
    expect(clean.failedAt, clean.log).toBeNull();
    expect(await openPulls()).toEqual([]);
    const { comments } = await onGitHub();
    const said = (number: number | undefined) =>
      comments.filter(({ pull }) => pull === number).map(({ body }) => body);
    expect(said(first?.number)).toEqual([expect.stringContaining(`runs with ${most} by now`)]);
    expect(said(second?.number)).toEqual([expect.stringContaining("as the policies say again")]);
  }, 360_000);

  test("terraform: a look that a provider fails is not clean, and puts nothing back", async () => {
    await loosen();
    await sandbox.editEstate(({ failing, resources }) => {
      failing.push(Object.keys(resources).find((key) => key.startsWith("aws_vpc/"))!);
    });
    const looked = look();
    expect(looked.failedAt).toBe("Plan");
    expect(looked.outputs[ENVIRONMENT]).toBe("false");
    expect(told(`drift-${ENVIRONMENT}`)).toMatchObject({
      ...{ state: "failed", text: expect.stringContaining("not every stack could be looked at") },
    });
  });
});

function look(): JobOutcome {
  rmSync(join(estate.scratch, "artifacts"), { recursive: true, force: true });
  const matrix = { environment: ENVIRONMENT, role: "plan", url };
  // Which environment's token it is, is GitHub's to choose.
  const env = { ...estate.world.env, TOKEN: token };
  return runJob({ ...estate.world, env }, "drift.yml", "look", { matrix });
}

function heal(): JobOutcome {
  return runJob(estate.world, "drift-heal.yml", "heal", {
    ...{ inputs: { environment: ENVIRONMENT }, vars: { ALGOBRAIN_URL: url } },
    secrets: { "alarm-endpoint": ENDPOINT, "drift-token": token },
  });
}

function artifact(kind: string): string {
  return join(estate.scratch, "artifacts", `${kind}-${ENVIRONMENT}`);
}

function told(name: string): { readonly state: string; readonly text: string } {
  const place = join(estate.scratch, "artifacts", name);
  return {
    state: readFileSync(join(place, `drift-${ENVIRONMENT}.state`), "utf8").trim(),
    text: readFileSync(join(place, `drift-${ENVIRONMENT}.md`), "utf8"),
  };
}

/** As a person with the console would. */
async function loosen(): Promise<void> {
  await sandbox.editEstate(({ resources }) => {
    Object.assign(resources[alarm.key]!, { threshold: alarm.threshold + 1 });
  });
}

/** By so many more than the policies say; the number that runs then. */
async function scale(more: number): Promise<number> {
  const key = workersKey(sound.resources);
  const most = Number(sound.resources[key]?.max_capacity) + more;
  await sandbox.editEstate((now) => {
    Object.assign(now, structuredClone(sound));
    Object.assign(now.resources[key]!, { max_capacity: most });
  });
  return most;
}

function workersKey(resources: Estate["resources"]): string {
  const found = Object.entries(resources).find(
    ([key, { resource_id: id }]) =>
      key.startsWith("aws_appautoscaling_target/") && String(id).includes("workers"),
  );
  if (found === undefined) throw new Error("the estate has no workers that scale");
  return found[0];
}

async function thresholdNow(): Promise<number> {
  // Terraform writes a number with a fraction as text.
  return Number((await sandbox.readEstate()).resources[alarm.key]?.threshold);
}

function standing(): JsonObject {
  return {
    ...{ environment: ENVIRONMENT, target: alarm.address, attribute: "threshold", owner: "ann" },
    ...{ reason: "INC-7", expires_at: "2099-01-01T00:00:00Z" },
  };
}

function findAlarm(stacks: readonly OrderedDocument[]): typeof alarm {
  const type = "aws_cloudwatch_metric_alarm";
  const { document } = stacks.find(({ part }) => part === "observability")!;
  const resources = isJsonObject(document.resource) ? document.resource[type] : {};
  for (const [name, one] of Object.entries(isJsonObject(resources) ? resources : {}))
    if (isJsonObject(one) && typeof one.threshold === "number")
      return {
        ...{ key: `${type}/${String(one.alarm_name)}`, address: `${type}.${name}` },
        threshold: one.threshold,
      };
  throw new Error("no alarm has a threshold");
}

/** The API of a real runtime with its database, and a stand-in of GitHub behind it; with its address. */
async function startRuntime(): Promise<[ChildProcess, string]> {
  const program = join(import.meta.dirname, "..", "support", "drift-runtime-process.ts");
  const words = ["--import", "tsx", program, database.url, changes, JWT_SECRET];
  const child = spawn(process.execPath, words, { stdio: ["ignore", "pipe", "inherit"] });
  const [port] = await once(child.stdout, "data");
  return [child, `http://127.0.0.1:${String(port).trim()}`];
}

async function stopRuntime(): Promise<void> {
  const ended = once(runtime, "exit");
  runtime.kill();
  await ended;
}

interface OnGitHub {
  readonly pulls: readonly {
    readonly number: number;
    readonly title: string;
    readonly state: string;
  }[];
  readonly comments: readonly { readonly pull: number; readonly body: string }[];
}

async function onGitHub(): Promise<OnGitHub> {
  // Of its own: while a workflow blocks this process, the other side closes connections that wait.
  const answer = await fetch(`${url}/github`, { headers: { connection: "close" } });
  return (await answer.json()) as OnGitHub;
}

async function openPulls(): Promise<OnGitHub["pulls"]> {
  return (await onGitHub()).pulls.filter(({ state }) => state === "open");
}
