/** The health check of a container waits as long as the policy says (infrastructure.tasks.checkTimeout). */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";

test("an answer too late for who waits two seconds is in time for who waits a minute", async () => {
  const home = await mkdtemp(join(tmpdir(), "algobrain-health-"));
  const held: ServerResponse[] = [];
  let isAnswering = false;
  const server = createServer((_request, response) => {
    if (isAnswering) response.end();
    else held.push(response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const env = { ...process.env, TMPDIR: home, PORT: String(port) };
  /** Its exit code. */
  const check = async (askedS: string): Promise<unknown> => {
    const child = spawn(process.execPath, ["infra/docker/health.mjs", askedS], { env });
    return (await once(child, "exit"))[0];
  };
  try {
    await writeFile(join(home, "algobrain-alive"), "1\n");
    const patient = check("60");
    expect(await check("2")).toBe(1);
    // Three seconds, whatever is said, would be over for the patient one, too.
    expect(await check("5")).toBe(1);
    isAnswering = true;
    for (const response of held) response.end();
    expect(await patient).toBe(0);
  } finally {
    server.closeAllConnections();
    server.close();
    await rm(home, { recursive: true });
  }
});
