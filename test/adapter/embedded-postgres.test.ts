import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import {
  type EmbeddedPostgres,
  findEmbeddedUrl,
  startEmbeddedPostgres,
} from "../../src/adapter/embedded-postgres.js";
import { systemClock } from "../../src/base/clock.js";
import { type LogFields, silentLogger } from "../../src/base/log.js";
import { openDatabase } from "../../src/store/database.js";
import { lendToFile } from "../support/lend.js";
import { until } from "../support/until.js";

const run = promisify(execFile);

interface Recorded {
  readonly event: string;
  readonly fields: LogFields;
}

function recorder() {
  const events: Recorded[] = [];
  const log = {
    ...silentLogger,
    info: (event: string, fields: LogFields = {}) => events.push({ event, fields }),
  };
  return { events, log };
}

async function withNewHome(work: (home: string) => Promise<void>): Promise<void> {
  const made = await mkdtemp(join(tmpdir(), "algobrain-embedded-"));
  try {
    await chmod(made, 0o755);
    await work(made);
  } finally {
    await rm(made, { recursive: true, force: true });
  }
}

/** As one leaves it who made it and stopped it: to copy that takes a tenth of the time that it takes to make it. */
const left = lendToFile<string>((work) =>
  withNewHome(async (made) => {
    await (await startEmbeddedPostgres({ home: made, log: silentLogger })).stop();
    await work(made);
  }),
);

/** For tests that are about what comes after. */
async function inherit(): Promise<void> {
  const pointer = await readFile(join(left(), "postgres.json"), "utf8");
  const { folder, password } = JSON.parse(pointer) as Record<string, string>;
  // Where that account cannot enter a home of ours, its files lie elsewhere: then a new one is made.
  if (!folder!.startsWith(left())) return;
  // As root: with their owner, the account of the server.
  await run("cp", ["-a", folder!, join(home, "postgres")]);
  await writeFile(
    join(home, "postgres.json"),
    JSON.stringify({ folder: join(home, "postgres"), password }),
    { mode: 0o600 },
  );
}

let home: string;
let { events, log } = recorder();

beforeEach(async () => {
  ({ events, log } = recorder());
  home = await mkdtemp(join(tmpdir(), "algobrain-embedded-"));
  await chmod(home, 0o755);
});
afterEach(() => rm(home, { recursive: true, force: true }));

/** Whatever becomes of the test, the server ends and its files go. */
async function withServer(
  where: string,
  work: (server: EmbeddedPostgres) => Promise<void>,
): Promise<void> {
  const server = await startEmbeddedPostgres({ home: where, log, disposable: true });
  try {
    await work(server);
  } finally {
    await server.stop();
  }
}

async function ask(url: string, text: string): Promise<object[]> {
  const db = openDatabase({ url, poolMax: 1, applicationName: "test", ssl: false });
  try {
    return (await db.query<object>(text)).rows;
  } finally {
    await db.close();
  }
}

describe("the embedded server, as it runs", () => {
  const running = lendToFile<{ server: EmbeddedPostgres; at: string; events: Recorded[] }>((work) =>
    withNewHome(async (at) => {
      const recorded = recorder();
      const server = await startEmbeddedPostgres({ home: at, log: recorded.log, disposable: true });
      try {
        await work({ server, at, events: recorded.events });
      } finally {
        await server.stop();
      }
    }),
  );

  test("answers with a UTF-8 database of our name, on the loopback address alone", async () => {
    const { url, version } = running().server;
    expect(version).toMatch(/^18\./);
    expect(new URL(url).hostname).toBe("127.0.0.1");
    const [row] = await ask(
      url,
      `SELECT current_database() AS name, pg_encoding_to_char(encoding) AS encoding,
         current_setting('listen_addresses') AS addresses
       FROM pg_database WHERE datname = current_database()`,
    );
    expect(row).toEqual({ name: "algobrain", encoding: "UTF8", addresses: "127.0.0.1" });
  });

  test("keeps its password in a file of its owner alone, and takes no other", async () => {
    const { server, at, events: said } = running();
    expect((await stat(join(at, "postgres.json"))).mode & 0o777).toBe(0o600);
    const wrong = new URL(server.url);
    wrong.password = "wrong";
    await expect(ask(wrong.toString(), "SELECT 1")).rejects.toMatchObject({
      message: expect.stringContaining("password authentication failed"),
    });
    expect(said).not.toEqual([]);
    expect(JSON.stringify(said)).not.toContain(new URL(server.url).password);
  });

  test("has a session of its own: Ctrl-C in the terminal does not reach it", async () => {
    const pid = Number(running().events[0]!.fields.pid);
    const { stdout } = await run("ps", ["-o", "sid=", "-p", String(pid)]);
    expect(Number(stdout)).toBe(pid);
  });
});

