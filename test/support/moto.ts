/** moto, an emulator of AWS, as a server of a test file's own: real requests, real state, none of it Amazon's. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { join } from "node:path";
import { freePort, kill } from "./redis-server.js";
import { until } from "./until.js";

const TOOLS = join(import.meta.dirname, "..", "..", "scripts", "infra", "python-tools.mjs");
/** Once made the environment is found at once; making it downloads a hundred megabytes. */
const TOOLS_MS = 660_000;
/** It loads every service at its start: 3 s on an idle machine. */
const START_MS = 120_000;

export const MOTO_REGION = "us-east-1";
/** The account that moto answers as. */
export const MOTO_ACCOUNT = "123456789012";
export const MOTO_CREDENTIALS = { accessKeyId: "testing", secretAccessKey: "testing" } as const;

/** Titles of tests that need it begin with this: without it they are skipped by name. */
export const NEEDS_MOTO = "moto:";

export interface Moto {
  readonly url: string;
  /** Everything that was made in it is gone. */
  reset(): Promise<void>;
  close(): Promise<void>;
}

/** Null where it cannot be had: no Python, or no way to PyPI. */
export function findMoto(): string | null {
  const said = execFileSync(process.execPath, [TOOLS, "moto"], {
    encoding: "utf8",
    timeout: TOOLS_MS,
  });
  const { moto, why } = JSON.parse(said) as { moto: string | null; why: Record<string, string> };
  if (moto === null) console.warn(`moto: ${why.moto}`);
  return moto;
}

export async function startMoto(program: string): Promise<Moto> {
  const port = await freePort();
  const server = spawn(program, ["-H", "127.0.0.1", "-p", String(port)], {
    // Tasks of a service are running as soon as it exists, as many as it asks for: it runs no container.
    env: { PATH: process.env.PATH, MOTO_ECS_SERVICE_RUNNING: "2" },
    stdio: ["ignore", "ignore", "pipe"],
  });
  const url = `http://127.0.0.1:${port}`;
  try {
    await untilReady(server, url);
  } catch (error) {
    await kill(server);
    throw error;
  }
  return {
    url,
    reset: async () => {
      const { status } = await fetch(`${url}/moto-api/reset`, { method: "POST" });
      if (status !== 200) throw new Error(`moto answered ${status} to its reset`);
    },
    close: () => kill(server),
  };
}

/** Its page of what it holds is there when everything is. */
async function untilReady(server: ChildProcess, url: string): Promise<void> {
  let said = "";
  server.stderr?.on("data", (chunk: Buffer) => {
    said = `${said}${chunk}`.slice(-4_000);
  });
  await until(
    async () => {
      if (server.exitCode !== null) throw new Error(`moto_server did not start: ${said}`);
      return answers(url);
    },
    "moto answers",
    START_MS,
  );
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/moto-api/data.json`)).ok;
  } catch {
    // Nobody listens yet.
    return false;
  }
}
