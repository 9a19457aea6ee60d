/** The torture list for the shell: each is a way in which running a program has hurt somebody at 3 a.m. */
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createShell } from "../../src/adapter/shell.js";
import { createRedact } from "../../src/base/redact.js";
import type { ShellOptions } from "../../src/runbook/port.js";
import { isAlive } from "../support/service.js";
import { until } from "../support/until.js";

const SECRET = "s3cr3t-zażółć-token";
const shell = createShell({ redact: createRedact([SECRET]) });
const options = (more: Partial<ShellOptions> = {}): ShellOptions => ({
  signal: new AbortController().signal,
  timeoutMs: 20_000,
  graceMs: 200,
  ...more,
});
/** By then a program has begun and set its traps, also on a busy machine. */
const BEGUN_MS = 2_000;
const sh = (script: string, ...words: string[]) => ["sh", "-c", script, "sh", ...words];
const node = (script: string) => [process.execPath, "-e", script];

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

/** Both that stand behind /bin/sh somewhere: what quotes safely for one is an injection in the other. */
const SHELLS = ["/bin/dash", "/bin/bash"].filter((path) => existsSync(path));

describe.each(SHELLS)("arguments through %s", (path) => {
  const through = createShell({ redact: (text) => text, sh: path });
  test.each([
    ["blanks", "a b"],
    ["a substitution", "$(echo PWNED)"],
    ["backticks", "`echo PWNED`"],
    ["the quote that breaks zx under dash", "';echo PWNED;#"],
    ["a glob", "*"],
    ["a newline", "one\ntwo"],
    ["a backslash", "\\n"],
    ["nothing", ""],
    ["a leading dash", "-rf"],
    ["letters of other alphabets", "zażółć ✓ 漢字"],
  ])("an argument with %s arrives as it was given", async (_what, word) => {
    const result = await through.run(["printf", "%s", word], options());
    expect(result).toMatchObject({ exitCode: 0, endedBy: "exit" });
    expect(result.stdout).toBe(word === "" ? "" : `${word}\n`);
  });
});

describe("arguments", () => {
  test.each<[string, unknown[]]>([
    ["nothing at all", []],
    ["undefined", ["rm", undefined]],
    ["an object", ["rm", {}]],
    ["a NUL character", ["rm", "/data/\0x"]],
    ["an option in place of a program", ["-c", "x"]],
    ["more than fits", ["echo", "x".repeat(200_000)]],
  ])("a command with %s is refused before anything starts", async (_what, argv) => {
    const attempt = shell.run(argv as string[], options());
    await expect(attempt).rejects.toMatchObject({ kind: "data", code: "SHELL_ARGUMENT_INVALID" });
  });

  test.each<[string, string[], string[]]>([
    ["is an option", ["rm", "-rf"], ["-rf"]],
    ["begins an argument", ["tar", "--to-command=sh -c x"], ["--to-command="]],
    ["is a lone dash", ["cat", "-"], ["-"]],
    ["ends the options itself", ["rm", "--", "-rf"], ["--", "-rf"]],
    ["stands before the end of the options", ["rm", "-rf", "--", "x"], ["-rf"]],
  ])("a parameter that %s is refused without -- before it", async (_what, argv, untrusted) => {
    const attempt = shell.run(argv, options({ untrusted }));
    await expect(attempt).rejects.toMatchObject({ code: "SHELL_ARGUMENT_INVALID" });
    await expect(attempt).rejects.toThrow(/would take for an option/);
  });

  test.each<[string, string[], string[]]>([
    ["behind --", ["printf", "%s", "--", "-rf"], ["-rf"]],
    ["that is -- itself, behind the runbook's own", ["printf", "%s", "--", "--"], ["--"]],
    ["that is no argument at all", ["printf", "%s", "x"], ["-rf", "-"]],
    ["within an argument", ["printf", "%s", "file=-rf"], ["-rf"]],
  ])("a parameter %s goes through", async (_what, argv, untrusted) => {
    expect(await shell.run(argv, options({ untrusted }))).toMatchObject({ exitCode: 0 });
  });

  test("a missing folder, a bad variable and zx's own variables are refused by name", async () => {
    const wrong: Partial<ShellOptions>[] = [
      { cwd: "/does/not/exist" },
      { env: { "A B": "x" } },
      { env: { ZX_PREFIX: "x" } },
    ];
    for (const bad of wrong)
      await expect(shell.run(["true"], options(bad))).rejects.toMatchObject({
        code: "SHELL_ARGUMENT_INVALID",
      });
  });

  test("a missing program is exit code 127 and not an exception", async () => {
    const result = await shell.run(["no-such-program-anywhere"], options());
    expect(result).toMatchObject({ exitCode: 127, endedBy: "exit" });
  });
});

