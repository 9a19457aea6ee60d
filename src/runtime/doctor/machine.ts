/** The machine itself: programs, folder, disk. */
import { statfs } from "node:fs/promises";
import type { Shell } from "../../runbook/port.js";
import { ensureHome } from "../home.js";
import { bad, doubtful, type Examination, type Finding, good } from "./diagnose.js";

/** package.json engines. */
const NODE_MIN = [20, 19] as const;
/** It knows all the switches that our calls use. */
const GIT_MIN = [2, 35] as const;
const GIB = 1024 ** 3;
/** The embedded server stops writing when there is nothing left. */
const FREE_MIN_BYTES = GIB / 2;
const FREE_WARN_BYTES = 2 * GIB;

export function machineExaminations(machine: {
  readonly home: string;
  readonly shell: Shell;
  /** Without a `v`: `20.19.5`. */
  readonly nodeVersion: string;
}): Examination[] {
  return [
    { what: "Node.js", examine: async () => judgeNode(machine.nodeVersion) },
    { what: "git", examine: (signal) => examineGit(machine.shell, signal) },
    { what: "disk", examine: () => examineDisk(machine.home) },
  ];
}

export function judgeNode(version: string): Finding {
  return isAtLeast(version, NODE_MIN)
    ? good(version)
    : bad(version, `install Node.js ${NODE_MIN.join(".")} or newer`);
}

async function examineGit(shell: Shell, signal: AbortSignal): Promise<Finding> {
  const remedy = `install git ${GIT_MIN.join(".")} or newer`;
  const result = await shell.run(["git", "--version"], { signal, timeoutMs: 5_000 });
  const [, version] = /(\d+\.\d+(?:\.\d+)*)/.exec(result.stdout) ?? [];
  if (result.exitCode !== 0 || version === undefined) return bad("git does not run", remedy);
  return isAtLeast(version, GIT_MIN) ? good(version) : bad(version, remedy);
}

async function examineDisk(home: string): Promise<Finding> {
  await ensureHome(home);
  const { bavail, bsize } = await statfs(home);
  return judgeDisk(home, bavail * bsize);
}

export function judgeDisk(home: string, freeBytes: number): Finding {
  const found = `${(freeBytes / GIB).toFixed(1)} GiB free at ${home}`;
  const remedy = "make room, or set ALGOBRAIN_HOME to a larger disk";
  if (freeBytes < FREE_MIN_BYTES) return bad(found, remedy);
  return freeBytes < FREE_WARN_BYTES ? doubtful(found, remedy) : good(found);
}

function isAtLeast(version: string, [major, minor]: readonly [number, number]): boolean {
  const [a = 0, b = 0] = version.split(".").map(Number);
  return a > major || (a === major && b >= minor);
}
