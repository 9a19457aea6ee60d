/**
 * The API of a runtime that looks at drift are told to, in a process of its own, because the workflows of tests block theirs:
 * its routes and its database are real, GitHub is a stand-in, and what is known is what a file says. Writes its port.
 */
import { readFileSync } from "node:fs";
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";
import { createGitHubHost } from "../../src/adapter/github-host.js";
import { createMemoryCache } from "../../src/adapter/memory-cache.js";
import { startStandInGitHub } from "../../src/adapter/stand-in/github.js";
import { systemClock } from "../../src/base/clock.js";
import { silentLogger } from "../../src/base/log.js";
import { createRegistry } from "../../src/main/kinds.js";
import { RunbookRegistry } from "../../src/runbook/registry.js";
import { createProposeChange } from "../../src/runtime/change.js";
import { createProposeDrift } from "../../src/runtime/propose-drift.js";
import { openDatabase } from "../../src/store/database.js";
import { createServer } from "../../src/web/server.js";
import { makePolicy } from "./make-policy.js";
import { readPolicyFiles } from "./policy-files.js";

const ENVIRONMENT = "staging";
const REPOSITORY = "acme/shop";
const TOKEN = "ghp_x";
const DRIFT = "/api/v1/drift/proposals";

const [, , databaseUrl = "", changesFile = "", jwtSecret = ""] = process.argv;
const github = await startStandInGitHub({
  ...{ repository: REPOSITORY, token: TOKEN, files: readPolicyFiles() },
});
const db = openDatabase({
  ...{ url: databaseUrl, poolMax: 4, applicationName: "drift", ssl: false },
});
const host = createGitHubHost({
  ...{ repository: REPOSITORY, apiUrl: github.url, auth: { kind: "token", token: TOKEN } },
});
const now = () => systemClock.now();
const proposeChange = createProposeChange({ db, host, now, environment: ENVIRONMENT });
const app = await createServer({
  ...{ db, clock: systemClock, log: silentLogger, registry: createRegistry(), commit: null },
  ...{ policy: () => makePolicy(), drift: () => [], countHit: null, proposeChange },
  proposeDrift: createProposeDrift({ db, host, propose: proposeChange, policy: makePolicy }),
  health: async () => ({
    ...{ status: "healthy", timestamp: now().toISOString() },
    services: { database: "up", redis: "memory", orchestrator: "up", workers: 1 },
  }),
  leaveSafeMode: async () => ({ outcome: "was-off" }),
  breakers: { reset: async () => [], forceOpen: async () => {} },
  metrics: {
    render: async () => ({ contentType: "text/plain", body: "" }),
    observeRequest: () => {},
  },
  ...{ cache: createMemoryCache(systemClock), warmCache: async () => ({ entries: 0, kept: 0 }) },
  runbooks: new RunbookRegistry([]),
  stop: {
    ...{ read: async () => null, readLocal: () => null },
    ...{ set: async () => ({ file: true, database: true }) },
    clear: async () => ({ file: true, database: true }),
  },
  config: {
    ...{ environment: ENVIRONMENT, jwtSecrets: [jwtSecret], corsOrigins: [], jobsMax: 1 },
    ...{ rateLimitPerMinute: 100, githubWebhookSecrets: [], oidc: null },
  },
});

async function told(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(Buffer.from(chunk));
  const { authorization = "", "content-type": type = "" } = request.headers;
  const answer = await app.inject({
    ...{ method: "POST", url: DRIFT, payload: Buffer.concat(chunks) },
    headers: { authorization, "content-type": type },
  });
  response.writeHead(answer.statusCode, { "content-type": "application/json" }).end(answer.body);
}

function known(path: string | undefined): unknown {
  if (path === "/health") return { drift: [] };
  if (path === "/github") return { pulls: github.pulls.list(), comments: github.comments() };
  return { changes: JSON.parse(readFileSync(changesFile, "utf8")) };
}

const server = createHttpServer((request, response) => {
  if (request.method === "POST" && request.url === DRIFT) void told(request, response);
  else
    response.setHeader("content-type", "application/json").end(JSON.stringify(known(request.url)));
});
server.listen(0, "127.0.0.1", () =>
  process.stdout.write(`${(server.address() as AddressInfo).port}\n`),
);
process.once("SIGTERM", () => {
  void db.close().then(() => process.exit(0));
});