describe("environment and input", () => {
  test("nothing of our environment is inherited, and what is given is there", async () => {
    process.env.ALGOBRAIN_LEAK = "leaked";
    const result = await shell.run(["env"], options({ env: { GIVEN: "yes" } }));
    delete process.env.ALGOBRAIN_LEAK;
    const names = result.stdout
      .trim()
      .split("\n")
      .map((line) => line.split("=")[0]);
    expect(names.filter((name) => !["_", "PWD", "OLDPWD"].includes(name ?? "")).sort()).toEqual([
      "GIVEN",
      "HOME",
      "LANG",
      "PATH",
      "SHLVL",
    ]);
  });

  test("ZX_* variables of our own process change nothing", async () => {
    const script = join(folder, "hijack.mjs");
    await writeFile(
      script,
      `import { createShell } from ${JSON.stringify(new URL("../../src/adapter/shell.ts", import.meta.url).href)};
       const shell = createShell({ redact: (text) => text });
       const result = await shell.run(["echo", "clean"], { signal: new AbortController().signal, timeoutMs: 5000 });
       process.stdout.write(JSON.stringify(result.stdout));`,
    );
    const hijacked = await shell.run(
      sh(
        'ZX_PREFIX="echo HIJACK;" ZX_SHELL=/bin/false ZX_TIMEOUT=1ms ZX_VERBOSE=true exec "$@"',
        process.execPath,
        "--import",
        import.meta.resolve("tsx"),
        script,
      ),
      options(),
    );
    expect(hijacked.stdout).toBe('"clean\\n"\n');
  });

  test("a scrubbed environment does not read ~/.bashrc", async () => {
    await writeFile(join(folder, ".bashrc"), "echo FROM-BASHRC\n");
    const result = await shell.run(["bash", "-c", "echo done"], options({ env: { HOME: folder } }));
    expect(result.stdout).toBe("done\n");
  });

  test("a program that asks a question gets end of file, not a hang", async () => {
    const result = await shell.run(["cat"], options());
    expect(result).toMatchObject({ exitCode: 0, stdout: "" });
  });

  test("input is given whole, also when it is empty or larger than an argument could be", async () => {
    const large = `${"x".repeat(99)}\n`.repeat(5_000);
    expect((await shell.run(["wc", "-c"], options({ input: large }))).stdout.trim()).toBe("500000");
    expect((await shell.run(["wc", "-c"], options({ input: "" }))).stdout.trim()).toBe("0");
  });

  test("a program that exits without reading its input harms nobody", async () => {
    const result = await shell.run(["true"], options({ input: "x".repeat(1_000_000) }));
    expect(result.exitCode).toBe(0);
  });
});

describe("ending", () => {
  test("a program that traps TERM is killed after the grace, and the reason is the deadline", async () => {
    const result = await shell.run(
      sh('trap "" TERM; echo $$ > "$1/pid"; sleep 30 & wait; sleep 30', folder),
      options({ timeoutMs: BEGUN_MS }),
    );
    expect(result).toMatchObject({ endedBy: "timeout", signal: "SIGKILL" });
    expect(isAlive(await readPid("pid"))).toBe(false);
  });

  test("a program that traps TERM and exits with 0 was still ended by the deadline", async () => {
    const result = await shell.run(
      sh('trap "exit 0" TERM; while :; do sleep 0.05; done'),
      options({ timeoutMs: BEGUN_MS }),
    );
    expect(result).toMatchObject({ endedBy: "timeout", exitCode: 0 });
  });

  test("abort ends the children, too", async () => {
    const abort = new AbortController();
    const running = shell.run(
      sh('sleep 30 & echo $! > "$1/child"; wait', folder),
      options({ signal: abort.signal }),
    );
    const childPid = await readPid("child");
    abort.abort();
    expect(await running).toMatchObject({ endedBy: "abort" });
    await until(() => !isAlive(childPid), "the child is gone");
  });

  test("an aborted signal starts nothing, twenty times out of twenty", async () => {
    for (let i = 0; i < 20; i++) {
      const result = await shell.run(
        ["touch", join(folder, `touched-${i}`)],
        options({ signal: AbortSignal.abort() }),
      );
      expect(result).toMatchObject({ endedBy: "abort", exitCode: null });
    }
    expect(existsSync(join(folder, "touched-0"))).toBe(false);
    expect((await shell.run(["ls", folder], options())).stdout).toBe("");
  });

  test("what a program leaves running in its group ends with it", async () => {
    const result = await shell.run(
      sh('sleep 30 & echo $! > "$1/left"; echo started', folder),
      options(),
    );
    expect(result).toMatchObject({ exitCode: 0, stdout: "started\n" });
    await until(async () => !isAlive(await readPid("left")), "the leftover is gone");
    // Of the 30 s that it would take.
    expect(result.durationMs).toBeLessThan(15_000);
  });

  test("a daemon that left the group and holds the pipe does not hang the step", async () => {
    const result = await shell.run(
      sh(
        'setsid sh -c \'echo $$ > "$1/daemon"; sleep 30\' sh "$1" & while ! [ -s "$1/daemon" ]; do sleep 0.02; done; echo started',
        folder,
      ),
      options(),
    );
    expect(result).toMatchObject({ exitCode: 0, endedBy: "exit", stdout: "started\n" });
    // Of the 30 s that it would take.
    expect(result.durationMs).toBeLessThan(15_000);
    process.kill(-(await readPid("daemon")), "SIGKILL");
  });

  test("the deadline works where no ps is installed", async () => {
    const bare = createShell({ redact: (text) => text, path: folder });
    const result = await bare.run(["/bin/sleep", "30"], options({ timeoutMs: 100 }));
    expect(result).toMatchObject({ endedBy: "timeout", signal: "SIGTERM" });
  });
});

