/** What `runbook run` asks at a terminal, with answers that were made up, and through a real one. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { askParameters } from "../../src/cli/ask-parameters.js";
import { defineRunbook, Type } from "../../src/runbook/define.js";
import { findProgram } from "../support/redis-server.js";
import { until } from "../support/until.js";
import { makeTerminal } from "./made-terminal.js";
import { BIN, cli, ROOT } from "./support.js";

const NOBODY = { DATABASE_URL: "postgresql://ann@127.0.0.1:1/none" };

function run(line: string, ...answers: string[]) {
  const made = makeTerminal(...answers);
  const words = ["runbook", "run", ...line.split(" ")];
  return cli(words, { env: NOBODY, terminal: made.terminal }).then((it) => ({ ...it, ...made }));
}

describe("answers", () => {
  test("what is needed is asked for in turn, what holds without is not", async () => {
    const { said, err, code, conversations } = await run("cancel-job", "job-7", "it is stuck");
    expect(said).toEqual([
      "cancel-job: Cancels a job; a running one is stopped",
      "a job id such as job-123",
      "job: ",
      "why, in 3 to 500 characters",
      "reason: ",
    ]);
    expect(conversations).toEqual({ open: 1, closed: 1 });
    // It went on to ask for the run.
    expect(err).toContain("the database at 127.0.0.1:1 does not answer");
    expect(code).toBe(1);
  });

  test("one that is refused is asked for again, with the reason of the schema", async () => {
    const { said } = await run("cancel-job job-7", "no", "it is stuck");
    expect(said.slice(2)).toEqual([
      "reason: ",
      '"reason": found "no", expected why, in 3 to 500 characters',
      "reason: ",
    ]);
  });

  test("after five that are refused it gives up, and nothing is run", async () => {
    const { said, code, err } = await run("cancel-job job-7", "a", "b", "", "d", "e", "it is fine");
    expect(said.filter((line) => line === "reason: ")).toHaveLength(5);
    expect(code).toBe(2);
    expect(err).toContain('runbook: nothing was run: "reason": found "e", expected why');
  });

  test("choices are offered for completion", async () => {
    const { offered } = await run("resume-queue", "index");
    expect(offered[0]).toEqual(expect.arrayContaining(["index", "all"]));
  });

  test("whoever ends the questions is told that nothing was run", async () => {
    const { code, out, err, conversations } = await run("cancel-job", "job-7");
    expect({ code, out }).toEqual({ code: 130, out: "" });
    expect(err).toBe(
      "runbook: nothing was run: you ended the questions before the last was answered\n",
    );
    expect(conversations).toEqual({ open: 1, closed: 1 });
  });

  test.each([
    ["cancel-job --json", "nothing else may stand in the output"],
    ["cancel-job seven", "what was typed is wrong, and that is told first"],
    ["cancel-job --jbo 7", "so is a name that it does not know"],
    ["queue-depth", "nothing is missing"],
    ["rerun-job job-7", "all that is missing has a default"],
  ])("%s asks nothing: %s", async (line) => {
    const { said, conversations } = await run(line, "job-7", "it is stuck");
    expect(said).toEqual([]);
    expect(conversations.open).toBe(0);
  });

  test("where nobody sits, the error names what is missing", async () => {
    const { code, err } = await cli(["runbook", "run", "cancel-job"], { env: NOBODY });
    expect(code).toBe(2);
    expect(err).toContain('cancel-job needs "job": a job id such as job-123');
    expect(err).toContain('cancel-job needs "reason": why, in 3 to 500 characters');
  });

  test("a secret is never asked for: it would be seen, and stand in the record", async () => {
    const runbook = defineRunbook({
      name: "log-in",
      title: "for this test",
      danger: "V",
      params: Type.Object({ password: Type.String() }),
      timeoutMs: 1_000,
      plan: async () => ({ text: "", changes: [] }),
      steps: [],
    });
    const { terminal, conversations, offered } = makeTerminal("hunter2");
    const typed = { params: {}, dryRun: false, drill: false, reason: undefined };
    await expect(askParameters(runbook, typed, terminal)).rejects.toThrow(
      "log-in asks for no secret, and password looks like one",
    );
    expect(offered).toEqual([]);
    expect(conversations).toEqual({ open: 1, closed: 1 });
  });
});

/** Gives a program a terminal of its own, and its exit code is the program's (util-linux). */
const scriptProgram = process.platform === "linux" ? findProgram("script") : null;

describe.skipIf(scriptProgram === null)("script: a real terminal", () => {
  let connections = 0;
  const server = createServer((socket) => {
    connections++;
    socket.destroy();
  });
  beforeAll(async () => {
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
  });
  afterAll(() => server.close());

  function start(env: Record<string, string> = {}) {
    const { port } = server.address() as AddressInfo;
    const line = `'${process.execPath}' '${BIN}' runbook run cancel-job`;
    const child = spawn(scriptProgram!, ["-qfec", line, "/dev/null"], {
      cwd: ROOT,
      env: {
        ...{ PATH: process.env.PATH, HOME: process.env.HOME, TERM: "xterm", SHELL: "/bin/sh" },
        ...{ DATABASE_URL: `postgresql://ann@127.0.0.1:${port}/none`, ...env },
      },
    });
    let shown = "";
    child.stdout.on("data", (chunk: Buffer) => {
      shown += chunk.toString("utf8");
    });
    const ended = once(child, "close").then(([code]) => code as number | null);
    return { child, ended, screen: () => shown };
  }

  const sees = (it: { screen(): string }, text: string) =>
    until(() => it.screen().includes(text), `the screen shows ${text}`);
  const press = (child: ChildProcess, keys: string) => child.stdin!.write(keys);

  test.concurrent.each([
    ["Ctrl-C", "\x03"],
    ["Ctrl-D", "\x04"],
  ])("%s ends it with 130, and the server hears nothing", async (_name, key) => {
    const before = connections;
    const it = start();
    await sees(it, "job: ");
    press(it.child, `seven\r`);
    await sees(it, '"job": found "seven", expected a job id such as job-123');
    press(it.child, key);
    expect(await it.ended).toBe(130);
    expect(it.screen()).toContain("nothing was run: you ended the questions");
    expect(connections).toBe(before);
  });

  test("answers that are typed ahead answer the next question; then the run is asked for", async () => {
    const it = start();
    await sees(it, "job: ");
    press(it.child, "job-7\rit is stuck\r");
    expect(await it.ended).toBe(1);
    expect(it.screen()).toMatch(/reason: .*the database at 127\.0\.0\.1:\d+ does not answer/s);
    expect(connections).toBeGreaterThan(0);
  });

  test("a machine that builds is asked nothing", async () => {
    const it = start({ CI: "true" });
    expect(await it.ended).toBe(2);
    expect(it.screen()).toContain('cancel-job needs "job"');
  });
});
