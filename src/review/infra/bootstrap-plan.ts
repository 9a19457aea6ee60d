/**
 * What must be there before Terraform can run at all: the bucket of its state, and the roles that workflows take. They are
 * wanted as the synthesized identity stack writes them, so that Terraform, which takes them over, finds nothing to change.
 */
import { canonicalJson, isJsonObject, type Json, type JsonObject } from "../../base/json.js";

export interface WantedRole {
  readonly name: string;
  /** Policy documents as JSON texts, references filled in. */
  readonly trust: string;
  readonly boundary: string;
  /** By the policy's name. */
  readonly inline: Readonly<Record<string, string>>;
  /** ARNs. */
  readonly attached: readonly string[];
}

export interface Wanted {
  readonly bucket: string;
  /** Null: the account has one, and another environment makes it. */
  readonly provider: { readonly host: string; readonly audiences: readonly string[] } | null;
  /** Managed policies by name: JSON texts. */
  readonly policies: Readonly<Record<string, string>>;
  readonly roles: readonly WantedRole[];
}

/** The roles that workflows take; what else stands in the stack, Terraform makes. */
const ROLES = ["plan-role", "apply-role"];

/** Throws when the stack is not as it is known here: half of a role is worse than none. */
export function readWanted(stack: JsonObject, account: string, bucket: string): Wanted {
  const all = (type: string) => elements(stack, type);
  const fill = references(stack, account);
  const roles = ROLES.map((id) => {
    const role = all("aws_iam_role").get(id);
    if (role === undefined) throw new Error(`the identity stack has no role ${id}`);
    const isOf = ({ role: name }: JsonObject) => name === `\${aws_iam_role.${id}.name}`;
    const inline = [...all("aws_iam_role_policy").values()].filter(isOf);
    const attached = [...all("aws_iam_role_policy_attachment").values()].filter(isOf);
    return {
      name: textOf(role.name),
      trust: fill(textOf(role.assume_role_policy)),
      boundary: fill(textOf(role.permissions_boundary)),
      inline: Object.fromEntries(inline.map((one) => [textOf(one.name), fill(textOf(one.policy))])),
      attached: attached.map(({ policy_arn }) => fill(textOf(policy_arn))).sort(),
    };
  });
  const needed = new Set(roles.flatMap(({ boundary, attached }) => [boundary, ...attached]));
  const policies = [...all("aws_iam_policy").values()]
    .map(({ name, policy }) => [textOf(name), fill(textOf(policy))] as const)
    .filter(([name]) => needed.has(policyArn(account, name)));
  const [provider] = all("aws_iam_openid_connect_provider").values();
  return {
    bucket,
    provider: provider === undefined ? null : readProvider(provider),
    policies: Object.fromEntries(policies),
    roles,
  };
}

