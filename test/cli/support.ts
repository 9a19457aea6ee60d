/** Command lines, in this process or in one of their own, and what they answered. */
import { execFile } from "node:child_process";
import { cp, mkdtemp, realpath, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import type { CommandIo } from "../../src/cli/command.js";
import type { Terminal } from "../../src/cli/terminal.js";
import { runCli } from "../../src/cli.js";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");
export const BIN = `${ROOT}/bin/algobrain.js`;
/** Nothing that a person asks for by mistake may take longer. */
const BIN_TIMEOUT_MS = 25_000;

export interface Answer {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export interface Setting {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** For what is meant to take its time. */
  readonly timeoutMs?: number;
  /** Of a command line in this process: each line as it is said. */
  readonly hear?: (line: string) => void;
  /** Of a command line in this process: who can be asked. */
  readonly terminal?: Terminal;
}

/** The real program in a process of its own; fails the test when it shows a stack trace. */
export function bin(args: readonly string[], setting: Setting = {}): Promise<Answer> {
  return program(process.execPath, [BIN, ...args], setting);
}

/** Any program, as a person at a terminal starts it. */
export async function program(
  file: string,
  args: readonly string[],
  setting: Setting = {},
): Promise<Answer> {
  const options = {
    cwd: setting.cwd ?? ROOT,
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...setting.env },
    timeout: setting.timeoutMs ?? BIN_TIMEOUT_MS,
    killSignal: "SIGKILL",
    maxBuffer: 16 * 1_048_576,
  } as const;
  const answer = await new Promise<Answer>((resolve) => {
    execFile(file, [...args], options, (error, out, err) => {
      const code = error === null ? 0 : error.code;
      resolve({ code: typeof code === "number" ? code : null, out, err });
    });
  });
  refuseStackTrace(answer);
  return answer;
}

/** The same in this process: for tables of many command lines. */
export async function cli(args: readonly string[], setting: Setting = {}): Promise<Answer> {
  const out: string[] = [];
  const err: string[] = [];
  const io: CommandIo = {
    out: (line) => {
      out.push(line);
      setting.hear?.(line);
    },
    err: (line) => err.push(line),
    progress: () => {},
    env: setting.env ?? {},
    packageRoot: ROOT,
    cwd: setting.cwd ?? ROOT,
    actor: "cli:test",
    terminal: setting.terminal ?? null,
  };
  const code = await runCli(args, io);
  const answer = { code, out: text(out), err: text(err) };
  refuseStackTrace(answer);
  return answer;
}

function text(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join("");
}

function refuseStackTrace({ out, err }: Answer): void {
  for (const said of [out, err]) expect(said).not.toMatch(/^\s+at .+:\d+:\d+\)?$|node:internal/m);
}

export interface Checkout {
  readonly folder: string;
  readonly giveBack: () => Promise<void>;
}

/** As after `git clone` and `npm ci`, for tests that add a migration. */
export async function lendCheckout(): Promise<Checkout> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), "algobrain-checkout-")));
  for (const part of ["bin", "dist", "scripts/db", "src/db", "package.json"])
    await cp(join(ROOT, part), join(folder, part), { recursive: true });
  await symlink(join(ROOT, "node_modules"), join(folder, "node_modules"));
  return { folder, giveBack: () => rm(folder, { recursive: true, force: true }) };
}

/** Every row has its columns where the head has them. */
export function expectAligned(table: string): void {
  const [head = "", rule = "", ...rows] = table.trimEnd().split("\n");
  expect(rule).toMatch(/^─+( {2}─+)*$/);
  const starts = [...rule.matchAll(/─+/g)].map(({ index }) => index);
  for (const row of [head, ...rows])
    for (const start of starts.slice(1))
      if (row.length > start) expect(row.slice(start - 2, start), row).toBe("  ");
}
