/** Processes of a run: begun only when they are on record, ended also where they left their group. */
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createShell } from "../../src/adapter/shell.js";
import type { ProcessGroupRef, ShellOptions } from "../../src/runbook/port.js";
import { isGone, processKey } from "../../src/runtime/process-key.js";
import { until } from "../support/until.js";

const shell = createShell({ redact: (text) => text, keyOf: processKey });
const options = (more: Partial<ShellOptions> = {}): ShellOptions => ({
  signal: new AbortController().signal,
  timeoutMs: 20_000,
  graceMs: 200,
  ...more,
});
/** By then a program has begun and left its daemon, also on a busy machine. */
const BEGUN_MS = 2_000;
const sh = (script: string, ...words: string[]) => ["sh", "-c", script, "sh", ...words];
/** Leaves the session and the group, forgets its parent, and says its number. */
const DAEMON = 'setsid sh -c \'trap "" TERM; echo $$ > "$1/daemon"; sleep 300\' sh "$1" &';
const AWAIT_DAEMON = 'while ! [ -s "$1/daemon" ]; do sleep 0.02; done;';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "shell-"));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function readPid(name: string): Promise<number> {
  const path = join(folder, name);
  return until(
    async () => existsSync(path) && Number(await readFile(path, "utf8")),
    `pid in ${name}`,
  );
}

/** A zombie that nobody has buried is as dead as it gets. */
async function isAlive(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  return stat !== "" && !/\) [ZX] /.test(stat);
}

describe("the start of a program", () => {
  test("is on record before the program begins, under the number and key it keeps", async () => {
    const seen: { group: ProcessGroupRef; hadBegun: boolean }[] = [];
    const result = await shell.run(
      sh('touch "$1/begun"; echo $$', folder),
      options({
        onStarted: async (group) => {
          expect(processKey(group.pgid)).toBe(group.processKey);
          seen.push({ group, hadBegun: existsSync(join(folder, "begun")) });
        },
      }),
    );
    expect(result).toMatchObject({ exitCode: 0, confirmedEmpty: true, strays: 0 });
    expect(seen).toMatchObject([{ hadBegun: false, group: { pgid: Number(result.stdout) } }]);
    expect(isGone(seen[0]!.group.processKey)).toBe(true);
  });

  test("that cannot be recorded never happens, and the reason is thrown", async () => {
    let pgid = 0;
    const attempt = shell.run(
      sh('touch "$1/begun"', folder),
      options({
        onStarted: async (group) => {
          pgid = group.pgid;
          throw new Error("the run was taken by another executor");
        },
      }),
    );
    await expect(attempt).rejects.toThrow("taken by another executor");
    expect(existsSync(join(folder, "begun"))).toBe(false);
    expect(await isAlive(pgid)).toBe(false);
  });

  test.each<[string, Partial<ShellOptions>, string]>([
    ["the deadline passes", { timeoutMs: 100 }, "timeout"],
    ["the run is stopped", {}, "abort"],
  ])("does not happen when %s while it is being recorded", async (_what, more, endedBy) => {
    const abort = new AbortController();
    let pid = 0;
    const result = await shell.run(
      sh('touch "$1/begun"', folder),
      options({
        ...more,
        signal: abort.signal,
        onStarted: async ({ pgid }) => {
          pid = pgid;
          if (endedBy === "abort") abort.abort();
          await until(async () => !(await isAlive(pid)), "what waits at the gate was ended");
        },
      }),
    );
    expect(result).toMatchObject({ endedBy, exitCode: null, confirmedEmpty: true });
    expect(existsSync(join(folder, "begun"))).toBe(false);
  });

  test("does not happen when its executor is killed between the start and the record", async () => {
    const script = join(folder, "executor.mjs");
    await writeFile(
      script,
      `import { createShell } from ${JSON.stringify(new URL("../../src/adapter/shell.ts", import.meta.url).href)};
       import { writeFileSync } from "node:fs";
       const shell = createShell({ redact: (text) => text });
       await shell.run(["touch", ${JSON.stringify(join(folder, "begun"))}], {
         signal: new AbortController().signal, timeoutMs: 20000,
         onStarted: ({ pgid }) => new Promise(() => writeFileSync(${JSON.stringify(join(folder, "pid"))}, String(pgid))),
       });`,
    );
    const abort = new AbortController();
    const executor = shell.run(
      [process.execPath, "--import", import.meta.resolve("tsx"), script],
      options({ signal: abort.signal, graceMs: 0 }),
    );
    const waiting = await readPid("pid");
    abort.abort();
    await executor;
    await until(async () => !(await isAlive(waiting)), "what waited at the gate has ended");
    expect(existsSync(join(folder, "begun"))).toBe(false);
  });

  test("lets input, output and the exit code through", async () => {
    const onStarted = async () => {};
    const result = await shell.run(
      sh("cat; echo why >&2; exit 3"),
      options({ onStarted, input: "given" }),
    );
    expect(result).toMatchObject({ exitCode: 3, stdout: "given\n", stderr: "why\n" });
    const lines: string[] = [];
    for await (const line of shell.lines(["seq", "3"], options({ onStarted }))) lines.push(line);
    expect(lines).toEqual(["1", "2", "3"]);
    expect(await shell.run(["no-such-program"], options({ onStarted }))).toMatchObject({
      exitCode: 127,
    });
  });

  test("leaves the program no pipe of ours", async () => {
    const listed = ["ls", "/proc/self/fd"];
    const plain = await shell.run(listed, options());
    const gated = await shell.run(listed, options({ onStarted: async () => {} }));
    expect(gated.stdout).toBe(plain.stdout);
  });
});

describe("who leaves the group", () => {
  test.each<[string, Partial<ShellOptions>, string]>([
    ["by a program that ends", {}, "exit 0"],
    ["by a program that is ended by its deadline", { timeoutMs: BEGUN_MS }, "sleep 300"],
  ])("is ended with it, though it traps TERM: left %s", async (_what, more, last) => {
    const result = await shell.run(
      sh(`${DAEMON} ${AWAIT_DAEMON} ${last}`, folder),
      options({ ...more, mark: "run-17/3" }),
    );
    expect(result).toMatchObject({ confirmedEmpty: true });
    expect(result.strays).toBeGreaterThan(0);
    expect(await isAlive(await readPid("daemon"))).toBe(false);
  });

  test("carries the mark, whatever environment the runbook asks for", async () => {
    const result = await shell.run(
      ["printenv", "ALGOBRAIN_RUN"],
      options({ mark: "run-17/3", env: { ALGOBRAIN_RUN: "forged" } }),
    );
    expect(result.stdout).toMatch(/^run-17\/3@[0-9a-f]{12}#[0-9a-f]{12}\n$/);
  });

  test("is not ended with another program of the same run", async () => {
    const abort = new AbortController();
    const other = shell.run(
      sh('echo $$ > "$1/other"; sleep 300', folder),
      options({ mark: "run-17/3", signal: abort.signal }),
    );
    const pid = await readPid("other");
    expect(await shell.run(["true"], options({ mark: "run-17/3" }))).toMatchObject({ strays: 0 });
    expect(await isAlive(pid)).toBe(true);
    abort.abort();
    await other;
  });
});
