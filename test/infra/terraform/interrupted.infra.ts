/** What an apply leaves that was killed, cancelled or cut off from its store; and the way back to one that does its work. */
import { existsSync, statSync } from "node:fs";
import { readdir, rm, writeFile } from "node:fs/promises";
import { createServer, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { APPLY_LOG } from "../../../src/adapter/apply-log.js";
import { isJsonObject, type JsonObject } from "../../../src/base/json.js";
import {
  type ApplyGround,
  openApplyGround,
  type RunningApply,
  untilGone,
} from "../../support/interrupted-apply.js";
import { findMoto, type Moto, startMoto } from "../../support/moto.js";
import {
  type Estate,
  openTerraformSandbox,
  type TerraformSandbox,
  terraformPlatform,
} from "../../support/terraform.js";
import { until } from "../../support/until.js";

const GATEWAY = "aws_internet_gateway";
const ALIAS = "aws_kms_alias";
const GONE = ["--gone", "run 123 was cancelled, and its job has ended"];
const program = terraformPlatform === null ? null : findMoto();

let moto: Moto;
let sandbox: TerraformSandbox;
let ground: ApplyGround;

describe.runIf(program !== null)("terraform: an apply that is cut off, its state in moto", () => {
  beforeAll(async () => {
    moto = await startMoto(program!);
  });
  afterAll(() => moto?.close());
  beforeEach(async () => {
    await moto.reset();
    sandbox = await openTerraformSandbox();
    ground = await openApplyGround(sandbox, moto);
    ground.seal();
  });
  afterEach(async () => {
    await sandbox?.stopAt({});
    ground?.remove();
    await sandbox?.remove();
  });

  test("Terraform killed after AWS has made it: lock and orphan are told, and nothing is made twice", async () => {
    const running = await applyUntil(GATEWAY, "after");
    process.kill(running.terraform(), "SIGKILL");
    const { code, text } = await running.ended;
    expect(code).toBe(1);
    expect(text).toContain("was killed");
    expect(text).toMatch(/aws_internet_gateway\.[\w-]+ was begun, and may have been made: \{/);
    expect(text).toMatch(/the state is locked by \S+@\S+ \(apply\) since \S+Z, .*: lock [\w-]{36}/);
    expect(text).toContain("algobrain infra unlock --env staging --stack network --lock");

    expect(ground.infra("apply", "--dir", ground.folder).text).toContain("was cut off here");
    const lock = lockOf(text);
    expect(ground.infra("unlock", "--lock", lock).text).toContain("may be alive until");
    const other = ground.infra("unlock", "--lock", lock.replace(/^./, "x"), ...GONE);
    expect(other.text).toContain("somebody else holds it now");
    const freed = ground.infra("unlock", "--lock", lock, ...GONE);
    expect(freed, freed.text).toMatchObject({ code: 0 });
    expect(ground.infra("unlock").text).toContain("nobody holds the lock");

    const refused = ground.infra("plan");
    expect(refused.code).toBe(1);
    expect(refused.text).toContain("infra adopt --env ENVIRONMENT --estate FILE");
    await adopt(refused.text, text);
    await converge();
    expect(await countOf(GATEWAY)).toBe(1);
  });

  test("killed before anything was stored, and its machine is gone: the sealed plan is refused after the lock is freed", async () => {
    const running = await applyUntil("aws_vpc", "before");
    await killAll(running);
    await forgetMachine();
    const lock = lockOf(ground.infra("unlock").text);
    expect(ground.infra("unlock", "--lock", lock, ...GONE).code).toBe(0);
    await sandbox.stopAt({});
    const stale = ground.infra("apply", "--dir", ground.folder);
    expect(stale.code).toBe(1);
    expect(stale.text).toMatch(/stateSerial: found 1, and it was sealed to 0/);
    expect(stale.text).toContain("plan again");
    await converge();
    expect(await countOf("aws_vpc")).toBe(1);
  });

  test("two machines lost in a row: what exists already is named with the way to adopt it, and is not made again", async () => {
    for (const round of [1, 2]) {
      const running = await applyUntil(round === 1 ? ALIAS : GATEWAY, "after");
      await killAll(running);
      await forgetMachine();
      await free();
      await sandbox.stopAt({});
      if (round === 1) ground.seal();
    }
    const estate = JSON.stringify(await sandbox.readEstate());
    ground.seal();
    const failed = ground.infra("apply", "--dir", ground.folder);
    expect(failed.code).toBe(1);
    expect(failed.text).toMatch(
      /aws_kms_alias\.[\w-]+ is there and not in the state: .* adopt it: algobrain infra adopt --env staging/,
    );
    expect(estate).toContain(ALIAS);
    expect(await countOf(ALIAS)).toBe(1);
  });

  test("an answer that was lost: told as begun, found by its name, adopted", async () => {
    await sandbox.stopAt({ [ALIAS]: "lost" });
    const failed = ground.infra("apply", "--dir", ground.folder);
    expect(failed.code).toBe(1);
    expect(failed.text).toContain("making aws_kms_alias: connection reset");
    await sandbox.stopAt({});
    const refused = ground.infra("plan");
    expect(refused.text).toMatch(/aws_kms_alias\.[\w-]+ was begun, and may have been made/);
    await adopt(refused.text, failed.text);
    await converge();
    expect(await countOf(ALIAS)).toBe(1);
  });

  test("our own process killed: Terraform goes on to its end, stores its state and frees the lock", async () => {
    const running = await applyUntil(GATEWAY, "after");
    running.process.kill("SIGKILL");
    await running.ended;
    const busy = ground.infra("unlock", "--lock", lockOf(ground.infra("unlock").text), ...GONE);
    expect(busy.text).toContain("terraform is at work on it on this machine");
    await sandbox.stopAt({});
    await untilGone(ground);
    expect(ground.infra("unlock").text).toContain("nobody holds the lock");
    const again = ground.infra("plan");
    expect(again, again.text).toMatchObject({ code: 0 });
    expect(again.text).toMatch(/network\s+none/);
  });

  test("a cancelled workflow (INT, then TERM): what was begun is finished and stored, and the rest is planned again", async () => {
    const running = await applyUntil(GATEWAY, "after");
    const terraform = running.terraform();
    running.process.kill("SIGINT");
    running.process.kill("SIGTERM");
    await until(() => told(running, "terraform ends what it has begun"), "it says that it ends");
    expect(running.terraform()).toBe(terraform);
    await sandbox.stopAt({});
    const { code, text } = await running.ended;
    expect(code).toBe(1);
    expect(text).not.toContain("is locked by");
    expect(text).not.toContain("may have been made");
    expect(await countOf(GATEWAY)).toBe(1);
    expect(ground.infra("apply", "--dir", ground.folder).code).toBe(1);
    await converge();
    expect(await countOf(GATEWAY)).toBe(1);
  });

  test("the provider killed: the lock is free, and what it was making is told", async () => {
    const running = await applyUntil(GATEWAY, "after");
    process.kill(running.provider(), "SIGKILL");
    const { code, text } = await running.ended;
    expect(code).toBe(1);
    expect(text).toMatch(/aws_internet_gateway\.[\w-]+ was begun, and may have been made/);
    expect(text).not.toContain("is locked by");
    await sandbox.stopAt({});
    await adopt(ground.infra("plan").text, text);
    await converge();
    expect(await countOf(GATEWAY)).toBe(1);
  });

  test("a state that cannot be stored is closed to others, and brought there as soon as it can be", async () => {
    const errored = join(ground.folder, "errored.tfstate");
    const modes: number[] = [];
    const line = await openRefusing(() => {
      if (existsSync(errored)) modes.push(statSync(errored).mode & 0o777);
      // Terraform's own try is refused, and the first of ours, which comes at once.
      return modes.length < 2;
    });
    const running = ground.startApply({ AWS_ENDPOINT_URL: line.url });
    const { text } = await running.ended;
    await line.close();
    expect(modes).toEqual([0o600, 0o600]);
    expect(text).toContain("terraform could not store its state; it is stored now");
    expect(existsSync(errored)).toBe(false);
    const again = ground.infra("plan");
    expect(again.text).toMatch(/network\s+none/);
  });
});

async function applyUntil(type: string, where: "before" | "after"): Promise<RunningApply> {
  await sandbox.stopAt({ [type]: where });
  const running = ground.startApply();
  let early = "";
  void running.ended.then(({ text }) => {
    early = `it ended: ${text}`;
  });
  await until(async () => {
    if (early !== "") throw new Error(early);
    return (await sandbox.stopped()).includes(type);
  }, `${type} is being made`);
  return running;
}

/** As a machine that is switched off. */
async function killAll(running: RunningApply): Promise<void> {
  const terraform = running.terraform();
  running.process.kill("SIGKILL");
  process.kill(terraform, "SIGKILL");
  await running.ended;
  await untilGone(ground);
}

/** The next job begins on another machine, with what the plan job has left. */
async function forgetMachine(): Promise<void> {
  const logs = (await readdir(ground.folder)).filter((name) => APPLY_LOG.test(name));
  expect(logs).toHaveLength(1);
  for (const log of logs) await rm(join(ground.folder, log));
}

async function free(): Promise<void> {
  const lock = lockOf(ground.infra("unlock").text);
  const { code, text } = ground.infra("unlock", "--lock", lock, ...GONE);
  expect(code, text).toBe(0);
}

function lockOf(text: string): string {
  const [, lock] = /: lock ([\w-]{36})/.exec(text) ?? [];
  if (lock === undefined) throw new Error(`no lock is named in: ${text}`);
  return lock;
}

/**
 * As a person does it with the rows that were told: ids that are not known are looked up in the account, and what is not
 * there is left out. `known`: the words of the apply, with the ids of what was made and stored.
 */
async function adopt(text: string, known: string): Promise<void> {
  const told = [...text.matchAll(/made[^{]*: (\{"type".*\})$/gm)].map(([, row]) =>
    JSON.parse(row!),
  );
  expect(told.length).toBeGreaterThan(0);
  const { resources } = await sandbox.readEstate();
  const rows = told.flatMap((row) => {
    const id = row.id === "LOOK IT UP" ? lookUp(resources, row, known) : row.id;
    return id === undefined ? [] : [{ ...row, id }];
  });
  const list = join(ground.folder, "..", "estate.json");
  await writeFile(list, JSON.stringify({ resources: rows }));
  const { code, text: said } = ground.adopt(list);
  expect(code, said).toBe(0);
}

function lookUp(
  resources: Estate["resources"],
  row: { readonly type: string; readonly name?: string },
  known: string,
): string | undefined {
  const ids = Object.keys(resources)
    .filter((key) => key.startsWith(`${row.type}/`))
    .map((key) => key.slice(row.type.length + 1))
    .filter((id) => !known.includes(`create done (${id})`));
  const named = ids.filter((id) => nameOf(resources[`${row.type}/${id}`]) === row.name);
  return ids.length > 1 ? named[0] : ids[0];
}

function nameOf(state: JsonObject | undefined): unknown {
  return isJsonObject(state?.tags) ? state.tags.Name : undefined;
}

/** A new plan, reviewed and sealed, is applied; and then there is nothing to do. */
async function converge(): Promise<void> {
  await sandbox.stopAt({});
  ground.seal();
  const applied = ground.infra("apply", "--dir", ground.folder);
  expect(applied, applied.text).toMatchObject({ code: 0 });
  expect(ground.infra("plan").text).toMatch(/network\s+none/);
}

async function countOf(type: string): Promise<number> {
  const { resources } = await sandbox.readEstate();
  return Object.keys(resources).filter((key) => key.startsWith(`${type}/`)).length;
}

function told(running: RunningApply, sentence: string): boolean {
  return running.said().includes(sentence);
}

/** moto behind a door that refuses to store states as long as it is told to. */
async function openRefusing(refuses: () => boolean) {
  const server: Server = createServer((asked, answer) => {
    const isState = asked.method === "PUT" && asked.url?.split("?")[0]?.endsWith(".tfstate");
    if (isState && refuses()) {
      answer.writeHead(403, { "content-type": "application/xml" });
      answer.end("<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>");
      asked.resume();
      return;
    }
    const { method, headers } = asked;
    const on = request(`${moto.url}${asked.url}`, { method, headers }, (said) => {
      answer.writeHead(said.statusCode ?? 500, said.headers);
      said.pipe(answer);
    });
    on.on("error", () => answer.destroy());
    asked.pipe(on);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    close: () => new Promise<void>((resolve) => server.close(() => resolve())),
  };
}
