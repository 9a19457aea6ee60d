/** A Git repository with a long history, made in a second or two: work that takes long enough to be interrupted. */
import { fault } from "../base/fault.js";
import type { Shell } from "../runbook/port.js";

const AUTHORS = [
  ["Ada Example", "ada@example.com"],
  ["Grace Example", "grace@example.com"],
  ["Edsger Example", "edsger@example.com"],
] as const;
const FIRST_COMMIT_S = 1_600_000_000;
const MINUTES_APART_S = 600;

/** Creates a bare repository at `path` with `commitCount` commits by three people. */
export async function makeLongHistory(
  shell: Shell,
  path: string,
  commitCount: number,
  signal: AbortSignal,
): Promise<void> {
  const options = { signal, timeoutMs: 60_000 };
  await mustRun(
    shell,
    ["git", "init", "--quiet", "--bare", "--initial-branch=main", path],
    options,
  );
  await mustRun(shell, ["git", "-C", path, "fast-import", "--quiet"], {
    ...options,
    input: stream(commitCount),
  });
}

function stream(commitCount: number): string {
  const parts: string[] = [];
  for (let i = 0; i < commitCount; i++) {
    const [name, mail] = AUTHORS[i % AUTHORS.length]!;
    const when = `${FIRST_COMMIT_S + i * MINUTES_APART_S} +0000`;
    const subject = `change ${i}`;
    const file = i === 0 ? "M 100644 inline README\ndata 2\nx\n" : "";
    parts.push(
      `commit refs/heads/main\nauthor ${name} <${mail}> ${when}\ncommitter ${name} <${mail}> ${when}\n`,
      `data ${subject.length}\n${subject}\n${file}`,
    );
  }
  return parts.join("");
}

async function mustRun(
  shell: Shell,
  argv: readonly string[],
  options: Parameters<Shell["run"]>[1],
): Promise<void> {
  const result = await shell.run(argv, options);
  if (result.exitCode !== 0) {
    throw fault.transient(
      "GAMEDAY_GIT_FAILED",
      `${argv.slice(0, 3).join(" ")}: ${result.stderr.trim()}`,
    );
  }
}
