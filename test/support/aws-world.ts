/** A made-up AWS account in memory, behind the verbs that runbooks have: it remembers every call, and fails when told to. */
import type {
  AwsCallRecord,
  AwsPlace,
  AwsReader,
  AwsWriter,
  CacheGroupView,
  DatabaseClusterView,
  SecurityGroupView,
} from "../../src/runbook/aws-port.js";
import { AWS_READS, AWS_WRITES } from "../../src/runbook/aws-verbs.js";
import { makeAwsPlace } from "./aws-world-place.js";
import { WorldSecrets } from "./aws-world-secrets.js";
import { missing, WorldServices } from "./aws-world-services.js";

type Aws = AwsReader & AwsWriter;
type Verb = keyof Aws;

/** What happens at a call instead of an honest answer. `lost`: it was carried out, and its answer did not come. */
interface Trouble {
  readonly verb: Verb;
  readonly error: Error;
  readonly when: "refused" | "lost";
}

/** RDS makes up such names. */
export const MASTER_SECRET =
  "arn:aws:secretsmanager:us-east-1:123456789012:secret:rds!cluster-0f5c9a3e-AbCdEf";

const group = (id: string, port: number, from: string): SecurityGroupView => ({
  id,
  ingress: [{ from: port, to: port, protocol: "tcp", groups: [from], cidrs: [] }],
});

/** What stands there and takes no rule of its own: tests write into it. */
export class AwsWorld {
  readonly services: WorldServices;
  readonly secrets: WorldSecrets;
  /** `repository:tag` → digest. */
  readonly images = new Map<string, string>();
  readonly logGroups = new Map<string, number | null>();
  /** What a query answers, by its text. */
  readonly logRows = new Map<string, readonly Readonly<Record<string, string>>[]>();
  readonly objects = new Map<string, { bytes: number; at: Date; cache: string }>();
  readonly heartbeats = new Map<string, { at: Date; leader: string | null }>();
  readonly alarms = new Map<string, { state: string; since: Date | null }>();
  readonly metrics = new Map<string, readonly { at: Date; value: number }[]>();
  readonly snapshots: { id: string; status: string; createdAt: Date }[] = [];
  readonly invalidations = new Map<string, { reference: string; looksLeft: number }>();
  /** Tokens with which the cache lets one in, the newest last. */
  cacheTokens: string[] = ["the-first-token"];
  database: DatabaseClusterView = {
    ...{ status: "available", endpoint: "db.internal", readerEndpoint: "db-ro.internal" },
    masterUser: "migrator",
    masterSecret: MASTER_SECRET,
    members: [{ id: "algobrain-prod-1", writer: true, status: "available" }],
  };
  cache: CacheGroupView = {
    ...{ status: "available", authToken: true, nodes: 2, nodeType: "cache.t4g.small" },
    ...{ pending: false, tokenChangedAt: null },
  };
  groups: Record<"task" | "database" | "cache", SecurityGroupView[]> = {
    task: [group("sg-task", 3_001, "sg-alb")],
    database: [group("sg-database", 5_432, "sg-task")],
    cache: [group("sg-cache", 6_379, "sg-task")],
  };
  /** In order; only the verbs, what they were asked of, and the names of what they were asked. */
  readonly calls: AwsCallRecord[] = [];
  readonly #troubles: Trouble[] = [];

  constructor(
    readonly place: AwsPlace,
    readonly now: () => Date,
  ) {
    this.services = new WorldServices(place, now);
    this.secrets = new WorldSecrets(now);
    for (const { logGroup } of Object.values(place.services))
      this.logGroups.set(logGroup, place.logGroupDays);
  }

  /** Once, at the next call of this verb. */
  fail(verb: Verb, error: Error, when: Trouble["when"] = "refused"): void {
    this.#troubles.push({ verb, error, when });
  }

  /** Names of the verbs that were called, in order. */
  verbs(): string[] {
    return this.calls.map(({ operation }) => operation);
  }

  /** The account as a run sees it. */
  readonly aws: Aws = this.#recorded();