describe("the embedded server", () => {
  test("is looked for without making anything", async () => {
    expect(await findEmbeddedUrl(home)).toBe(null);
    expect(await findEmbeddedUrl(join(home, "nowhere"))).toBe(null);
    expect(await readdir(home)).toEqual([]);
  });

  test("keeps its data over a stop and a start, with fsync on", async () => {
    await inherit();
    const first = await startEmbeddedPostgres({ home, log });
    expect(await findEmbeddedUrl(home)).toBe(first.url);
    await ask(first.url, "CREATE TABLE kept (id int)");
    expect(await ask(first.url, "SHOW fsync")).toEqual([{ fsync: "on" }]);
    await first.stop();
    await first.stop();
    expect(await findEmbeddedUrl(home)).toBe(null);
    await withServer(home, async ({ url }) => {
      expect(await ask(url, "SELECT * FROM kept")).toEqual([]);
    });
    expect(existsSync(join(home, "postgres"))).toBe(false);
    expect(existsSync(join(home, "postgres.json"))).toBe(false);
  });

  test("is shared by all who start it with the same home, and stopped by the last to leave", async () => {
    await inherit();
    const first = await startEmbeddedPostgres({ home, log });
    const second = await startEmbeddedPostgres({ home, log, disposable: true });
    expect(second.url).toBe(first.url);
    await first.stop();
    await first.stop();
    expect(await ask(second.url, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
    await second.stop();
    await expect(ask(second.url, "SELECT 1")).rejects.toMatchObject({ kind: "transient" });
    expect(events.map(({ event }) => event)).toEqual([
      ...["embedded-postgres.started", "embedded-postgres.found", "embedded-postgres.stopped"],
    ]);
  });

  test("is not kept running by one who was killed, or had our number before us", async () => {
    await inherit();
    const users = join(home, "postgres.users");
    await mkdir(users);
    const gone = spawn(process.execPath, ["-e", ""]);
    await once(gone, "exit");
    await writeFile(join(users, `${gone.pid}-1-aa`), "");
    await writeFile(join(users, `${process.pid}-1-bb`), "");
    await withServer(home, async () => {});
    expect(events.at(-1)!.event).toBe("embedded-postgres.stopped");
    expect(await readdir(users)).toEqual([]);
  });

  test("is kept running for one who still lives", async () => {
    await inherit();
    const users = join(home, "postgres.users");
    await mkdir(users);
    await writeFile(join(users, `${process.ppid}-1-aa`), "");
    await withServer(home, async ({ url, stop }) => {
      await stop();
      expect(await ask(url, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
    });
    await rm(join(users, `${process.ppid}-1-aa`));
    await withServer(home, async () => {});
    expect(existsSync(join(home, "postgres"))).toBe(false);
  });

  test("two starts at once get one server", async () => {
    const servers = await Promise.all(
      [1, 2].map(() => startEmbeddedPostgres({ home, log, disposable: true })),
    );
    try {
      expect(servers[1]!.url).toBe(servers[0]!.url);
      expect(await ask(servers[0]!.url, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
    } finally {
      for (const server of servers) await server.stop();
    }
  });

  test("outlives a kill of the process that started it, and the next start takes it over", async () => {
    await inherit();
    const script = join(home, "starter.mjs");
    const built = join(import.meta.dirname, "../../dist/src");
    await writeFile(
      script,
      `import { startEmbeddedPostgres } from "${built}/adapter/embedded-postgres.js";
       import { silentLogger } from "${built}/base/log.js";
       const { url } = await startEmbeddedPostgres({ home: ${JSON.stringify(home)}, log: silentLogger });
       console.log(url);
       setInterval(() => {}, 1_000);`,
    );
    const starter = spawn(process.execPath, [script], { stdio: ["ignore", "pipe", "inherit"] });
    const [url] = (await once(starter.stdout, "data")) as [Buffer];
    starter.kill("SIGKILL");
    await once(starter, "exit");
    await withServer(home, async (server) => {
      expect(server.url).toBe(url.toString().trim());
      expect(events.map(({ event }) => event)).toEqual(["embedded-postgres.found"]);
      expect(await ask(server.url, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
    });
  });

  test("starts past a pid file that a crash left behind, also when a stranger has the number now", async () => {
    await inherit();
    const stale = `${process.pid}\n${join(home, "postgres", "data")}\n1\n1\n\n127.0.0.1\n0\nready   \n`;
    await writeFile(join(home, "postgres", "data", "postmaster.pid"), stale);
    await withServer(home, async ({ url }) => {
      expect(await ask(url, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
    });
  });

  test("that recovers for longer than anybody waits is not robbed of its files", async () => {
    await inherit();
    const { folder } = JSON.parse(await readFile(join(home, "postgres.json"), "utf8"));
    const data = join(folder, "data");
    const { uid, gid } = await stat(data);
    // Stands for it: reads until we close the line.
    const recovering = spawn("/bin/sh", ["-c", "read line", "-D", data], {
      ...{ argv0: "postgres", cwd: "/", stdio: ["pipe", "ignore", "inherit"] },
      // The system lets only its own account ask after it.
      ...(process.getuid?.() === 0 ? { uid, gid } : {}),
    });
    const held = `${recovering.pid}\n${data}\n1\n1\n\n127.0.0.1\n0\nstarting\n`;
    await writeFile(join(data, "postmaster.pid"), held);
    const begunMs = Date.now();
    vi.spyOn(systemClock, "now").mockImplementation(
      () => new Date(begunMs + 100 * (Date.now() - begunMs)),
    );
    try {
      await expect(startEmbeddedPostgres({ home, log })).rejects.toMatchObject({
        ...{ kind: "transient", code: "EMBEDDED_DATABASE_UNAVAILABLE" },
      });
      expect(await readFile(join(data, "postmaster.pid"), "utf8")).toBe(held);
    } finally {
      recovering.stdin!.end();
    }
  });

  test("comes back after it was itself killed", async () => {
    await inherit();
    const first = await startEmbeddedPostgres({ home, log });
    await ask(first.url, "CREATE TABLE kept (id int)");
    process.kill(Number(events[0]!.fields.pid), "SIGKILL");
    await withServer(home, async ({ url }) => {
      expect(await ask(url, "SELECT * FROM kept")).toEqual([]);
      await first.stop();
    });
  });

  test("is started again at its place by who uses it, when it was killed", async () => {
    await inherit();
    await withServer(home, async ({ url }) => {
      process.kill(Number(events[0]!.fields.pid), "SIGKILL");
      await until(() => events.length === 2, "it is started again");
      expect(events[1]).toMatchObject({
        event: "embedded-postgres.started",
        fields: { port: Number(new URL(url).port) },
      });
      expect(await ask(url, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
    });
  });

  test("of another major version is refused in one sentence", async () => {
    await mkdir(join(home, "postgres", "data"), { recursive: true });
    await writeFile(join(home, "postgres", "data", "PG_VERSION"), "17\n");
    await expect(startEmbeddedPostgres({ home, log })).rejects.toMatchObject({
      ...{ kind: "refused", code: "EMBEDDED_DATABASE_VERSION" },
      message: expect.stringMatching(/made by PostgreSQL 17, this release brings 18/),
    });
  });

  test.each([
    ["nothing", "{}"],
    ["a folder that is gone", '{"folder": "/nonexistent/postgres", "password": "x"}'],
  ])("with a pointer that says %s is refused in one sentence", async (_what, pointer) => {
    await writeFile(join(home, "postgres.json"), pointer);
    await expect(startEmbeddedPostgres({ home, log })).rejects.toMatchObject({
      ...{ kind: "refused", code: "EMBEDDED_DATABASE_PLACE" },
    });
  });

  test("whose home only its owner may enter keeps its data where the server may go", async () => {
    const closed = join(home, "closed");
    await mkdir(closed, { mode: 0o700 });
    let folder = "";
    await withServer(join(closed, "home"), async ({ url }) => {
      const pointer = await readFile(join(closed, "home", "postgres.json"), "utf8");
      folder = (JSON.parse(pointer) as { folder: string }).folder;
      // Only root lends the server another account; anybody else enters their own folders.
      expect(folder.startsWith(closed)).toBe(process.getuid?.() !== 0);
      expect(await ask(url, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
    });
    expect(existsSync(folder)).toBe(false);
  });
});