describe("output", () => {
  test("a letter and a secret split over chunks come out whole, and redacted", async () => {
    const script = `
      const bytes = Buffer.from("token ${SECRET} for zażółć\\n");
      (async () => { for (const byte of bytes) { process.stdout.write(Buffer.of(byte)); await new Promise(setImmediate); } })();`;
    const seen: string[] = [];
    const result = await shell.run(node(script), options({ onLine: (line) => seen.push(line) }));
    expect(result.stdout).toBe("token [redacted] for zażółć\n");
    expect(seen).toEqual(["token [redacted] for zażółć"]);
  });

  test("a secret on stderr and one in base64 are redacted, too", async () => {
    const encoded = Buffer.from(SECRET).toString("base64");
    const result = await shell.run(sh('echo "$1" >&2; echo "$2"', SECRET, encoded), options());
    expect(result.stderr).toBe("[redacted]\n");
    expect(result.stdout).not.toContain(encoded.replace(/=+$/, ""));
  });

  test("output over the limit is counted and dropped, and stderr has a limit of its own", async () => {
    const result = await shell.run(
      sh("yes 123456789 | head -n 1000; echo why >&2"),
      options({ outputMaxBytes: 1_000 }),
    );
    expect(Buffer.byteLength(result.stdout)).toBe(1_000);
    expect(result.droppedBytes).toBe(9_000);
    expect(result.stderr).toBe("why\n");
  });

  test("a line without end is cut, and the next line is whole", async () => {
    const result = await shell.run(
      sh('head -c 3000000 /dev/zero | tr "\\0" x; echo; echo next'),
      options(),
    );
    const [cut, next] = result.stdout.split("\n");
    expect(cut).toMatch(/^x+ …\[line cut\]$/);
    expect(next).toBe("next");
  });

  test("200 MB of output pass through lines() with flat memory", async () => {
    let count = 0;
    let peakBytes = 0;
    const startBytes = process.memoryUsage().rss;
    const line = "x".repeat(199);
    const flood = sh(`yes ${line} | head -n 1000000`);
    for await (const _ of shell.lines(flood, options({ timeoutMs: 55_000 }))) {
      count++;
      if (count % 50_000 === 0) peakBytes = Math.max(peakBytes, process.memoryUsage().rss);
    }
    expect(count).toBe(1_000_000);
    expect(peakBytes - startBytes).toBeLessThan(80 * 1024 * 1024);
  });

  test("200 MB of output pass through run() with flat memory", async () => {
    const startBytes = process.memoryUsage().rss;
    const flood = sh(`yes ${"x".repeat(199)} | head -n 1000000`);
    const result = await shell.run(flood, options({ timeoutMs: 55_000 }));
    expect(result.droppedBytes).toBeGreaterThan(190_000_000);
    expect(process.memoryUsage().rss - startBytes).toBeLessThan(80 * 1024 * 1024);
  });
});

describe("lines", () => {
  const collect = async (argv: string[], more: Partial<ShellOptions> = {}) => {
    const lines: string[] = [];
    for await (const line of shell.lines(argv, options(more))) lines.push(line);
    return lines;
  };

  test("a slow consumer gets every line of a program that has long exited", async () => {
    const lines: string[] = [];
    for await (const line of shell.lines(sh("seq 1 20000"), options())) {
      lines.push(line);
      if (lines.length % 1_000 === 0) await new Promise(setImmediate);
    }
    expect(lines).toHaveLength(20_000);
    expect(lines.at(-1)).toBe("20000");
  });

  test("the last line counts also without a newline", async () => {
    expect(await collect(["printf", "one\ntwo"])).toEqual(["one", "two"]);
  });

  test("a consumer that stops early leaves no program behind", async () => {
    for await (const line of shell.lines(sh('echo $$ > "$1/pid"; yes', folder), options())) {
      expect(line).toBe("y");
      break;
    }
    expect(isAlive(await readPid("pid"))).toBe(false);
  });

  test.each([
    [
      "fails",
      sh("echo no such commit >&2; exit 3"),
      {},
      "PROGRAM_FAILED",
      /exit code 3: no such commit/,
    ],
    ["times out", ["sleep", "30"], { timeoutMs: 100 }, "PROGRAM_TIMED_OUT", /did not end in time/],
    [
      "is aborted",
      ["sleep", "30"],
      { signal: AbortSignal.abort() },
      "PROGRAM_ABORTED",
      /told to end/,
    ],
  ])("a program that %s throws a fault that says so", async (_what, argv, more, code, message) => {
    const attempt = collect(argv, more);
    await expect(attempt).rejects.toMatchObject({ kind: "transient", code });
    await expect(attempt).rejects.toThrow(message);
  });
});
