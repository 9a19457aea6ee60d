/** Where the data is: database and cache, with the contradictions between their variables. */
import type { EnvReader } from "./env-reader.js";

export const ENVIRONMENTS = ["local", "staging", "production"] as const;
export type Environment = (typeof ENVIRONMENTS)[number];

export interface DatabaseConfig {
  /** Null: the embedded server (only outside production). */
  readonly url: string | null;
  readonly replicaUrl: string | null;
  /** Past a pooler: for LISTEN, heartbeats and migrations. Null: the same as `url`. */
  readonly directUrl: string | null;
  readonly ssl: boolean;
  /** Milliseconds that a process which starts waits for a database that is away. 0: it says so and ends. */
  readonly startWaitMs: number;
}

/** What a failover to a standby usually takes; what takes longer is for a supervisor, which starts us again. */
const START_WAIT_SECONDS = 60;

export interface RedisConfig {
  readonly url: string;
  readonly password: string | null;
  readonly tls: boolean;
}

export function readDatabase(reader: EnvReader, environment: Environment): DatabaseConfig {
  const protocols = ["postgresql:", "postgres:"];
  const plain = reader.url("DATABASE_URL", protocols);
  const primary = reader.url("DATABASE_URL_PRIMARY", protocols);
  const replica = reader.url("DATABASE_URL_REPLICA", protocols);
  const direct = reader.url("DATABASE_DIRECT_URL", protocols);
  const url = primary ?? plain;
  if (plain !== null && primary !== null && plain.href !== primary.href) {
    const names = ["DATABASE_URL", "DATABASE_URL_PRIMARY"];
    reader.problem(names, `${names.join(" and ")} name different databases: set one of them`);
  }
  if (replica !== null && url === null) {
    const names = ["DATABASE_URL_REPLICA", "DATABASE_URL"];
    reader.problem(names, "DATABASE_URL_REPLICA is set without DATABASE_URL: set both or neither");
  }
  if (direct !== null && url === null) {
    const names = ["DATABASE_DIRECT_URL", "DATABASE_URL"];
    reader.problem(names, "DATABASE_DIRECT_URL is set without DATABASE_URL: set both or neither");
  }
  if (environment === "production" && url === null) {
    reader.problem(["DATABASE_URL"], "DATABASE_URL must be set when ALGOBRAIN_ENV is production");
  }
  const flag = reader.flag("DATABASE_SSL");
  if (url !== null) refuseSslConflict(reader, plain === null ? "_PRIMARY" : "", url, flag);
  const ssl = flag ?? (environment !== "local" && url !== null);
  const waitSeconds = reader.integer("DATABASE_WAIT_SECONDS", { min: 0, max: 3_600 });
  return {
    url: url?.href ?? null,
    replicaUrl: replica?.href ?? null,
    directUrl: direct?.href ?? null,
    ssl,
    // Who sits in front of it has mistyped the address more often than a server is failing over.
    startWaitMs: (waitSeconds ?? (environment === "local" ? 0 : START_WAIT_SECONDS)) * 1_000,
  };
}

function refuseSslConflict(reader: EnvReader, suffix: string, url: URL, ssl: boolean | null): void {
  const mode = url.searchParams.get("sslmode");
  if (ssl === null || mode === null) return;
  if (ssl !== (mode === "disable")) return;
  const names = ["DATABASE_SSL", `DATABASE_URL${suffix}`];
  reader.problem(
    names,
    `${names[0]}=${ssl} contradicts sslmode=${mode} in ${names[1]}: remove one of them`,
  );
}

export function readRedis(reader: EnvReader): RedisConfig | null {
  const url = reader.url("REDIS_URL", ["redis:", "rediss:"]);
  const password = reader.text("REDIS_PASSWORD");
  const tls = reader.flag("REDIS_TLS");
  if (url === null) return null;
  if (url.protocol === "rediss:" && tls === false) {
    const names = ["REDIS_URL", "REDIS_TLS"];
    reader.problem(names, "REDIS_URL starts with rediss:// but REDIS_TLS is false: change one");
  }
  if (password !== null && url.password !== "" && decodeURIComponent(url.password) !== password) {
    const names = ["REDIS_URL", "REDIS_PASSWORD"];
    reader.problem(names, "REDIS_URL and REDIS_PASSWORD hold different passwords: keep one");
  }
  return { url: url.href, password, tls: tls ?? url.protocol === "rediss:" };
}