function readProvider({ url, client_id_list }: JsonObject) {
  const audiences = Array.isArray(client_id_list) ? client_id_list.map(textOf) : [];
  return { host: textOf(url).replace(/^https:\/\//, ""), audiences };
}

function elements(stack: JsonObject, type: string): Map<string, JsonObject> {
  const resources = isJsonObject(stack.resource) ? stack.resource[type] : null;
  const found = isJsonObject(resources) ? Object.entries(resources) : [];
  return new Map(found.flatMap(([id, body]) => (isJsonObject(body) ? [[id, body]] : [])));
}

/** Every ARN is made of names, so it is known before the thing is. */
function references(stack: JsonObject, account: string): (text: string) => string {
  const [provider] = elements(stack, "aws_iam_openid_connect_provider").values();
  return (text) =>
    text.replace(/\$\{([^}]+)\}/g, (whole, expression: string) => {
      const [, type, id] = /^(aws_iam_\w+)\.([\w-]+)\.arn$/.exec(expression) ?? [];
      if (type === "aws_iam_openid_connect_provider" && provider !== undefined)
        return providerArn(account, readProvider(provider).host);
      const policy = elements(stack, "aws_iam_policy").get(id ?? "");
      if (type === "aws_iam_policy" && policy !== undefined)
        return policyArn(account, textOf(policy.name));
      throw new Error(
        `the identity stack refers to ${whole}, which is not known before it is made`,
      );
    });
}

export const policyArn = (account: string, name: string) =>
  `arn:aws:iam::${account}:policy/${name}`;
export const providerArn = (account: string, host: string) =>
  `arn:aws:iam::${account}:oidc-provider/${host}`;

function textOf(value: Json | undefined): string {
  if (typeof value === "string" && value !== "") return value;
  throw new Error(`the identity stack has ${JSON.stringify(value)} where a text is expected`);
}

/** What is there. Null: it is not; `"foreign"`: somebody else's bucket has the name. */
export interface Found {
  readonly bucket:
    | null
    | "foreign"
    | {
        readonly versioned: boolean;
        readonly encrypted: boolean;
        readonly closed: boolean;
        readonly tlsOnly: boolean;
      };
  /** Audiences of the provider. */
  readonly provider: readonly string[] | null;
  readonly policies: Readonly<Record<string, string | null>>;
  readonly roles: Readonly<Record<string, FoundRole | null>>;
}

export type FoundRole = Omit<WantedRole, "name">;

export type BootstrapStep =
  | {
      readonly act: "make-bucket" | "version" | "encrypt" | "close" | "tls-only";
      readonly bucket: string;
    }
  | { readonly act: "make-provider"; readonly host: string; readonly audiences: readonly string[] }
  | { readonly act: "add-audience"; readonly host: string; readonly audience: string }
  | {
      readonly act: "make-policy" | "change-policy";
      readonly name: string;
      readonly document: string;
    }
  | { readonly act: "make-role" | "change-trust" | "change-boundary"; readonly role: WantedRole }
  | {
      readonly act: "put-inline";
      readonly role: string;
      readonly name: string;
      readonly document: string;
    }
  | { readonly act: "delete-inline"; readonly role: string; readonly name: string }
  | { readonly act: "attach" | "detach"; readonly role: string; readonly arn: string };

export interface BootstrapPlan {
  readonly steps: readonly BootstrapStep[];
  /** Why nothing may be done; empty when it may. */
  readonly refusals: readonly string[];
}

/** In the order in which one needs the other. What is as it should be has no step: twice is once. */
export function planBootstrap(wanted: Wanted, found: Found): BootstrapPlan {
  if (found.bucket === "foreign")
    return {
      steps: [],
      refusals: [
        `the bucket ${wanted.bucket} belongs to somebody else: choose another cluster name`,
      ],
    };
  const steps = [
    ...bucketSteps(wanted.bucket, found.bucket),
    ...providerSteps(wanted.provider, found.provider),
    ...policySteps(wanted.policies, found.policies),
    ...wanted.roles.flatMap((role) => roleSteps(role, found.roles[role.name] ?? null)),
  ];
  return { steps, refusals: [] };
}

function bucketSteps(bucket: string, found: Exclude<Found["bucket"], "foreign">): BootstrapStep[] {
  const acts = {
    ...{ "make-bucket": found !== null, version: found?.versioned, encrypt: found?.encrypted },
    ...{ close: found?.closed, "tls-only": found?.tlsOnly },
  };
  return Object.entries(acts).flatMap(([act, isDone]) =>
    isDone ? [] : [{ act: act as "version", bucket }],
  );
}

function providerSteps(wanted: Wanted["provider"], found: Found["provider"]): BootstrapStep[] {
  if (wanted === null) return [];
  if (found === null) return [{ act: "make-provider", ...wanted }];
  return wanted.audiences
    .filter((audience) => !found.includes(audience))
    .map((audience) => ({ act: "add-audience", host: wanted.host, audience }));
}

function policySteps(wanted: Wanted["policies"], found: Found["policies"]): BootstrapStep[] {
  return Object.entries(wanted).flatMap(([name, document]): BootstrapStep[] => {
    const there = found[name] ?? null;
    if (there === null) return [{ act: "make-policy", name, document }];
    return isSame(there, document) ? [] : [{ act: "change-policy", name, document }];
  });
}

function roleSteps(role: WantedRole, found: FoundRole | null): BootstrapStep[] {
  const steps: BootstrapStep[] = [];
  if (found === null) steps.push({ act: "make-role", role });
  if (found !== null && !isSame(found.trust, role.trust)) steps.push({ act: "change-trust", role });
  if (found !== null && found.boundary !== role.boundary)
    steps.push({ act: "change-boundary", role });
  for (const [name, document] of Object.entries(role.inline))
    if (!isSame(found?.inline[name] ?? "null", document))
      steps.push({ act: "put-inline", role: role.name, name, document });
  for (const arn of role.attached)
    if (!found?.attached.includes(arn)) steps.push({ act: "attach", role: role.name, arn });
  return [...steps, ...foreignSteps(role, found)];
}

/** Terraform never sees what was given to a role beside it: its resources stand each for one policy, and not for the rest. */
function foreignSteps(role: WantedRole, found: FoundRole | null): BootstrapStep[] {
  const { inline = {}, attached = [] } = found ?? {};
  return [
    ...Object.keys(inline)
      .filter((name) => !Object.hasOwn(role.inline, name))
      .map((name) => ({ act: "delete-inline", role: role.name, name }) as const),
    ...attached
      .filter((arn) => !role.attached.includes(arn))
      .map((arn) => ({ act: "detach", role: role.name, arn }) as const),
  ];
}

/** By what they say: AWS gives documents back with blanks of its own. */
function isSame(a: string, b: string): boolean {
  return canonicalJson(JSON.parse(a)) === canonicalJson(JSON.parse(b));
}

/** What a person reads before agreeing. */
export function describeStep(step: BootstrapStep): string {
  switch (step.act) {
    case "make-bucket":
      return `make the bucket ${step.bucket} for the state of Terraform`;
    case "version":
      return `keep every version of what is in ${step.bucket}`;
    case "encrypt":
      return `encrypt ${step.bucket}`;
    case "close":
      return `close ${step.bucket} to the public, whatever its policy says`;
    case "tls-only":
      return `refuse what comes to ${step.bucket} without TLS`;
    case "make-provider":
      return `believe ${step.host}, for ${step.audiences.join(", ")}`;
    case "add-audience":
      return `believe ${step.host} also for ${step.audience}`;
    case "make-policy":
      return `make the policy ${step.name}`;
    case "change-policy":
      return `change the policy ${step.name} to what the stacks say`;
    case "make-role":
      return `make the role ${step.role.name}, for ${subjectsOf(step.role.trust).join(", ")}`;
    case "change-trust":
      return `let ${step.role.name} be taken by ${subjectsOf(step.role.trust).join(", ")} alone`;
    case "change-boundary":
      return `bound ${step.role.name} by ${step.role.boundary}`;
    case "put-inline":
      return `give ${step.role} its policy ${step.name}`;
    case "delete-inline":
      return `take the policy ${step.name} from ${step.role}: no stack gives it`;
    case "attach":
      return `give ${step.role} ${step.arn}`;
    case "detach":
      return `take ${step.arn} from ${step.role}: no stack gives it`;
  }
}

/** `repo:owner/name:environment:production`: who may take the role. */
function subjectsOf(trust: string): string[] {
  return [...new Set(trust.match(/repo:[^"]+/g) ?? ["nobody"])];
}
