/** Secrets Manager of the made-up account: versions, and the stages that wander between them. */
import { SecretText } from "../../src/base/secret-text.js";
import type { AwsReader, AwsWriter, SecretView } from "../../src/runbook/aws-port.js";
import { missing } from "./aws-world-services.js";

interface Version {
  readonly id: string;
  readonly value: string;
  stages: string[];
  readonly createdAt: Date;
}

export class WorldSecrets {
  readonly #secrets = new Map<string, Version[]>();
  #made = 0;

  constructor(readonly now: () => Date) {}

  /** Past all verbs, as somebody would put it by hand. */
  place(name: string, value: string, stage = "AWSCURRENT"): string {
    const versions = this.#secrets.get(name) ?? [];
    this.#secrets.set(name, versions);
    return this.#add(versions, value, stage);
  }

  /** For tests alone; null: no version has this stage. */
  valueOf(name: string, stage = "AWSCURRENT"): string | null {
    return this.#staged(this.#find(name), stage)?.value ?? null;
  }

  #find(name: string): Version[] {
    const versions = this.#secrets.get(name);
    if (!versions) throw missing(`secret ${name}`, [...this.#secrets.keys()]);
    return versions;
  }

  #staged(versions: readonly Version[], stage: string): Version | undefined {
    return versions.find(({ stages }) => stages.includes(stage));
  }

  #add(versions: Version[], value: string, stage: string): string {
    const id = `version-${++this.#made}`;
    versions.push({ id, value, stages: [], createdAt: this.now() });
    this.#move(versions, stage, id);
    return id;
  }

  /** The current one becomes the previous one, as in Secrets Manager. */
  #move(versions: readonly Version[], stage: string, to: string): void {
    const before = this.#staged(versions, stage);
    if (before?.id === to) return;
    for (const version of versions) version.stages = version.stages.filter((one) => one !== stage);
    versions.find(({ id }) => id === to)?.stages.push(stage);
    if (stage === "AWSCURRENT" && before) this.#move(versions, "AWSPREVIOUS", before.id);
  }

  readonly reader = {
    secret: async (name): Promise<SecretView | null> => {
      const versions = this.#secrets.get(name);
      if (!versions) return null;
      return {
        arn: `arn:aws:secretsmanager:us-east-1:123456789012:secret:${name}-AbCdEf`,
        versions: versions.map(({ id, stages, createdAt }) => ({ id, stages, createdAt })),
      };
    },
  } satisfies Partial<AwsReader>;

  readonly writer = {
    putSecret: async ({ name, value, stage }) => ({
      version: this.#add(this.#find(name), value.reveal(), stage),
    }),
    promoteSecret: async ({ name, version }) => {
      const versions = this.#find(name);
      const found = versions.find(({ id }) => id === version);
      if (!found)
        throw missing(
          `version ${version}`,
          versions.map(({ id }) => id),
        );
      const before = this.#staged(versions, "AWSCURRENT");
      this.#move(versions, "AWSCURRENT", version);
      found.stages = found.stages.filter((stage) => stage !== "AWSPENDING");
      return { previous: before && before.id !== version ? before.id : null };
    },
    createSecret: async ({ name, value }) => {
      if (this.#secrets.has(name)) return "exists";
      this.place(name, value.reveal());
      return "created";
    },
    readSecret: async ({ name, stage = "AWSCURRENT" }) => {
      const version = this.#staged(this.#find(name), stage);
      if (!version) throw missing(`version ${stage} of ${name}`, []);
      return new SecretText(version.value);
    },
  } satisfies Partial<AwsWriter>;
}