  #recorded(): Aws {
    const verbs = () => ({ ...this.#reader(), ...this.#writer() });
    const named = [...AWS_READS, ...AWS_WRITES].map((verb) => [verb, this.#call(verb, verbs)]);
    return { ...Object.fromEntries(named), place: () => this.place } as Aws;
  }

  #call(verb: Verb, verbs: () => Aws) {
    return async (...asked: unknown[]) => {
      const request = asked[0];
      const fields = typeof request === "object" && request !== null ? request : {};
      const at = this.#troubles.findIndex((trouble) => trouble.verb === verb);
      const [trouble] = at < 0 ? [] : this.#troubles.splice(at, 1);
      const status = trouble ? trouble.error.name : "ok";
      this.#note(verb, request, Object.keys(fields), status);
      if (trouble?.when === "refused") throw trouble.error;
      const work = verbs()[verb] as (...all: unknown[]) => Promise<unknown>;
      const answer = await work(...asked);
      if (trouble) throw trouble.error;
      return answer;
    };
  }

  #note(verb: Verb, request: unknown, keys: readonly string[], status: string): void {
    const { service, name, bucket } = Object(request) as Record<string, unknown>;
    const target = String(
      typeof request === "string" ? request : (service ?? name ?? bucket ?? ""),
    );
    const record = { service: "aws", operation: verb, target, keys, status };
    this.calls.push({ ...record, ms: 0, requestId: null });
  }

  #reader(): AwsReader {
    return {
      place: () => this.place,
      identity: async () => ({
        account: this.place.account,
        arn: `arn:aws:sts::${this.place.account}:assumed-role/executor/run-1`,
      }),
      ...this.services.reader,
      ...this.secrets.reader,
      ...this.#looks(),
      probeTask: ({ service, key }) =>
        this.services.writer.runTask({
          ...{ taskDefinition: this.place.services[service]?.family ?? "", service, key },
          command: ["doctor", "--json"],
        }),
      ...this.#measured(),
    };
  }

  #looks() {
    return {
      image: async (repository: string, tag: string) => {
        const digest = this.images.get(`${repository}:${tag}`);
        return digest === undefined ? null : { digest, pushedAt: this.now() };
      },
      databaseCluster: async () => this.database,
      snapshots: async (max: number) => [...this.snapshots].reverse().slice(0, max),
      cacheGroup: async () => this.cache,
      securityGroups: async () => this.groups,
      invalidation: async (_distribution: string, id: string) => {
        const found = this.invalidations.get(id);
        if (!found) throw missing(`invalidation ${id}`, [...this.invalidations.keys()]);
        return found.looksLeft-- > 0 ? ("InProgress" as const) : ("Completed" as const);
      },
      objects: async (bucket: string, prefix: string, max: number) =>
        [...this.objects]
          .filter(([path]) => path.startsWith(`${bucket}/${prefix}`))
          .map(([path, { bytes, at }]) => ({ key: path.slice(bucket.length + 1), bytes, at }))
          .slice(0, max),
    };
  }

  #measured() {
    return {
      logGroups: async (prefix: string) =>
        [...this.logGroups]
          .filter(([name]) => name.startsWith(prefix))
          .map(([name, days]) => ({ name, days })),
      logQuery: async ({ query, limit }: { query: string; limit: number }) => {
        const rows = this.logRows.get(query) ?? [];
        const truncated = rows.length > limit;
        return { rows: rows.slice(0, limit), scanned: 1_024 * rows.length, truncated };
      },
      heartbeat: async (service: string) => this.heartbeats.get(service) ?? null,
      alarms: async (names: readonly string[]) =>
        names.flatMap((name) => {
          const alarm = this.alarms.get(name);
          return alarm ? [{ name, ...alarm }] : [];
        }),
      metric: async (name: string, from: Date, to: Date) =>
        (this.metrics.get(name) ?? []).filter(({ at }) => at >= from && at <= to),
    };
  }

  #writer(): AwsWriter {
    return {
      ...this.services.writer,
      ...this.secrets.writer,
      createSnapshot: async ({ id }) => {
        if (this.snapshots.some((snapshot) => snapshot.id === id)) return;
        this.snapshots.push({ id, status: "available", createdAt: this.now() });
      },
      setCacheToken: async ({ value, strategy }) => {
        const kept = strategy === "SET" ? [] : this.cacheTokens.slice(-1);
        this.cacheTokens = [...kept, value.reveal()];
        this.cache = { ...this.cache, tokenChangedAt: this.now() };
      },
      putObjects: async ({ bucket, files }) => {
        for (const { key, cache } of files)
          this.objects.set(`${bucket}/${key}`, { bytes: 1, at: this.now(), cache });
        return files.length;
      },
      deleteObjects: async ({ bucket, keys }) =>
        keys.filter((key) => this.objects.delete(`${bucket}/${key}`)).length,
      invalidate: async ({ reference }) => {
        const same = [...this.invalidations].find(([, one]) => one.reference === reference);
        const id = same?.[0] ?? `I${this.invalidations.size + 1}`;
        if (!same) this.invalidations.set(id, { reference, looksLeft: 1 });
        return id;
      },
    };
  }
}

export interface AwsWorldOptions {
  readonly place?: Partial<AwsPlace>;
  readonly now?: () => Date;
}

export function makeAwsWorld({
  place,
  now = () => new Date("2026-11-22T12:00:00Z"),
}: AwsWorldOptions = {}): AwsWorld {
  return new AwsWorld(makeAwsPlace(place), now);
}
