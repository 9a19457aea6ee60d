/** The end of the server: answers in flight arrive, and nobody who says nothing holds it up. */
import { once } from "node:events";
import { type AddressInfo, connect, type Socket } from "node:net";
import { expect, it } from "vitest";
import { systemClock } from "../../src/base/clock.js";
import { createServer } from "../../src/web/server.js";
import { makeDeps, noDatabase } from "./harness.js";

/** Far from the 30 s and more after which Node gives such connections up. */
const SOON_MS = 5_000;
const report = { status: "healthy", timestamp: "2026-03-01T12:00:00.000Z", services: {} } as const;

/** A server whose health answers when it is told to. */
async function listening() {
  let answer = () => {};
  let asked = () => {};
  const isAsked = new Promise<void>((resolve) => {
    asked = resolve;
  });
  const gate = new Promise<void>((resolve) => {
    answer = resolve;
  });
  const health = async () => {
    asked();
    await gate;
    return report;
  };
  const app = await createServer(makeDeps(noDatabase, { health }));
  await app.listen({ host: "127.0.0.1", port: 0 });
  const { port } = app.server.address() as AddressInfo;
  const dial = async (): Promise<Socket> => {
    const socket = connect(port, "127.0.0.1");
    await once(socket, "connect");
    return socket;
  };
  const close = async () => {
    const startedMs = systemClock.now().getTime();
    await app.close();
    return systemClock.now().getTime() - startedMs;
  };
  return { dial, close, answer, isAsked };
}

it("is not held up by connections that ask nothing, or only half of something", async () => {
  const { dial, close } = await listening();
  const silent = await dial();
  const asked = await dial();
  asked.write("GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n");
  await once(asked, "data");
  const half = await dial();
  half.write("GET /health/live HTTP/1.1\r\nHo");
  const ended = Promise.all([silent, asked, half].map((socket) => once(socket.resume(), "close")));
  expect(await close()).toBeLessThan(SOON_MS);
  await ended;
});

it("comes after the answer of a request in flight, and right after it", async () => {
  const { dial, close, answer, isAsked } = await listening();
  const socket = await dial();
  let text = "";
  socket.setEncoding("utf8").on("data", (chunk) => {
    text += chunk;
  });
  socket.write("GET /health HTTP/1.1\r\nHost: x\r\n\r\n");
  await isAsked;
  const closed = close();
  answer();
  await once(socket, "close");
  expect(text).toContain('"status":"healthy"');
  expect(await closed).toBeLessThan(SOON_MS);
});
