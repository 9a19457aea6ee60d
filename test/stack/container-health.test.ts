/** The health check of a container waits as long as the policy says (infrastructure.tasks.checkTimeout). */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";

const SLOW_MS = 1_700;

/** Exit code of the check, of an API that answers after SLOW_MS. */
async function checked(...asked: readonly string[]): Promise<unknown> {
  const home = await mkdtemp(join(tmpdir(), "algobrain-health-"));
  const server = createServer(
    (_request, response) => void setTimeout(() => response.end(), SLOW_MS),
  );
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    await writeFile(join(home, "algobrain-alive"), "1\n");
    const { port } = server.address() as AddressInfo;
    const child = spawn(process.execPath, ["infra/docker/health.mjs", ...asked], {
      env: { ...process.env, TMPDIR: home, PORT: String(port) },
    });
    return (await once(child, "exit"))[0];
  } finally {
    server.closeAllConnections();
    server.close();
    await rm(home, { recursive: true });
  }
}

test.each([
  ["two seconds", ["2"], 1],
  ["the time of the image's own check", [], 0],
  ["a minute", ["60"], 0],
])("asked by who waits %s, a slow answer is what it is", async (_what, asked, expected) => {
  expect(await checked(...asked)).toBe(expected);
});
