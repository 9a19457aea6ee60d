/** What surrounds a command is broken: one sentence within a bounded time, and never a secret in it. All at once: one of them waits out a silent server. */
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { describe, expect, test } from "vitest";
import { withDatabase } from "../support/database.js";
import { bin, cli } from "./support.js";

/** A server that takes the connection and never says a word. */
async function withSilentServer(work: (port: number) => Promise<void>): Promise<void> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const sockets = new Set<{ destroy(): void }>();
  server.on("connection", (socket) => sockets.add(socket));
  try {
    await work((server.address() as AddressInfo).port);
  } finally {
    for (const socket of sockets) socket.destroy();
    server.close();
  }
}

const COMMANDS = [
  "jobs list",
  "jobs add gc",
  "audit verify",
  "db migrate --dry-run",
  "runbook run pause-queue index",
];

describe.concurrent("a database that does not answer", () => {
  test.each(COMMANDS)("%s says which one, in one sentence, without the password", async (line) => {
    const env = { DATABASE_URL: "postgresql://ann:hunter2-secret@127.0.0.1:1/none" };
    const { code, out, err } = await cli(line.split(" "), { env });
    expect({ code, out }).toEqual({ code: 1, out: "" });
    expect(err).toMatch(
      /^\w+: the database at 127\.0\.0\.1:1 does not answer: .*ECONNREFUSED.*\nhint: is DATABASE_URL right, and is the server up\?\n$/,
    );
    expect(err).not.toContain("hunter2");
  });

  test("a name that stands for two addresses", async () => {
    const env = { DATABASE_URL: "postgresql://ann@localhost:1/none" };
    const { err } = await cli(["jobs", "list"], { env });
    expect(err).toMatch(/^jobs: the database at localhost:1 does not answer: .*ECONNREFUSED/);
  });

  test("one that takes the connection and keeps silent is given up, by the real program", () =>
    withSilentServer(async (port) => {
      const env = { DATABASE_URL: `postgresql://ann@127.0.0.1:${port}/none` };
      const { code, err } = await bin(["jobs", "list"], { env });
      expect(code).toBe(1);
      expect(err).toContain(`the database at 127.0.0.1:${port} does not answer`);
    }));

  test("a wrong name of a database is the server's own word", () =>
    withDatabase(async (_db, url) => {
      const other = new URL(url);
      other.pathname = "/frobnicate";
      const { code, err } = await cli(["jobs", "list"], { env: { DATABASE_URL: other.href } });
      expect(code).toBe(1);
      expect(err).toBe('jobs: database: database "frobnicate" does not exist\n');
    }));
});

describe.concurrent("an environment that is wrong", () => {
  test("is told whole, one line each, and no value of a secret", async () => {
    const env = {
      DATABASE_URL: "hunter2://x:hunter2@y/z",
      LOG_LEVEL: "loud",
      PORT: "99999",
      HEALDEC_ENABLED: "maybe",
    };
    const { code, out, err } = await bin(["jobs", "list"], { env });
    expect({ code, out }).toEqual({ code: 1, out: "" });
    expect(err.split("\n")).toEqual([
      "jobs: the environment is wrong:",
      '  LOG_LEVEL: found "loud", expected one of debug, info, warn, error',
      '  PORT: found "99999", expected a whole number from 0 to 65535',
      expect.stringMatching(/^ {2}DATABASE_URL: found a URL with hunter2:\/\/, expected/),
      '  HEALDEC_ENABLED: found "maybe", expected true or false',
      "hint: docs/operating.md lists every variable",
      "",
    ]);
  });

  test("in production names what must be set", async () => {
    const { code, err } = await cli(["jobs", "list"], { env: { ALGOBRAIN_ENV: "production" } });
    expect(code).toBe(1);
    expect(err).toContain("  DATABASE_URL must be set when ALGOBRAIN_ENV is production\n");
    expect(err).toContain("  JWT_SECRET must be set when ALGOBRAIN_ENV is production\n");
  });

  test("a name that is nearly ours is a warning, and the work goes on", () =>
    withDatabase(async (_db, url) => {
      const env = { DATABASE_URL: url, WORKER_CONCURENCY_INDEX: "3" };
      const { code, out, err } = await cli(["jobs", "list"], { env });
      expect({ code, out }).toEqual({ code: 0, out: "no jobs yet\n" });
      expect(err).toContain('did you mean "WORKER_CONCURRENCY_INDEX"?');
    }));
});
