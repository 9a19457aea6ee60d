/**
 * The API's address while its process waits for the database: whoever asks learns that it lives and what it waits
 * for. PagerDuty comes again after a 503, and a balancer sends nothing here.
 */
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { Clock } from "../base/clock.js";
import { HttpProblem, PROBLEM_MEDIA_TYPE, renderProblem } from "../web/problem.js";
import { type Waiting, whenDatabaseAnswers } from "./await-database.js";

const REASON = "waiting for the database";
const RETRY_AFTER_SECONDS = "5";
/** Nobody has anything to tell a door that only says one thing. */
const REQUEST_MS = 5_000;

export interface WaitingAtDoor extends Omit<Waiting, "onAway"> {
  /** Where the API will listen; null: this process has none. */
  readonly http: { readonly host: string; readonly port: number } | null;
}

/** As `whenDatabaseAnswers`; the address is free again when it resolves or rejects. */
export async function waitAtDoor<T>(ask: () => Promise<T>, waiting: WaitingAtDoor): Promise<T> {
  const { http, clock } = waiting;
  let door: Server | null = null;
  const onAway = async () => {
    if (http !== null) door = await openDoor(http.host, http.port, clock);
  };
  try {
    return await whenDatabaseAnswers(ask, { ...waiting, onAway });
  } finally {
    if (door !== null) await closeDoor(door);
  }
}

/** Null where the address is not to be had: the API, which needs it, says so when its turn comes. */
async function openDoor(host: string, port: number, clock: Clock): Promise<Server | null> {
  const server = createServer({ requestTimeout: REQUEST_MS }, (request, reply) => {
    request.resume();
    if (request.url?.split("?")[0] === "/health") tellHealth(reply, clock);
    else tellProblem(reply);
  });
  server.listen(port, host);
  try {
    await once(server, "listening");
    return server;
  } catch {
    // The address is another's, or none of this machine: the API meets the same when its turn comes, and says so.
    return null;
  }
}

async function closeDoor(server: Server): Promise<void> {
  const closed = once(server, "close");
  server.close();
  server.closeAllConnections();
  await closed;
}

function tellHealth(reply: ServerResponse, clock: Clock): void {
  const timestamp = clock.now().toISOString();
  const report = { status: "unhealthy", timestamp, services: { database: "down" }, reason: REASON };
  send(reply, "application/json; charset=utf-8", report);
}

function tellProblem(reply: ServerResponse): void {
  const problem = new HttpProblem("database-unavailable", `This process is ${REASON}.`);
  send(reply, PROBLEM_MEDIA_TYPE, renderProblem(problem, randomUUID()));
}

function send(reply: ServerResponse, type: string, document: object): void {
  const always = { "retry-after": RETRY_AFTER_SECONDS, "cache-control": "no-store" };
  reply.writeHead(503, { ...always, "content-type": type, connection: "close" });
  reply.end(JSON.stringify(document));
}
