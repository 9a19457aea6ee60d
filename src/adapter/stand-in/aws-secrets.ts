/** A stand-in for Secrets Manager: versions whose stages wander. And a table of DynamoDB with one key. */
import { AwsRefusal, type AwsRequest, arnOf } from "./aws-answer.js";

interface Version {
  readonly text: string;
  readonly madeAt: number;
  stages: string[];
}

type Versions = Map<string, Version>;

export class StandInSecrets {
  readonly #secrets = new Map<string, Versions>();

  /** As somebody would put it by hand. */
  place(name: string, text: string): void {
    this.#secrets.set(name, new Map([["first", { text, madeAt: 1, stages: ["AWSCURRENT"] }]]));
  }

  clear(): void {
    this.#secrets.clear();
  }

  /** Undefined: no version has this stage. */
  valueOf(name: string, stage = "AWSCURRENT"): string | undefined {
    return [...this.#find(name).values()].find(({ stages }) => stages.includes(stage))?.text;
  }

  answer({ operation, body }: AwsRequest): unknown {
    const name = String(body.SecretId ?? body.Name);
    if (operation === "CreateSecret") return this.#create(name, String(body.SecretString));
    const versions = this.#find(name);
    if (operation === "PutSecretValue") return this.#put(name, versions, body);
    if (operation === "ListSecretVersionIds") return this.#list(name, versions);
    if (operation === "UpdateSecretVersionStage") return this.#move(versions, body);
    if (operation !== "GetSecretValue") throw new AwsRefusal("InvalidRequestException");
    const stage = String(body.VersionStage ?? "AWSCURRENT");
    const SecretString = this.valueOf(name, stage);
    if (SecretString === undefined) throw new AwsRefusal("ResourceNotFoundException");
    return { ARN: arnOf("secretsmanager", `secret:${name}`), Name: name, SecretString };
  }

  #find(name: string): Versions {
    const versions = this.#secrets.get(name);
    if (versions === undefined) throw new AwsRefusal("ResourceNotFoundException");
    return versions;
  }

  #create(name: string, text: string): unknown {
    if (this.#secrets.has(name)) throw new AwsRefusal("ResourceExistsException");
    this.place(name, text);
    return { ARN: arnOf("secretsmanager", `secret:${name}`), Name: name, VersionId: "first" };
  }

  #put(name: string, versions: Versions, body: AwsRequest["body"]): unknown {
    const id = String(body.ClientRequestToken);
    const text = String(body.SecretString);
    const before = versions.get(id);
    if (before !== undefined && before.text !== text)
      throw new AwsRefusal("ResourceExistsException");
    if (before === undefined) {
      versions.set(id, { text, madeAt: versions.size + 1, stages: [] });
      for (const stage of body.VersionStages as string[]) this.#give(versions, stage, id);
    }
    const VersionStages = versions.get(id)?.stages ?? [];
    return { ARN: arnOf("secretsmanager", `secret:${name}`), VersionId: id, VersionStages };
  }

  #list(name: string, versions: Versions): unknown {
    const Versions = [...versions].map(([VersionId, { stages, madeAt }]) => ({
      ...{ VersionId, VersionStages: stages, CreatedDate: madeAt },
    }));
    return { ARN: arnOf("secretsmanager", `secret:${name}`), Name: name, Versions };
  }

  /** Secrets Manager wants both ends named when it takes a stage from one and gives it to the other. */
  #move(versions: Versions, body: AwsRequest["body"]): unknown {
    const stage = String(body.VersionStage);
    const holder = this.#holder(versions, stage);
    if (holder !== undefined && body.RemoveFromVersionId !== holder)
      throw new AwsRefusal("InvalidParameterException", `${stage} is attached to another version`);
    if (body.MoveToVersionId !== undefined)
      this.#give(versions, stage, String(body.MoveToVersionId));
    else this.#take(versions, stage);
    return {};
  }

  #holder(versions: Versions, stage: string): string | undefined {
    return [...versions].find(([, { stages }]) => stages.includes(stage))?.[0];
  }

  #take(versions: Versions, stage: string): void {
    for (const version of versions.values())
      version.stages = version.stages.filter((one) => one !== stage);
  }

  /** The current one becomes the previous one. */
  #give(versions: Versions, stage: string, id: string): void {
    const before = this.#holder(versions, stage);
    this.#take(versions, stage);
    versions.get(id)?.stages.push(stage);
    if (stage === "AWSCURRENT" && before !== undefined && before !== id)
      this.#give(versions, "AWSPREVIOUS", before);
  }
}

/** A table whose key is `service`. */
export function answerTable(rows: Map<string, unknown>, { operation, body }: AwsRequest): unknown {
  const keyOf = (item: unknown) => (item as { service: { S: string } }).service.S;
  if (operation === "PutItem") rows.set(keyOf(body.Item), body.Item);
  if (operation === "PutItem") return {};
  if (operation !== "GetItem" || body.ConsistentRead !== true)
    throw new AwsRefusal("ValidationException", "a stale row says nothing of now (X-61)");
  const Item = rows.get(keyOf(body.Key));
  return Item === undefined ? {} : { Item };
}
