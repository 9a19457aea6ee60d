/** Why a database cannot be reached, layer by layer: its name, its port, its login. */
import { lookup } from "node:dns/promises";
import { connect } from "node:net";
import { errorMessage } from "../base/fault.js";
import type { Database } from "../store/database.js";
import { isWritable, readServer } from "../store/server.js";

export interface ConnectionFacts {
  /** One line a layer, down to the first that fails. */
  readonly lines: readonly string[];
  readonly isAnswering: boolean;
}

const DEADLINE_MS = 3_000;
const POSTGRES_PORT = 5_432;

/** Never rejects. @param db over the same URL, with a short deadline */
export async function readConnectionFacts(url: string, db: Database): Promise<ConnectionFacts> {
  const { hostname, port } = new URL(url);
  // An IPv6 address stands in brackets.
  const host = hostname.replace(/^\[|\]$/g, "");
  const lines: string[] = [];
  try {
    const found = await within(lookup(host), "no answer of the name server");
    lines.push(`name: ${host} is ${found.address}`);
    await reachPort(found.address, port === "" ? POSTGRES_PORT : Number(port));
    lines.push(`port: ${port === "" ? POSTGRES_PORT : port} takes connections`);
    const { version } = await readServer(db);
    const mode = (await isWritable(db)) ? "takes rows" : "is read-only (a fail-over?)";
    lines.push(`login: PostgreSQL ${version} answers and ${mode}`);
    return { lines, isAnswering: true };
  } catch (thrown) {
    const layer = ["name", "port", "login"][lines.length] ?? "login";
    lines.push(`${layer}: cannot connect: ${errorMessage(thrown)}`);
    return { lines, isAnswering: false };
  }
}

function reachPort(address: string, port: number): Promise<void> {
  const socket = connect({ host: address, port });
  const reached = new Promise<void>((resolve, reject) => {
    socket.once("connect", () => resolve());
    socket.once("error", reject);
  });
  return within(reached, "no answer").finally(() => socket.destroy());
}

async function within<T>(asked: Promise<T>, otherwise: string): Promise<T> {
  const deadline = AbortSignal.timeout(DEADLINE_MS);
  const late = new Promise<never>((_, reject) => {
    const say = () => reject(new Error(`${otherwise} within ${DEADLINE_MS / 1_000} s`));
    deadline.addEventListener("abort", say, { once: true });
  });
  return Promise.race([asked, late]);
}
