/** Ceilings that the kernel keeps for a program: they hold in every POSIX shell, and open no gate that is shut. */
import { existsSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createShell } from "../../src/adapter/shell.js";
import type { ShellOptions } from "../../src/runbook/port.js";

const SHELLS = ["/bin/dash", "/bin/bash"].filter((path) => existsSync(path));
const MB = 1024 * 1024;
const options = (more: Partial<ShellOptions>): ShellOptions => ({
  signal: new AbortController().signal,
  timeoutMs: 20_000,
  ...more,
});

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "limits-"));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

describe.each(SHELLS)("a program started by %s", (sh) => {
  const shell = createShell({ redact: (text) => text, sh });

  it("writes no file larger than it may", async () => {
    const file = join(folder, "file");
    const limits = { fileBytes: MB };
    const argv = ["dd", "if=/dev/zero", `of=${file}`, "bs=65536", "count=100"];
    const { exitCode } = await shell.run(argv, options({ limits }));
    expect(exitCode).not.toBe(0);
    // In bash a block may be twice as large.
    expect(statSync(file).size).toBeLessThanOrEqual(2 * MB);
  });

  it("gets no more memory and no more time of the processor than it may", async () => {
    const limits = { memoryBytes: 512 * MB, cpuSeconds: 7, fileBytes: MB };
    const { stdout } = await shell.run(["sh", "-c", "ulimit -v; ulimit -t"], options({ limits }));
    expect(stdout.split("\n").slice(0, 2)).toEqual([String((512 * MB) / 1024), "7"]);
  });

  it("does not begin when its start was not put on record", async () => {
    const file = join(folder, "begun");
    const onStarted = () => Promise.reject(new Error("no record"));
    const limits = { memoryBytes: 512 * MB, fileBytes: MB, cpuSeconds: 7 };
    await expect(shell.run(["touch", file], options({ limits, onStarted }))).rejects.toThrow(
      "no record",
    );
    expect(existsSync(file)).toBe(false);
  });
});
