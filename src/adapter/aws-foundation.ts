/**
 * What must stand in an AWS account before Terraform can run: roles, policies and a provider of identities, each looked at
 * and made by itself. What to make is decided elsewhere.
 */
import { Fault } from "../base/fault.js";
import type { AwsGround } from "./aws-clients.js";
import { sendQuery } from "./aws-query.js";
import { childOf, textOf, type XmlElement } from "./aws-xml.js";

export interface RoleState {
  /** Policy documents as JSON texts. */
  readonly trust: string;
  /** ARN; empty: it has none. */
  readonly boundary: string;
  readonly inline: Readonly<Record<string, string>>;
  /** ARNs. */
  readonly attached: readonly string[];
}

export interface Identities {
  /** Audiences; null: there is no such provider. */
  provider(arn: string): Promise<readonly string[] | null>;
  makeProvider(host: string, audiences: readonly string[]): Promise<void>;
  addAudience(arn: string, audience: string): Promise<void>;
  /** Its document as JSON; null: there is no such policy. */
  policy(arn: string): Promise<string | null>;
  makePolicy(name: string, document: string): Promise<void>;
  /** A new version becomes the one that counts; AWS keeps five, so the oldest goes. */
  changePolicy(arn: string, document: string): Promise<void>;
  role(name: string): Promise<RoleState | null>;
  makeRole(name: string, trust: string, boundary: string): Promise<void>;
  changeTrust(name: string, trust: string): Promise<void>;
  changeBoundary(name: string, boundary: string): Promise<void>;
  putInline(role: string, name: string, document: string): Promise<void>;
  deleteInline(role: string, name: string): Promise<void>;
  attach(role: string, arn: string): Promise<void>;
  detach(role: string, arn: string): Promise<void>;
}

const VERSIONS_MAX = 5;

/** Every call throws a Fault as `callAws` does. */
export function createIdentities(ground: AwsGround): Identities {
  const ask: Ask = (operation, target, fields) =>
    sendQuery(ground, "iam", operation, fields, { target });
  const act = async (...call: Parameters<Ask>) => void (await ask(...call));
  return {
    provider: (arn) => readProvider(ask, arn),
    makeProvider: (host, audiences) =>
      act("CreateOpenIDConnectProvider", host, {
        Url: `https://${host}`,
        ...members("ClientIDList", audiences),
      }),
    addAudience: (arn, audience) =>
      act("AddClientIDToOpenIDConnectProvider", arn, {
        OpenIDConnectProviderArn: arn,
        ClientID: audience,
      }),
    policy: (arn) => readPolicy(ask, arn),
    makePolicy: (name, document) =>
      act("CreatePolicy", name, { PolicyName: name, PolicyDocument: document }),
    changePolicy: (arn, document) => changePolicy(ask, arn, document),
    role: (name) => readRole(ask, name),
    makeRole: (name, trust, boundary) =>
      act("CreateRole", name, {
        ...{ RoleName: name, AssumeRolePolicyDocument: trust, PermissionsBoundary: boundary },
      }),
    changeTrust: (name, trust) =>
      act("UpdateAssumeRolePolicy", name, { RoleName: name, PolicyDocument: trust }),
    changeBoundary: (name, boundary) =>
      act("PutRolePermissionsBoundary", name, { RoleName: name, PermissionsBoundary: boundary }),
    putInline: (role, name, document) =>
      act("PutRolePolicy", role, { RoleName: role, PolicyName: name, PolicyDocument: document }),
    deleteInline: (role, name) =>
      act("DeleteRolePolicy", role, { RoleName: role, PolicyName: name }),
    attach: (role, arn) => act("AttachRolePolicy", role, { RoleName: role, PolicyArn: arn }),
    detach: (role, arn) => act("DetachRolePolicy", role, { RoleName: role, PolicyArn: arn }),
  };
}

type Ask = (
  operation: string,
  target: string,
  fields: Readonly<Record<string, string>>,
) => Promise<XmlElement>;

/** `ClientIDList.member.1=…`: how the Query protocol writes lists. */
function members(name: string, values: readonly string[]): Record<string, string> {
  return Object.fromEntries(values.map((value, at) => [`${name}.member.${at + 1}`, value]));
}

const listOf = (answer: XmlElement, path: string) =>
  (childOf(answer, path)?.children ?? []).filter(({ name }) => name === "member");

async function orNull<T>(work: Promise<T>): Promise<T | null> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof Fault && error.code === "AWS_NOT_FOUND") return null;
    throw error;
  }
}

async function readProvider(ask: Ask, arn: string): Promise<readonly string[] | null> {
  const found = await orNull(
    ask("GetOpenIDConnectProvider", arn, { OpenIDConnectProviderArn: arn }),
  );
  if (found === null) return null;
  const list = listOf(found, "GetOpenIDConnectProviderResult/ClientIDList");
  return list.map(({ text }) => text.trim());
}

async function readPolicy(ask: Ask, arn: string): Promise<string | null> {
  const found = await orNull(ask("GetPolicy", arn, { PolicyArn: arn }));
  if (found === null) return null;
  const version = textOf(found, "GetPolicyResult/Policy/DefaultVersionId") ?? "v1";
  const asked = { PolicyArn: arn, VersionId: version };
  const answer = await ask("GetPolicyVersion", arn, asked);
  return documentIn(answer, "GetPolicyVersionResult/PolicyVersion/Document");
}

async function changePolicy(ask: Ask, arn: string, document: string): Promise<void> {
  const answer = await ask("ListPolicyVersions", arn, { PolicyArn: arn });
  const versions = listOf(answer, "ListPolicyVersionsResult/Versions");
  const idle = versions.filter((one) => textOf(one, "IsDefaultVersion") === "false");
  const numberOf = (one: XmlElement) => Number(textOf(one, "VersionId")?.slice(1));
  const [oldest] = idle.sort((a, b) => numberOf(a) - numberOf(b));
  if (versions.length >= VERSIONS_MAX && oldest !== undefined) {
    const VersionId = textOf(oldest, "VersionId") ?? "";
    await ask("DeletePolicyVersion", arn, { PolicyArn: arn, VersionId });
  }
  const wanted = { PolicyArn: arn, PolicyDocument: document, SetAsDefault: "true" };
  await ask("CreatePolicyVersion", arn, wanted);
}

async function readRole(ask: Ask, name: string): Promise<RoleState | null> {
  const fields = { RoleName: name };
  const found = await orNull(ask("GetRole", name, fields));
  if (found === null) return null;
  const named = listOf(
    await ask("ListRolePolicies", name, fields),
    "ListRolePoliciesResult/PolicyNames",
  );
  const inline: Record<string, string> = {};
  for (const { text } of named) {
    const answer = await ask("GetRolePolicy", name, { ...fields, PolicyName: text.trim() });
    inline[text.trim()] = documentIn(answer, "GetRolePolicyResult/PolicyDocument");
  }
  const attached = listOf(
    await ask("ListAttachedRolePolicies", name, fields),
    "ListAttachedRolePoliciesResult/AttachedPolicies",
  );
  const role = "GetRoleResult/Role";
  return {
    trust: documentIn(found, `${role}/AssumeRolePolicyDocument`),
    boundary: textOf(found, `${role}/PermissionsBoundary/PermissionsBoundaryArn`) ?? "",
    inline,
    attached: attached.map((one) => textOf(one, "PolicyArn") ?? ""),
  };
}

/** IAM writes documents as they stand in an address (RFC 3986). */
function documentIn(answer: XmlElement, path: string): string {
  const text = textOf(answer, path) ?? "";
  return text.startsWith("{") ? text : decodeURIComponent(text);
}
